"""The server that speaks the providers' protocols, and runs against it."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from loopback import Loopback


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A running `Loopback`, and the environment that leads all providers to it; set its `reply` to script it."""
    # Inspect keeps models between runs, and with them the address of another test's server.
    monkeypatch.setattr("inspect_ai.model._model._models", {})
    with Loopback() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between retries, neither Inspect's nor the SDKs'; what a server asks for is still waited for."""

    async def no_sleep(seconds: float) -> None:
        await anyio.sleep(0.01)

    monkeypatch.setattr("inspect_ai.model._retry._sleep", no_sleep)
    # Colouring a traceback takes Inspect a second of computing; the plain one stays.
    monkeypatch.setattr("inspect_ai._util.rich.rich_traceback", lambda *args, **options: "")
    for sdk in ("openai", "anthropic"):
        monkeypatch.setattr(f"{sdk}._base_client.INITIAL_RETRY_DELAY", 0.01)
        monkeypatch.setattr(f"{sdk}._base_client.MAX_RETRY_DELAY", 0.01)
