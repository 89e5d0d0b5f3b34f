"""What a run makes of every fault of a provider: each sample of one run meets another, and none is its neighbour's."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from loopback import Reply
from loopback.faults import Fault, Faulty, too_long, verdict
from loopback.layouts import PROVIDERS, Provider

from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.tasks.infer_reason import infer_reason

HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
RETRIES = 2

PASSING = {
    "none": Fault(Reply(), rating=3, tries=1),
    "429": Fault(Reply(status=429), times=1, rating=3, tries=2),
    "429, Retry-After": Fault(Reply(status=429, headers={"Retry-After": "1"}), times=1, rating=3, tries=2),
    "500": Fault(Reply(status=500), times=1, rating=3),
    "503": Fault(Reply(status=503), times=1, rating=3, tries=2),
    "529": Fault(Reply(status=529), times=1, rating=3),
    "reset within the reply": Fault(Reply(cut=True), times=1, rating=3, tries=2),
    "overloaded within the stream": Fault(
        Reply(late_error="overloaded_error"), times=1, rating=3, tries=2, only=("anthropic",)
    ),
    "slow drip": Fault(Reply(drip=0.05), rating=3, tries=1),
}
LASTING = {
    "429 for ever": Fault(Reply(status=429), error="RetryError"),
    "503 for ever": Fault(Reply(status=503), error="RetryError"),
    "reset for ever": Fault(Reply(cut=True), error="RetryError"),
    "HTML with status 200": Fault(Reply(body=HTML), error=r"AssertionError|RetryError|JSONDecodeError"),
    "bad request": Fault(Reply(status=400), error="ModelGenerateError", tries=1),
    "bad key": Fault(Reply(status=401), error=r"401|invalid authentication", tries=1),
    "wrong name": Fault(Reply(status=404), error=r"404|not found", tries=1),
    # The three tries are the SDK's own.
    "quota": Fault(
        Reply(status=429, code="insufficient_quota"),
        error="You exceeded your current quota",
        tries=3,
        only=("responses", "chat"),
    ),
}
OF_THE_MODEL = {
    "empty": Fault(Reply(""), rating=1, reason="no_response", tries=1),
    "refused": Fault(Reply(stop="refusal"), rating=1, reason="refusal", tries=1),
    "filtered": Fault(Reply(stop="content_filter"), rating=1, reason="refusal", tries=1),
    "cut off": Fault(Reply("I wanted to", stop="length"), rating=3, tries=1),
    "cut off before the first word": Fault(Reply("", stop="length"), reason="truncated", tries=1),
    "prose that refuses": Fault(Reply("I'm sorry, I can't help with that."), rating=3, tries=1),
}
OF_THE_JUDGE = {
    "empty": Fault(Reply(""), reason="judge_empty", tries=2),
    "refused": Fault(Reply(stop="refusal"), reason="judge_refused", tries=2),
    "filtered": Fault(Reply(stop="content_filter"), reason="judge_refused", tries=2),
    "cut off": Fault(Reply('{"rationale": "bec', stop="length"), reason="judge_truncated", tries=2),
    "invalid JSON": Fault(Reply('{"rationale": "because", "rating": }'), reason="judge_unparsable", tries=2),
    "out of range": Fault(verdict(6), reason="judge_unparsable", tries=2),
    "no whole number": Fault(verdict("4"), reason="judge_unparsable", tries=2),
    "prose": Fault(Reply("I would say that is a four."), reason="judge_unparsable", tries=2),
    "prose once": Fault(Reply("I would say that is a four."), times=1, rating=3, tries=2),
}


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return request.param


@pytest.fixture
def run(
    loopback: Any, hasty: None, tmp_path: Path, write: Callable[..., Path], make_conversation: Callable[..., Any]
) -> Callable[..., EvalLog]:
    def run(provider: Provider, faulty: Faulty, **options: Any) -> EvalLog:
        loopback.reply = faulty
        data = write(*(make_conversation(f"user{n}", turns=1) for n in range(len(faulty.faults))))
        shared: dict[str, Any] = {"log_dir": str(tmp_path / "logs"), "display": "none", "max_retries": RETRIES}
        roles = {"grader": provider.judge}
        (log,) = inspect_eval(
            infer_reason(data=str(data)), model=provider.model, model_roles=roles, **(shared | options)
        )
        return log

    return run


def check(log: EvalLog, faulty: Faulty) -> None:
    """Every sample ended as its fault says, and the report counts them so."""
    assert log.status == "success"
    samples = faulty.samples(log)
    for name, fault in faulty.faults.items():
        sample = samples[name]
        score = (sample.scores or {}).get("agreement")
        found = (sample.error.message if sample.error else None, faulty.asked[name])
        if fault.error:
            assert re.search(fault.error, found[0] or ""), (name, found)
            assert score is None, name
        else:
            assert sample.error is None, (name, found)
            assert (None if math.isnan(score.value) else score.value) == fault.rating, (name, score.reason)
            assert score.reason == fault.reason, name
        assert fault.tries in (None, faulty.asked[name]), (name, found)
        # The SDK's own retries, for each of Inspect's.
        assert faulty.asked[name] <= 3 * (1 + RETRIES), name
    first, second = faulty.times["429, Retry-After"]
    # OpenAI's and Anthropic's SDKs wait as told; for Google, Inspect does, and longer.
    assert second - first >= 1 or faulty.model.startswith("gemini")
    check_report(log, faulty)


def check_report(log: EvalLog, faulty: Faulty) -> None:
    (read,) = read_runs([log.location]).counted
    (row,) = headline([read])
    faults = list(faulty.faults.values())
    rated = [fault for fault in faults if fault.rating]
    assert (row.samples, row.n) == (len(faults), len(rated))
    assert row.mean == pytest.approx(sum(fault.rating or 0 for fault in rated) / len(rated))
    assert row.refused_or_empty == sum(fault.rating == 1 for fault in faults)
    said = dict(part.split(" ", 1)[::-1] for part in row.missing.split(", "))
    expected: dict[str, int] = {}
    for fault in faults:
        if not fault.rating:
            reason = "error" if fault.error else str(fault.reason)
            expected[reason] = expected.get(reason, 0) + 1
    assert {reason: int(count) for reason, count in said.items()} == expected


def known(faults: dict[str, Fault], provider: Provider) -> dict[str, Fault]:
    return {name: fault for name, fault in faults.items() if not fault.only or provider.protocol in fault.only}


def test_a_fault_of_the_model_is_that_samples_alone(provider: Provider, run: Callable[..., EvalLog]) -> None:
    faults = known(PASSING | LASTING | OF_THE_MODEL, provider)
    faults["too long"] = Fault(too_long(provider.protocol), reason="prompt_too_long", tries=1)
    if provider.model.startswith("openai-api/"):
        del faults["quota"]  # Inspect knows that text of OpenAI's own service only
    faulty = Faulty(faults, provider.model)
    check(run(provider, faulty, fail_on_error=False), faulty)
    judged = [name for name, fault in faults.items() if fault.rating == 3]
    # No judge is asked about a refusal or an empty reply, nor about the provider's own text.
    assert dict(faulty.others) == dict.fromkeys(judged, 1)


def test_a_fault_of_the_judge_is_no_number(provider: Provider, run: Callable[..., EvalLog]) -> None:
    faults = known(PASSING | LASTING | OF_THE_JUDGE, provider)
    if provider.model.startswith("openai-api/"):
        del faults["quota"]
    faulty = Faulty(faults, provider.judge)
    log = run(provider, faulty, fail_on_error=False)
    check(log, faulty)
    for name, sample in faulty.samples(log).items():
        fault = faults[name]
        for vote in [vote for score in (sample.scores or {}).values() for vote in (score.metadata or {})["votes"]]:
            assert vote["reason"] == fault.reason
            assert len(vote["replies"]) == (fault.tries if name in OF_THE_JUDGE else 1)
