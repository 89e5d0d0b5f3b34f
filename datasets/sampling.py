"""Which annotated messages enter a run, and in which order."""

import hashlib
from collections.abc import Sequence
from itertools import groupby

from thoughttrace.core.errors import UserError, check_positive
from thoughttrace.core.record import TYPES, Kind
from thoughttrace.datasets.conversation import Conversation

Item = tuple[Conversation, int]
"""A conversation and the position of one of its messages."""


def select(
    conversations: Sequence[Conversation],
    kind: Kind,
    types: Sequence[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
) -> list[Item]:
    """Choose annotated messages by whole users, in a seeded order of users.

    Users are ordered by a hash of their name, so any prefix is a fair sample of users, and the order stays
    when users are added to the data.

    Args:
        conversations: Where to choose from.
        kind: Which kind of thought.
        types: Only messages that carry a thought of one of these types.
        users: At most this many users, each with all their messages.
        per_user: At most this many messages of each user, chosen at random.
        seed: Another seed gives another order and choice.

    Raises:
        UserError: A type is unknown, a number is not positive, or nothing is left.
    """
    present = sorted({t.label for c in conversations for _, m in c.annotated(kind) for t in m.thoughts})
    for name in types or ():
        if name not in {*TYPES[kind], *present}:
            raise UserError(f"types={name}: no such type of {kind}; choose from {', '.join(TYPES[kind])}.")
    items = [
        (conversation, index)
        for conversation in conversations
        for index, message in conversation.annotated(kind)
        if not types or any(thought.label in types for thought in message.thoughts)
    ]
    if not items:
        wanted = f" of type {', '.join(types)}" if types else ""
        raise UserError(f"no message carries a {kind}{wanted}; nothing to infer in this data.")
    return draw(items, users, per_user, seed)


def draw(items: Sequence[Item], users: int | None = None, per_user: int | None = None, seed: int = 0) -> list[Item]:
    """Choose messages by whole users, in a seeded order of users.

    Args:
        items: Where to choose from, in the order of the data.
        users: At most this many users, each with all their messages.
        per_user: At most this many messages of each user, chosen at random.
        seed: Another seed gives another order and choice.

    Raises:
        UserError: A number is not positive.
    """
    check_positive("users", users)
    check_positive("per_user", per_user)

    def drawn(*names: object) -> str:
        return hashlib.sha256(":".join(map(str, (seed, *names))).encode()).hexdigest()

    ordered = sorted(items, key=lambda item: drawn(item[0].user))  # stable: a user's messages keep their order
    chosen: list[Item] = []
    for number, (_, group) in enumerate(groupby(ordered, key=lambda item: item[0].user)):
        if users is not None and number >= users:
            break
        own = list(group)
        lots = sorted(own, key=lambda item: drawn(item[0].id, item[1]))
        kept = {(conversation.id, index) for conversation, index in lots[:per_user]}
        chosen += [item for item in own if (item[0].id, item[1]) in kept]
    return chosen
