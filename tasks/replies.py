"""How long replies are reckoned to be before there are any."""

import re
from dataclasses import dataclass

from inspect_ai.model import get_model_info

from thoughttrace.datasets.prices import LOCAL

REASONING = 300
"""Tokens of reasoning before each reply of a reasoning model."""

_ON_REQUEST = re.compile(r"claude-(?:[a-z]+-)?[34]\b")
"""Models that reason only where they are asked to: those of Claude before 5."""


@dataclass(frozen=True)
class Assumed:
    """Tokens of one reply, which nobody knows before.

    An inference was 20 to 70 tokens and a verdict 35 to 43 in the logs of `make demo`, whose local judge is held to
    150 characters of rationale; others write more. What a model thinks before is a guess: `--limit 50` tells.
    """

    inference: int = 40
    verdict: int = 80
    reasoning: int | None = None
    """None for `REASONING` where Inspect's model data call a model a reasoning one, else 0."""

    def reasoning_of(self, model: str) -> int:
        """Tokens of reasoning before each reply of a model.

        Args:
            model: Its name as Inspect writes it.
        """
        if self.reasoning is not None:
            return self.reasoning
        if model.partition("/")[0] in LOCAL:
            return 0
        info = get_model_info(model)
        return REASONING if info and info.reasoning and not _ON_REQUEST.search(model) else 0
