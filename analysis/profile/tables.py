"""Conversations as three tables, from which the profile is counted, and what its chapters share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.breakdown import MIN_SAMPLES, MIN_USERS
from thoughttrace.analysis.page.plots import Dot
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.datasets.conversation import Conversation, Message
from thoughttrace.datasets.load import uncollected

BY_USER = "95 % intervals are clustered by user (CR2)."

TOO_SMALL = f"too small: under {MIN_SAMPLES} of them or {MIN_USERS} users"


@dataclass(frozen=True)
class Tables:
    """One row per conversation, message, and thought; `conversation` numbers conversations from 0 in order."""

    conversations: pd.DataFrame
    """`id`, `user`, `model`, `turns` (messages by the user), `messages`, and the user's survey answers: `reported_age`,
    `age` (years, NaN where missing or implausible), `gender`, `education`, `frequency`."""
    messages: pd.DataFrame
    """`conversation`, `user`, `index` (0-based), `role`, `kind` (of the thoughts it can carry), `turn` (1-based),
    `words`, `characters`, `thoughts`, `annotated`, `hindsight` (bool, or None where unknown)."""
    thoughts: pd.DataFrame
    """`conversation`, `user`, `kind`, `type`, `index` (of its message), `position` (of its message, 0 to 1), `words`,
    `message_words`, `after_reply` (of a reason: written after the reply to its message; None where unknown).
    Empty thoughts are left out."""


@uncollected()
def build_tables(conversations: Sequence[Conversation]) -> Tables:
    """Build the three tables.

    Args:
        conversations: At least one.
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
    return Tables(pd.DataFrame(heads), pd.DataFrame(messages), pd.DataFrame(thoughts, columns=columns))


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
    }


def _replied(messages: Sequence[Message], index: int) -> datetime | None:
    """Give the time of the reply to a user's message, where the next message is the reply."""
    following = messages[index + 1] if index + 1 < len(messages) else None
    if messages[index].role == "user" and following and following.role == "assistant":
        return following.timestamp
    return None


def mean_by_user(
    values: npt.ArrayLike, users: npt.ArrayLike, bounds: tuple[float, float] | None = (0, 1)
) -> dict[str, Any]:
    """Estimate a mean (of zeros and ones: a share) with its 95 % interval, CR2 by user.

    Args:
        values: Numbers or booleans, none of them missing.
        users: Whose they are.
        bounds: The ends of the scale; a share's by default.

    Returns:
        The fields `n`, `users`, `mean`, `lower`, `upper`, `note` of a row. With fewer than `MIN_SAMPLES` values or
        `MIN_USERS` users, `mean`, `lower` and `upper` are NaN; where nothing varies between users, `lower` and `upper`
        are; `note` says why.
    """
    numbers, labels = np.asarray(values, dtype=float), np.asarray(users)
    sizes = {"n": len(numbers), "users": len(pd.unique(labels))}
    if sizes["n"] < MIN_SAMPLES or sizes["users"] < MIN_USERS:
        return sizes | dict.fromkeys(("mean", "lower", "upper"), np.nan) | {"note": TOO_SMALL}
    mean = cluster_mean(numbers, labels, bounds=bounds)
    return sizes | {"mean": mean.estimate, "lower": mean.lower, "upper": mean.upper, "note": mean.reason or ""}


class HasMean(Protocol):
    """A row with the fields of `mean_by_user`."""

    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def mean(self) -> float: ...  # noqa: D102
    @property
    def lower(self) -> float: ...  # noqa: D102
    @property
    def upper(self) -> float: ...  # noqa: D102


def dot(row: HasMean, label: str, panel: str = "", series: str = "", scale: float = 100) -> Dot:
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
