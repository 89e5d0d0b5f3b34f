"""Choosing the user's own note: which notes stand beside it, where it stands, and what becomes of a reply."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput, ModelUsage

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import ChoiceMetadata
from thoughttrace.datasets.choices import plain
from thoughttrace.datasets.controls import CONSTANTS
from thoughttrace.datasets.prompt import shown_messages
from thoughttrace.tasks.choose_thought import choice_form, choose_thought

NOTE = re.compile(r"^\[[0-9a-f]{8} note ([A-D])\]\n(.*)$", re.MULTILINE)
"""A note in a prompt: its letter, and its text of one line."""


def notes(sample: Sample) -> dict[str, str]:
    """The notes of a sample by what they are."""
    names = sample.metadata_as(ChoiceMetadata).options
    return {name: text for name, (_, text) in zip(names, NOTE.findall(asked(sample)), strict=True)}


def asked(sample: Sample) -> str:
    assert not isinstance(sample.input, str)
    return sample.input[1].text


def choosing(letter: str) -> str:
    return json.dumps({"rationale": "because", "choice": letter})


@pytest.fixture
def records(make_conversation: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Three users with two conversations each, in which every note is another."""
    return [make_conversation(f"user{n}", task, canary="canary") for n in range(3) for task in (1, 2)]


@pytest.fixture
def data(write: Callable[..., Path], records: list[dict[str, Any]]) -> str:
    return str(write(*records))


def note_on(record: dict[str, Any], message: int) -> dict[str, Any]:
    return (record["messages"][message].get("reasons") or record["messages"][message]["reactions"])[0]


