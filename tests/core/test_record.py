"""The log contract: what is written, and what logs of earlier versions are read as."""

from typing import Any

import pytest

from thoughttrace.core.record import (
    INFER,
    TASKS,
    InferenceMetadata,
    JudgedScore,
    MessagePlace,
    NextMessageMetadata,
    PromptMetadata,
    ThoughtMetadata,
    TopicMetadata,
    Unscored,
    Vote,
    conversation_id,
    message_id,
    place_of,
    run_metadata,
    task_of,
    thought_id,
)

PLACE: dict[str, Any] = {"user": "ann", "conversation": "ann_task1_conversation1", "message_index": 2}
REMOVED = "Key removed from summary (> 1k)"


def test_only_what_was_given_a_value_is_written() -> None:
    metadata = InferenceMetadata(**PLACE, kind="reason", block_ends=[3, 7])
    assert metadata.to_log() == {**PLACE, "kind": "reason", "block_ends": [3, 7]}


@pytest.mark.parametrize(
    ("metadata", "more"),
    [
        (PromptMetadata, {}),
        (NextMessageMetadata, {"kind": "message"}),
        (ThoughtMetadata, {"kind": "reason", "thought_index": 1}),
        (TopicMetadata, {}),
    ],
)
@pytest.mark.parametrize(
    ("written", "read"),
    [({"block_ends": [1, 2]}, [1, 2]), ({}, []), ({"block_ends": REMOVED}, [])],
    ids=["as written", "before there was the key", "no room in a summary"],
)
def test_block_ends_are_read(metadata: Any, more: dict[str, Any], written: dict[str, Any], read: list[int]) -> None:
    assert metadata.model_validate({**PLACE, **more, **written}).block_ends == read


def test_the_hash_of_a_rubric_is_read_under_its_old_name() -> None:
    vote: dict[str, Any] = {"judge": "m", "rating": 3, "rationale": "r", "replies": ["{}"]}
    for name in ("rubric_hash", "prompt_hash"):
        assert Vote.model_validate({**vote, name: "abc"}).rubric_hash == "abc"
        assert JudgedScore.model_validate({name: "abc"}).rubric_hash == "abc"
    assert Vote(**vote, rubric_hash="abc").to_log() == {**vote, "rubric_hash": "abc"}


def test_a_reason_of_version_1_is_read() -> None:
    assert Unscored("not_asked") is Unscored.NO_OUTPUT
    with pytest.raises(ValueError, match="asleep"):
        Unscored("asleep")


def test_ids_name_a_message() -> None:
    assert message_id("c", 5, "reaction") == "c/m05/reaction"
    assert thought_id("c", 5, "reaction", 2) == "c/m05/reaction/2"
    assert place_of("c/m05/reaction") == place_of("c/m05/reaction/2") == MessagePlace("c", 5)
    with pytest.raises(ValueError, match="names no message"):
        place_of(conversation_id("c"))


def test_a_task_is_known_with_and_without_its_package() -> None:
    for name, task in TASKS.items():
        assert task_of(name) == task_of(f"thoughttrace/{name}") == task
    assert task_of("other/task") is None
    assert task_of("other/infer_reason") is None, "of another package"
    assert {kind: task.name for kind, task in INFER.items()} == {"reason": "infer_reason", "reaction": "infer_reaction"}


def test_a_log_without_metadata_is_read() -> None:
    assert run_metadata(None).data_revision == "unknown"
