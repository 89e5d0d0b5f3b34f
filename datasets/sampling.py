"""Choose which messages enter a run, and in which order."""

import hashlib
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from thoughttrace.core.errors import UserError, check_positive
from thoughttrace.core.record import TYPES, Kind
from thoughttrace.datasets.conversation import Conversation, Message


class Item(NamedTuple):
    """A message of a conversation."""

    conversation: Conversation
    message_index: int
    """Position of the message, 0-based."""

    @property
    def message(self) -> Message:
        """The message itself."""
        return self.conversation.messages[self.message_index]


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
    present = {thought.label for c in conversations for _, m in c.annotated(kind) for thought in m.thoughts}
    for name in types or ():
        if name not in {*TYPES[kind], *present}:
            raise UserError(f"types={name}: no such type of {kind}; choose from {', '.join(TYPES[kind])}.")
    items = [
        Item(conversation, index)
        for conversation in conversations
        for index, message in conversation.annotated(kind)
        if not types or any(thought.label in types for thought in message.thoughts)
    ]
    if not items:
        wanted = f" of type {', '.join(types)}" if types else ""
        raise UserError(f"No message in this data has a {kind}{wanted}.")
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

    def lot(*names: object) -> str:
        return hashlib.sha256(":".join(map(str, (seed, *names))).encode()).hexdigest()

    ordered = sorted(items, key=lambda item: lot(item.conversation.user))  # stable: a user's messages keep their order
    by_user = [list(group) for _, group in groupby(ordered, key=lambda item: item.conversation.user)]
    chosen: list[Item] = []
    for group in by_user[:users]:
        drawn = sorted(group, key=lambda item: lot(item.conversation.id, item.message_index))[:per_user]
        kept = {(item.conversation.id, item.message_index) for item in drawn}
        chosen += [item for item in group if (item.conversation.id, item.message_index) in kept]
    return chosen
