"""Recalling notes: what the model sees, what its answer is compared with, and what becomes of a reply."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, ModelName, ModelOutput
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import RecallMetadata, RecallScore
from thoughttrace.scorers.recall import recall
from thoughttrace.tasks.recall_note import recall_note

TYPES = ("task_motivation", "style_expectation")


@pytest.fixture
def records(make_conversation: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Eight users with three reasons each: of two types by user, and longer the later the user."""
    made = [make_conversation(f"user{n}") for n in range(8)]
    for n, record in enumerate(made):
        for turn, message in enumerate(record["messages"][::2]):
            note = message["reasons"][0]
            note["label"], note["content"] = TYPES[n % 2], " ".join([f"n{n}t{turn}", *["word"] * (n + 1), "end"])
    return made


def prompt(sample: Sample) -> str:
    assert not isinstance(sample.input, str)
    return "\n".join(message.text for message in sample.input)


def metadata(sample: Sample) -> RecallMetadata:
    return sample.metadata_as(RecallMetadata)


def test_from_its_place_nothing_of_the_note_or_the_chat_is_shown(write: Any, records: Any) -> None:
    dataset = recall_note(data=str(write(*records))).dataset
    assert len(dataset) == 24
    for sample in dataset:
        text = prompt(sample)
        assert "question" not in text
        assert "answer 0" not in text
        assert str(sample.target).split()[0] not in text
        own = metadata(sample)
        assert f"Conversation: {own.conversation}\nMessage: number {own.message_index} of it" in text
        assert text.endswith(f"reason number 1 on this message, of the type {own.type}")


def test_other_notes_are_of_others_of_the_type_and_turn_and_nearest_in_length(write: Any, records: Any) -> None:
    for sample in recall_note(data=str(write(*records))).dataset:
        own, n = metadata(sample), int(metadata(sample).user[-1])
        owners = [note.split()[0] for note in own.others]
        assert len(owners) == 4
        # Three other users have the type. In a first turn there are three such notes; the fourth is of a later turn.
        turns = [owner[-1] == "0" for owner in owners]
        assert turns == ([True, True, True, False] if own.message_index == 0 else [False] * 4)
        assert all(int(owner[1]) % 2 == n % 2 and int(owner[1]) != n for owner in owners)
        lengths = [abs(int(owner[1]) - n) for owner in owners]
        if own.message_index:  # two of each user: the two nearest users
            nearest = sorted(2 * [abs(other - n) for other in range(n % 2, 8, 2) if other != n])[:4]
            assert lengths == nearest


def test_of_a_half_the_other_is_asked_for_also_of_invented_notes(write: Any, records: Any) -> None:
    records[0]["messages"][0]["reasons"][0]["content"] = "Alone"
    records[2]["messages"][0]["reasons"][0]["content"] = "zwei  Wörter"
    records[4]["messages"][0]["reasons"][0]["content"] = "very very, very!"
    task = recall_note(given="half", data=str(write(*records)))
    samples = list(task.dataset)
    mine = {str(sample.id): sample for sample in samples if metadata(sample).source == "data"}
    assert len(mine) == 22  # one word has no second half, and one note no new word in it
    assert (task.metadata or {})["without_comparison"] == 2
    two = mine["user2_task1_conversation1/m00/reason/1"]
    assert (metadata(two).shown, two.target) == ("zwei", "Wörter")
    three = mine["user0_task1_conversation1/m02/reason/1"]
    assert (metadata(three).shown, three.target, metadata(three).target_words) == ("n0t1 word", "end", 1)
    for sample in samples[:44]:
        shown = metadata(sample).shown
        assert prompt(sample).split("first half]\n")[1].partition("\n[")[0] == shown
        assert "Conversation:" not in prompt(sample)
    assert [metadata(sample).source for sample in samples[:44]] == ["data", "invented"] * 22, "a limit has both"
    invented = [sample for sample in samples if metadata(sample).source == "invented"]
    assert all(str(sample.id).startswith("invented/sample") for sample in invented)
    assert all(metadata(sample).user.startswith("invented/") for sample in invented)
    assert len({sample.id for sample in samples}) == len(samples)


def test_a_summary_without_room_for_the_other_notes_is_read(write: Any, records: Any) -> None:
    (sample, *_) = recall_note(data=str(write(*records))).dataset
    # What Inspect puts in the place of a value that takes more than 1 kB.
    whole = (sample.metadata or {}) | {"others": "Key removed from summary (> 1k)"}
    assert RecallMetadata.model_validate(whole).others == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"given": "half"}, "given=half compares the data with the bundled sample"),
        ({"given": "chat"}, "given=chat: must be one of place, half"),
        ({"kind": "note"}, "kind=note: must be one of"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        recall_note(**arguments)


def test_data_of_one_user_have_nothing_to_compare(write: Any, records: Any) -> None:
    with pytest.raises(UserError, match="Use data of more users"):
        recall_note(data=str(write(records[0])))


def scored(said: str | ModelOutput, shown: str = "", target: str = "to keep it short please") -> Score:
    output = ModelOutput.from_content("m", said) if isinstance(said, str) else said
    own = RecallMetadata(
        user="u", conversation="c", message_index=0, kind="reason", thought_index=1, source="data", shown=shown,
        others=["to keep busy", "nothing of that"],
    )  # fmt: skip
    messages: list[ChatMessage] = [ChatMessageUser(content="x"), ChatMessageAssistant(content=output.completion)]
    state = TaskState(ModelName("m/m"), "s", 1, "x", messages, output=output, metadata=own.to_log())
    score = asyncio.run(recall()(state, Target(target)))
    assert score is not None
    return score


@pytest.mark.parametrize(
    ("said", "shown", "value", "others", "run"),
    [
        ("to keep it short please", "", 1, (2 / 3 + 0) / 2, 5),
        ('"To keep it short, please."', "", 1, 1 / 3, 5),
        ("<think>to keep it short please</think>I want it short", "", 2 / 5, 0, 2),
        ("I asked it to keep it short please", "I asked it", 1, 1 / 3, 5),  # "it" stands in both halves
        ("to keep it", "Keep it to", 0, 0, 3),  # nothing but words of the half that was given
        ("short, to keep busy", "keep to", 1 / 3, 1 / 2, 2),  # of "it short please" and of "busy"
        ("I do not know", "", 0, 0, 0),
        ("", "", 0, 0, 0),
    ],
)
def test_what_is_recalled_is_counted_by_hand(said: str, shown: str, value: float, others: float, run: int) -> None:
    score = scored(said, shown)
    details = RecallScore.model_validate(score.metadata)
    assert score.value == pytest.approx(value)
    assert details.others == pytest.approx(others)
    assert details.run == run


def test_a_refusal_recalls_nothing_and_a_reply_cut_off_is_unscored() -> None:
    refused = scored(ModelOutput.from_content("m", "to keep it short please", stop_reason="content_filter"))
    assert (refused.value, refused.reason, refused.answer) == (0, "refusal", "")
    silent = scored("")
    assert (silent.value, silent.reason) == (0, "no_response")
    cut = scored(ModelOutput.from_content("m", "", stop_reason="max_tokens"))
    assert cut.reason == "truncated"
    assert cut.value != cut.value  # NaN


def test_the_choice_depends_on_the_seed_alone(tmp_path: Path, write: Any, records: Any) -> None:
    data = str(write(*records))
    first, again, other = (
        {sample.id: metadata(sample).others for sample in recall_note(data=data, seed=seed).dataset}
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
