"""Import the private names of `inspect_ai` that we use, here and nowhere else.

Checked with inspect_ai 0.3.285. A private name may move in any release: the tests compare `CHECKED_WITH` with the
installed version and with the range that `pyproject.toml` allows.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect_ai._util.config import parse_cli_args
    from inspect_ai._util.constants import NO_CONTENT
    from inspect_ai._util.error import PrerequisiteError
    from inspect_ai._util.exception import TerminateSampleError
    from inspect_ai.model._generate_config import active_generate_config
    from inspect_ai.model._model import active_model
    from inspect_ai.model._openai import supports_explicit_prompt_cache
    from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI

CHECKED_WITH = "0.3.285"

_MODULES = {
    "parse_cli_args": "inspect_ai._util.config",
    "NO_CONTENT": "inspect_ai._util.constants",
    "PrerequisiteError": "inspect_ai._util.error",
    "TerminateSampleError": "inspect_ai._util.exception",
    "active_generate_config": "inspect_ai.model._generate_config",
    "active_model": "inspect_ai.model._model",
    "supports_explicit_prompt_cache": "inspect_ai.model._openai",
    "OpenAICompatibleAPI": "inspect_ai.model._providers.openai_compatible",
}

__all__ = [
    "CHECKED_WITH",
    "NO_CONTENT",
    "OpenAICompatibleAPI",
    "PrerequisiteError",
    "TerminateSampleError",
    "active_generate_config",
    "active_model",
    "parse_cli_args",
    "supports_explicit_prompt_cache",
]


def __getattr__(name: str) -> Any:
    # Two of the modules load the openai package: every command that may raise a UserError would wait for it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
