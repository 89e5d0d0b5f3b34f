"""Which texts are compared: pairs of a source and a target, cut from conversations."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from thoughttrace.datasets.conversation import Conversation, Message

NEXT, REASON, REACTION = RELATIONS = ("message → next message", "message → reason", "reaction → next message")
"""What is compared with what, in the order of the paper's figure."""

COLUMNS = ("relation", "user", "conversation", "turn", "source", "target", "source_words", "target_words")


@dataclass(frozen=True)
class Pairs:
    """Pairs, and what was left out of them."""

    table: pd.DataFrame
    """One row per pair, with COLUMNS: `turn` is the index of the user message that the pair belongs to, −1 for a
    reaction on a reply that no user message precedes; `source` and `target` are texts, never blank; words are
    counted between spaces."""
    blank: int
    """Pairs of messages left out because one of the two says nothing."""
    joined: int
    """Pairs of which one side is several thoughts on one message."""


def cut(conversations: Iterable[Conversation]) -> Pairs:
    """Cut all pairs.

    - message → next message: a user message and the user message after it in the conversation;
    - message → reason: a user message and its reason;
    - reaction → next message: the reaction on an assistant message and the user message after it.

    A message is one unit, as everywhere here: several thoughts on it are one text, a line each in the order of the
    data. A message without a thought makes no pair with it, nor does the last user message with a next one.

    Args:
        conversations: As loaded.
    """
    rows: list[tuple[object, ...]] = []
    blank = joined = 0
    for conversation in conversations:
        for relation, turn, source, target, thoughts in _of(conversation.messages):
            if not source.strip() or not target.strip():
                blank += 1
                continue
            joined += thoughts > 1
            texts = source, target
            rows.append((relation, conversation.user, conversation.id, turn, *texts, *(len(t.split()) for t in texts)))
    return Pairs(pd.DataFrame(rows, columns=list(COLUMNS)), blank, joined)


def _of(messages: list[Message]) -> Iterator[tuple[str, int, str, str, int]]:
    """Yield (relation, turn, source, target, number of thoughts)."""
    following: list[Message | None] = [None] * len(messages)
    for index in range(len(messages) - 2, -1, -1):
        after = messages[index + 1]
        following[index] = after if after.role == "user" else following[index + 1]
    turn = -1
    for index, (message, after_it) in enumerate(zip(messages, following, strict=True)):
        said = "\n".join(thought.content for thought in message.thoughts)
        count = len(message.thoughts)
        if message.role == "user":
            turn = index
            if after_it:
                yield NEXT, turn, message.content, after_it.content, 0
            if said:
                yield REASON, turn, message.content, said, count
        elif said and after_it:
            yield REACTION, turn, said, after_it.content, count
