"""What all figures share: their style, their panels, and how they are saved."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.analysis.headline import PUBLISHED
from thoughttrace.analysis.tables import visible

INK = "#1b1b1b"
"""Text and lines; the page replaces it by its own ink, light or dark."""

STYLE: Any = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    # No date and fixed ids: the same numbers give the same file. Text stays text.
    "svg.hashsalt": "thoughttrace",
    "svg.fonttype": "none",
    # Names of models are text, not formulas.
    "text.parse_math": False,
}


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `NAME.svg` (for the page and for print) and `NAME.png`."""
    with mpl.rc_context(STYLE):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.set_layout_engine("none")  # laid out once is enough
        figure.savefig(folder / f"{name}.png", dpi=200, facecolor="white")


def panels(
    table: pd.DataFrame, row_height: float, columns: str | None = None, height: float = 1.3
) -> tuple[Figure, Iterator[tuple[Axes, pd.DataFrame]]]:
    """One titled panel per kind, side by side, reasons first."""
    shown = [labelled(table[table["kind"] == kind]) for kind in PUBLISHED if (table["kind"] == kind).any()]
    most = max(rows["label"].nunique() for rows in shown)
    widths = [rows[columns].nunique() if columns else 1 for rows in shown]
    figure = Figure(figsize=(5.6 * len(shown), height + row_height * most + 0.9 * bool(columns)))
    figure.set_layout_engine("constrained", wspace=0.08)
    axes = figure.subplots(1, len(shown), squeeze=False, width_ratios=widths)[0]
    for axis, rows in zip(axes, shown, strict=True):
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.set_title(f"{rows['kind'].iloc[0]}s", loc="left", fontweight="bold")
    return figure, zip(axes, shown, strict=True)


def rows_of(axes: Axes, rows: pd.DataFrame) -> np.ndarray:
    """Name the rows of a panel, the first on top, and give their heights."""
    y = np.arange(len(rows))[::-1]
    axes.set_yticks(y, rows["label"])
    return y


def labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Name rows by model, and by what else they differ in."""
    label = rows["model"].map(wrapped)
    for column in ("context", "judge"):
        if rows[column].nunique() > 1:
            label = label + "\n" + rows[column].map(wrapped)
    return rows.assign(label=label)


def wrapped(name: str, width: int = 36) -> str:
    """A name on at most two lines that leave room for the picture."""
    return "\n".join(textwrap.wrap(visible(name), width, max_lines=2, placeholder=" …"))
