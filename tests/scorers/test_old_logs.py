"""Logs that earlier versions wrote: they are scored again, appended or overwritten, and read beside the new scores."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.scorer import Score, Scorer

from thoughttrace.core.record import JudgedScore, Unscored, Vote
from thoughttrace.scorers.agreement import agreement, rubric_hash
from thoughttrace.scorers.labels import choice, rating, relation, satisfaction, topic, type_match
from thoughttrace.scorers.message_similarity import message_rubric_hash, message_similarity
from thoughttrace.scorers.probe import probe

Scripted = Callable[..., Any]
Write = Callable[..., Path]

OLD_HASH = "0123456789ab"
OLD_VOTE = {
    "judge": "scripted/old", "rating": 2, "rationale": "so", "prompt_hash": OLD_HASH, "replies": ["{}"], "reason": None,
}  # fmt: skip
OLD_JUDGED = {"ratings": {"scripted/old": [2]}, "prompt_hash": OLD_HASH, "votes": [OLD_VOTE]}
PLACE = {"user": "user1", "conversation": "user1_task1_conversation1", "message_index": 0, "type": "task_motivation"}


@pytest.fixture
def write_log(tmp_path: Path) -> Write:
    """Write a log of one sample by hand, in the form of version 0.1."""

    def write_log(task: str, metadata: dict[str, Any], scores: dict[str, Any], store: dict[str, Any]) -> Path:
        answer = {"role": "assistant", "content": "Reason: I wanted it."}
        sample = {
            "id": "user1_task1_conversation1/m00/reason", "epoch": 1, "input": "What?", "target": "I wanted it.",
            "messages": [{"role": "user", "content": "What?"}, answer],
            "output": {"model": "m", "choices": [{"message": answer, "stop_reason": "stop"}]},
            "scores": scores, "metadata": metadata, "store": store, "events": [], "model_usage": {},
        }  # fmt: skip
        log = {
            "version": 2, "status": "success",
            "eval": {
                "created": "2026-01-01T00:00:00+00:00", "task": f"thoughttrace/{task}", "task_id": "t", "eval_id": "e",
                "run_id": "r", "task_version": "2-A", "model": "scripted/m", "config": {},
                "dataset": {"name": "sample", "samples": 1, "sample_ids": [sample["id"]]},
                "packages": {"inspect_ai": "0.3.285"}, "metadata": {"prompt_hash": "ba9876543210"},
            },
            "samples": [sample],
        }  # fmt: skip
        path = tmp_path / f"2026-01-01T00-00-00_{task}_t.json"
        path.write_text(json.dumps(log))
        return path

    return write_log


def score_again(path: Path, scorer: Scorer, action: Literal["append", "overwrite"], **models: Any) -> dict[str, Score]:
    """Score a log again, replace its file, and return the scores of its sample as the file has them."""
    log: EvalLog = inspect_score(read_eval_log(str(path)), scorer, action=action, display="none", **models)
    write_eval_log(log, str(path))
    (sample,) = read_eval_log(str(path)).samples or []
    return sample.scores or {}


MESSAGE = {**PLACE, "kind": "reason", "types": ["task_motivation"], "message": "Do it."}
NEXT_MESSAGE = {**PLACE, "kind": "message", "reply": "Done."}
JUDGED: dict[str, tuple[str, Callable[[], Scorer], dict[str, Any], str, str]] = {
    "agreement": ("infer_reason", agreement, MESSAGE, "I wanted it.", rubric_hash("reason", True)),
    # A predicted message keeps the label that an inference loses.
    "message_similarity": (
        "predict_message", message_similarity, NEXT_MESSAGE, "Reason: I wanted it.", message_rubric_hash(True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", ["append", "overwrite"])
@pytest.mark.parametrize("name", JUDGED)
def test_another_judge_rates_an_old_log(
    name: str, action: Literal["append", "overwrite"], write_log: Write, scripted: Scripted
) -> None:
    task, scorer, metadata, answer, fixed = JUDGED[name]
    old = {"value": 2, "answer": answer, "explanation": "so", "metadata": OLD_JUDGED}
    judge = scripted("new", lambda _: '{"rationale": "same", "rating": 5}')
    path = write_log(task, metadata, {name: old}, {})
    scores = score_again(
        path, scorer(), action, model=scripted("m", lambda _: ""), model_roles={"grader": judge}
    )  # fmt: skip
    new = scores[name if action == "overwrite" else f"{name}1"]
    assert (new.value, new.answer) == (5, answer)
    assert new.metadata is not None
    assert list(new.metadata) == ["ratings", "rubric_hash", "votes"]
    read = JudgedScore.model_validate(new.metadata)
    assert (read.ratings, read.rubric_hash) == ({"scripted/new": [5]}, fixed)
    assert [vote["rubric_hash"] for vote in new.metadata["votes"]] == [fixed]
    assert list(scores) == ([name] if action == "overwrite" else [name, f"{name}1"])
    if action == "append":
        assert scores[name].metadata == OLD_JUDGED
        first = JudgedScore.model_validate(scores[name].metadata)
        assert (first.ratings, first.rubric_hash) == ({"scripted/old": [2]}, OLD_HASH)
        assert [vote.rubric_hash for vote in first.votes or []] == [OLD_HASH]


FORMS: dict[str, tuple[str, Callable[[], Scorer], dict[str, Any], str]] = {
    "rating": ("rate_thought", rating, {"rating": 3}, "3"),
    "type_match": ("classify_thought", type_match, {"type": "style_expectation"}, "style_expectation"),
    "choice": ("choose_thought", choice, {"choice": "B"}, "B"),
    "satisfaction": ("predict_satisfaction", satisfaction, {"dissatisfied": "no", "probability": 20}, "no"),
    "relation": ("relate_messages", relation, {"relation": "extend"}, "extend"),
    "topic": ("label_topic", topic, {"subtopics": []}, ""),
}


@pytest.mark.parametrize("action", ["append", "overwrite"])
@pytest.mark.parametrize("name", FORMS)
def test_a_form_in_an_old_log_is_scored_again(
    name: str, action: Literal["append", "overwrite"], write_log: Write, scripted: Scripted
) -> None:
    task, scorer, fields, answer = FORMS[name]
    store = {"filled": {"rationale": "so", **fields}, "unfilled": None}
    metadata = {**PLACE, "dissatisfied": False}  # of `predict_satisfaction`; the others ignore it
    path = write_log(task, metadata, {name: {"value": 0, "answer": answer}}, store)
    scores = score_again(path, scorer(), action, model=scripted("m", lambda _: ""))
    new = scores[name if action == "overwrite" else f"{name}1"]
    assert (new.answer, new.explanation, new.reason) == (answer, "so", None)


def test_a_form_that_was_not_filled_in_stays_unscored_for_its_reason(write_log: Write, scripted: Scripted) -> None:
    path = write_log("rate_thought", PLACE, {}, {"filled": None, "unfilled": "truncated"})
    score = score_again(path, rating(), "append", model=scripted("m", lambda _: ""))["rating"]
    assert math.isnan(score.as_float())
    assert score.reason == "truncated"
    assert Unscored("not_asked") is Unscored.NO_OUTPUT  # what the scores of a sample without a form say there


PROBED = {"family": "injection", "kind": "reason", "ladder": "l", "low": 1, "high": 2, "inference": "5!"}


def test_the_vote_on_a_probe_in_an_old_log_is_scored_again(write_log: Write, scripted: Scripted) -> None:
    path = write_log("judge_agreement", PROBED, {}, {"vote": OLD_VOTE})
    score = score_again(path, probe(), "append", model=scripted("m", lambda _: ""))["probe"]
    assert score.value == {"within": 1, "injected": 0, "rating": 2}
    assert score.metadata is not None
    of_texts = ["inference_words", "word_overlap", "cosine"]
    assert list(score.metadata) == ["family", "ladder", "low", "high", *of_texts, "vote"]
    assert Vote.model_validate(score.metadata["vote"]) == Vote.model_validate(OLD_VOTE)
    assert score.metadata["vote"]["rubric_hash"] == OLD_HASH


def test_a_probe_without_a_vote_is_unscored(write_log: Write, scripted: Scripted) -> None:
    path = write_log("judge_agreement", PROBED, {}, {})
    score = score_again(path, probe(), "append", model=scripted("m", lambda _: ""))["probe"]
    assert math.isnan(score.as_float())
    assert score.reason == "no_output"
