"""Answer without a model, or from the target itself: controls that show where the scale begins and ends."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from thoughttrace.core.record import Control, Kind
from thoughttrace.datasets.conversation import Conversation, Thought
from thoughttrace.datasets.sampling import Item

CONSTANTS: dict[Kind, str] = {
    "reason": "I wanted a useful answer to what I asked.",
    "reaction": "I was satisfied: the answer was clear, helpful and what I asked for.",
}
"""What `constant` answers to every message: as near to most thoughts as one sentence comes that knows nothing."""


class _UserThought(NamedTuple):
    user: str
    thought: Thought


class Recital(NamedTuple):
    """What a control answers."""

    text: str
    """Word for word; empty where nobody else had such a thought."""
    donor: str | None = None
    """The user whose thought was drawn for it; None where nothing was drawn."""


Recite = Callable[[int], Recital]
"""Gives what a control answers to one sample in an epoch, 1 or more."""


def recite(control: Control, conversations: Sequence[Conversation], kind: Kind, seed: int) -> Callable[[Item], Recite]:
    """Prepare a control that needs no model.

    Args:
        control: Which one; not `reworded`.
        conversations: All of the data, not only what is sampled: the thoughts of others come from here.
        kind: The kind of thought.
        seed: Another seed gives another choice.

    Returns:
        A function from an annotated message to what the control answers in each epoch. With `someone_else` and
        `anyone` each epoch draws the thought of another user, until all had their turn; what the others answer is the
        same in every epoch.
    """
    if control == "parrot":
        return lambda item: _always(item.message.content.strip())
    if control == "constant":
        return lambda _: _always(CONSTANTS[kind])
    if control == "target":
        return lambda item: _always(_first_thought(item).content.strip())

    def group(thought: Thought) -> str:
        return "" if control == "anyone" else thought.label

    everyone = [_UserThought(c.user, t) for c in conversations for _, m in c.annotated(kind) for t in m.thoughts]
    groups: dict[str, list[_UserThought]] = defaultdict(list)
    for candidate in everyone:
        groups[group(candidate.thought)].append(candidate)
    if control == "typical":
        ranked = {label: _by_typicality(members, everyone) for label, members in groups.items()}
        return lambda item: _always(_first_of_another(item.conversation.user, ranked[group(_first_thought(item))]))

    users = {name: {member.user for member in members} for name, members in groups.items()}

    def draw(item: Item) -> Recite:
        # Kept until the sample runs, so it must not hold its conversation, which is freed before.
        name, own = f"{seed}:{control}:{item.conversation.id}:{item.message_index}", item.conversation.user
        thoughts, donors = groups[of_item := group(_first_thought(item))], users[of_item]
        return lambda epoch: _draw(thoughts, donors - {own}, name, epoch)

    return draw


def _draw(thoughts: Sequence[_UserThought], donors: set[str], name: str, epoch: int) -> Recital:
    """Draw, from a random place on, a thought of one of the donors who had no turn in an earlier epoch."""
    if not donors:
        return Recital("")
    left: set[str] = set()
    for number in range(1, epoch + 1):
        left = left or {*donors}
        digest = hashlib.sha256((name if number == 1 else f"{name}:{number}").encode()).digest()
        start = int.from_bytes(digest) % len(thoughts)
        drawn = next(one for one in chain(thoughts[start:], thoughts[:start]) if one.user in left)
        left.remove(drawn.user)
    return Recital(drawn.thought.content.strip(), drawn.user)


def _first_thought(item: Item) -> Thought:
    """Return the thought whose type counts as that of the sample."""
    return item.message.thoughts[0]


def _always(text: str) -> Recite:
    """Answer the same in every epoch."""
    return lambda _: Recital(text)


def _first_of_another(user: str, candidates: Sequence[_UserThought]) -> str:
    """Return the first thought of another user; empty if there is none."""
    return next((candidate.thought.content.strip() for candidate in candidates if candidate.user != user), "")


def _by_typicality(members: Sequence[_UserThought], everyone: Sequence[_UserThought]) -> list[_UserThought]:
    """Order the thoughts of a type by the cosine with their mean, the most typical first.

    A thought is the set of its words, weighted by how rare they are in all thoughts of the kind (idf).
    """
    frequency = Counter(word for candidate in everyone for word in _words(candidate))
    weight = {word: math.log(1 + len(everyone) / count) for word, count in frequency.items()}
    words = [_words(member) for member in members]
    lengths = [math.sqrt(sum(weight[word] ** 2 for word in own)) or 1.0 for own in words]
    mean: dict[str, float] = defaultdict(float)
    for own, length in zip(words, lengths, strict=True):
        for word in own:
            mean[word] += weight[word] / length
    cosines = [
        sum(weight[word] * mean[word] for word in own) / length for own, length in zip(words, lengths, strict=True)
    ]
    order = sorted(range(len(members)), key=lambda n: (-cosines[n], members[n].thought.content))
    return [members[n] for n in order]


def _words(candidate: _UserThought) -> set[str]:
    stripped = (word.strip(".,;:!?\"'()") for word in candidate.thought.content.casefold().split())
    return {word for word in stripped if word}
