"""Split users into train, dev and test by a rule that anyone can repeat from the data alone."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.sources import Source

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

RULE = "thoughttrace-split-v1"
"""Names the rule and seeds its lots; another rule gets another name."""

_SLOTS: tuple[Part, ...] = ("test", "dev") + ("train",) * 8
"""The parts of ten users who are alike."""

WHY = (
    "Users are split, not conversations: a user's conversations share topics, style and habits of noting, so a model "
    "trained on one of them has already met the person it is tested on in another, and the test would measure memory."
)


class Split(BaseModel):
    """Which users are in which part, and of what data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    why: str
    data: str
    """`sample`, `hub`, or a file's name."""
    data_revision: str
    sha256: str
    """Checksum of the parts and their users, which does not depend on the data's name or order."""
    users: dict[Part, list[str]]
    """The users of each part, sorted."""

    def parts(self) -> dict[str, Part]:
        """Return the part of each user."""
        return {user: part for part, users in self.users.items() for user in users}


@dataclass(frozen=True)
class Stratum:
    """How many users of a stratum are in each part."""

    name: str
    """An assistant model, or a range of numbers of thoughts."""
    users: Mapping[Part, int]


def make_split(source: Source) -> Split:
    """Split the users of a dataset 80 / 10 / 10.

    Users are sorted by the assistant model that they met most often, then by their number of thoughts, and dealt in
    tens: of each ten, in an order drawn by a hash, one goes to test, one to dev, and eight to train. A systematic
    sample of a sorted list is stratified by what it is sorted by (Cochran 1977, Sampling Techniques, chapter 8).

    Args:
        source: The conversations.

    Raises:
        UserError: There are fewer than ten users.
    """
    profiles = _profiles(source.conversations)
    if len(profiles) < len(_SLOTS):
        raise UserError(
            f"{source.name}: a split needs at least {len(_SLOTS)} users, one of them in test and one in dev; "
            f"here are {len(profiles)}."
        )
    ordered = sorted(profiles, key=lambda user: (*profiles[user], _lot(user)))
    users: dict[Part, list[str]] = {part: [] for part in PARTS}
    for start in range(0, len(ordered), len(_SLOTS)):
        for user, part in zip(ordered[start:], _deal(start), strict=False):
            users[part].append(user)
    users = {part: sorted(names) for part, names in users.items()}
    return Split(
        rule=RULE, why=WHY, data=source.name, data_revision=source.revision, sha256=_checksum(users), users=users
    )


def read_split(path: Path) -> Split:
    """Read a split that `make_split` made.

    Args:
        path: A JSON file.

    Raises:
        UserError: It cannot be read, is no split, was altered, or has a user in two parts.
    """
    try:
        split = Split.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); make it with `thoughttrace split DATA`."
        ) from error
    except ValidationError as error:
        raise UserError(f"{path}: is no split; name a file that `thoughttrace split` wrote.") from error
    times = Counter(user for users in split.users.values() for user in users)
    if twice := sorted(user for user, count in times.items() if count > 1):
        raise UserError(f"{path}: user '{twice[0]}' is in it twice; a user is in one part, and there once.")
    if split.sha256 != _checksum(split.users):
        raise UserError(
            f"{path}: its users do not have the checksum that it states, so it was altered; make it anew with "
            "`thoughttrace split DATA`, or get it again from where it was published."
        )
    return split


def select_part(source: Source, split: Split, part: Part | None) -> list[Conversation]:
    """Select the conversations of a part, in the order of the data.

    Args:
        source: The conversations.
        split: A split of this data, or of data with more users.
        part: None selects all of them.

    Raises:
        UserError: A user of the data is not in the split, or nobody of the part is in the data.
    """
    parts = split.parts()
    if unknown := sorted({c.user for c in source.conversations} - parts.keys()):
        raise UserError(
            f"{len(unknown):,} of the users in {source.name} are not in the split, such as '{unknown[0]}': it was "
            f"made of {split.data}, {split.data_revision}; use that data, or split this one with `thoughttrace split`."
        )
    chosen = [c for c in source.conversations if part in (None, parts[c.user])]
    if not chosen:
        raise UserError(f"{source.name}: has no conversation of a user in {part}.")
    return chosen


def strata(conversations: Sequence[Conversation], parts: Mapping[str, Part]) -> list[Stratum]:
    """Count the users of each part by assistant model, and by quarter of the number of thoughts.

    Args:
        conversations: At least two users'.
        parts: The part of each user.
    """
    profiles = _profiles(conversations)
    bounds = quantiles([thoughts for _, thoughts in profiles.values()], n=4, method="inclusive")
    by_model: dict[str, list[str]] = defaultdict(list)
    by_quarter: dict[int, list[str]] = defaultdict(list)
    for user, (model, thoughts) in profiles.items():
        by_model[model].append(user)
        by_quarter[sum(thoughts > bound for bound in bounds)].append(user)

    def count(name: str, users: Sequence[str]) -> Stratum:
        return Stratum(name, Counter(parts[user] for user in users))

    def span(users: Sequence[str]) -> str:
        numbers = [profiles[user][1] for user in users]
        return f"{'–'.join(str(number) for number in sorted({min(numbers), max(numbers)}))} thoughts"

    return [
        *(count(model, by_model[model]) for model in sorted(by_model)),
        *(count(span(users), users) for _, users in sorted(by_quarter.items())),
    ]


def leaking_share(conversations: Sequence[Conversation]) -> float:
    """Compute what share of test conversations would have their user in training, were conversations split.

    Each conversation is in training with probability 0.8, so one whose user has k conversations shares its user with
    training with probability 1 − 0.2^(k − 1).

    Args:
        conversations: At least one.

    Returns:
        The expected share, 0 to 1.
    """
    sizes = Counter(conversation.user for conversation in conversations)
    return sum(size * (1 - 0.2 ** (size - 1)) for size in sizes.values()) / len(conversations)


def _profiles(conversations: Sequence[Conversation]) -> dict[str, tuple[str, int]]:
    """Return each user's most frequent assistant model (of several, the first by name) and number of thoughts."""
    models: dict[str, Counter[str]] = defaultdict(Counter)
    thoughts: Counter[str] = Counter()
    for conversation in conversations:
        models[conversation.user][conversation.model] += 1
        thoughts[conversation.user] += sum(len(message.thoughts) for message in conversation.messages)
    return {user: (min(met, key=lambda model: (-met[model], model)), thoughts[user]) for user, met in models.items()}


def _deal(start: int) -> list[Part]:
    """Return the parts of the ten users from position `start` on, in an order drawn by a hash."""
    return [_SLOTS[slot] for slot in sorted(range(len(_SLOTS)), key=lambda slot: _lot(str(start), str(slot)))]


def _lot(*names: str) -> str:
    return hashlib.sha256(":".join((RULE, *names)).encode()).hexdigest()


def _checksum(users: Mapping[Part, Sequence[str]]) -> str:
    text = json.dumps({part: sorted(users.get(part, [])) for part in PARTS}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
