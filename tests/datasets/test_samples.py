"""Samples: what is shown in each context, how it is marked, and what the metadata says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.record import Context
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.load import load_conversations
from thoughttrace.datasets.prompt import window
from thoughttrace.datasets.samples import record_to_sample


@pytest.fixture
def talk(make_conversation: Callable[..., dict[str, Any]]) -> Conversation:
    return Conversation.model_validate(make_conversation(turns=4))


def cut(talk: Conversation, index: int, context: Context, words: int | None = None) -> Any:
    return record_to_sample(talk, index, "INSTRUCTIONS", "QUESTION {marker} {message}", context, words)


@pytest.mark.parametrize(
    ("context", "index", "shown"),
    [
        ("message", 2, [2]),
        ("history", 2, [0, 1, 2]),
        ("lookahead", 2, [0, 1, 2, 3]),
        ("lookahead", 7, list(range(8))),
        ("profile", 3, [0, 1, 2, 3, 4]),
    ],
)
def test_each_context_shows_its_messages_and_no_more(
    talk: Conversation, context: Context, index: int, shown: list[int]
) -> None:
    sample = cut(talk, index, context)
    text = sample.input[1].text
    contents = [message.content for message in talk.messages]
    assert [i for i, content in enumerate(contents) if content in text] == shown
    assert sample.metadata["messages_shown"] == len(shown)
    assert ("Interpreter" in text, "the summary" in text) == (context == "profile",) * 2


@pytest.mark.parametrize(
    ("words", "first"),
    # 8 words a message. The turn of the annotated message (4, 5) and what follows it (6) always stay.
    [(56, 0), (55, 2), (40, 2), (39, 4), (24, 4), (1, 4)],
)
def test_the_oldest_turns_are_dropped_first(talk: Conversation, words: int, first: int) -> None:
    assert {len(message.content.split()) for message in talk.messages} == {8}
    assert window(talk, 5, "lookahead", words).first == first
    sample = cut(talk, 5, "lookahead", words)
    text = sample.input[1].text
    assert sample.metadata["messages_left_out"] == first
    assert (f"messages m00 to m{first - 1:02} are left out" in text) == (first > 0)
    assert [talk.messages[i].content in text for i in range(7)] == [i >= first for i in range(7)]


def test_the_metadata_holds_what_analysis_groups_by(make_conversation: Callable[..., dict[str, Any]]) -> None:
    record = make_conversation(turns=2)
    record["messages"][2]["reasons"] = [
        {"content": "one two", "label": "style_expectation", "timestamp": None},
        {"content": "three", "label": "task_motivation", "timestamp": None},
        {"content": "", "label": "task_motivation", "timestamp": None},
    ]
    sample = cut(Conversation.model_validate(record), 2, "history")
    assert sample.id == "user1_task1_conversation1/m02/reason"
    assert sample.target == ["one two", "three"]
    assert sample.metadata == {
        "user": "user1",
        "conversation": "user1_task1_conversation1",
        "message_index": 2,
        "position": 0.6667,
        "kind": "reason",
        "type": "style_expectation + task_motivation",
        "types": ["style_expectation", "task_motivation"],
        "thoughts": 2,
        "target_words": 3,
        "hindsight": None,
        "followed": False,
        "after_reply": None,
        "assistant_model": "Some Model",
        "message": "question 1 of user1, one two three four",
        "survey": {
            "age": 31, "gender": None, "education": None, "occupation": "Interpreter", "frequency": 5,
            "purposes": None,
        },
        "context": "history",
        "messages_shown": 3,
        "messages_left_out": 0,
        "block_ends": [60, 123, 183, 220],
    }  # fmt: skip


def test_hindsight_is_after_the_next_user_message(make_conversation: Callable[..., dict[str, Any]]) -> None:
    record = make_conversation(turns=2)
    told = {}
    for written in ("2026-01-01T00:00:59Z", "2026-01-01T00:01:01+00:00"):
        record["messages"][1]["reactions"][0]["timestamp"] = written
        told[written[17:19]] = Conversation.model_validate(record).hindsight(1)
    assert told == {"59": False, "01": True}
    assert Conversation.model_validate(record).hindsight(3) is None


def test_the_metadata_says_whether_a_message_follows_and_whether_a_reason_was_written_after_the_reply(
    make_conversation: Callable[..., dict[str, Any]],
) -> None:
    record = make_conversation(turns=4)
    reasons = [record["messages"][index]["reasons"] for index in (0, 2, 4, 6)]
    # The replies are stamped 00:00:30, 00:01:30, …; a reason counts as late when any thought of it is.
    reasons[0][0]["timestamp"] = "2026-01-01T00:00:29Z"
    reasons[0].append(reasons[0][0] | {"timestamp": None})
    reasons[1][0]["timestamp"] = "2026-01-01T00:01:00Z"
    reasons[1].append(reasons[1][0] | {"timestamp": "2026-01-01T00:01:31Z"})
    reasons[2][0]["timestamp"] = None
    record["messages"].pop()  # the last message has no reply
    talk = Conversation.model_validate(record)
    facts = [cut(talk, index, "history").metadata for index in range(len(talk.messages))]
    assert [fact["followed"] for fact in facts] == [True, True, True, True, True, True, False]
    assert [fact["after_reply"] for fact in facts] == [False, None, True, None, None, None, None]


def test_of_the_real_examples_most_reasons_were_written_after_the_reply(examples: Path) -> None:
    conversations = load_conversations(examples).conversations
    written = [talk.after_reply(index) for talk in conversations for index, _ in talk.annotated("reason")]
    assert (written.count(True), len(written)) == (126, 154)
