"""Run real models in this process without a key: the provider `local/…`."""

import atexit
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from inspect_ai.model import ChatMessage, GenerateConfig, Logprobs, ModelCall, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import concurrency

from thoughttrace.core.cache_dir import sha256
from thoughttrace.core.errors import UserError, missing_extra
from thoughttrace.core.inspect_private import OpenAICompatibleAPI
from thoughttrace.models.weights import CATALOGUE, fetch_weights

_SLOTS = 2
"""Prompts whose prefix is kept: of both kinds of thought, or of inferring and judging."""

_SAME_PREFIX = 0.5
"""Share of a prompt that a slot must hold to be reused for it; at the default of 0.1, the opening of a chat template
alone makes prompts of different kinds evict each other."""

_MAX_STRING = 160
"""Characters of a string in a reply with a schema: a small model may never close it, and then gives no verdict."""

_MAX_TOKENS = 256
"""Of a reply: enough for a thought or a verdict; a small model that rambles is stopped there."""

_ALTERNATIVES = 300
"""To each token, where log-probabilities are wanted and a schema has choices: llama.cpp's are those without the
grammar, and among the first 20 words of a small model there is often one choice alone, which then looks certain."""

_MAX_THREADS = 8
"""More threads than this do not speed up models this small, which wait for memory."""


@dataclass(frozen=True)
class _Settings:
    """What determines a server; models with equal settings share one."""

    path: Path
    n_ctx: int
    threads: int


@dataclass(frozen=True)
class _Server:
    """A loaded model."""

    runtime: Any
    address: str
    api_key: str
    """Of this process alone: other users of the machine can reach the port."""
    n_ctx: int
    """The context that it really got, which its training may limit."""
    weights_sha256: str


_servers: dict[_Settings, _Server] = {}
# They must end before the interpreter is torn down around their threads.
atexit.register(_servers.clear)


class LocalAPI(OpenAICompatibleAPI):
    """A model that runs in this process.

    Unless the config sets them, the temperature is 0 and a reply has at most 256 tokens; a string in a reply with a
    schema ends after 160 characters. One call is computed at a time, whatever `--max-connections` is: every model uses
    all the cores. The settings in effect are recorded in each output's metadata.

    Args:
        model_name: A name in the catalogue or a path that ends in `.gguf`.
        base_url: Not used: the server is started by this class.
        api_key: Not used.
        config: Generation config.
        cache_prompt: Keep the prompt's state for the next prompt with the same prefix. This is several times faster,
            but the same call can differ in a later token, because a part of the prompt was computed in another batch.
            Without it, calls are bit-identical.
        n_ctx: Tokens that a prompt and its reply may take together.
        threads: Threads; by default as many as this process has cores, at most 8.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        cache_prompt: bool = True,
        n_ctx: int = 8192,
        threads: int | None = None,
    ) -> None:
        xllamacpp = _runtime()  # first: without it a gigabyte of weights is of no use
        settings = _Settings(_weights(model_name), n_ctx, threads or min(_cores(), _MAX_THREADS))
        if settings not in _servers:
            _servers[settings] = _start(xllamacpp, model_name, settings)
        loaded = _servers[settings]
        self.cache_prompt = cache_prompt
        self.in_effect = {
            "cache_prompt": cache_prompt,
            "n_ctx": loaded.n_ctx,
            "threads": settings.threads,
            "weights_sha256": loaded.weights_sha256,
            "xllamacpp": version("xllamacpp"),
        }
        super().__init__(
            model_name=model_name,
            base_url=f"{loaded.address}/v1",
            api_key=loaded.api_key,
            config=config,
            service="local",
        )

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput | tuple[ModelOutput | Exception, ModelCall]:
        """Generate one reply, alone on the machine's cores."""
        # max_connections() is not enough: adaptive connections, Inspect's default, ignore it, and two models at once
        # would compete for the same cores.
        async with concurrency("local", 1, key="thoughttrace/local", visible=False):
            result = await super().generate(input, tools, tool_choice, config)
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(output, ModelOutput):
            output.model = self.model_name
            output.metadata = {**(output.metadata or {}), **self.in_effect}
            if config.top_logprobs is not None:
                for choice in output.choices:
                    _keep_alternatives(choice.logprobs, _choices(config), config.top_logprobs)
        return result

    def completion_params(self, config: GenerateConfig, tools: bool) -> dict[str, Any]:
        """Return the request: at temperature 0 unless the config sets another, with the chosen prompt cache."""
        params = super().completion_params(config, tools)
        params.setdefault("temperature", 0.0)
        params["extra_body"] = {"cache_prompt": self.cache_prompt} | params.get("extra_body", {})
        schema = params.get("response_format", {}).get("json_schema", {}).get("schema", {})
        if params.get("top_logprobs") and _choices(config):
            params["top_logprobs"] = max(params["top_logprobs"], _ALTERNATIVES)
        for field in schema.get("properties", {}).values():
            if field.get("type") == "string":
                field.setdefault("maxLength", _MAX_STRING)
        return params

    def handle_bad_request(self, ex: Any) -> ModelOutput | Exception:
        """Return an output for a prompt longer than the context, which must not fail the run."""
        if "context size" in str(ex):
            # As the reply, the error's text would be taken for the model's own words.
            return ModelOutput.from_content(self.model_name, "", "model_length", error=str(ex.message))
        return super().handle_bad_request(ex)

    @property
    def schema_exclude_fields(self) -> set[str] | None:
        """Leave nothing out of a schema: llama.cpp's grammars support lengths, ranges and patterns."""
        return None

    def max_connections(self) -> int:
        """Return 1: see `generate`."""
        return 1

    def max_tokens(self) -> int | None:
        """Return the default limit of a reply."""
        return _MAX_TOKENS


