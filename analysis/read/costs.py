"""What a run cost: the tokens that its log counted, at the prices of their day."""

import datetime
import math
from collections.abc import Mapping, Sequence

from inspect_ai.log import EvalLog, EvalSampleSummary
from inspect_ai.model import ModelUsage

from thoughttrace.core.prices import Price, Prices, our_prices

Usages = Mapping[str, ModelUsage]
"""Tokens by the name of the model."""


class LogCosts:
    """The prices that hold for one log.

    What Inspect took from its own cache costs nothing and is not in a log's usage. Reasoning is part of the output.

    Args:
        log: Its header.
        prices: What tokens cost, where the log does not say it (`--model-cost-config`); None for ours.
    """

    def __init__(self, log: EvalLog, prices: Prices | None = None) -> None:
        self._prices = prices or our_prices()
        self._evaluated = log.eval.model
        self._day = datetime.date.fromisoformat(str(log.eval.created)[:10])
        roles = (log.eval.model_roles or {}).values()
        judges = [judge for bound in roles for judge in (bound if isinstance(bound, list) else [bound])]
        self._batched = {True: {judge.model for judge in judges if judge.config.batch}, False: set()}
        if log.plan.config.batch or log.eval.model_generate_config.batch:
            self._batched[False].add(log.eval.model)
        self._found: dict[str, Price | None] = {}

    def split(self, sample: EvalSampleSummary) -> tuple[Usages, Usages]:
        """The tokens of the evaluated model, and those of the judges.

        Inspect counts by model and by role: what the role used beyond all other models is the evaluated model's own
        judging.
        """
        others = {name: usage for name, usage in sample.model_usage.items() if name != self._evaluated}
        own = sample.model_usage.get(self._evaluated)
        if own is None:
            return {}, others
        judged = _minus(_sum(list(sample.role_usage.values())), _sum(list(others.values())))
        if judged.total_tokens <= 0:
            return {self._evaluated: own}, others
        return {self._evaluated: _minus(own, judged)}, {**others, self._evaluated: judged}

    def cost(self, usages: Usages, judging: bool = False) -> float:
        """What tokens cost, in US dollars; NaN where a price is not known.

        Args:
            usages: The tokens.
            judging: Whether judges used them.
        """
        return sum(self._cost(model, usage, model in self._batched[judging]) for model, usage in usages.items())

    def _cost(self, model: str, usage: ModelUsage, batch: bool) -> float:
        if usage.total_cost is not None:
            return usage.total_cost
        if model not in self._found:
            self._found[model] = self._prices.find(model, self._day)
        price = self._found[model]
        dollars = price.dollars(usage, batch) if price else None
        return math.nan if dollars is None else dollars


def input_tokens(usages: Usages) -> int:
    """Tokens read: anew, from a provider's cache, or written to it."""
    return sum(
        usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
        for usage in usages.values()
    )


def output_tokens(usages: Usages) -> int:
    """Tokens written, reasoning included."""
    return sum(usage.output_tokens for usage in usages.values())


def _sum(usages: Sequence[ModelUsage]) -> ModelUsage:
    total = ModelUsage()
    for usage in usages:
        total = total + usage
    return total


def _minus(usage: ModelUsage, part: ModelUsage) -> ModelUsage:
    left = {
        name: value if (taken := getattr(part, name)) is None else value - taken
        for name, value in usage.model_dump(exclude_none=True).items()
    }
    return ModelUsage.model_validate(left)
