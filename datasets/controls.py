"""Answer without a model, or from the target itself: controls that show where the scale begins and ends."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Turns n texts into unit vectors, shape (n, d)."""


def recite(control: Control, conversations: Sequence[Conversation], kind: Kind, seed: int) -> Callable[[Item], Recite]:
    """Prepare a control that needs no model.

    Args:
        control: Which one; not `reworded`, nor `typical`, which `recite_typical` prepares.
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

    groups = _grouped(conversations, kind, group)
    users = {name: {member.user for member in members} for name, members in groups.items()}

    def draw(item: Item) -> Recite:
        # Kept until the sample runs, so it must not hold its conversation, which is freed before.
        name, own = f"{seed}:{control}:{item.conversation.id}:{item.message_index}", item.conversation.user
        thoughts, donors = groups[of_item := group(_first_thought(item))], users[of_item]
        return lambda epoch: _draw(thoughts, donors - {own}, name, epoch)

    return draw


def recite_typical(conversations: Sequence[Conversation], kind: Kind, embed: Embed) -> Callable[[Item], Recite]:
    """Prepare the control `typical`: the thought of a type that is most like the others of this type.

    Of the other users' thoughts of the type it is the medoid: the one with the highest mean cosine to all of them. It
    is chosen among those that have at most as many words as the median of them, for a long thought, which says a bit of
    everything, is like many others and yet none that people would write. Nothing of the user has a part in it.

    Args:
        conversations: All of the data, not only what is sampled.
        kind: The kind of thought.
        embed: Embeds the thoughts.

    Returns:
        A function from an annotated message to what the control answers, the same in each epoch.
    """
    groups = _grouped(conversations, kind, lambda thought: thought.label)
    types = {label: _Type(members, embed) for label, members in groups.items()}
    return lambda item: _always(types[_first_thought(item).label].medoid_without(item.conversation.user))


class _Type:
    """The thoughts of a type, and their medoid without those of any one user."""

    def __init__(self, members: Sequence[_UserThought], embed: Embed) -> None:
        self._texts = [member.thought.content.strip() for member in members]
        self._words = np.array([member.thought.words for member in members])
        self._users = np.array([member.user for member in members])
        self._vectors = embed(self._texts)
        self._sum = self._vectors.sum(axis=0, dtype=float)
        # A user's messages share their answer: a pass over all thoughts for each of 5,000 messages takes a minute.
        self.medoid_without = cache(self._medoid_without)

    def _medoid_without(self, user: str) -> str:
        """Return the medoid of the thoughts of all but one user; empty if nobody else has any."""
        own = self._users == user
        if own.all():
            return ""
        others = self._sum - self._vectors[own].sum(axis=0, dtype=float)
        closeness = self._vectors @ others.astype(np.float32)
        closeness[own | (self._words > np.median(self._words[~own]))] = -np.inf
        return self._texts[int(closeness.argmax())]


def _grouped(
    conversations: Sequence[Conversation], kind: Kind, group: Callable[[Thought], str]
) -> dict[str, list[_UserThought]]:
    """Gather the thoughts of a kind by the name of their group."""
    groups: dict[str, list[_UserThought]] = defaultdict(list)
    for conversation in conversations:
        for _, message in conversation.annotated(kind):
            for thought in message.thoughts:
                groups[group(thought)].append(_UserThought(conversation.user, thought))
    return groups


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
