"""Import the private names of `inspect_ai` that we use, here and nowhere else.

Checked with inspect_ai 0.3.285. A private name may move in any release: the tests compare `CHECKED_WITH` with the
installed version and with the range that `pyproject.toml` allows. Two of them are in modules that load the openai
package, for which every command and every `inspect` run would wait a second: they are imported when they are used.
"""

from typing import TYPE_CHECKING, Any

from inspect_ai._util.config import parse_cli_args
from inspect_ai._util.constants import NO_CONTENT
from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.exception import TerminateSampleError
from inspect_ai.model._generate_config import active_generate_config
from inspect_ai.model._model import active_model

if TYPE_CHECKING:
    from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI

CHECKED_WITH = "0.3.285"

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


def supports_explicit_prompt_cache(model_name: str) -> bool:
    """Return whether OpenAI's model takes breakpoints of its prompt cache in the request.

    Args:
        model_name: The model's name at OpenAI, such as `gpt-5.6`.
    """
    from inspect_ai.model._openai import supports_explicit_prompt_cache as supports  # noqa: PLC0415

    return supports(model_name)


def __getattr__(name: str) -> Any:
    if name == "OpenAICompatibleAPI":
        from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI  # noqa: PLC0415

        return OpenAICompatibleAPI
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
