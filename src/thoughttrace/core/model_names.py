"""What the name of a model tells of who it is: no model may judge itself under another name."""

import re

_DATED = re.compile(r"(?:[-@:]?(?:\d{8}|\d{4}-\d{2}-\d{2}|latest|preview|exp|free))+$")
_FAMILY = re.compile(r"[a-z]+")
_ALSO_GPT = re.compile(r"(?:chatgpt|o[1-9]\b)")


def same_model(a: str, b: str) -> bool:
    """Whether two names are one model: the same after the provider's path, the date and `latest` or `preview`.

    Args:
        a: A model's name as Inspect writes it, such as `openrouter/anthropic/claude-opus-4.6`.
        b: Another.
    """
    return _bare(a) == _bare(b)


def family(name: str) -> str:
    """The family of a model: the first word of its name, whoever serves it (`claude`, `gpt`, `gemini`, `qwen` …).

    Args:
        name: A model's name as Inspect writes it.
    """
    bare = _bare(name)
    if _ALSO_GPT.match(bare):
        return "gpt"
    found = _FAMILY.match(bare)
    return found[0] if found else bare


def _bare(name: str) -> str:
    """The last part of a path, without date and stage, and with one way to write a version."""
    return _DATED.sub("", name.rpartition("/")[2].lower().removesuffix(".gguf")).replace(".", "-")
