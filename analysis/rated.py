"""Ratings of thoughts by a model: how much messages say of them, and how informative they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.breakdown import GROUPINGS, MIN_SAMPLES, MIN_USERS
from thoughttrace.analysis.finished import Header, Read
from thoughttrace.analysis.headline import SCALE
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.analysis.thought_logs import NONE, mean_of, missing, run_of
from thoughttrace.core.record import TYPES, Kind

INFORMATIVE = 4
"""From this rating on, the paper is reported to have kept a thought for predicting the next message."""

SAID: dict[Kind, float] = {"reason": 3.22, "reaction": 2.00}
"""Reported of the paper: how much of its reason a message says, of a reaction the next message; rated by GPT-5.4."""

_GROUPED = ("type", "stage", "target length")


def means(found: Sequence[Read]) -> pd.DataFrame:
    """Estimate the mean rating of every run.

    Args:
        found: Logs of `cover_thought` or of `rate_thought`.

    Returns:
        One row per log: `kind`, `model`, `context` and `judge` (both empty; there are none), `mean` with its 95 %
        limits `lower` and `upper` (CR2 by user, clipped to 1–5; NaN where there are none, and `note` says why),
        `high` (share of ratings of 4 or 5) with `high_lower`, `high_upper` and `high_note`, `rated_1` … `rated_5`
        (counts), `n` (ratings), `users`, `samples` (planned replies), `coverage`, `missing`, and what names the log.
    """
    return pd.DataFrame([_mean(header, rows) for header, rows in found])


def groups(found: Sequence[Read]) -> pd.DataFrame:
    """Estimate the mean rating of every group of thoughts.

    Args:
        found: Logs of `cover_thought` or of `rate_thought`.

    Returns:
        One row per log, grouping and group: `kind`, `model`, `by` (`type`, `stage` or `target length`), `group`, `n`,
        `users`, `mean`, `lower`, `upper`, `high` (share of 4 and 5), `note`. Groups under the minimum have no
        estimate and say so in `note`.
    """
    rows: list[dict[str, Any]] = []
    for header, replies in found:
        scored = replies.dropna(subset="value").reset_index(drop=True)
        for by in _GROUPED:
            labels = GROUPINGS[by](scored).explode() if len(scored) else pd.Series(dtype=object)
            if by == "type":
                unknown = sorted(set(labels) - set(TYPES[header["kind"]]))
                labels = labels.astype(pd.CategoricalDtype([*TYPES[header["kind"]], *unknown]))
            for name, members in labels.groupby(labels, sort=True, observed=True).groups.items():
                own = run_of(header) | {"by": by, "group": str(name)}
                rows.append(own | _group(scored.loc[members]))
    return pd.DataFrame(rows)


def _mean(header: Header, rows: pd.DataFrame) -> dict[str, Any]:
    scored = rows.dropna(subset="value")
    planned = header["planned"] * header["epochs"]
    found, high = mean_of(scored, SCALE), _high(scored)
    return (
        run_of(header)
        | {"judge": "", "mean": found.estimate, "lower": found.lower, "upper": found.upper, "note": found.reason or ""}
        | {"high": high.estimate, "high_lower": high.lower, "high_upper": high.upper, "high_note": high.reason or ""}
        | {f"rated_{rating}": int((scored["value"] == rating).sum()) for rating in range(1, 6)}
        | {"n": found.n, "users": found.clusters, "samples": planned, "coverage": found.n / planned}
        | {"missing": missing(header, rows)}
        | {name: header[name] for name in ("task_version", "data", "data_revision", "prompt_hash")}
        | {name: header[name] for name in ("package_version", "date", "log")}
    )


def _high(scored: pd.DataFrame) -> Any:
    values = (scored["value"] >= INFORMATIVE).to_numpy(dtype=float)
    return cluster_mean(values, scored["user"].to_numpy(), bounds=(0.0, 1.0)) if len(scored) else NONE


def _group(own: pd.DataFrame) -> dict[str, Any]:
    found = mean_of(own, SCALE)
    row = {"n": found.n, "users": found.clusters}
    if found.n < MIN_SAMPLES or found.clusters < MIN_USERS:
        small = f"too small: under {MIN_SAMPLES} ratings or {MIN_USERS} users"
        return row | dict.fromkeys(("mean", "lower", "upper", "high"), np.nan) | {"note": small}
    high = float((own["value"] >= INFORMATIVE).mean())
    limits = {"mean": found.estimate, "lower": found.lower, "upper": found.upper}
    return row | limits | {"high": high, "note": found.reason or ""}
