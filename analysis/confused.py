"""Which types a model names well, and what it takes each type for."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from thoughttrace.analysis.breakdown import MIN_SAMPLES, MIN_USERS
from thoughttrace.analysis.finished import Header, Read
from thoughttrace.analysis.stats.interrater import confusions, f1
from thoughttrace.analysis.stats.intervals import Numbers
from thoughttrace.analysis.thought_logs import mean_of, run_of
from thoughttrace.core.record import TYPES, Kind

NO_TYPE = "no type"
"""What stands as the answer of a model that named none."""


def by_type(found: Sequence[Read]) -> pd.DataFrame:
    """How well each run does on each type.

    Args:
        found: Logs of `classify_thought`.

    Returns:
        One row per log and type: `kind`, `model`, `context`, `type`, `n` (scored replies to thoughts of the type),
        `users`, `answered` (replies that name it), `precision`, `recall` (with CR2 limits `lower`, `upper`; `note` says
        why there are none), `f1`; NaN where nothing is divided by.
    """
    rows: list[dict[str, Any]] = []
    for header, replies in found:
        scored = replies.dropna(subset="value")
        counts = confusion(header, replies)
        for place, name in enumerate(types_of(header)):
            own = scored[scored["type"] == name]
            recall = mean_of(own, (0.0, 1.0))
            small = f"under {MIN_SAMPLES} thoughts or {MIN_USERS} users"
            known = len(own) >= MIN_SAMPLES and recall.clusters >= MIN_USERS
            answered = counts[:, place].sum()
            rows.append(
                run_of(header)
                | {
                    "type": name,
                    "n": len(own),
                    "users": recall.clusters,
                    "answered": int(answered),
                    "precision": counts[place, place] / answered if answered else np.nan,
                    "recall": recall.estimate,
                    "lower": recall.lower if known else np.nan,
                    "upper": recall.upper if known else np.nan,
                    "note": (recall.reason or "") if known or not len(own) else small,
                    "f1": float(f1(counts)[place]),
                }
            )
    return pd.DataFrame(rows)


def confused(found: Sequence[Read]) -> pd.DataFrame:
    """What each type was taken for.

    Args:
        found: Logs of `classify_thought`.

    Returns:
        One row per log, type and answer: `kind`, `model`, `context`, `type`, `answer` (a type, or `NO_TYPE`), `n`
        (replies, of all epochs), `share` of the replies to that type (NaN where there are none).
    """
    rows: list[dict[str, Any]] = []
    for header, replies in found:
        counts = confusion(header, replies)
        for place, name in enumerate(types_of(header)):
            total = counts[place].sum()
            for answer, n in zip([*types_of(header), NO_TYPE], counts[place], strict=True):
                share = n / total if total else np.nan
                rows.append(run_of(header) | {"type": name, "answer": answer, "n": int(n), "share": share})
    return pd.DataFrame(rows)


def confusion(header: Header, replies: pd.DataFrame) -> Numbers:
    """Scored replies of a log, label × answer, no answer last."""
    total: Numbers = tallies(header, replies.dropna(subset="value")).sum(axis=0)
    return total


def tallies(header: Header, scored: pd.DataFrame) -> Numbers:
    """Each user's scored replies, shape (users, label, answer), no answer last."""
    return confusions(scored["type"].tolist(), scored["answer"].tolist(), scored["user"].to_numpy(), types_of(header))


def types_of(header: Header) -> tuple[str, ...]:
    """The types that a log's model chose from."""
    return TYPES[cast(Kind, header["kind"])]
