"""Conversations as three tables, from which every figure of the profile is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from thoughttrace.datasets.conversation import Conversation, Message
from thoughttrace.datasets.load import uncollected


@dataclass(frozen=True)
class Frames:
    """One row per conversation, message, and thought; `conversation` numbers conversations from 0 in order."""

    conversations: pd.DataFrame
    """`id`, `user`, `model`, `turns` (messages by the user), `messages`, and what the survey told: `said_age`, `age`
    (years, NaN where missing or implausible), `gender`, `education`, `frequency`."""
    messages: pd.DataFrame
    """`conversation`, `user`, `index` (0-based), `role`, `kind` (of the thoughts it can carry), `turn` (1-based),
    `words`, `characters`, `thoughts`, `annotated`, `hindsight` (bool, or None where it cannot be told)."""
    thoughts: pd.DataFrame
    """`conversation`, `user`, `kind`, `type`, `index` (of its message), `position` (of its message, 0 to 1), `words`,
    `message_words`, `after_reply` (of a reason: written after the reply to its message; None where it cannot be told).
    Empty thoughts are left out."""


@uncollected()
def frames(conversations: Sequence[Conversation]) -> Frames:
    """Lay out conversations as tables.

    Args:
        conversations: At least one.
    """
    heads, said, thought = [], [], []
    for number, conversation in enumerate(conversations):
        heads.append(_head(conversation))
        last = max(1, len(conversation.messages) - 1)
        turn = 0
        for index, message in enumerate(conversation.messages):
            turn += message.role == "user"
            words = len(message.content.split())
            named = {"conversation": number, "user": conversation.user, "kind": message.kind, "index": index}
            count = len(message.thoughts)
            said.append(
                named
                | {"role": message.role, "turn": max(1, turn), "words": words, "characters": len(message.content)}
                | {"thoughts": count, "annotated": count > 0}
                | {"hindsight": conversation.hindsight(index) if count else None}
            )
            replied = _replied(conversation.messages, index)
            thought += [
                named
                | {"type": one.label or "(no type)", "position": index / last}
                | {"words": len(one.content.split()), "message_words": words}
                | {"after_reply": one.timestamp > replied if replied and one.timestamp else None}
                for one in message.thoughts
            ]
    columns = ["conversation", "user", "kind", "index", "type", "position", "words", "message_words", "after_reply"]
    return Frames(pd.DataFrame(heads), pd.DataFrame(said), pd.DataFrame(thought, columns=columns))


def _head(conversation: Conversation) -> dict[str, object]:
    person = conversation.participant
    return {
        "id": conversation.id,
        "user": conversation.user,
        "model": conversation.model,
        "turns": sum(message.role == "user" for message in conversation.messages),
        "messages": len(conversation.messages),
        "said_age": person.age if person else None,
        "age": person.plausible_age if person else None,
        "gender": person.gender if person else None,
        "education": person.education if person else None,
        "frequency": person.frequency if person else None,
    }


def _replied(messages: Sequence[Message], index: int) -> datetime | None:
    """When a user's message was replied to, where the next message is the reply."""
    following = messages[index + 1] if index + 1 < len(messages) else None
    if messages[index].role == "user" and following and following.role == "assistant":
        return following.timestamp
    return None
