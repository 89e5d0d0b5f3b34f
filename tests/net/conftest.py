"""The net's own modules, which no package holds."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

# `tests` on the import path would shadow `datasets`.
for _name in ("scripted", "collected"):
    _spec = PathFinder.find_spec(_name, [str(Path(__file__).resolve().parent)])
    assert _spec
    assert _spec.loader
    sys.modules[_name] = _module = module_from_spec(_spec)
    _spec.loader.exec_module(_module)
