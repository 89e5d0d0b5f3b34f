"""Which private notes stand below the messages that a model reads: the arms of `predict_message`."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Literal, cast, get_args

from thoughttrace.datasets.conversation import KIND_OF, Conversation, Kind
from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.render import Notes

Arm = Literal["none", "reasons", "reactions", "both", "shuffled", "inferred"]
"""The history alone; with the user's own reasons, reactions, or both; with other users' thoughts where the user has
one; with a model's inferences there."""

Inferred = Mapping[tuple[str, int], str]
"""What a model inferred, by conversation and message."""

_KINDS: dict[Arm, tuple[Kind, ...]] = {
    "reasons": ("reason",),
    "reactions": ("reaction",),
    "both": ("reason", "reaction"),
}

DRAWN = 8
"""Thoughts of other users among which the one nearest in length is taken."""


def parse_arm(name: str) -> Arm:
    """Check the name of an arm.

    Raises:
        UserError: There is no such arm.
    """
    if name not in get_args(Arm):
        raise UserError(f"thoughts={name}: no such choice; choose from {', '.join(get_args(Arm))}.")
    return cast(Arm, name)


def annotate(
    arm: Arm, conversations: Sequence[Conversation], seed: int, inferred: Inferred
) -> Callable[[Conversation], Notes]:
    """Prepare an arm.

    Args:
        arm: Which one.
        conversations: All of the data: where the thoughts of others come from.
        seed: Of the choice among them.
        inferred: What stands in the place of the user's thoughts in the arm `inferred`.

    Returns:
        A function from a conversation to all notes that may be shown in it.

    Raises:
        UserError: The thoughts of others are asked for, and there is one user only.
    """
    if arm == "none":
        return lambda conversation: ()
    if arm == "inferred":
        return lambda conversation: tuple(
            (text,) if (text := inferred.get((conversation.id, index))) and message.thoughts else ()
            for index, message in enumerate(conversation.messages)
        )
    if arm == "shuffled":
        # Many samples are cut from one conversation.
        return cache(_shuffler(conversations, seed))
    return lambda conversation: tuple(
        tuple(thought.content for thought in message.thoughts) if message.kind in _KINDS[arm] else ()
        for message in conversation.messages
    )


def _shuffler(conversations: Sequence[Conversation], seed: int) -> Callable[[Conversation], Notes]:
    """Put another user's thought of the same kind in the place of each.

    Of `DRAWN` drawn by the seed the one nearest in words is taken, so that the notes are about as long; none twice in
    a conversation while there are others.
    """
    owned: dict[Kind, list[tuple[str, str]]] = {
        kind: [(c.user, t.content) for c in conversations for _, message in c.annotated(kind) for t in message.thoughts]
        for kind in KIND_OF.values()
    }
    for kind, thoughts in owned.items():
        if len({user for user, _ in thoughts}) == 1:
            raise UserError(
                f"thoughts=shuffled: all {kind}s in this data are of one user, so no other user's can stand in their "
                "place; use data of two users or more."
            )

    def shuffle(conversation: Conversation) -> Notes:
        used: set[str] = set()

        def another(kind: Kind, index: int, number: int, content: str) -> str:
            pool = owned[kind]
            lots = random.Random(f"{seed}:{conversation.id}:{index}:{number}").sample(pool, min(len(pool), 8 * DRAWN))
            others = [text for user, text in lots if user != conversation.user]
            others = others or [text for user, text in pool if user != conversation.user]
            drawn = [text for text in others if text not in used][:DRAWN] or others
            words = len(content.split())
            nearest = min(drawn, key=lambda text: abs(len(text.split()) - words))
            used.add(nearest)
            return nearest

        return tuple(
            tuple(another(message.kind, index, n, thought.content) for n, thought in enumerate(message.thoughts))
            for index, message in enumerate(conversation.messages)
        )

    return shuffle
