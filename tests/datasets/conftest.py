"""A Hub on this machine for the tests of the download.

Its module is loaded by its path: with pytest's import mode, test files cannot import each other.
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.datasets.hub import REVISION

OLDER = "1" * 40


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their own module up.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hub(make_conversation: Callable[..., dict[str, Any]]) -> Iterator[Any]:
    """A running Hub that holds two users' conversations, with the published commit, `main`, and an older one."""
    lines = [json.dumps(make_conversation(user)) for user in ("user1", "user2")]
    commits = {REVISION: REVISION, "main": REVISION, OLDER: OLDER, "v0": OLDER}
    with _load("hub_server").running_hub("\n".join(lines).encode() + b"\n", commits) as hub:
        yield hub


@pytest.fixture
def client(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The real client in this process, with its own cache, asking that Hub."""
    from huggingface_hub import close_session, constants

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "agents.json"))
    close_session()
    yield hub
    close_session()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture
def broken(client: Any) -> Callable[[dict[str, Any]], AbstractContextManager[None]]:
    """Script the Hub's faults (its attributes), the client's constants, and an error of the disk, for a while."""
    from huggingface_hub import constants, file_download

    @contextmanager
    def broken(fault: dict[str, Any]) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in fault.items():
                if name == "disk":
                    patch.setattr(file_download, "http_get", partial(_fail, OSError(value, os.strerror(value))))
                else:
                    patch.setattr(constants if name.isupper() else client, name, value)
            yield

    return broken


def _fail(error: Exception, *args: Any, **kwargs: Any) -> None:
    raise error