def _choices(config: GenerateConfig) -> list[str]:
    """Return the choices of the fields of a schema, as a reply writes them."""
    wanted = config.response_schema
    fields = (wanted.json_schema.properties or {}).values() if wanted else ()
    return [str(choice) for field in fields for choice in field.enum or ()]


def _keep_alternatives(logprobs: Logprobs | None, choices: Sequence[str], most: int) -> None:
    """Keep the likeliest alternatives to each token, and of the others those that begin a choice: the log holds them.

    Args:
        logprobs: The log-probabilities of a reply.
        choices: The choices of its fields.
        most: How many of the likeliest are kept.
    """
    for token in logprobs.content if logprobs else ():
        others = token.top_logprobs or []
        token.top_logprobs = others[:most] + [
            other
            for other in others[most:]
            if (text := other.token.strip(' \n":,}')) and any(choice.startswith(text) for choice in choices)
        ]


def _runtime() -> Any:
    """Import the module that runs the models.

    Raises:
        UserError: The extra is not installed.
    """
    try:
        import xllamacpp  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing_extra("A model named local/…", ["xllamacpp"], "local") from error
    return xllamacpp


def _start(xllamacpp: Any, model_name: str, settings: _Settings) -> _Server:
    """Load a model.

    Raises:
        UserError: The model cannot be loaded.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.port = 0
    params.n_parallel = _SLOTS
    params.n_ctx = settings.n_ctx * _SLOTS
    params.slot_prompt_similarity = _SAME_PREFIX
    # Otherwise it silently shrinks the context to fit the memory.
    params.fit_params = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    # States of prompts that left their slot: up to 8 GB by default, for prompts that do not come back.
    params.cache_ram_mib = 0
    params.verbosity = 0  # its log goes to stderr, across Inspect's display
    params.ui = False
    api_key = secrets.token_urlsafe()
    params.api_keys = [api_key]
    params.cors_origins = ""  # it would allow every web page that asks
    try:
        started = xllamacpp.Server(params)
    except RuntimeError as error:
        raise UserError(
            f"llama.cpp cannot load {settings.path}: the file is no GGUF model that it supports, or there is "
            f"too little memory for it with a context of {settings.n_ctx} tokens (-M n_ctx=…)."
        ) from error
    slots = Request(f"{started.listening_address}/slots", headers={"Authorization": f"Bearer {api_key}"})
    with urlopen(slots, timeout=10) as reply:
        n_ctx = json.load(reply)[0]["n_ctx"]
    listed = CATALOGUE.get(model_name)  # its checksum was compared by `fetch_weights`
    checksum = listed.sha256 if listed else sha256(settings.path)
    return _Server(started, started.listening_address, api_key, n_ctx, checksum)


def _weights(model_name: str) -> Path:
    if not model_name.endswith(".gguf"):
        return fetch_weights(model_name)
    path = Path(model_name).expanduser().resolve()
    if not path.is_file():
        raise UserError(f"local/{model_name}: there is no file {path}.")
    return path


def _cores() -> int:
    # The cores that this process may use, where the system reports them (containers, taskset).
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
