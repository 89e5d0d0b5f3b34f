"""The texts that are compared: pairs of a source and a target, cut from conversations."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from thoughttrace.datasets.conversation import Conversation, Message

NEXT, REASON, REACTION = RELATIONS = ("message → next message", "message → reason", "reaction → next message")
"""Pairs of texts, in the order of the paper's figure."""

_COLUMNS = ("relation", "user", "conversation", "turn", "source", "target", "source_words", "target_words")


@dataclass(frozen=True)
class Pairs:
    """Pairs, and what was left out of them."""

    table: pd.DataFrame
    """One row per pair: `relation`, `user`, `conversation`, `turn` (index of the user message that the pair belongs to,
    −1 for a reaction on a reply that no user message precedes), `source` and `target` (texts, never blank), and
    `source_words` and `target_words` (split at spaces)."""
    blank: int
    """Pairs of messages left out because one of the two is empty."""
    joined: int
    """Pairs of which one side is several thoughts on one message."""


def cut_pairs(conversations: Iterable[Conversation]) -> Pairs:
    """Cut conversations into pairs.

    - message → next message: a user message and the user message after it in the conversation;
    - message → reason: a user message and its reason;
    - reaction → next message: the reaction on an assistant message and the user message after it.

    A message is one unit: several thoughts on it are one text, a line each in the order of the data. A message without
    a thought makes no pair with it, nor does the last user message with a next one.

    Args:
        conversations: As loaded.
    """
    rows: list[tuple[object, ...]] = []
    blank = joined = 0
    for conversation in conversations:
        for relation, turn, source, target, joined_thoughts in _pairs_of(conversation.messages):
            if not source.strip() or not target.strip():
                blank += 1
                continue
            joined += joined_thoughts > 1
            texts = source, target
            rows.append((relation, conversation.user, conversation.id, turn, *texts, *(len(t.split()) for t in texts)))
    return Pairs(pd.DataFrame(rows, columns=list(_COLUMNS)), blank, joined)


def _pairs_of(messages: list[Message]) -> Iterator[tuple[str, int, str, str, int]]:
    """Yield (relation, turn, source, target, number of thoughts)."""
    following: list[Message | None] = [None] * len(messages)
    for index in range(len(messages) - 2, -1, -1):
        after = messages[index + 1]
        following[index] = after if after.role == "user" else following[index + 1]
    turn = -1
    for index, (message, after_it) in enumerate(zip(messages, following, strict=True)):
        thoughts = "\n".join(thought.content for thought in message.thoughts)
        count = len(message.thoughts)
        if message.role == "user":
            turn = index
            if after_it:
                yield NEXT, turn, message.content, after_it.content, 0
            if thoughts:
                yield REASON, turn, message.content, thoughts, count
        elif thoughts and after_it:
            yield REACTION, turn, thoughts, after_it.content, count
