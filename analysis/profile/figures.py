"""What the profile's pictures share: colours, and rows of means with their intervals."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.drawing import STYLE, wrapped

# Okabe & Ito: told apart by colour-blind readers. Seven, as there are types of reasons; the last is for unknown types.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#999999")
SOFT = "#8888884d"
PUBLISHED_COLOUR = "#D55E00"


def readable(name: str) -> str:
    """A type's name as people write it, on at most two lines."""
    return wrapped(name.replace("_", " "), 24)


def rows_figure(table: pd.DataFrame, axis: str, published: str = "", scale: float = 100) -> Figure:
    """Draw means with 95 % intervals, a row each, a panel per kind of thought.

    Args:
        table: `kind`, `name` (already wrapped), and what `mean_of` returns.
        axis: What the horizontal axis shows.
        published: The column of published values, drawn as diamonds; none by default.
        scale: What the means are multiplied with.
    """
    kinds = list(table["kind"].unique())
    with mpl.rc_context(STYLE):
        most = max(int((table["kind"] == kind).sum()) for kind in kinds)
        figure = Figure(figsize=(5.2 * len(kinds), 1.2 + 0.36 * most), layout="constrained")
        for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
            rows = table[table["kind"] == kind].iloc[::-1]
            y = np.arange(len(rows))
            axes.hlines(y, scale * rows["lower"], scale * rows["upper"], color=COLOURS[0], linewidth=2)
            axes.plot(scale * rows["mean"], y, "o", color=COLOURS[0], markersize=6, label="here, 95 % interval")
            if published:
                axes.plot(scale * rows[published], y, "D", color=PUBLISHED_COLOUR, markersize=5, fillstyle="none",
                          label="published")  # fmt: skip
            for place, (_, row) in zip(y, rows.iterrows(), strict=True):
                if np.isnan(row["mean"]):
                    axes.annotate(f"n = {row['n']:,}: too small", (0.02, place), xycoords=("axes fraction", "data"),
                                  va="center", fontsize=8, alpha=0.8)  # fmt: skip
            axes.set_yticks(y, rows["name"])
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_xlim(left=0)
            axes.set_xlabel(axis)
            axes.set_title(_plural(kind), loc="left", fontweight="bold")
            axes.tick_params(axis="y", length=0)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.grid(axis="x", color=SOFT, linewidth=0.6)
            axes.set_axisbelow(True)
        if published:
            figure.axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def _plural(kind: str) -> str:
    return f"{kind}s" if kind in {"reason", "reaction"} else kind


def ordered(names: Sequence[str], first: Sequence[str]) -> list[str]:
    """Names in a known order, those it does not know behind them by the alphabet."""
    return [*(name for name in first if name in names), *sorted(set(names) - set(first))]
