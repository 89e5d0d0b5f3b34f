"""The controls: whose thought is recited, and that it is never the user's own."""

from collections.abc import Callable
from typing import Any

import pytest

from thoughttrace.core.record import KINDS, Control
from thoughttrace.datasets.controls import recite
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


@pytest.mark.parametrize("control", ["someone_else", "anyone", "typical"])
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


def test_typical_is_one_sentence_per_type_and_another_for_its_own_user() -> None:
    said = recite("typical", SAMPLE, "reason", 0)
    by_type: dict[str, set[str]] = {}
    for c, index, kind in ITEMS:
        if kind == "reason" and (answer := said(Item(c, index))(1).text):
            by_type.setdefault(c.messages[index].thoughts[0].label, set()).add(answer)
    assert len(by_type) == 7
    assert all(len(answers) <= 2 for answers in by_type.values())


def test_typical_is_the_thought_most_like_the_others(make_conversation: Callable[..., dict[str, Any]]) -> None:
    texts = ["I need a cheap bike soon", "need a cheap bike", "I need a very cheap bike", "blue whales sing"]
    talks = []
    for number, text in enumerate(texts):
        record = make_conversation(f"user{number}", turns=1)
        record["messages"][0]["reasons"][0]["content"] = text
        talks.append(Conversation.model_validate(record))
    said = recite("typical", talks, "reason", 0)
    assert said(Item(talks[3], 0))(1).text in texts[:3]
    assert said(Item(talks[0], 0))(1).text in texts[1:3]


def test_parrot_and_target_say_the_message_and_the_thought() -> None:
    c, index, kind = ITEMS[0]
    assert recite("parrot", SAMPLE, kind, 0)(Item(c, index))(1).text == c.messages[index].content.strip()
    assert recite("target", SAMPLE, kind, 0)(Item(c, index))(1).text == c.messages[index].thoughts[0].content.strip()


def test_where_nobody_else_had_such_a_thought_there_is_no_answer(
    make_conversation: Callable[..., dict[str, Any]],
) -> None:
    talk = Conversation.model_validate(make_conversation("user1", turns=2))
    assert recite("anyone", [talk], "reason", 0)(Item(talk, 0))(2).text == ""
