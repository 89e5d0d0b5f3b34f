"""`--batch`: both tasks through the providers' batches, by the real SDKs."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import BatchConfig, GenerateConfig, Model, get_model
from loopback import Reply, Request
from loopback.batch import BatchLoopback

from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.core.prices import our_prices
from thoughttrace.tasks.infer_reason import infer_reason

QUICK = BatchConfig(size=4, send_delay=0.2, tick=0.05)
PAIRS = [
    ("openai/gpt-5.4", "anthropic/claude-opus-4-6"),
    ("openai/gpt-4o", "google/gemini-2.5-flash"),  # chat completions
    ("anthropic/claude-sonnet-4-6", "openai/gpt-5.4"),
    ("google/gemini-2.5-flash", "openai/gpt-5.4"),
]


def fresh(name: str, **config: Any) -> Model:
    """A model that has not seen an earlier test's server."""
    return get_model(name, config=GenerateConfig(**config), memoize=False)


def run(model: str, judge: str, folder: Path, judge_in_batches: bool) -> EvalLog:
    # Inspect batches the evaluated model only; a judge says it for itself, on the command line as
    # --model-role 'grader={model: …, batch: true}'.
    grader = fresh(judge, batch=QUICK if judge_in_batches else None)
    (log,) = inspect_eval(
        infer_reason(), model=fresh(model), model_roles={"grader": grader}, limit=8, batch=QUICK, log_dir=str(folder),
        display="none", max_retries=0,
    )  # fmt: skip
    return log


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    with BatchLoopback() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize(("model", "judge"), PAIRS)
def test_a_run_goes_through_batches_and_costs_half(
    model: str, judge: str, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    log = run(model, judge, tmp_path / "logs", judge_in_batches=True)
    assert log.status == "success"
    assert sum(server.batches) == len(server.requests) == 16
    assert len(server.batches) < 16
    # A batch finds no cache and leaves none, so nothing but the short instructions is marked to be written.
    for request in server.requests:
        asked = [request.body.get(name) for name in ("messages", "input", "contents", "cache_control")]
        assert "ephemeral" not in str(asked)
    (row,) = headline(read_runs([str(tmp_path / "logs")]).counted)
    assert row.n == 8
    used = log.stats.model_usage
    for name, column in ((model, "cost"), (judge, "judge_cost")):
        price = our_prices().find(name)
        full = price.dollars(used[name]) if price else None
        if full is not None:
            assert getattr(row, column) == pytest.approx(full / 2)


def test_without_a_word_the_judge_is_asked_one_by_one(server: Any, tmp_path: Path) -> None:
    log = run("openai/gpt-5.4", "anthropic/claude-opus-4-6", tmp_path, judge_in_batches=False)
    assert log.status == "success"
    assert sum(server.batches) == 8
    assert len(server.requests) == 16


@pytest.mark.parametrize(
    ("model", "lost"),
    [
        ("openai/gpt-5.4", 8),  # Inspect cannot read such a line, and gives up the whole batch; eval-retry asks again
        ("anthropic/claude-sonnet-4-6", 1),
        ("google/gemini-2.5-flash", 1),
    ],
)
def test_one_failed_request_of_a_batch(model: str, lost: int, server: Any, tmp_path: Path) -> None:
    failed: list[Request] = []

    def reply(request: Request) -> Reply:
        if request.schema is None and not failed:
            failed.append(request)
            return Reply(status=400)
        return Reply()

    server.reply = reply
    judge = "google/gemini-2.5-pro" if model.startswith("openai") else "openai/gpt-5.4"
    roles = {"grader": fresh(judge)}
    (log,) = inspect_eval(
        infer_reason(), model=fresh(model), model_roles=roles, limit=8, batch=QUICK, log_dir=str(tmp_path),
        display="none", max_retries=0, fail_on_error=False,
    )  # fmt: skip
    assert log.samples
    assert sum(sample.error is not None for sample in log.samples) == lost
