"""The report's pictures."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.analysis.headline import PUBLISHED, SCALE
from thoughttrace.datasets.conversation import Kind

_INK, _PUBLISHED = "#0072B2", "#D55E00"  # Okabe & Ito: told apart by colour-blind readers
_RATINGS = ("#b2182b", "#ef8a62", "#cccccc", "#67a9cf", "#2166ac")


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `NAME.svg` (for the page and for print) and `NAME.png`."""
    # No date and fixed ids: the same numbers give the same file. Text stays text.
    with mpl.rc_context({"svg.hashsalt": "thoughttrace", "svg.fonttype": "none"}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
        figure.savefig(folder / f"{name}.png", dpi=200, bbox_inches="tight")


def forest(table: pd.DataFrame) -> Figure:
    """Draw mean agreement with its 95 % interval, a row per model, a panel per kind.

    Args:
        table: The headline table.
    """
    figure, panels = _panels(table, 0.55)
    for axes, (kind, rows) in panels:
        y = np.arange(len(rows))[::-1]
        axes.hlines(y, rows["lower"], rows["upper"], color=_INK, linewidth=2)
        axes.plot(rows["mean"], y, "o", color=_INK, markersize=7)
        for place, (_, row) in zip(y, rows.iterrows(), strict=True):
            axes.annotate(_figures(row), (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        axes.axvline(PUBLISHED[kind], color=_PUBLISHED, linestyle="--", linewidth=1.2)
        axes.annotate(f"published {PUBLISHED[kind]:.2f}\n(other judge and prompts)", (PUBLISHED[kind], 0),
                      (4, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
                      color=_PUBLISHED, fontsize=7, va="bottom")  # fmt: skip
        axes.set(xlim=(SCALE[0] - 0.1, SCALE[1] + 0.1), ylim=(-0.9, len(rows) - 0.4), xticks=range(1, 6))
        axes.set_xlabel("mean agreement, 1–5, with 95 % interval")
        axes.set_yticks(y, rows["label"])
        axes.set_title(f"{kind}s", loc="left", fontweight="bold")
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure


def ratings(table: pd.DataFrame) -> Figure:
    """Draw how the ratings 1 to 5 are spread, a bar per model, a panel per kind.

    Args:
        table: The headline table.
    """
    figure, panels = _panels(table, 0.4)
    for axes, (kind, rows) in panels:
        y = np.arange(len(rows))[::-1]
        counts = rows[[f"rated_{rating}" for rating in range(1, 6)]].to_numpy(dtype=float)
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        left = np.zeros(len(rows))
        for rating in range(5):
            bars = axes.barh(y, shares[:, rating], left=left, height=0.7, color=_RATINGS[rating],
                             label=str(rating + 1))  # fmt: skip
            texts = [f"{share:.0f}" if share >= 7 else "" for share in shares[:, rating]]
            axes.bar_label(bars, texts, label_type="center", fontsize=8,
                           color="black" if rating in {1, 2, 3} else "white")  # fmt: skip
            left += shares[:, rating]
        axes.set(xlim=(0, 100), xlabel="share of scored samples, %")
        axes.set_yticks(y, rows["label"])
        axes.set_title(f"{kind}s", loc="left", fontweight="bold")
    figure.axes[-1].legend(title="rating", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _panels(table: pd.DataFrame, row_height: float) -> tuple[Figure, list[tuple[Axes, tuple[Kind, pd.DataFrame]]]]:
    """One panel per kind, side by side, reasons first."""
    shown = [(kind, _labelled(table[table["kind"] == kind])) for kind in PUBLISHED]
    shown = [(kind, rows) for kind, rows in shown if len(rows)]
    most = max(len(rows) for _, rows in shown)
    figure = Figure(figsize=(5.6 * len(shown), 1.3 + row_height * most))
    figure.set_layout_engine("constrained", wspace=0.08)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    return figure, list(zip(axes, shown, strict=True))


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Name rows by model, and by what else they differ in."""
    label = rows["model"].astype(str)
    for column in ("context", "judge"):
        if rows[column].nunique() > 1:
            label = label + "\n" + rows[column].astype(str)
    return rows.assign(label=label)


def _figures(row: pd.Series) -> str:
    interval = "no interval" if np.isnan(row["lower"]) else f"[{row['lower']:.2f}, {row['upper']:.2f}]"
    return f"{row['mean']:.2f} {interval}"
