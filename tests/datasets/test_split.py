"""The split: every user once, balanced strata, the same for everyone, and nothing that was altered."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.sources import Source, open_source
from thoughttrace.datasets.split import PARTS, Split, leaking_share, make_split, read_split, select_part, strata

SAMPLE_SPLIT = Path(__file__).with_name("split_sample.json")


def talk(user: str, number: int = 1, model: str = "M", thoughts: int = 1) -> Conversation:
    notes = [{"content": "why", "label": "task_motivation"}] * thoughts
    message = {"type": "user", "content": "hi", "reasons": notes}
    return Conversation.model_validate(
        {"id": f"{user}_task{number}_conversation1", "model_name": model, "messages": [message]}
    )


def source(conversations: list[Conversation]) -> Source:
    return Source(conversations, [], "made up", "sha256:0")


@pytest.fixture(scope="module")
def simulated() -> list[Conversation]:
    """Data of the release's size: 1,058 users, 2,155 conversations, 20 assistant models, some met far more often."""
    draw = random.Random(7)
    models = [f"model {number:02}" for number in range(20)]
    weights = [1 / (1 + number) for number in range(20)]
    users = [f"user{number}" for number in range(1058)]
    users += draw.choices(users, k=2155 - 1058)
    return [
        talk(user, number, draw.choices(models, weights)[0], draw.randrange(1, 10)) for number, user in enumerate(users)
    ]


def test_sizes_and_strata_of_data_of_the_releases_size(simulated: list[Conversation]) -> None:
    made = make_split(source(simulated))
    everybody = [user for users in made.users.values() for user in users]
    assert len(everybody) == len(set(everybody)) == 1058
    # 105 tens have one each; the eight users left over may have one more.
    assert len(made.users["test"]) in {105, 106}
    assert len(made.users["dev"]) in {105, 106}
    parts = made.parts()
    *models, _, _, _, _ = counted = strata(simulated, parts)
    assert len(models) == 20
    for stratum in counted:
        size = sum(stratum.users.values())
        for part in ("test", "dev"):
            # A model's users are a run of the sorted list: only the tens at its two ends can be uneven.
            assert abs(stratum.users.get(part, 0) - size / 10) < (2 if stratum in models else 10)
    notes = Counter[str]()
    for conversation in simulated:
        notes[conversation.user] += len(conversation.messages[0].thoughts)
    means = {part: mean(notes[user] for user in made.users[part]) for part in PARTS}
    assert max(means.values()) - min(means.values()) < 0.5  # of about 10


def test_the_order_of_the_data_and_its_name_do_not_matter(simulated: list[Conversation]) -> None:
    made = make_split(source(simulated))
    shuffled = random.Random(1).sample(simulated, len(simulated))
    again = make_split(Source(shuffled, [], "another", "abc"))
    assert (again.users, again.sha256) == (made.users, made.sha256)
    assert again.data_revision == "abc"


def test_the_split_of_the_sample_is_the_one_that_is_kept() -> None:
    """Whoever changes the rule changes its name; the file is what `thoughttrace split sample` writes."""
    kept = read_split(SAMPLE_SPLIT)
    made = make_split(open_source("sample"))
    assert (made.rule, made.users, made.sha256) == (kept.rule, kept.users, kept.sha256)


def test_a_users_model_is_the_one_most_met_and_then_the_first_by_name() -> None:
    mixed = [talk("a", 1, "B"), talk("a", 2, "A"), talk("b", 1, "A"), talk("b", 2, "B"), talk("b", 3, "B")]
    counted = strata(mixed, {"a": "train", "b": "test"})
    assert {stratum.name: dict(stratum.users) for stratum in counted} == {
        "A": {"train": 1}, "B": {"test": 1}, "2 thoughts": {"train": 1}, "3 thoughts": {"test": 1},
    }  # fmt: skip


def test_how_far_a_split_by_conversation_leaks() -> None:
    # Of three conversations two share their user, each with the other in training four times in five.
    assert leaking_share([talk("a"), talk("b"), talk("b", 2)]) == pytest.approx(2 * 0.8 / 3)
    assert leaking_share([talk("a"), talk("b")]) == 0


def test_parts_select_whole_users_in_the_order_of_the_data(simulated: list[Conversation]) -> None:
    data = source(simulated)
    made = make_split(data)
    chosen = [select_part(data, made, part) for part in PARTS]
    assert sum(map(len, chosen)) == 2155
    users = [{conversation.user for conversation in conversations} for conversations in chosen]
    assert users[0] & users[1] == users[0] & users[2] == users[1] & users[2] == set()
    places = [simulated.index(conversation) for conversation in chosen[2][:5]]
    assert places == sorted(places)
    assert select_part(data, made, None) == simulated


def test_data_that_is_not_the_splits_is_refused() -> None:
    made = make_split(source([talk(f"user{number}") for number in range(10)]))
    with pytest.raises(UserError, match="2 of the users in made up are not in the split, such as 'new1': it was made"):
        select_part(source([talk("user1"), talk("new1"), talk("new2")]), made, "train")
    (tested,) = made.users["test"]
    with pytest.raises(UserError, match="has no conversation of a user in dev"):
        select_part(source([talk(tested)]), made, "dev")
    with pytest.raises(UserError, match="at least 10 users, one of them in test and one in dev; here are 9"):
        make_split(source([talk(f"user{number}") for number in range(9)]))


def on_two_sides(split: dict[str, Any]) -> None:
    split["users"]["test"].append(split["users"]["train"][0])


def moved(split: dict[str, Any]) -> None:
    split["users"]["train"].append(split["users"]["test"].pop())


@pytest.mark.parametrize(
    ("alter", "sentence"),
    [
        (on_two_sides, "user 'sample.*' is in it twice"),
        (moved, "do not have the checksum that it states"),
        (lambda split: split.pop("users"), "is no split; name a file"),
    ],
)
def test_an_altered_split_is_refused(alter: Callable[[dict[str, Any]], None], sentence: str, tmp_path: Path) -> None:
    held = json.loads(SAMPLE_SPLIT.read_bytes())
    assert Split.model_validate(held) == read_split(SAMPLE_SPLIT)
    alter(held)
    (tmp_path / "v1.json").write_text(json.dumps(held))
    with pytest.raises(UserError, match=sentence):
        read_split(tmp_path / "v1.json")
    with pytest.raises(UserError, match="cannot be read"):
        read_split(tmp_path)