@pytest.mark.parametrize("kind", ["reason", "reaction"])
def test_the_other_notes_are_of_whom_they_should_be(kind: str, records: Any, write: Callable[..., Path]) -> None:
    types = {"reason": ("task_motivation", "style_expectation"), "reaction": ("scope_fit", "content_relevance")}[kind]
    typed = {}
    for place, record in enumerate(records):
        for index, message in enumerate(record["messages"]):
            note_on(record, index)["label"] = types[(place + index // 2) % 2]
            typed[note_on(record, index)["content"]] = (record["id"], message["type"], note_on(record, index)["label"])
    dataset = choose_thought(kind=kind, data=str(write(*records))).dataset
    assert len(dataset) == 18
    for sample in dataset:
        found, own = notes(sample), sample.metadata_as(ChoiceMetadata)
        role = "user" if kind == "reason" else "assistant"
        assert found.keys() == {"target", "elsewhere", "other_user", "constant"}
        assert found["constant"] == CONSTANTS[own.kind]
        assert typed[found["target"]] == (own.conversation, role, own.type)
        conversation, spoke, _ = typed[found["elsewhere"]]
        assert (conversation, spoke) == (own.conversation, role), "of the same conversation, on another message"
        conversation, spoke, label = typed[found["other_user"]]
        assert (spoke, label) == (role, own.type)
        assert not conversation.startswith(own.user)
        assert found["target"].endswith(f"{own.user} {own.conversation.split('_task')[1][0]} {own.message_index // 2}")


def test_of_the_only_message_of_a_conversation_the_other_note_is_from_another_one(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    records = [make_conversation(f"user{n}", task, turns=1) for n in range(2) for task in (1, 2)]
    for sample in choose_thought(data=str(write(*records))).dataset:
        other = {"1": "2", "2": "1"}[sample.metadata_as(ChoiceMetadata).conversation.split("_task")[1][0]]
        assert notes(sample)["elsewhere"].endswith(f"{sample.metadata_as(ChoiceMetadata).user} {other} 0")


@pytest.mark.parametrize("context", ["message", "history", "lookahead", "profile"])
def test_the_chat_is_shown_and_no_other_note(context: str, data: str) -> None:
    for sample in choose_thought(kind="reason", context=context, data=data).dataset:
        own, text = sample.metadata_as(ChoiceMetadata), asked(sample)
        index = own.message_index
        last = index if context in {"message", "history"} else index + 1
        first = index if context == "message" else 0
        assert [place for place, _, _ in shown_messages(text, own.block_ends)] == list(range(first, last + 1))
        assert text.count("canary") == len(own.options) - 1, "the notes, each once; the constant has none"
        before_notes = text[: next(NOTE.finditer(text)).start()]
        assert "canary" not in before_notes
        assert f" m{index:02} user] is the one in question" in before_notes
        assert ("Interpreter" in text) == (context == "profile")
        assert sample.target == "ABCD"[own.options.index("target")]
        assert not isinstance(sample.input, str)
        assert "canary" not in sample.input[0].text


def test_contexts_are_those_of_the_inference_tasks(data: str) -> None:
    assert [(choose_thought(kind=kind, data=data).metadata or {})["context"] for kind in ("reason", "reaction")] == [
        "history", "lookahead",
    ]  # fmt: skip


def placed(samples: Sequence[Sample]) -> dict[int, Counter[str]]:
    """How often the own note is at each letter, by the number of options."""
    by_number: dict[int, Counter[str]] = {}
    for sample in samples:
        number = len(sample.metadata_as(ChoiceMetadata).options)
        by_number.setdefault(number, Counter(dict.fromkeys("ABCD"[:number], 0)))[str(sample.target)] += 1
    return by_number


def test_the_own_note_is_at_each_letter_equally_often(short_sample: Path) -> None:
    data = str(short_sample)
    for seed in range(3):
        samples = list(choose_thought(kind="reaction", data=data, seed=seed).dataset)
        places = placed(samples)
        assert {number: sum(counts.values()) for number, counts in places.items()} == {4: 57, 3: 1}
        for some in (samples, samples[:8], samples[:30]):  # as with --limit
            for counts in placed(some).values():
                assert max(counts.values()) - min(counts.values()) <= 1
    other, again = (
        {sample.id: (sample.target, asked(sample)) for sample in choose_thought("reaction", data=data, seed=7).dataset}
        for _ in range(2)
    )
    assert other == again
    assert any(other[sample.id] != (sample.target, asked(sample)) for sample in samples)


def test_notes_do_not_depend_on_which_thoughts_are_asked_about(data: str) -> None:
    every = {sample.id: set(notes(sample).values()) for sample in choose_thought(data=data).dataset}
    some = {sample.id: set(notes(sample).values()) for sample in choose_thought(data=data, users=2, per_user=2).dataset}
    assert len(some) == 4
    assert some.items() <= every.items()


def test_no_two_notes_say_the_same(records: Any, write: Callable[..., Path]) -> None:
    same = ("All good, thanks!", "all GOOD thanks", "  All  good; thanks ")
    for record in records:
        for index in (1, 3, 5):
            note_on(record, index)["content"] = same[index // 2]
    note_on(records[0], 1)["content"] = CONSTANTS["reaction"].upper().replace(",", "")
    note_on(records[0], 3)["content"] = "too long"
    records[0]["messages"][3]["reactions"].append({"content": "Hm.", "label": "scope_fit"})
    dataset = choose_thought(kind="reaction", data=str(write(*records))).dataset
    for sample in dataset:
        found = notes(sample)
        assert len({plain(text) for text in found.values()}) == len(found)
    by_id = {str(sample.id).removeprefix("user0_task1_conversation1/"): notes(sample) for sample in dataset}
    assert "constant" not in by_id["m01/reaction/1"]
    assert "Hm." not in by_id["m03/reaction/1"].values(), "another note on the same message is as true"
    assert "too long" not in by_id["m03/reaction/2"].values()
    assert by_id["m03/reaction/2"].keys() == {"target", "elsewhere", "constant"}, "nobody else has a note of its type"
    other = notes(next(sample for sample in dataset if str(sample.id).startswith("user1_task1")))
    assert other.keys() == {"target", "other_user", "constant"}, "all notes of the user say the same"


def test_plain_keeps_what_letters_do_not_say() -> None:
    assert plain("It's  GREAT\u200b!") == plain("its great")
    assert plain("👍") != plain("👎")
    assert plain("Größe") != plain("Grobe")


def test_a_thought_that_stands_alone_is_no_sample_and_is_counted(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    alone, other = make_conversation("user1", turns=1), make_conversation("user2", turns=1)
    note_on(alone, 0)["content"] = CONSTANTS["reason"]
    note_on(alone, 0)["label"] = "social_and_others"
    task = choose_thought(data=str(write(alone, other)))
    assert [len(sample.metadata_as(ChoiceMetadata).options) for sample in task.dataset] == [2]
    assert (task.metadata or {})["without_options"] == 1
    with pytest.raises(UserError, match="No reason in this data has another note"):
        choose_thought(data=str(write(alone)))
    with pytest.raises(UserError, match="context=thought: must be one of message, history"):
        choose_thought(context="thought")


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, reply: Callable[[list[Any]], str | ModelOutput]) -> EvalLog:
        model = scripted("m", reply)
        (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path / "logs"), display="none")
        assert log.status == "success", log.error
        return log

    return run


def test_a_reply_is_held_to_the_letters_and_scored(data: str, run: Any) -> None:
    def own_of_user0(messages: list[Any]) -> str:
        """Finds the note of user0's conversations by the number of the turn it names."""
        text = messages[1].text
        turn = int(re.findall(r" m(\d+) user\] is the one", text)[0]) // 2
        found = [letter for letter, note in NOTE.findall(text) if note.endswith(f"user0 1 {turn}")]
        return choosing(found[0] if found else "Z")

    log = run(choose_thought(data=data), own_of_user0)
    scores = {str(sample.id): (sample.scores or {})["choice"] for sample in log.samples or []}
    assert {name for name, score in scores.items() if score.value == 1} == {
        f"user0_task1_conversation1/m{index:02}/reason/1" for index in (0, 2, 4)
    }
    unread = [score for score in scores.values() if score.reason == "unparsable"]
    assert unread
    assert all((score.value, score.answer) == (0, "") for score in unread)
    assert log.results
    assert log.results.headline.score == "choice"
    assert log.eval.metadata["options_seed"] == 0
    assert choice_form(3).parse(choosing("D")) is None
    assert choice_form(4).parse(choosing("D")).choice == "D"


@pytest.mark.parametrize(
    ("stop", "text", "reason", "value"),
    [
        ("content_filter", "I cannot.", "refused", 0),
        ("stop", "", "empty", 0),
        ("max_tokens", '{"rationale": "it goes', "truncated", None),
    ],
)
def test_no_answer_is_wrong_and_a_cut_one_missing(
    stop: Any, text: str, reason: str, value: int | None, data: str, run: Any
) -> None:
    def output(_: list[Any]) -> ModelOutput:
        said = ModelOutput.from_content("m", text, stop_reason=stop)
        said.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
        return said

    log = run(choose_thought(data=data, users=1, per_user=2), output)
    for sample in log.samples or []:
        score = (sample.scores or {})["choice"]
        assert score.reason == reason
        assert score.value == value if value is not None else math.isnan(score.as_float())
