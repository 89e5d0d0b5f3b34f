"""Expected ratings over each provider's real protocol: what is asked for, what the log holds, what analysis reads."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model
from loopback import Reply

from thoughttrace.analysis.chapters.headline import chapter as headline_chapter
from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.chapters.judges import reliability
from thoughttrace.analysis.chapters.methods import methods
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.votes import count_votes, votes
from thoughttrace.core.errors import UserError
from thoughttrace.scorers.agreement import agreement
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement

CHAT, RESPONSES, GOOGLE = "openai-api/loop/judge", "openai/gpt-5.4", "google/gemini-2.5-flash"
Scripted = Callable[..., Any]

RATINGS: dict[str, dict[bytes, float]] = {
    "chat": {b"4": 0.6, b"5": 0.4},
    "responses": {b"4": 0.5, b"1": 0.25, b"2": 0.25},
    "google": {b"4": 0.75, b"3": 0.25},
}
"""What each protocol's judge could have written; all of them write a 4."""
MEANS = {CHAT: 4.4, RESPONSES: 2.75, GOOGLE: 3.75}


def verdict(ratings: dict[bytes, float], rationale: bytes = b"caf\xc3\xa9") -> Reply:
    """A rating of 4 in tokens, of which those around it are certain, and one ends within a character."""
    whole = {b'{"rationale": "', b'", "rating": ', b"}"}
    texts = [b'{"rationale": "', rationale[:-1], rationale[-1:], b'", "rating": ', b"4", b"}"]
    others = [{text: 1.0} if text in whole else {text: 0.9, b"x": 0.1} for text in texts]
    others[4] = ratings
    return Reply(text=b"".join(texts).decode(), tokens=list(zip(texts, others, strict=True)))


@pytest.fixture
def run(tmp_path: Path, write: Callable[..., Path], make_conversation: Any, scripted: Scripted) -> Callable[..., Any]:
    """Run `infer_reason` on two messages, judged on the expected scale."""
    data = str(write(make_conversation(turns=2)))

    def run(*judges: str, **options: Any) -> EvalLog:
        (log,) = inspect_eval(
            infer_reason(data=data, judge_scale="expected"),
            model=scripted("m", lambda _: "I wanted it."),
            model_roles={"grader": [get_model(judge) for judge in judges]},
            log_dir=str(tmp_path / "logs"),
            display="none",
            max_retries=0,
            **options,
        )
        return log

    return run


def read(log: EvalLog) -> Run:
    (counted,) = read_runs([log.location]).counted
    return counted


def test_every_protocol_gives_the_expected_rating(
    run: Callable[..., EvalLog], loopback: Any, scripted: Scripted, tmp_path: Path
) -> None:
    loopback.reply = lambda request: verdict(RATINGS[request.provider])
    log = run(CHAT, RESPONSES, GOOGLE)
    assert log.samples
    wanted = {request.provider: request.body for request in loopback.requests}
    assert (wanted["chat"]["logprobs"], wanted["chat"]["top_logprobs"]) == (True, 20)
    assert "message.output_text.logprobs" in wanted["responses"]["include"]
    assert wanted["responses"]["top_logprobs"] == 20
    google = wanted["google"]["generationConfig"]
    assert (google["responseLogprobs"], google["logprobs"]) == (True, 20)
    mean = sum(MEANS.values()) / 3
    for sample in log.samples:
        scored = (sample.scores or {})["agreement"]
        assert scored.as_float() == pytest.approx(mean)
        metadata = scored.metadata or {}
        assert metadata["ratings"] == {judge: [4] for judge in MEANS}
        assert metadata["expected"] == {judge: [pytest.approx(rating)] for judge, rating in MEANS.items()}
        assert {vote["judge"]: (vote["rating"], vote["expected"]) for vote in metadata["votes"]} == {
            judge: (4, pytest.approx(rating)) for judge, rating in MEANS.items()
        }
        assert metadata["votes"][0]["probabilities"] == {
            "rating": pytest.approx({"1": 0, "2": 0, "3": 0, "4": 0.6, "5": 0.4})
        }
    counted = read(log)
    assert counted.judge_scale == "expected"
    (row,) = headline([counted])
    assert row.mean == pytest.approx(mean)
    assert (row.rated_4, row.votes, row.votes_lost) == (2, 6, 0)
    assert {judge: list(values) for judge, values in counted.votes.items()} == {
        judge: [pytest.approx(rating)] * 2 for judge, rating in MEANS.items()
    }
    assert sorted(votes([counted])["rating"].unique()) == pytest.approx(sorted(MEANS.values()))
    # The same log scored again on the other scale is another measurement.
    again = score(
        read_eval_log(log.location), agreement(), action="append", display="none", model=scripted("m", lambda _: ""),
        model_roles={"grader": [get_model(judge) for judge in MEANS]},
    )  # fmt: skip
    write_eval_log(again, log.location)
    runs = read_runs([log.location])
    assert {one.judge_scale: (one.name, headline([one])[0].mean) for one in runs.counted} == {
        "expected": ("scripted/m (expected ratings)", pytest.approx(mean)),
        "sampled": ("scripted/m (sampled ratings)", 4),
    }
    sentence = "Expected ratings (from log-probabilities): scripted/m (expected ratings)."
    assert sentence in headline_chapter(Evidence(runs)).sections[0].note
    assert "Those of scripted/m (expected ratings) are expected ratings (from log-probabilities)" in methods(runs)


