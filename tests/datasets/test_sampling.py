"""Choosing samples: whole users, seeded, the same whatever else is in the data."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.sampling import Item, select


@pytest.fixture
def people(make_conversation: Callable[..., dict[str, Any]]) -> list[Conversation]:
    return [
        Conversation.model_validate(make_conversation(f"user{number}", task, turns=3))
        for number in range(30)
        for task in (1, 2)
    ]


def names(items: list[Item]) -> list[str]:
    return list(dict.fromkeys(conversation.user for conversation, _ in items))


def test_all_samples_enter_once_user_by_user(people: list[Conversation]) -> None:
    items = select(people, "reason")
    assert len(items) == len({(c.id, i) for c, i in items}) == 30 * 2 * 3
    runs = [c.user for c, _ in items]
    assert len(names(items)) == sum(a != b for a, b in zip(runs, ["", *runs], strict=False))
    assert names(items) != [f"user{n}" for n in range(30)]


def test_users_are_whole_and_a_prefix_of_the_order(people: list[Conversation]) -> None:
    few = select(people, "reaction", users=5)
    assert names(few) == names(select(people, "reaction"))[:5]
    assert set(Counter(c.user for c, _ in few).values()) == {6}


def test_the_order_stays_when_users_are_added(people: list[Conversation]) -> None:
    order = names(select(people, "reason"))
    assert names(select(people[:40], "reason")) == [u for u in order if u in {c.user for c in people[:40]}]


def test_per_user_is_a_random_choice_that_the_seed_changes(people: list[Conversation]) -> None:
    chosen = select(people, "reason", per_user=2)
    assert set(Counter(c.user for c, _ in chosen).values()) == {2}
    assert chosen == select(people, "reason", per_user=2)
    others = select(people, "reason", per_user=2, seed=1)
    assert names(others) != names(chosen)
    assert {(c.id, i) for c, i in others} != {(c.id, i) for c, i in chosen}
    assert len({i for _, i in chosen}) == 3  # not always the first messages


def test_types(people: list[Conversation], make_conversation: Callable[..., dict[str, Any]]) -> None:
    record = make_conversation("extra")
    record["messages"][2]["reasons"][0]["label"] = "style_expectation"
    record["messages"][4]["reasons"][0]["label"] = "unheard_of"
    data = [*people, Conversation.model_validate(record)]
    assert [(c.user, i) for c, i in select(data, "reason", types=["style_expectation"])] == [("extra", 2)]
    assert [(c.user, i) for c, i in select(data, "reason", types=["unheard_of"])] == [("extra", 4)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"types": ["scope_fit"]}, "types=scope_fit: no such type of reason; choose from task_motivation"),
        ({"types": ["style_expectation"]}, "No message in this data has a reason of type style_expectation"),
        ({"users": 0}, "users=0: must be 1 or more"),
        ({"per_user": -1}, "per_user=-1: must be 1 or more"),
    ],
)
def test_what_cannot_be_chosen_is_said(people: list[Conversation], arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        select(people, "reason", **arguments)
