"""The judge in a whole run: who may vote, what is recorded, what is left unscored."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Score

from thoughttrace.core.errors import UserError
from thoughttrace.tasks.infer_reason import infer_reason

Scripted = Callable[..., Any]


@pytest.fixture
def run(
    tmp_path: Path, write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> Callable[..., EvalLog]:
    data = write(make_conversation(turns=1))

    def run(model: Any, grader: Any, **arguments: Any) -> EvalLog:
        roles = {"grader": grader} if grader else None
        task = infer_reason(data=str(data), **arguments)
        return inspect_eval(task, model=model, model_roles=roles, log_dir=str(tmp_path), display="none")[0]

    return run


def score_of(log: EvalLog) -> Score:
    assert log.samples
    assert log.status == "success"
    return (log.samples[0].scores or {})["agreement"]


def replies(*texts: str) -> Callable[[Any], str]:
    left = list(texts)
    return lambda messages: left.pop(0)


GOOD = '{"rationale": "same", "rating": 4}'


def test_a_vote_is_recorded(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    score = score_of(run(scripted("m", replies('Reason: "guess"')), scripted("j", replies(GOOD))))
    assert (score.value, score.answer, score.explanation) == (4, "guess", "same")
    (vote,) = (score.metadata or {})["votes"]
    assert (vote["judge"], vote["rating"], vote["replies"]) == ("scripted/j", 4, [GOOD])
    assert len(vote["prompt_hash"]) == 12


@pytest.mark.parametrize("bad", ["", "nonsense", '{"rationale": "x", "rating": 6}'])
def test_a_bad_reply_is_repaired_once(run: Callable[..., EvalLog], scripted: Scripted, bad: str) -> None:
    judge = scripted("j", replies(bad, GOOD))
    assert score_of(run(scripted("m", replies("guess")), judge)).value == 4
    (first, _), (second, _) = judge.api.requests
    assert [m.role for m in second] == [*(m.role for m in first), *(["assistant"] if bad else []), "user"]


@pytest.mark.parametrize("bad", ["", "nonsense", '{"rationale": "x", "rating": 6}'])
def test_two_bad_replies_leave_the_sample_unscored(run: Callable[..., EvalLog], scripted: Scripted, bad: str) -> None:
    score = score_of(run(scripted("m", replies("guess")), scripted("j", replies(bad, bad, GOOD))))
    assert math.isnan(score.as_float())
    assert score.reason == ("judge_unparsable" if bad else "judge_empty")
    assert (score.metadata or {})["votes"][0]["replies"] == [bad, bad]


def test_an_empty_inference_is_a_result_and_not_judged(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    judge = scripted("j", replies())
    score = score_of(run(scripted("m", replies(" ")), judge))
    assert (score.value, score.reason, score.answer) == (1, "no_response", "(nothing)")
    assert judge.api.requests == []
    assert (score.metadata or {})["ratings"] == {"scripted/j": []}


def test_a_panel_votes_and_a_failed_member_costs_its_vote_only(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    panel = [
        scripted("j1", replies(GOOD)),
        scripted("j2", replies("?", "?")),
        scripted("j3", replies('{"rationale": "other", "rating": 1}')),
    ]
    score = score_of(run(scripted("m", replies("guess")), panel))
    assert score.value == 2.5
    assert score.explanation == "scripted/j1: same\nscripted/j3: other"
    assert [v["rating"] for v in (score.metadata or {})["votes"]] == [4, None, 1]


def test_a_model_does_not_vote_on_itself(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    panel = [scripted("m", replies(GOOD)), scripted("j", replies('{"rationale": "other", "rating": 1}'))]
    assert score_of(run(scripted("m", replies("guess")), panel)).value == 1


@pytest.mark.parametrize(
    ("grader", "sentence"),
    [(None, "No judge: bind one with --model-role"), ("m", "The judge is the evaluated model itself (scripted/m)")],
)
def test_without_a_judge_nothing_is_generated(
    run: Callable[..., EvalLog], scripted: Scripted, grader: str | None, sentence: str
) -> None:
    model = scripted("m", replies("guess"))
    log = run(model, scripted(grader, replies(GOOD)) if grader else None)
    assert log.status == "error"
    assert log.error
    assert sentence in log.error.message
    assert model.api.requests == []


def test_self_judging_can_be_allowed(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    log = run(scripted("m", replies("guess")), scripted("m", replies(GOOD)), allow_self_judging=True)
    assert score_of(log).value == 4


def test_the_judge_does_not_see_who_wrote_the_inference(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    judge = scripted("j", replies(GOOD))
    run(scripted("name-of-the-model", replies("guess")), judge)
    assert "name-of-the-model" not in str(judge.api.requests)


def test_a_judge_can_be_kept_from_the_message(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    judges = [scripted("j", replies(GOOD)) for _ in range(2)]
    run(scripted("m", replies("guess")), judges[0])
    run(scripted("m", replies("guess")), judges[1], judge_message=False)
    assert ["question 0 of user1" in str(judge.api.requests) for judge in judges] == [True, False]


def test_repeats_are_asked_anew_even_with_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., EvalLog], scripted: Scripted
) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    verdicts = [f'{{"rationale": "x", "rating": {rating}}}' for rating in (1, 5, 3)]
    cached = GenerateConfig(cache=True)
    for kept in ("", verdicts[0]):  # on the second run the first vote alone comes from the cache
        judge = get_model("scripted/j", script=replies(*verdicts[bool(kept) :]), config=cached, memoize=False)
        score = score_of(run(scripted("m", replies("guess")), judge, judge_repeats=3))
        assert (score.metadata or {})["ratings"] == {"scripted/j": [1, 5, 3]}
        assert score.value == 3
        assert len(judge.api.requests) == (2 if kept else 3)


def test_repeats_must_be_positive() -> None:
    with pytest.raises(UserError, match=r"judge_repeats=0: must be 1 or more\."):
        infer_reason(judge_repeats=0)


@pytest.mark.parametrize(
    ("judges", "arguments", "voted"),
    [
        (("claude-1-20260101", "gpt-2"), {}, ["scripted/gpt-2"]),  # the evaluated model under a dated name
        (("claude-2", "gpt-2"), {}, ["scripted/claude-2", "scripted/gpt-2"]),
        (("claude-2", "gpt-2"), {"exclude_family": True}, ["scripted/gpt-2"]),
    ],
)
def test_no_model_judges_another_name_of_itself(
    judges: tuple[str, ...],
    arguments: dict[str, bool],
    voted: list[str],
    run: Callable[..., EvalLog],
    scripted: Scripted,
) -> None:
    panel = [scripted(name, replies(GOOD)) for name in judges]
    score = score_of(run(scripted("claude-1", replies("guess")), panel, **arguments))
    assert list((score.metadata or {})["ratings"]) == voted


def test_a_family_alone_is_refused(run: Callable[..., EvalLog], scripted: Scripted) -> None:
    log = run(scripted("claude-1", replies("guess")), scripted("claude-2", replies(GOOD)), exclude_family=True)
    assert log.status == "error"
    assert log.error
    assert "All judges are of the evaluated model's family (claude)" in log.error.message
