"""Conversations as three tables, from which the profile is counted, and what its chapters share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.page.plots import Dot
from thoughttrace.analysis.stats.groups import too_small
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.datasets.conversation import Conversation, Message
from thoughttrace.datasets.load import uncollected

BY_USER = "95 % intervals are clustered by user (CR2)."


@dataclass(frozen=True)
class Tables:
    """One row per conversation, message, and thought; `conversation` numbers conversations from 0 in order."""

    conversations: pd.DataFrame
    """`id`, `user`, `model`, `turns` (messages by the user), `messages`, and the user's survey answers: `reported_age`,
    `age` (years, NaN where missing or implausible), `gender`, `education`, `frequency`, `occupation`, `purposes`."""
    messages: pd.DataFrame
    """`conversation`, `user`, `index` (0-based), `role`, `kind` (of the thoughts it can carry), `turn` (1-based),
    `words`, `characters`, `tokens` (NaN if not counted), `thoughts`, `annotated`, `hindsight` (bool, or None where
    unknown)."""
    thoughts: pd.DataFrame
    """`conversation`, `user`, `kind`, `type`, `index` (of its message), `position` (of its message, 0 to 1), `words`,
    `tokens` (NaN if not counted), `message_words`, `after_reply` (of a reason: written after the reply to its message;
    None where unknown). Empty thoughts are left out."""


@uncollected()
def build_tables(
    conversations: Sequence[Conversation], count_tokens: Callable[[Sequence[str]], list[int]] | None = None
) -> Tables:
    """Build the three tables.

    Args:
        conversations: At least one.
        count_tokens: Counts the tokens of texts; None where they are not to be counted, which takes longest.
    """
    heads, messages, thoughts = [], [], []
    for number, conversation in enumerate(conversations):
        heads.append(_head(conversation))
        last = max(1, len(conversation.messages) - 1)
        turn = 0
        for index, message in enumerate(conversation.messages):
            turn += message.role == "user"
            words = len(message.content.split())
            place = {"conversation": number, "user": conversation.user, "kind": message.kind, "index": index}
            count = len(message.thoughts)
            messages.append(
                place
                | {"role": message.role, "turn": max(1, turn), "words": words, "characters": len(message.content)}
                | {"thoughts": count, "annotated": count > 0}
                | {"hindsight": conversation.hindsight(index) if count else None}
            )
            replied = _replied(conversation.messages, index)
            thoughts += [
                place
                | {"type": thought.label or "(no type)", "position": index / last}
                | {"words": len(thought.content.split()), "message_words": words}
                | {"after_reply": thought.timestamp > replied if replied and thought.timestamp else None}
                for thought in message.thoughts
            ]
    columns = ["conversation", "user", "kind", "index", "type", "position", "words", "message_words", "after_reply"]
    tables = Tables(pd.DataFrame(heads), pd.DataFrame(messages), pd.DataFrame(thoughts, columns=columns))
    written = [message for conversation in conversations for message in conversation.messages]
    notes = [thought.content for message in written for thought in message.thoughts]
    tables.messages["tokens"] = count_tokens([message.content for message in written]) if count_tokens else np.nan
    tables.thoughts["tokens"] = count_tokens(notes) if count_tokens else np.nan
    return tables


def _head(conversation: Conversation) -> dict[str, object]:
    person = conversation.participant
    return {
        "id": conversation.id,
        "user": conversation.user,
        "model": conversation.model,
        "turns": sum(message.role == "user" for message in conversation.messages),
        "messages": len(conversation.messages),
        "reported_age": person.age if person else None,
        "age": person.plausible_age if person else None,
        "gender": person.gender if person else None,
        "education": person.education if person else None,
        "frequency": person.frequency if person else None,
        "occupation": person.occupation if person else None,
        "purposes": person.purposes if person else None,
    }


def _replied(messages: Sequence[Message], index: int) -> datetime | None:
    """Give the time of the reply to a user's message, where the next message is the reply."""
    following = messages[index + 1] if index + 1 < len(messages) else None
    if messages[index].role == "user" and following and following.role == "assistant":
        return following.timestamp
    return None


@dataclass(frozen=True)
class OfType:
    """Base of rows about a type of thoughts."""

    kind: str
    type: str


@dataclass(frozen=True)
class Mean:
    """Base of rows with a mean, or a share from 0 to 1, and its 95 % interval, CR2 by user.

    Name it before other bases: a dataclass has the fields of its last base first.
    """

    n: int
    """Values that are averaged."""
    users: int
    mean: float
    lower: float
    upper: float
    note: str
    """Why there is no interval."""


def mean_by_user(
    values: npt.ArrayLike, users: npt.ArrayLike, bounds: tuple[float, float] | None = (0, 1)
) -> dict[str, Any]:
    """Estimate a mean (of zeros and ones: a share) with its 95 % interval, CR2 by user.

    Args:
        values: Numbers or booleans, none of them missing.
        users: Whose they are.
        bounds: The ends of the scale; a share's by default.

    Returns:
        The fields of `Mean`. In a group that is `too_small`, `mean`,
        `lower` and `upper` are NaN; where nothing varies between users, `lower` and `upper` are; `note` says why.
    """
    numbers, labels = np.asarray(values, dtype=float), np.asarray(users)
    n, clusters = len(numbers), len(pd.unique(labels))
    if reason := too_small(n, clusters, "of them"):
        return Interval.without_limits(reason, n=n, clusters=clusters).as_row("mean")
    return cluster_mean(numbers, labels, bounds=bounds).as_row("mean")


def dot(row: Mean, label: str, panel: str = "", series: str = "", scale: float = 100) -> Dot:
    """Make the dot of a row's mean.

    Args:
        row: The row.
        label: Of its place in the figure.
        panel: Its panel.
        series: Its series.
        scale: What the mean is multiplied by; a share is drawn in per cent.
    """
    text = f"n = {row.n:,}: too small" if np.isnan(row.mean) else ""
    return Dot(label, scale * row.mean, scale * row.lower, scale * row.upper, panel, series, text)


def readable(name: str) -> str:
    """Write a type's name with spaces."""
    return name.replace("_", " ")


def sort_by(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Sort distinct names: those of a known order first, the others alphabetically."""
    present = set(names)
    return [*(name for name in order if name in present), *sorted(present - set(order))]
