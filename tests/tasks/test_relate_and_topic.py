"""Labels of messages and conversations: what a model is asked, what becomes of its reply, and what the log says."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log_sample_summaries
from inspect_ai.model import ModelOutput, ModelUsage

from thoughttrace import __version__
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import RelationMetadata, TopicMetadata
from thoughttrace.datasets.prompt import shown_messages
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS, SUBTOPICS
from thoughttrace.tasks.label_topic import FORM as TOPICS
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.relate_messages import FORM as RELATED
from thoughttrace.tasks.relate_messages import relate_messages

MESSAGES = re.compile(r"^\[[0-9a-f]{8} m(\d+) (?:user|assistant)\]$", re.MULTILINE)
"""The header lines of messages in a prompt."""
EXTEND = json.dumps({"rationale": "because", "relation": "extend"})
COOK = json.dumps({"rationale": "because", "subtopics": ["food_and_cooking", "fitness", "food_and_cooking"]})


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(*(make_conversation(f"user{n}", turns=2 + n) for n in range(3))))


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, reply: Any) -> EvalLog:
        model = scripted("m", lambda _: reply) if isinstance(reply, str) else reply
        (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path / "logs"), display="none")
        assert log.status == "success", log.error
        return log

    return run


def text(sample: Sample) -> str:
    assert not isinstance(sample.input, str)
    return sample.input[-1].text


def scores(log: EvalLog) -> dict[str, Any]:
    return {str(sample.id): score for sample in log.samples or [] for score in (sample.scores or {}).values()}


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results
    return {score.name: score.metrics["mean"].value for score in log.results.scores}


def test_every_message_of_a_user_is_related_and_the_first_without_a_model(
    data: str, run: Any, scripted: Callable[..., Any]
) -> None:
    model = scripted("m", lambda _: EXTEND)
    log = run(relate_messages(data=data), model)
    found = scores(log)
    ids = [f"user{n}_task1_conversation1/m{2 * turn:02}/relation" for n in range(3) for turn in range(2 + n)]
    assert sorted(found) == ids
    assert {name: score.answer for name, score in found.items()} == {
        name: "first" if "/m00/" in name else "extend" for name in ids
    }
    assert all(score.value == {name: int(name == score.answer) for name in RELATIONS} for score in found.values())
    assert metrics(log) == pytest.approx(
        {"first": 3 / 9, "extend": 6 / 9, "re_attempt": 0, "variation": 0, "new_request": 0}
    )
    assert len(model.api.requests) == 6
    for messages, config in model.api.requests:
        assert config.response_schema == RELATED.config.response_schema
        asked = messages[1].text
        index = int(re.findall(r" m(\d+) user\] relate", asked)[0])
        assert [int(shown) for shown in MESSAGES.findall(asked)] == list(range(index + 1))
        assert "reason" not in asked.replace("reasons", "")


def test_a_conversation_has_one_to_three_topics(data: str, run: Any, scripted: Callable[..., Any]) -> None:
    model = scripted("m", lambda _: COOK)
    log = run(label_topic(data=data), model)
    found = scores(log)
    assert sorted(found) == [f"user{n}_task1_conversation1/topic" for n in range(3)]
    for score in found.values():
        assert score.answer == "food_and_cooking; fitness"
        assert [name for name, share in score.value.items() if share] == [
            "Culture & Lifestyle",
            "Health & Relationships",
        ]
        assert tuple(score.value) == DOMAINS
    assert metrics(log)["Culture & Lifestyle"] == 1
    (system, asked), config = model.api.requests[0]
    assert config.response_schema == TOPICS.config.response_schema
    assert [f"- {name}: " in system.text for name in SUBTOPICS] == [True] * 36
    assert "{" not in system.text
    assert len(MESSAGES.findall(asked.text)) in (4, 6, 8)


@pytest.mark.parametrize(
    ("form", "reply", "valid"),
    [
        (RELATED, EXTEND, True),
        (RELATED, EXTEND.replace("extend", "first"), False),
        (TOPICS, COOK, True),
        (TOPICS, COOK.replace("fitness", "swimming"), False),
        (TOPICS, '{"rationale": "x", "subtopics": []}', False),
        (TOPICS, json.dumps({"rationale": "x", "subtopics": list(SUBTOPICS)[:3]}), True),
        (TOPICS, json.dumps({"rationale": "x", "subtopics": list(SUBTOPICS)[:4]}), True),
    ],
)
def test_a_reply_is_held_to_the_form(form: Any, reply: str, valid: bool) -> None:
    assert (form.parse(reply) is not None) == valid
    schema = form.config.response_schema.json_schema.model_dump(exclude_none=True)
    assert next(iter(schema["properties"])) == "rationale"


@pytest.mark.parametrize("task", [relate_messages, label_topic])
@pytest.mark.parametrize(
    ("stop", "text", "reason"),
    [
        ("content_filter", "I cannot.", "refused"),
        ("stop", "", "empty"),
        ("stop", "It goes on.", "unparsable"),
        ("max_tokens", '{"rationale": "it goes', "truncated"),
    ],
)
def test_what_is_not_labelled_has_no_score_and_says_why(
    task: Any, stop: Any, text: str, reason: str, data: str, run: Any, scripted: Callable[..., Any]
) -> None:
    output = ModelOutput.from_content("m", text, stop_reason=stop)
    output.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
    model = scripted("m", lambda _: "")

    async def generate(**_: Any) -> ModelOutput:
        return output.model_copy(deep=True)

    model.api.generate = generate
    log = run(task(data=data), model)
    asked = {name: score for name, score in scores(log).items() if "/m00/" not in name}
    assert {score.reason for score in asked.values()} == {reason}
    assert all(math.isnan(score.value) for score in asked.values())
    if task is relate_messages:
        assert log.results
        assert {score.unscored_samples for score in log.results.scores} == {6}
        assert metrics(log)["first"] == 1


def test_a_repaired_reply_counts(data: str, run: Any, scripted: Callable[..., Any]) -> None:
    model = scripted("m", lambda messages: "Well." if len(messages) == 2 else EXTEND)
    log = run(relate_messages(data=data, users=1), model)
    assert {score.answer for score in scores(log).values()} == {"first", "extend"}
    repaired = [sample.messages for sample in log.samples or [] if not sample.metadata["first"]]
    assert all([m.text for m in messages[2:]] == ["Well.", RELATED.repair, EXTEND] for messages in repaired)


def test_only_some_users_and_messages(data: str) -> None:
    drawn = [str(sample.id).partition("_")[0] for sample in relate_messages(data=data).dataset]
    first = list(dict.fromkeys(drawn))[:2]
    some = [str(sample.id).partition("_")[0] for sample in relate_messages(data=data, users=2).dataset]
    assert some == [user for user in drawn if user in first]
    assert len(relate_messages(data=data, per_user=1).dataset) == 3
    assert len(label_topic(data=data, users=2).dataset) == 2


def test_long_conversations_are_cut(data: str) -> None:
    for sample in relate_messages(data=data, max_context_words=1).dataset:
        related = sample.metadata_as(RelationMetadata)
        assert [index for index, _, _ in shown_messages(text(sample), related.block_ends)] == [related.message_index]
    for sample in label_topic(data=data, max_context_words=1).dataset:
        topic = sample.metadata_as(TopicMetadata)
        assert [index for index, _, _ in shown_messages(text(sample), topic.block_ends)] == [0]
        assert topic.messages_left_out == topic.messages - 1
    with pytest.raises(UserError, match="max_context_words=0: must be 1 or more"):
        label_topic(data=data, max_context_words=0)


@pytest.mark.parametrize("task", [relate_messages, label_topic])
def test_what_a_log_says_fits_its_summaries(task: Any, data: str, run: Any) -> None:
    log = run(task(data=data), EXTEND if task is relate_messages else COOK)
    said = log.eval.metadata
    assert said["data"] == "data.jsonl"
    assert said["thoughttrace"] == __version__
    assert len(said["prompt_hash"]) == 12
    for summary in read_eval_log_sample_summaries(log.location):
        assert {"user", "conversation", "words"} <= summary.metadata.keys()
        assert all(isinstance(score.value, dict) for score in (summary.scores or {}).values())
