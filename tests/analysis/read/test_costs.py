"""What a run cost, from the tokens in its log."""

import datetime
import math
from collections.abc import Callable
from typing import Any

import pytest
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSampleSummary, EvalSpec
from inspect_ai.model import GenerateConfig, ModelConfig, ModelUsage

from thoughttrace.analysis.chapters.headline import headline, price_note
from thoughttrace.analysis.read.costs import LogCosts, input_tokens, output_tokens
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.core.prices import Price, Prices

PRICE = Price(input=1, output=10, input_cache_read=0.1, input_cache_write=2, batch=0.5)
PRICES = Prices({"a/model": PRICE, "a/judge": PRICE})


def header(batch: bool = False, judge_in_batches: bool = False, created: str = "2026-11-23T00:00:00+00:00") -> EvalLog:
    judge = ModelConfig(model="a/judge", config=GenerateConfig(batch=judge_in_batches or None))
    spec = EvalSpec(
        created=created, task="infer_reason", dataset=EvalDataset(), model="a/model", config=EvalConfig(),
        model_roles={"grader": [judge]},
    )  # fmt: skip
    log = EvalLog(eval=spec)
    log.plan.config = GenerateConfig(batch=batch or None)
    return log


def used(input: int = 0, output: int = 0, **rest: Any) -> ModelUsage:
    return ModelUsage(input_tokens=input, output_tokens=output, total_tokens=input + output, **rest)


def sample(models: dict[str, ModelUsage], grader: ModelUsage | None) -> EvalSampleSummary:
    roles = {"grader": grader} if grader else {}
    return EvalSampleSummary(id="a", epoch=1, input="", target="", model_usage=models, role_usage=roles)


def test_model_and_judges_are_told_apart() -> None:
    costs = LogCosts(header(), PRICES)
    model, judges = costs.split(sample({"a/model": used(10, 1), "a/judge": used(20, 2)}, used(20, 2)))
    assert model == {"a/model": used(10, 1)}
    assert judges == {"a/judge": used(20, 2)}


def test_a_model_that_judges_itself_pays_for_both() -> None:
    costs = LogCosts(header(), PRICES)
    both = {"a/model": used(15, 3), "a/judge": used(20, 2)}
    model, judges = costs.split(sample(both, used(25, 4)))
    assert (input_tokens(model), output_tokens(model)) == (10, 1)
    assert (input_tokens(judges), output_tokens(judges)) == (25, 4)
    assert costs.split(sample({"a/judge": used(20, 2)}, used(20, 2)))[0] == {}  # a control


def test_cached_tokens_and_batches_cost_what_they_were() -> None:
    usage = {"a/model": used(10**6, 10**6, input_tokens_cache_read=10**6, input_tokens_cache_write=10**6)}
    assert LogCosts(header(), PRICES).cost(usage) == pytest.approx(1 + 10 + 0.1 + 2)
    assert LogCosts(header(batch=True), PRICES).cost(usage) == pytest.approx(13.1 / 2)
    judged = {"a/judge": used(10**6)}
    # Inspect batches the evaluated model only; a judge says it for itself.
    assert LogCosts(header(batch=True), PRICES).cost(judged, judging=True) == 1
    assert LogCosts(header(judge_in_batches=True), PRICES).cost(judged, judging=True) == 0.5


def test_what_inspect_reckoned_goes_before_our_prices_and_what_nobody_knows_is_not_zero() -> None:
    costs = LogCosts(header(), PRICES)
    assert costs.cost({"a/model": used(10**6, total_cost=7.5)}) == 7.5
    assert math.isnan(costs.cost({"a/model": used(1), "who/knows": used(1)}))
    assert costs.cost({"local/x": used(10**6)}) == 0
    assert costs.cost({}) == 0


def test_the_price_is_that_of_the_day_of_the_run() -> None:
    ends = Prices({"a/model": PRICE.model_copy(update={"until": datetime.date(2026, 11, 22)})})
    usage = {"a/model": used(10**6)}
    assert math.isnan(LogCosts(header(), ends).cost(usage))
    assert LogCosts(header(created="2026-11-22T09:00:00+00:00"), ends).cost(usage) == 1


def test_the_report_says_where_there_is_no_price(run_task: Callable[..., EvalLog], tmp_path: Any) -> None:
    run_task(model="m1")
    runs = read_runs([str(tmp_path / "logs")]).models
    assert all(math.isnan(cost) for row in headline(runs) for cost in (row.cost, row.judge_cost))
    assert price_note(runs) == f"No price is known for {', '.join(sorted({runs[0].judge, 'scripted/m1'}))}."
