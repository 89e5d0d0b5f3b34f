"""The tasks on single thoughts: what a model is asked, what becomes of its reply, and what the log says."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log_sample_summaries
from inspect_ai.model import ModelOutput, ModelUsage

from thoughttrace import __version__
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import TYPES
from thoughttrace.scorers.structured_output import MAX_TOKENS
from thoughttrace.tasks._labelling import RATING
from thoughttrace.tasks.classify_thought import classify_thought, type_form
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.rate_thought import rate_thought

RATED = '{"rationale": "because", "rating": 4}'
KINDS = ("reason", "reaction")
LABEL = {"reason": "task_motivation", "reaction": "explicit_affirmation"}


def typed(name: str) -> str:
    return json.dumps({"rationale": "because", "type": name})


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(*(make_conversation(f"user{n}", turns=3, canary="canary") for n in range(3))))


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, reply: Any, **options: Any) -> EvalLog:
        model = scripted("m", lambda _: reply) if isinstance(reply, str) else reply
        (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path / "logs"), display="none", **options)
        assert log.status == "success", log.error
        return log

    return run


def scores(log: EvalLog) -> list[Any]:
    return [score for sample in log.samples or [] for score in (sample.scores or {}).values()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("task", "reply", "form"),
    [(classify_thought, None, None), (cover_thought, RATED, RATING), (rate_thought, RATED, RATING)],
)
def test_a_model_is_shown_one_thought_and_what_belongs_to_it(
    kind: Any, task: Any, reply: str | None, form: Any, data: str, run: Any, scripted: Callable[..., Any]
) -> None:
    model = scripted("m", lambda _: reply or typed(LABEL[kind]))
    log = run(task(kind=kind, data=data), model)
    assert log.samples
    assert len(log.samples) == (6 if (task, kind) == (cover_thought, "reaction") else 9)
    for messages, config in model.api.requests:
        system, asked = (message.text for message in messages)
        assert config.response_schema == (form or type_form(kind)).config.response_schema
        assert [config.temperature, config.max_tokens] == [None, MAX_TOKENS]
        assert "canary" not in system
        assert asked.count("canary") == 1  # its own thought, and no other
        own = asked.partition("secret ")[2].split("\n")[0]
        user, _, turn = own.split()
        question, answer = f"question {turn} of {user}", f"answer {turn} to {user}"
        following = f"question {int(turn) + 1} of {user}"
        shown = {
            classify_thought: [],
            rate_thought: [question] if kind == "reason" else [answer],
            cover_thought: [question] if kind == "reason" else [following],
        }[task]
        said = [f"{what} of user{n}" for n in range(3) for what in (f"question {t}" for t in range(3))]
        said += [f"answer {t} to user{n}" for n in range(3) for t in range(3)]
        assert [text for text in said if text in asked] == shown


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_holds_the_types_and_the_rationale_first(kind: Any) -> None:
    form = type_form(kind)
    assert form.config.response_schema
    schema = form.config.response_schema.json_schema.model_dump(exclude_none=True)
    assert list(schema["properties"]) == ["rationale", "type"]
    assert tuple(schema["properties"]["type"]["enum"]) == TYPES[kind]
    assert form.parse("```json\n" + typed(TYPES[kind][2]) + "\n```").type == TYPES[kind][2]
    other = "reaction" if kind == "reason" else "reason"
    assert form.parse(typed(TYPES[other][0])) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_defined_for_the_model(kind: Any) -> None:
    (prompt,) = {sample.input[0].text for sample in classify_thought(kind=kind).dataset}
    defined = [line.partition(": ")[0] for line in prompt.splitlines() if ": " in line]
    assert set(TYPES[kind]) <= set(defined)
    assert not any(name in prompt for other in TYPES for name in TYPES[other] if other != kind)


def test_a_type_is_right_or_wrong_and_kept(data: str, run: Any) -> None:
    right = run(classify_thought(data=data), typed("task_motivation"))
    assert {(score.value, score.answer, score.reason) for score in scores(right)} == {(1, "task_motivation", None)}
    wrong = run(classify_thought(data=data), typed("scope_fit"))  # a reaction's type is none of a reason
    assert {(score.value, score.answer, score.reason) for score in scores(wrong)} == {(0, "", "unparsable")}
    assert right.results
    (scored,) = right.results.scores
    assert {"mean", "stderr", "task_motivation"} == set(scored.metrics)
    assert right.results.headline.score == "type_match"


def answering(stop: Any, text: str) -> ModelOutput:
    output = ModelOutput.from_content("m", text, stop_reason=stop)
    output.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
    return output


@pytest.mark.parametrize(
    ("output", "reason", "named"),
    [
        (answering("content_filter", "I cannot."), "refused", 0),
        (answering("stop", ""), "empty", 0),
        (answering("stop", "It is a motivation."), "unparsable", 0),
        (answering("max_tokens", '{"rationale": "it goes on and'), "truncated", None),
        (answering("model_length", "too long"), "prompt_too_long", None),
    ],
)
def test_a_refusal_is_a_wrong_type_and_a_missing_rating(
    output: ModelOutput, reason: str, named: int | None, data: str, run: Any, scripted: Callable[..., Any]
) -> None:
    model = scripted("m", lambda _: "")

    async def generate(**_: Any) -> ModelOutput:
        return output.model_copy(deep=True)

    model.api.generate = generate
    classified = scores(run(classify_thought(data=data), model, limit=2))
    assert {score.reason for score in classified} == {reason}
    assert all(score.value == named if named is not None else math.isnan(score.value) for score in classified)
    rated = scores(run(cover_thought(data=data), model, limit=2)) + scores(run(rate_thought(data=data), model, limit=2))
    assert {score.reason for score in rated} == {reason}
    assert all(math.isnan(score.value) for score in rated)


def test_a_label_that_nobody_knows_is_no_sample_and_is_counted(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    record = make_conversation("user1", turns=3)
    record["messages"][0]["reasons"][0]["label"] = "new_type"
    task = classify_thought(data=str(write(record)))
    assert [sample.target for sample in task.dataset] == ["task_motivation"] * 2
    assert (task.metadata or {})["unknown_labels"] == {"new_type": 1}
    assert len(rate_thought(data=str(write(record))).dataset) == 3


@pytest.mark.parametrize("task", [classify_thought, cover_thought, rate_thought])
def test_the_log_names_data_prompt_and_version(task: Any, data: str, run: Any) -> None:
    log = run(task(data=data, users=2, per_user=1), typed("task_motivation") if task is classify_thought else RATED)
    found = log.eval.metadata or {}
    assert (log.eval.task_version, found["kind"], found["data"]) == ("1-A", "reason", "data.jsonl")
    assert found["thoughttrace"] == __version__
    assert found["data_revision"].startswith("sha256:")
    other = task(kind="reaction", data=data).metadata or {}
    assert (found["prompt_hash"] == other["prompt_hash"]) is (task is rate_thought)
    assert log.eval.viewer.trust_content is False
    summaries = read_eval_log_sample_summaries(log.location)
    assert len(summaries) == 2
    for summary in summaries:
        assert {"user", "conversation", "message_index", "kind", "thought_index", "type"} <= set(summary.metadata)


@pytest.mark.parametrize("task", [classify_thought, cover_thought, rate_thought])
def test_bad_lines_are_named_and_a_wrong_argument_is_said(
    task: Any, write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    path = str(write(make_conversation(), b"{", name="bad.jsonl"))
    with pytest.raises(UserError, match=r"bad\.jsonl, line 2: is not valid JSON"):
        task(data=path)
    assert len((task(data=path, skip_bad=True).metadata or {})["data_skipped"]) == 1
    for arguments, sentence in (
        ({"kind": "thought"}, "kind=thought: must be one of reason, reaction"),
        ({"types": "scope_fit"}, "types=scope_fit: no such type of reason"),
        ({"users": 0}, "users=0: must be 1 or more"),
        ({"data": "nowhere.jsonl"}, r"nowhere\.jsonl: no such file or folder"),
    ):
        with pytest.raises(UserError, match=sentence):
            task(**arguments)


def test_classify_refuses_a_context_it_has_not() -> None:
    with pytest.raises(UserError, match="context=profile: must be one of thought, message"):
        classify_thought(context="profile")
    with pytest.raises(UserError, match="max_context_words=0: must be 1 or more"):
        classify_thought(context="history", max_context_words=0)