def test_a_judge_without_log_probabilities_ends_the_run_in_one_sentence(
    run: Callable[..., EvalLog], loopback: Any
) -> None:
    loopback.reply = lambda request: Reply(text='{"rationale": "x", "rating": 4}')
    log = run(CHAT)
    assert log.status == "error"
    assert log.error
    assert f"judge_scale=expected: {CHAT} gives no log-probabilities of its tokens" in log.error.message


def test_a_provider_that_never_gives_them_is_refused_before_anything_is_asked(
    run: Callable[..., EvalLog], loopback: Any, tmp_path: Path
) -> None:
    judge = "anthropic/claude-opus-4-6"
    shared: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none"}
    with pytest.raises(
        UserError, match=r"anthropic/claude-opus-4-6 gives no log-probabilities .* Nothing was generated"
    ):
        inspect_eval("thoughttrace/judge_agreement", task_args={"judge_scale": "expected"}, model=judge, **shared)
    with pytest.raises(UserError, match=r"judge_scale=expected: .* Nothing was generated"):
        inspect_eval(
            "thoughttrace/infer_reason", task_args={"judge_scale": "expected"}, model="openai-api/loop/m",
            model_roles={"grader": judge}, **shared,
        )  # fmt: skip
    assert loopback.requests == []


def test_no_such_scale() -> None:
    for task in (infer_reason, judge_agreement):
        with pytest.raises(UserError, match="judge_scale=mean: must be one of sampled, expected"):
            task(judge_scale="mean")


def test_a_vote_whose_tokens_do_not_tell_its_rating_is_missing(run: Callable[..., EvalLog], loopback: Any) -> None:
    told = verdict({b"4": 0.5, b"2": 0.5})
    replies = iter([told, replace(told, text='{"rationale": "not what the tokens say", "rating": 4}')])
    loopback.reply = lambda request: next(replies)
    log = run(CHAT, max_samples=1)
    assert log.status == "success"
    assert log.samples
    scores = [(sample.scores or {})["agreement"] for sample in log.samples]
    counts, untold = sorted(scores, key=lambda one: one.reason is not None)
    assert (counts.value, counts.reason) == (3, None)
    assert untold.reason == "judge_no_probabilities"
    # What it wrote is kept, and does not count.
    assert (untold.metadata or {})["ratings"] == {CHAT: [4]}
    assert (untold.metadata or {})["expected"] == {CHAT: [None]}
    counted = read(log)
    (row,) = headline([counted])
    assert (row.n, row.mean, row.missing) == (1, 3, "1 judge_no_probabilities")
    lost = count_votes(counted)
    assert (lost.planned, lost.lost, lost.lowest_mean, lost.highest_mean) == (2, 1, 2, 4)


def test_a_model_that_answers_nothing_is_on_the_same_scale(
    run: Callable[..., EvalLog], loopback: Any, tmp_path: Path, scripted: Scripted
) -> None:
    answers = iter(["I wanted it.", ""])
    loopback.reply = lambda request: verdict({b"4": 0.5, b"2": 0.5})
    (log,) = inspect_eval(
        infer_reason(judge_scale="expected"), model=scripted("m", lambda _: next(answers)), limit=2, max_samples=1,
        model_roles={"grader": CHAT}, log_dir=str(tmp_path), display="none",
    )  # fmt: skip
    counted = read(log)
    assert counted.judge_scale == "expected"
    assert sorted(counted.rows["score"]) == [1, 3]


@pytest.mark.parametrize(("fault", "says"), [(9.5, "outside the scale"), ([3.0, 3.0], "not of the votes")])
def test_expected_ratings_that_no_run_writes_are_refused(
    fault: Any, says: str, run: Callable[..., EvalLog], loopback: Any
) -> None:
    loopback.reply = lambda request: verdict({b"4": 0.5, b"2": 0.5})
    log = read_eval_log(run(CHAT).location)
    assert log.samples
    expected = (log.samples[0].scores or {})["agreement"].metadata["expected"]
    expected[CHAT] = fault if isinstance(fault, list) else [fault]
    write_eval_log(log, log.location)
    with pytest.raises(UserError, match=says):
        read_runs([log.location])


def test_a_judge_s_card_is_on_the_scale_of_its_runs(loopback: Any, tmp_path: Path) -> None:
    # 2.5 counts as a 3.
    loopback.reply = lambda request: verdict({b"4": 0.5, b"1": 0.5})
    task = judge_agreement(families="half", per_family=0, judge_scale="expected")
    reasons = [str(sample.id) for sample in task.dataset if (sample.metadata or {})["kind"] == "reason"]
    (log,) = inspect_eval(task, model=CHAT, sample_id=reasons[:2], log_dir=str(tmp_path), display="none")
    assert log.samples
    for sample in log.samples:
        found: Any = (sample.scores or {})["probe"].value
        low, high = (sample.metadata[name] for name in ("low", "high"))
        assert found["rating"] == 2.5
        assert found["within"] == (low <= 3 <= high)
    counted = read(log)
    assert counted.judge_scale == "expected"
    assert set(counted.rows["score"]) == {2.5}


def test_judges_agreement_is_measured_at_the_nearest_tenth() -> None:
    values = np.linspace(1, 5, 4_000)
    table = pd.DataFrame(
        {
            "kind": "reason", "unit": np.tile(range(4_000), 2), "user": np.tile(np.arange(4_000) // 200, 2),
            "judge": np.repeat(["a", "b"], 4_000), "rating": np.concatenate([values, values]), "by_rule": False,
        }
    )  # fmt: skip
    assert [row.estimate for row in reliability(table)] == [pytest.approx(1), pytest.approx(1)]
    assert json.dumps([row.n for row in reliability(table)]) == "[4000, 4000]"
