"""The net's own modules, which no package holds."""

import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

import pytest

# `tests` on the import path would shadow `datasets`.
for _name in ("scripted", "collected"):
    _spec = PathFinder.find_spec(_name, [str(Path(__file__).resolve().parent)])
    assert _spec
    assert _spec.loader
    sys.modules[_name] = _module = module_from_spec(_spec)
    _spec.loader.exec_module(_module)


@pytest.fixture(scope="module", autouse=True)
def sample_of_then(short_sample: Path) -> Iterator[None]:
    """Let `sample` be the 14 conversations that it had when the net was made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thoughttrace.datasets.sources._SAMPLE", short_sample)
        yield
