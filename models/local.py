"""Run real models on this machine without a key: the provider `local/…`."""

import atexit
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from inspect_ai.model import ChatMessage, GenerateConfig, ModelCall, ModelOutput
from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import concurrency

from thoughttrace.core.cache_dir import sha256
from thoughttrace.core.errors import UserError
from thoughttrace.models.weights import CATALOGUE, fetch_weights

SLOTS = 2
"""Prompts whose prefix is kept: of both kinds of thought, or of inferring and judging."""

SAME_PREFIX = 0.5
"""Share of a prompt that a slot must know to be taken for it; at the default of 0.1, a chat template's opening
alone makes prompts of different kinds evict each other."""


@dataclass(frozen=True)
class Server:
    """A loaded model; `n_ctx` is what it really got, which its training may limit."""

    runtime: Any
    address: str
    n_ctx: int
    weights_sha256: str


@dataclass(frozen=True)
class Settings:
    """What determines a server; models with equal settings share one."""

    path: Path
    n_ctx: int
    threads: int


_servers: dict[Settings, Server] = {}
# Before the interpreter falls apart around threads that still run.
atexit.register(_servers.clear)


def runtime() -> Any:
    """The module that runs the models.

    Raises:
        UserError: The extra is not installed.
    """
    try:
        import xllamacpp  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            'Models called local/… need the extra "local": pip install "thoughttrace[local]" '
            '(from a clone: pip install -e ".[local]").'
        ) from error
    return xllamacpp


def server(model_name: str, settings: Settings) -> Server:
    """The server of these settings, started if there is none yet.

    Raises:
        UserError: The extra is not installed, or the model cannot be loaded.
    """
    if settings not in _servers:
        _servers[settings] = _start(runtime(), model_name, settings)
    return _servers[settings]


def _start(xllamacpp: Any, model_name: str, settings: Settings) -> Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.port = 0
    params.n_parallel = SLOTS
    params.n_ctx = settings.n_ctx * SLOTS
    params.slot_prompt_similarity = SAME_PREFIX
    # Otherwise it shrinks the context to fit the memory and does not say so.
    params.fit_params = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    # States of prompts that left their slot: up to 8 GB by default, for prompts that do not come back.
    params.cache_ram_mib = 0
    params.verbosity = 0  # its log goes to stderr, across Inspect's display
    params.ui = False
    try:
        started = xllamacpp.Server(params)
    except RuntimeError as error:
        raise UserError(
            f"llama.cpp cannot load {settings.path}: the file is no GGUF model that it knows, or there is "
            f"too little memory for it with a context of {settings.n_ctx} tokens (-M n_ctx=…)."
        ) from error
    with urlopen(f"{started.listening_address}/slots", timeout=10) as reply:
        n_ctx = json.load(reply)[0]["n_ctx"]
    known = CATALOGUE.get(model_name)
    return Server(started, started.listening_address, n_ctx, known.sha256 if known else sha256(settings.path))


MAX_STRING = 100
"""Characters of a string in a reply with a schema: a small model may never close it, and then gives no verdict."""

MAX_THREADS = 8
"""More threads than this do not help models this small: memory is what they wait for."""


class LocalAPI(OpenAICompatibleAPI):
    """A model that runs in this process.

    It is sampled at temperature 0 unless the config sets one, and replies with at most 256 tokens
    unless the config says otherwise; a string in a reply with a schema ends after 100 characters.
    One call is computed at a time, whatever `--max-connections` says:
    every model uses all the cores. What was in effect is recorded in each output's metadata.

    Args:
        model_name: A name in the catalogue or a path that ends in `.gguf`.
        base_url: Not used: the server is started here.
        api_key: Not used.
        config: Generation config.
        cache_prompt: Keep the prompt's state for the next prompt with the same prefix. Several times
            faster; but the same call can differ in a later token, because a part of the prompt was
            computed in another batch. Off, calls are bit-identical.
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
        runtime()  # asked first: without it a gigabyte of weights is of no use
        settings = Settings(_weights(model_name), n_ctx, threads or min(_cores(), MAX_THREADS))
        loaded = server(model_name, settings)
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
            api_key="local",
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
        # Not by max_connections(): adaptive connections, Inspect's default, do not ask for it, and two
        # models at once would fight for the same cores.
        async with concurrency("local", 1, key="thoughttrace/local", visible=False):
            result = await super().generate(input, tools, tool_choice, config)
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(output, ModelOutput):
            output.model = self.model_name
            output.metadata = {**(output.metadata or {}), **self.in_effect}
        return result

    def completion_params(self, config: GenerateConfig, tools: bool) -> dict[str, Any]:
        """The request: greedy unless told otherwise, with the prompt cache as it was chosen."""
        params = super().completion_params(config, tools)
        params.setdefault("temperature", 0.0)
        params["extra_body"] = {"cache_prompt": self.cache_prompt} | params.get("extra_body", {})
        schema = params.get("response_format", {}).get("json_schema", {}).get("schema", {})
        for field in schema.get("properties", {}).values():
            if field.get("type") == "string":
                field.setdefault("maxLength", MAX_STRING)
        return params

    def handle_bad_request(self, ex: Any) -> ModelOutput | Exception:
        """A prompt longer than the context is an answer of the model, not a failure of the run."""
        if "context size" in str(ex):
            # Its text would be taken for the model's own words, so it goes beside the empty reply.
            return ModelOutput.from_content(self.model_name, "", "model_length", error=str(ex.message))
        return super().handle_bad_request(ex)

    @property
    def schema_exclude_fields(self) -> set[str] | None:
        """Nothing is left out of a schema: llama.cpp's grammars know lengths, ranges and patterns."""
        return None

    def max_connections(self) -> int:
        """One: see `generate`."""
        return 1

    def max_tokens(self) -> int | None:
        """Enough for a thought or a verdict; a small model that rambles stops here."""
        return 256


def _weights(model_name: str) -> Path:
    if not model_name.endswith(".gguf"):
        return fetch_weights(model_name)
    path = Path(model_name).expanduser().resolve()
    if not path.is_file():
        raise UserError(f"There is no file {path} for the model local/{model_name}.")
    return path


def _cores() -> int:
    # The cores this process may use, where the system says (containers, taskset).
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
