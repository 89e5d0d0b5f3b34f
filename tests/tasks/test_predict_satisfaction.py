"""Predicting dissatisfaction: which replies are samples, what is true of them, what is shown, and what is scored."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log_sample_summaries
from inspect_ai.model import ModelOutput, ModelUsage

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import TYPES, SatisfactionMetadata
from thoughttrace.datasets.prompt import shown_messages
from thoughttrace.tasks.predict_satisfaction import FORM, predict_satisfaction


def predicting(answer: str, probability: object) -> str:
    return json.dumps({"rationale": "because", "dissatisfied": answer, "probability": probability})


def asked(sample: Sample) -> str:
    assert not isinstance(sample.input, str)
    return sample.input[1].text


@pytest.fixture
def labelled(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    """One conversation whose replies have reactions of the given types, one list a reply."""

    def labelled(*replies: list[str]) -> str:
        record = make_conversation(turns=len(replies), canary="canary")
        for turn, labels in enumerate(replies):
            record["messages"][2 * turn + 1]["reactions"] = [
                {"content": f"canary {turn}", "label": label} for label in labels
            ]
        return str(write(record))

    return labelled


def test_the_truth_is_the_type_of_the_reaction(labelled: Callable[..., str]) -> None:
    affirmed = "explicit_affirmation"
    data = labelled(
        *([name] for name in TYPES["reaction"]), [affirmed, "scope_fit"], [affirmed, affirmed], ["new_type"],
        [affirmed, "new_type"], ["new_type", "scope_fit"], [],
    )  # fmt: skip
    task = predict_satisfaction(data=data)
    truths = {sample.metadata_as(SatisfactionMetadata).message_index // 2: sample.target for sample in task.dataset}
    assert truths == {0: "no", 1: "yes", 2: "yes", 3: "yes", 4: "no", 5: "yes", 6: "no", 9: "yes"}
    for sample in task.dataset:
        assert sample.metadata_as(SatisfactionMetadata).dissatisfied == (sample.target == "yes")
    assert (task.metadata or {})["unknown_labels"] == {"new_type": 3}
    with pytest.raises(UserError, match="No reply in this data has a reaction of a known type"):
        predict_satisfaction(data=labelled(["new_type"]))
    with pytest.raises(UserError, match="context=message: must be one of history, lookahead"):
        predict_satisfaction(data=data, context="message")


@pytest.mark.parametrize("context", ["history", "lookahead"])
def test_no_note_and_no_type_is_shown(context: str, labelled: Callable[..., str]) -> None:
    data = labelled(["scope_fit"], ["explicit_affirmation"], ["content_relevance"])
    for sample in predict_satisfaction(data=data, context=context).dataset:
        own, text = sample.metadata_as(SatisfactionMetadata), asked(sample)
        last = min(own.message_index + (context == "lookahead"), 5)
        assert [place for place, _, _ in shown_messages(text, own.block_ends)] == list(range(last + 1))
        assert f" m{own.message_index:02} assistant] is the one in question" in text
        assert not isinstance(sample.input, str)
        system = sample.input[0].text
        assert "canary" not in system + text
        assert not any(name in system + text for name in TYPES["reaction"])
    short = predict_satisfaction(data=data, context=context, max_context_words=1).dataset
    assert all(sample.metadata_as(SatisfactionMetadata).messages_shown <= 3 for sample in short)


@pytest.mark.parametrize(
    ("reply", "valid"),
    [
        (predicting("yes", 0), True),
        (predicting("no", 100), True),
        (predicting("no", 101), False),
        (predicting("no", -1), False),
        (predicting("no", 33.5), False),
        (predicting("no", True), False),
        (predicting("maybe", 50), False),
    ],
)
def test_a_reply_is_held_to_the_form(reply: str, valid: bool) -> None:
    assert (FORM.parse(reply) is not None) == valid
    schema = FORM.config.response_schema
    assert schema
    assert list(schema.json_schema.model_dump(exclude_none=True)["properties"]) == [
        "rationale", "dissatisfied", "probability",
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, reply: Callable[[list[Any]], str | ModelOutput]) -> EvalLog:
        (log,) = inspect_eval(task, model=scripted("m", reply), log_dir=str(tmp_path / "logs"), display="none")
        assert log.status == "success", log.error
        return log

    return run


def test_answer_and_probability_are_in_the_score(labelled: Callable[..., str], run: Any) -> None:
    data = labelled(["scope_fit"], ["explicit_affirmation"], ["explicit_affirmation"], ["partial_satisfaction"])
    replies = {"m01": predicting("yes", 90), "m03": predicting("no", 20), "m05": predicting("yes", 60), "m07": "Well."}

    def script(messages: list[Any]) -> str:
        question = messages[1].text.rpartition("Reply [")[2]
        return next(reply for message, reply in replies.items() if f" {message} " in question)

    log = run(predict_satisfaction(data=data), script)
    (scored,) = log.results.scores
    metrics = {name: metric.value for name, metric in scored.metrics.items()}
    assert metrics["mean"] == 2 / 4
    assert metrics["balanced_accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    found = {str(summary.id)[-16:-13]: summary for summary in read_eval_log_sample_summaries(log.location)}
    said = {
        place: (score.value, score.answer, (score.metadata or {}).get("percent"), score.reason)
        for place, summary in found.items()
        for score in (summary.scores or {}).values()
    }
    assert said == {
        "m01": (1, "yes", 90, None), "m03": (1, "no", 20, None), "m05": (0, "yes", 60, None),
        "m07": (0, "", None, "unparsable"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stop", "text", "reason", "value"),
    [
        ("content_filter", "I cannot.", "refused", 0),
        ("stop", "", "empty", 0),
        ("max_tokens", '{"rationale": "it goes', "truncated", None),
    ],
)
def test_no_answer_is_wrong_and_a_cut_one_missing(
    stop: Any, text: str, reason: str, value: int | None, labelled: Callable[..., str], run: Any
) -> None:
    def output(_: list[Any]) -> ModelOutput:
        said = ModelOutput.from_content("m", text, stop_reason=stop)
        said.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
        return said

    log = run(predict_satisfaction(data=labelled(["scope_fit"], ["explicit_affirmation"])), output)
    for sample in log.samples or []:
        score = (sample.scores or {})["satisfaction"]
        assert score.reason == reason
        assert score.value == value if value is not None else math.isnan(score.as_float())
