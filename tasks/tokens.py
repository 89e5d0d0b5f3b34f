"""How many tokens a text is, without a tokenizer: most are not public, and to let a provider count is to send the data.

Characters per token were measured on the 20 published example conversations (359,000 characters, English), and on a few
sentences each of six other languages, with OpenAI's o200k_base and public copies of Claude's (an older one) and Gemma's
tokenizer. The estimate of all their prompts was 0 to 1 % above the count, of single prompts from 16 % below to 17 %
above, of the bundled sample 6 to 9 % above; of other languages from 34 % below (Hindi, Claude) to 48 % above (Russian,
Claude).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from thoughttrace.datasets.model_names import family


class _Characters(NamedTuple):
    """Characters per token."""

    latin: float
    alphabet: float
    """Greek, Cyrillic, Arabic, Devanagari and the like."""
    ideograph: float
    """Chinese, Japanese, Korean; emoji."""


_PER_TOKEN = {
    "gpt": _Characters(3.9, 3.9, 1.7),
    "claude": _Characters(3.65, 1.3, 1.05),
    "gemini": _Characters(3.65, 3.4, 1.8),
}
_OTHERS = _Characters(3.65, 2.0, 1.3)

_ALPHABET = re.compile("[\u0370-\u1fff]")
_IDEOGRAPH = re.compile("[\u2e80-\U0010ffff]")


def count_tokens(text: str, model: str) -> float:
    """Estimate the tokens of a text; the estimates of the pieces of a text sum up to that of the text.

    Args:
        text: The text.
        model: The name of the model that reads it, as Inspect writes it.
    """
    per_token = _PER_TOKEN.get(family(model), _OTHERS)
    latin, alphabet, ideograph = _characters(text)
    return latin / per_token.latin + alphabet / per_token.alphabet + ideograph / per_token.ideograph


def accuracy(models: Iterable[str]) -> str:
    """How far the count may be off.

    Args:
        models: Whose tokens are counted.
    """
    newer = " Anthropic's models from Claude Opus 4.7 on may count up to 35 % more." * any(
        family(model) == "claude" for model in models
    )
    return (
        "Tokens are reckoned from characters: for English conversations within 10 % in all, for other languages "
        f"within 50 %.{newer}"
    )


@lru_cache(maxsize=4096)
def _characters(text: str) -> tuple[int, int, int]:
    if text.isascii():
        return len(text), 0, 0
    alphabet, ideograph = len(_ALPHABET.findall(text)), len(_IDEOGRAPH.findall(text))
    return len(text) - alphabet - ideograph, alphabet, ideograph
