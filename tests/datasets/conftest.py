"""The real Hub client against the Hub on this machine, and its faults."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def client(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The real client in this process, with its own cache, asking that Hub."""
    from huggingface_hub import close_session, constants

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("thoughttrace.datasets.hub.SIZE", len(hub.content))
    monkeypatch.setattr("thoughttrace.datasets.hub.NOTED_SHA256", sha256(hub.content).hexdigest())
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
