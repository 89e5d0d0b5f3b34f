"""Shares and means with their intervals, by group, and how the profile prints them."""

import numpy as np
import pandas as pd

from thoughttrace.analysis.breakdown import MIN_SAMPLES, MIN_USERS
from thoughttrace.analysis.stats.intervals import cluster_mean

TOO_SMALL = f"too small: under {MIN_SAMPLES} of them or {MIN_USERS} users"


def mean_of(values: pd.Series, users: pd.Series, bounds: tuple[float, float] | None = (0, 1)) -> dict[str, object]:
    """A mean (of zeros and ones: a share) with its 95 % interval, CR2 by user.

    Args:
        values: Numbers or booleans, none of them missing.
        users: Whose they are.
        bounds: The ends of the scale; a share's by default.

    Returns:
        `n`, `users`, `mean`, `lower`, `upper`, `note`. Under `MIN_SAMPLES` values or `MIN_USERS` users the three are
        NaN and `note` says so; where nothing varies between users the limits are, and `note` says why.
    """
    counted = {"n": len(values), "users": users.nunique()}
    if counted["n"] < MIN_SAMPLES or counted["users"] < MIN_USERS:
        return counted | dict.fromkeys(("mean", "lower", "upper"), np.nan) | {"note": TOO_SMALL}
    found = cluster_mean(values.to_numpy(dtype=float), users.to_numpy(), bounds=bounds)
    limits = {"mean": found.estimate, "lower": found.lower, "upper": found.upper}
    return counted | limits | {"note": found.reason or ""}


def share_cells(row: pd.Series) -> dict[str, str]:
    """How a share and its interval are printed: `Share`, `95 % interval`.

    Args:
        row: With what `mean_of` returns.
    """
    return {"Share": per_cent(row["mean"]), "95 % interval": limits(row, 100, 1, " %")}


def mean_cells(row: pd.Series) -> dict[str, str]:
    """How a mean and its interval are printed: `Mean`, `95 % interval`.

    Args:
        row: With what `mean_of` returns.
    """
    return {"Mean": "" if pd.isna(row["mean"]) else f"{row['mean']:,.1f}", "95 % interval": limits(row, 1, 1, "")}


def limits(row: pd.Series, scale: float, digits: int, unit: str) -> str:
    """An interval, or in short why there is none."""
    if pd.isna(row["lower"]):
        return str(row["note"]).partition(":")[0]
    return f"{scale * row['lower']:,.{digits}f} – {scale * row['upper']:,.{digits}f}{unit}".replace("-", "−")


def per_cent(share: float) -> str:
    """A share of 1 in per cent; nothing for NaN."""
    return "" if pd.isna(share) else f"{100 * share:.1f} %"


def whole(number: float) -> str:
    """A count; nothing for NaN."""
    return "" if pd.isna(number) else f"{number:,.0f}"
