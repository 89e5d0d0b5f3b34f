"""The controls: whose thought is recited, and that it is never the user's own."""

from collections.abc import Callable, Sequence
from statistics import median
from string import ascii_lowercase
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from thoughttrace.core.record import KINDS, Control
from thoughttrace.datasets.controls import recite, recite_typical
from thoughttrace.datasets.conversation import KIND_OF, Conversation
from thoughttrace.datasets.sampling import Item
from thoughttrace.datasets.sources import open_source

SAMPLE = open_source("sample").conversations
ITEMS = [(c, index, kind) for c in SAMPLE for kind in KIND_OF.values() for index, _ in c.annotated(kind)]
OWNERS: dict[str, set[str]] = {}
LABELS: dict[str, set[str]] = {}
for c, index, _ in ITEMS:
    for thought in c.messages[index].thoughts:
        OWNERS.setdefault(thought.content.strip(), set()).add(c.user)
        LABELS.setdefault(thought.content.strip(), set()).add(thought.label)


@pytest.mark.parametrize("control", ["someone_else", "anyone"])
def test_a_floor_is_another_users_thought(control: Control) -> None:
    said = {kind: recite(control, SAMPLE, kind, 0) for kind in KIND_OF.values()}
    answers = [
        (said[kind](Item(c, index))(1).text, c.user, c.messages[index].thoughts[0].label) for c, index, kind in ITEMS
    ]
    assert sum(not answer for answer, _, _ in answers) <= 3  # a type that one user alone has
    for answer, user, label in answers:
        if answer:
            assert OWNERS[answer] - {user}
            assert control == "anyone" or label in LABELS[answer]


def test_a_constant_says_the_same_of_every_message() -> None:
    draws = {kind: recite("constant", SAMPLE, kind, 0) for kind in KINDS}
    said = {kind: {draws[kind](Item(c, i))(1) for c, i, k in ITEMS if k == kind} for kind in KINDS}
    assert [len(answers) for answers in said.values()] == [1, 1]
    ((reason,), (reaction,)) = said.values()
    assert reason.text != reaction.text
    assert reason.donor is None


def test_the_choice_is_seeded_and_varied() -> None:
    drawn = [[recite("someone_else", SAMPLE, k, seed)(Item(c, i))(1).text for c, i, k in ITEMS] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > len(ITEMS) / 3


@pytest.mark.parametrize("control", ["someone_else", "anyone"])
def test_each_epoch_draws_the_thought_of_another_user_until_all_had_their_turn(control: Control) -> None:
    draws = recite(control, SAMPLE, "reason", 0)
    several = 0
    for c, index, kind in ITEMS:
        if kind != "reason":
            continue
        recital = draws(Item(c, index))
        epochs = [recital(epoch) for epoch in range(1, 30)]
        donors = {one.donor for one in epochs}
        assert c.user not in donors
        first = [one.donor for one in epochs[: len(donors)]]
        assert len({*first}) == len(donors)  # no one twice before all were drawn
        assert epochs[len(donors)].donor in donors
        assert all(one.donor is None or one.donor in OWNERS[one.text] for one in epochs)
        assert recital(3) == recite(control, SAMPLE, "reason", 0)(Item(c, index))(3)
        several += len(donors) > 2
    assert several > 10


def letters(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Embed texts by how often they have each letter, as unit vectors."""
    counts = np.array([[text.casefold().count(letter) for letter in ascii_lowercase] for text in texts], np.float32)
    unit: npt.NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return unit


def medoid(label: str, user: str) -> str:
    """The medoid of other users' short thoughts of a type, by all pairs of them."""
    others = [t for c in SAMPLE if c.user != user for _, m in c.annotated("reason") for t in m.thoughts]
    others = [t for t in others if t.label == label]
    if not others:
        return ""
    bound = median(len(t.content.split()) for t in others)
    vectors = letters([t.content for t in others])
    mean = {
        t.content.strip(): vectors @ v for t, v in zip(others, vectors, strict=True) if len(t.content.split()) <= bound
    }
    return max(mean, key=lambda text: mean[text].mean())


def test_typical_is_the_medoid_of_other_users_short_thoughts_of_the_type() -> None:
    said = recite_typical(SAMPLE, "reason", letters)
    answers: dict[tuple[str, str], str] = {}
    for c, index, kind in ITEMS:
        if kind == "reason":
            answers[c.messages[index].thoughts[0].label, c.user] = said(Item(c, index))(2).text
    assert len({label for label, _ in answers}) == 7
    assert len(answers) > 30
    assert answers == {(label, user): medoid(label, user) for label, user in answers}
    assert sum(not answer for answer in answers.values()) <= 3  # a type that one user alone has


def test_nothing_of_the_user_makes_a_thought_typical(make_conversation: Callable[..., dict[str, Any]]) -> None:
    long = "ab ab ab ab ab"  # without the first user's thoughts, the most like the others
    talks = []
    for number, texts in enumerate((["aab", *["zz"] * 5], ["aab", "aabbc"], ["abb"], [long])):
        record = make_conversation(f"user{number}", turns=1)
        record["messages"][0]["reasons"] = [{"content": text, "label": "task_motivation"} for text in texts]
        talks.append(Conversation.model_validate(record))
    said = recite_typical(talks, "reason", letters)
    assert [said(Item(talk, 0))(1).text for talk in talks] == ["aabbc", "zz", "zz", "zz"]


def test_parrot_and_target_say_the_message_and_the_thought() -> None:
    c, index, kind = ITEMS[0]
    assert recite("parrot", SAMPLE, kind, 0)(Item(c, index))(1).text == c.messages[index].content.strip()
    assert recite("target", SAMPLE, kind, 0)(Item(c, index))(1).text == c.messages[index].thoughts[0].content.strip()


def test_where_nobody_else_had_such_a_thought_there_is_no_answer(
    make_conversation: Callable[..., dict[str, Any]],
) -> None:
    talk = Conversation.model_validate(make_conversation("user1", turns=2))
    assert recite("anyone", [talk], "reason", 0)(Item(talk, 0))(2).text == ""
