"""Faults that a run cannot wait out: a panel that loses a judge, a bad key, a quota that ends, a reply that hangs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import eval_retry
from inspect_ai.log import EvalLog
from loopback import Reply, Request
from loopback.faults import Fault, Faulty, verdict
from loopback.layouts import PROVIDERS, Provider

from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement

CHAT = PROVIDERS["chat"]
QUOTA = Reply(status=429, code="insufficient_quota")


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., Any]) -> Callable[[int], str]:
    """A file of so many users with one reason each."""
    return lambda users: str(write(*(make_conversation(f"user{n}", turns=1) for n in range(users))))


@pytest.fixture
def run(tmp_path: Path, loopback: Any, hasty: None) -> Callable[..., EvalLog]:
    def run(task: Any, model: str, judges: str | list[str], **options: Any) -> EvalLog:
        shared: dict[str, Any] = {"log_dir": str(tmp_path / "logs"), "display": "none", "max_retries": 1}
        (log,) = inspect_eval(task, model=model, model_roles={"grader": judges}, **(shared | options))
        return log

    return run


def by_user(log: EvalLog) -> dict[str, Any]:
    return {str(sample.metadata["user"]): sample for sample in log.samples or []}


def test_a_judge_of_a_panel_that_fails_loses_its_vote_and_nothing_else(
    loopback: Any,
    run: Callable[..., EvalLog],
    data: Callable[[int], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Inspect warns once in a process, and another test may have caused the same warnings.
    monkeypatch.setattr("inspect_ai._util.logger._warned", [])
    faults = {
        "none": Fault(Reply(), rating=3),
        "429 for ever": Fault(Reply(status=429), reason="judge_failed", error="RateLimitError 429"),
        "reset for ever": Fault(Reply(cut=True), reason="judge_failed", error="APIConnectionError"),
        "bad key": Fault(Reply(status=401), reason="judge_failed", error="AuthenticationError 401"),
        "quota": Fault(QUOTA, reason="judge_failed", error="RateLimitError 429"),
        "wrong name": Fault(Reply(status=404), reason="judge_failed", error="NotFoundError 404"),
        "refused": Fault(Reply(stop="refusal"), reason="judge_refused"),
        "prose": Fault(Reply("A four."), reason="judge_unparsable"),
        "empty": Fault(Reply(""), reason="judge_empty"),
    }
    loopback.reply = faulty = Faulty(faults, CHAT.judge)
    other = "anthropic/claude-opus-4-6"
    log = run(infer_reason(data=data(len(faults))), CHAT.model, [CHAT.judge, other])
    assert log.status == "success"
    for name, sample in faulty.samples(log).items():
        score = (sample.scores or {})["agreement"]
        assert (score.value, score.reason) == (3, None)
        first, second = (score.metadata or {})["votes"]
        assert (first["judge"], second["judge"]) == (CHAT.judge, other)
        assert (first["rating"], first["reason"], first.get("error")) == (
            faults[name].rating, faults[name].reason, faults[name].error
        )  # fmt: skip
        assert second["rating"] == 3
        assert (score.metadata or {})["ratings"] == {CHAT.judge: [faults[name].rating], other: [3]}
    said = [record.message for record in caplog.records if "could not vote" in record.message]
    assert any(CHAT.judge in message for message in said)
    assert len(said) == len(set(said))
    (read,) = read_runs([log.location]).counted
    assert read.judge == f"{other}, {CHAT.judge}"
    assert headline([read])[0].coverage == 1


@pytest.mark.parametrize("status", [401, 404])
def test_a_judge_without_access_stops_the_run_and_it_can_be_taken_up_again(
    status: int, loopback: Any, run: Callable[..., EvalLog], data: Callable[[int], str]
) -> None:
    judge = CHAT.judge.rpartition("/")[2]
    loopback.reply = lambda request: Reply(status=status if request.model == judge else 200)
    log = run(infer_reason(data=data(30)), CHAT.model, CHAT.judge, max_samples=2)
    assert log.status == "error"
    assert log.error
    assert str(status) in log.error.message
    # It stopped at the first, and did not spend the money of all the others.
    assert len(loopback.requests) < 12
    loopback.reply = lambda request: Reply()
    (again,) = eval_retry(log, log_dir=str(Path(log.location).parent), display="none", max_samples=10)
    assert again.status == "success"
    assert len(again.samples or []) == 30
    (read,) = read_runs([again.location]).counted
    assert headline([read])[0].coverage == 1


def test_a_quota_that_ends_half_way_keeps_what_was_paid_for(
    loopback: Any, run: Callable[..., EvalLog], data: Callable[[int], str]
) -> None:
    model = CHAT.model.rpartition("/")[2]

    def half(request: Request) -> Reply:
        asked = sum(one.model == model for one in loopback.requests)
        return Reply() if request.model != model or asked <= 4 else Reply(status=QUOTA.status, code=QUOTA.code)

    loopback.reply = half
    log = run(infer_reason(data=data(8)), CHAT.model, CHAT.judge, max_samples=1)
    assert log.status == "error"
    assert log.error
    assert "You exceeded your current quota" in log.error.message
    done = [user for user, sample in by_user(log).items() if sample.scores]
    assert len(done) == 4
    # The SDK's three tries, and none of Inspect's.
    assert sum(one.model == model for one in loopback.requests) == 4 + 3
    loopback.requests.clear()
    loopback.reply = lambda request: Reply()
    (again,) = eval_retry(log, log_dir=str(Path(log.location).parent), display="none")
    assert again.status == "success"
    assert sum(one.model == model for one in loopback.requests) == 4
    assert {(sample.scores or {})["agreement"].value for sample in again.samples or []} == {3}


@pytest.mark.parametrize("side", ["model", "judge"])
@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_reply_that_hangs_is_asked_for_again(
    provider: Provider, side: str, loopback: Any, run: Callable[..., EvalLog], data: Callable[[int], str]
) -> None:
    faulty = Faulty({"hangs": Fault(Reply(latency=100), times=1)}, getattr(provider, side))
    loopback.reply = faulty
    began = time.monotonic()
    log = run(infer_reason(data=data(1)), provider.model, provider.judge, attempt_timeout=2, max_retries=4)
    assert time.monotonic() - began < 60
    assert log.status == "success"
    assert (by_user(log)["user0"].scores or {})["agreement"].value == 3
    assert faulty.asked["hangs"] >= 2


def test_the_judges_own_task_tells_a_bad_reply_from_no_reply(loopback: Any, run: Callable[..., EvalLog]) -> None:
    replies = [Reply(stop="refusal"), Reply(""), verdict(0), Reply(status=401)]
    asked: dict[str, Reply] = {}
    # By the prompt: a repair asks the same and more.
    loopback.reply = lambda request: asked.setdefault(request.blocks[1], replies[min(len(asked), 3)])
    log = run(judge_agreement(), CHAT.model, CHAT.judge, limit=4, fail_on_error=False, max_samples=1)
    ended = [
        sample.error.message[:15] if sample.error else (sample.scores or {})["probe"].reason
        for sample in log.samples or []
    ]
    assert sorted(map(str, ended)) == ["Error code: 401", "judge_empty", "judge_refused", "judge_unparsable"]
