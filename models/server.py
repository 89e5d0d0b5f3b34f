"""A llama.cpp server inside this process; models with equal settings share one."""

import atexit
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from thoughttrace.datasets.cache import sha256
from thoughttrace.datasets.errors import UserError
from thoughttrace.models.catalogue import CATALOGUE

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
