"""What an estimate says before, and what the run then costs by its log, over the providers' real protocols."""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import CachePolicy, GenerateConfig
from loopback import Reply, Request, verdict

from thoughttrace.analysis.chapters.headline import headline, price_note
from thoughttrace.analysis.read.costs import LogCosts
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.prices import Prices, our_prices, read_prices
from thoughttrace.costing.workload import TASK_FUNCTIONS, ReplyLengths, Workload, workloads

INFERENCE = (
    "I wanted to get this done before the weekend and was not sure that it had understood what I really need. " * 2
)
VERDICT = verdict(3, "The guess names the same worry, and leaves out why the user has it. " * 4)
BOTH = ("infer_reason", "infer_reaction")
TOLERANCE = 0.15
"""Largest relative difference of an estimate from the bill."""


def replies(request: Request) -> Reply:
    """As long as those of large models are reckoned to be."""
    return Reply(INFERENCE[:160] if request.schema is None else VERDICT)


def run(
    folder: Path, model: str, judge: str, names: Sequence[str] = BOTH, data: str = "sample", **options: Any
) -> list[Run]:
    tasks = [TASK_FUNCTIONS[name](data=data) for name in names]
    roles = {"grader": judge}
    logs = inspect_eval(tasks, model=model, model_roles=roles, log_dir=str(folder), display="none", **options)
    assert {log.status for log in logs} == {"success"}
    return read_runs([str(folder)]).counted


def estimated(
    model: str, judge: str, prices: Prices, names: Sequence[str] = BOTH, data: str = "sample", **assumed: int
) -> list[Workload]:
    lengths = ReplyLengths(**{"reasoning": 0, **assumed})
    return [
        work for name in names for work in workloads(name, {"data": data}, [model], [judge], prices, lengths=lengths)
    ]


def dollars(works: Sequence[Workload], prices: Prices, role: str, cache: bool) -> float:
    total = 0.0
    for work in works:
        if work.role == role:
            price = prices.find(work.model)
            assert price
            total += price.dollars(work.cached if cache else work.plain) or 0
    return total


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("model", "judge"),
    [
        ("openai/gpt-5.4", "anthropic/claude-opus-4-6"),
        ("anthropic/claude-sonnet-4-6", "google/gemini-3.1-pro-preview"),
        ("google/gemini-2.5-flash", "openai/gpt-5.6-luna"),
    ],
)
def test_the_estimate_is_near_the_bill(
    model: str, judge: str, loopback: Any, tmp_path: Path, short_sample: Path
) -> None:
    loopback.reply = replies
    prices = our_prices()
    runs = run(tmp_path / "logs", model, judge, data=str(short_sample))
    works = estimated(model, judge, prices, data=str(short_sample))
    table = pd.DataFrame(headline(runs))
    assert sum(work.requests for work in works) == len(loopback.requests)
    for role, column in (("model", "cost"), ("judge", "judge_cost")):
        bill = table[column].sum()
        assert bill > 0
        assert dollars(works, prices, role, cache=False) == pytest.approx(bill, rel=TOLERANCE), role
    note = price_note(runs)
    assert f"{judge} of " in note
    assert f"{model} of " in note


@pytest.fixture
def cache_rules(root: Path) -> Any:
    """What providers' caches do, told to a server whose replies take a tenth of the time."""
    spec = spec_from_file_location("cache_rules", root / "benchmarks/cache_rules.py")
    assert spec
    assert spec.loader
    sys.modules["cache_rules"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # Both, so that the caches forget as slowly as real ones, and a slow machine does not matter.
    vars(module).update(LATENCY=0.05, STANDS_FOR=0.05)
    return module


@pytest.mark.parametrize(
    ("model", "judge"),
    [
        ("openai/gpt-5.4", "anthropic/claude-opus-4-6"),
        ("openai/gpt-5.6-terra", "anthropic/claude-opus-4-6"),
        ("anthropic/claude-sonnet-4-6", "openai/gpt-5.4"),
        ("google/gemini-2.5-flash", "openai/gpt-5.4"),
    ],
)
def test_with_a_prompt_cache_too(
    model: str,
    judge: str,
    loopback: Any,
    cache_rules: Any,
    tmp_path: Path,
    examples: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Inspect marks prompts at OpenAI's own address only; the SDK reads the loopback's from the environment by itself.
    monkeypatch.setattr("inspect_ai.model._providers.openai.model_base_url", lambda *_: None)
    loopback.reply = lambda request: dataclasses.replace(cache_rules.answer(request), latency=cache_rules.LATENCY)
    # The server caches for every provider from as many tokens on as `cache_rules.py` says.
    own = our_prices().find(model)
    assert own
    file = tmp_path / "prices.json"
    fields = own.model_dump(mode="json", exclude_none=True) | {"cache_minimum": cache_rules.LEAST}
    file.write_text(json.dumps({model: fields}))
    prices = read_prices(file)
    # Of all 20 conversations the caches leave the same share of the bill.
    data = tmp_path / "eight.jsonl"
    data.write_bytes(b"".join(examples.read_bytes().splitlines(keepends=True)[:8]))
    # A second task may find what the first one left, if it comes soon enough; no estimate counts on it.
    runs = run(tmp_path / "logs", model, judge, BOTH[:1], str(data))
    works = estimated(model, judge, prices, BOTH[:1], str(data), inference=20)
    bill = sum(row.cost for row in headline(runs))
    with_cache, without = (dollars(works, prices, "model", cache=cache) for cache in (True, False))
    assert with_cache == pytest.approx(bill, rel=TOLERANCE)
    assert with_cache < 0.75 * without


def test_what_inspect_takes_from_its_own_cache_costs_nothing(
    loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "inspect"))
    loopback.reply = replies
    options: dict[str, Any] = {"cache": CachePolicy(expiry="1h"), "limit": 4}
    first, again = (
        pd.DataFrame(headline(run(tmp_path / name, "openai/gpt-5.4", "anthropic/claude-opus-4-6", **options)))
        for name in ("first", "again")
    )
    assert len(loopback.requests) == 16
    assert (first["cost"] > 0).all()
    assert (first["judge_cost"] > 0).all()
    assert again[["input_tokens", "cost", "judge_cost"]].to_numpy().sum() == 0


def test_a_batch_costs_what_a_batch_costs(loopback: Any, tmp_path: Path, log_of: Callable[..., Any]) -> None:
    log = log_of()
    used = {"openai/gpt-5.4": log.samples[0].model_usage["openai/gpt-5.4"]}
    full = LogCosts(log).cost(used)
    log.plan.config = GenerateConfig(batch=True)
    assert LogCosts(log).cost(used) == pytest.approx(full / 2)
    assert LogCosts(log).cost(used, judging=True) == full


@pytest.fixture
def log_of(loopback: Any, tmp_path: Path) -> Callable[..., Any]:
    def make() -> Any:
        (log,) = inspect_eval(
            TASK_FUNCTIONS["infer_reason"](),
            model="openai/gpt-5.4",
            model_roles={"grader": "anthropic/claude-opus-4-6"},
            limit=1,
            log_dir=str(tmp_path / "one"),
            display="none",
        )
        return log

    return make
