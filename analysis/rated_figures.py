"""The picture of how much messages say of thoughts."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.drawing import STYLE, panels, rows_of
from thoughttrace.analysis.headline import SCALE
from thoughttrace.analysis.rated import SAID

_OURS, _PUBLISHED, _SOFT = "#0072B2", "#D55E00", "#8888884d"


def said(table: pd.DataFrame) -> Figure:
    """Draw the mean rating with its 95 % interval, a row per rater, a panel per kind.

    Args:
        table: What `means` returns of logs of `cover_thought`.
    """
    with mpl.rc_context(STYLE):
        figure, shown = panels(table, 0.42)
        for axes, rows in shown:
            kind, y = rows["kind"].iloc[0], rows_of(axes, rows)
            axes.hlines(y, rows["lower"], rows["upper"], color=_OURS, linewidth=2)
            axes.plot(rows["mean"], y, "o", color=_OURS, markersize=7)
            for place, row in zip(y, rows.to_dict("records"), strict=True):
                axes.annotate(_figures(row), (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
            axes.axvline(SAID[kind], color=_PUBLISHED, linestyle="--", linewidth=1.2)
            axes.annotate(f"published {SAID[kind]:.2f}\n(by GPT-5.4, other prompt)", (SAID[kind], 0), (4, 4),
                          xycoords=("data", "axes fraction"), textcoords="offset points",
                          color=_PUBLISHED, fontsize=7, va="bottom")  # fmt: skip
            axes.set(xlim=(SCALE[0] - 0.1, SCALE[1] + 0.1), ylim=(-0.9, len(rows) - 0.4), xticks=range(1, 6))
            where = "the message says of its reason" if kind == "reason" else "the next message says of the reaction"
            axes.set_xlabel(f"how much {where}, 1–5", fontsize=9)
            axes.grid(axis="x", color=_SOFT, linewidth=0.6)
            axes.set_axisbelow(True)
    return figure


def _figures(row: dict[Any, Any]) -> str:
    interval = "no interval" if pd.isna(row["lower"]) else f"[{row['lower']:.2f}, {row['upper']:.2f}]"
    return f"{row['mean']:.2f} {interval}" if row["n"] else "none rated"
