"""Each test has a cache folder of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep parsed logs in a folder of the test's own."""
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
