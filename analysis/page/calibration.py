"""Show how often something was the case where about the same probability was stated; several chapters ask for one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import Column, count, limits, number, share, short
from thoughttrace.analysis.stats.groups import group_mean
from thoughttrace.analysis.stats.interrater import PROPORTION
from thoughttrace.analysis.stats.probabilities import BINS, bins_of
from thoughttrace.core.record import Kind

_NAMES = [f"{100 * place // BINS + bool(place)}–{100 * (place + 1) // BINS} %" for place in range(BINS)]


@dataclass(frozen=True)
class BinRow:
    """How often something was the case where one run stated about the same probability."""

    kind: Kind
    model: str
    context: str
    judge: str
    """Empty where no judge is involved."""
    bin: str
    stated: float
    """Mean stated probability, 0 to 1; NaN without replies."""
    mean: float
    """Share in which it was the case, 0 to 1; limits CR2 by user. NaN where there are too few, and `note` says so."""
    lower: float
    upper: float
    n: int
    users: int
    note: str


def bin_columns(happened: str) -> list[Column]:
    """Make the columns of `BinRow` after those that name the run.

    Args:
        happened: What was the case.
    """
    return [
        short("Stated", "bin"),
        share("Mean stated", "stated"),
        number(happened, "mean", ".1%"),
        limits("95 % interval", percent=True),
        count("n", "n"),
        count("Users", "users"),
    ]


def bin_rows(run: dict[str, Any], percents: pd.Series, happened: pd.Series, users: pd.Series) -> list[BinRow]:
    """Compare the probabilities that a run stated with what was the case.

    Args:
        run: The fields of `BinRow` that name it: `kind`, `model`, `context` and `judge`.
        percents: n whole numbers, 0 to 100.
        happened: n booleans.
        users: n names.

    Returns:
        A row for each bin.
    """
    rows, bins = [], bins_of(percents)
    for place, label in enumerate(_NAMES):
        inside = bins == place
        found = group_mean(happened[inside], users[inside], PROPORTION, "replies")
        rows.append(
            BinRow(**run, bin=label, stated=float(percents[inside].mean()) / 100, **found.as_row("mean")),
        )
    return rows


def run_panels(rows: Sequence[Any]) -> list[str]:
    """Name the panel in which each row is drawn: its kind, its context and, where these differ, its judges.

    Args:
        rows: Rows with `kind`, `context` and `judge`.
    """
    judges = {row.judge for row in rows}
    return [f"{row.kind}s, shown: {row.context}" + f", judged by {row.judge}" * (len(judges) > 1) for row in rows]


def calibration_plot(rows: Sequence[BinRow], axis: str) -> Figure | None:
    """Draw what was the case against what was stated, a panel for each of `run_panels`.

    Args:
        rows: From `bin_rows`, of any number of runs.
        axis: What the axis of what was the case shows.

    Returns:
        The figure; None where every bin is too small.
    """
    if all(math.isnan(row.mean) for row in rows):
        return None
    points = [
        Dot(row.bin, 100 * row.mean, 100 * row.lower, 100 * row.upper, panel=panel, series=row.model)
        for row, panel in zip(rows, run_panels(rows), strict=True)
    ]
    middles = 100 * (np.arange(BINS) + 0.5) / BINS
    references = [
        Reference(float(middle), "as stated", kind="control", at=label)
        for middle, label in zip(middles, _NAMES, strict=True)
    ]
    return dots(points, axis, references, (0, 100), upright=True, joined=True, legend="model", columns=1)
