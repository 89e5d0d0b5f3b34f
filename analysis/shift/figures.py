"""The shift's pictures."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from thoughttrace.analysis.drawing import INK, STYLE
from thoughttrace.analysis.shift.measure import Shift
from thoughttrace.analysis.shift.pairs import RELATIONS
from thoughttrace.analysis.shift.projection import PERCENTILES
from thoughttrace.analysis.shift.words import quartiles

_SOFT = "#8888884d"
_COLOURS = dict(zip(RELATIONS, ("#0072B2", "#E69F00", "#009E73"), strict=True))
_WAYS = {"as they are": ("o", "#0072B2"), "turn by turn": ("s", "#E69F00"), "equal length": ("D", "#009E73")}


def plane(shift: Shift, name: str) -> Figure:
    """Draw the pairs on a plane, a panel per relation, with the radii that hold 25, 50 and 75 % of them.

    Args:
        shift: With planes.
        name: `steps` or `differences`.
    """
    points = shift.planes[name]
    far = np.linalg.norm(points, axis=1)
    shown = shift.radii.to_dict("records")
    # A few pairs lie so far out that the others would be a speck.
    reach = 1.15 * max(float(np.percentile(far[shift.drawn == row["relation"]], 95)) for row in shown)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(shown), 5.2))
        figure.set_layout_engine("constrained", wspace=0.06)
        for axes, row in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            mine = shift.drawn == row["relation"]
            size = float(np.clip(6000 / len(points), 2, 12))
            axes.scatter(*points[mine].T, s=size, color=_COLOURS[row["relation"]], alpha=0.6, linewidths=0,
                         rasterized=True)  # fmt: skip
            for percentile, style in zip(PERCENTILES, (":", "--", "-"), strict=True):
                radius = row[f"{name}_{percentile}"]
                axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=INK, linewidth=1.1, linestyle=style))
            axes.plot(0, 0, "+", color=INK, markersize=10, markeredgewidth=1.4)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
            axes.spines[:].set_color(_SOFT)
            outside = int((np.abs(points[mine]) > reach).any(axis=1).sum())
            beyond = f", {outside:,} beyond the frame" if outside else ""
            axes.set_title(f"n = {row['n']:,}{beyond}", loc="left", fontsize=9)
            axes.text(0, 1.075, row["relation"], transform=axes.transAxes, fontweight="bold", fontsize=11)
            axes.set_xlabel(
                f"25 / 50 / 75 %: {quartiles(row, name)}\npublished: {quartiles(row, 'published')}", fontsize=9
            )
        lines = [Line2D([], [], color=INK, linewidth=1.1, linestyle=style) for style in (":", "--", "-")]
        within = [f"{percentile} % of the pairs within" for percentile in PERCENTILES]
        figure.legend(lines, within, loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def differences(table: pd.DataFrame) -> Figure:
    """Draw how much farther one relation reaches than another, with 95 % intervals, in each way of comparing.

    Args:
        table: `Shift.comparisons`.
    """
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 1.3 + 0.75 * len(pairs)))
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        for number, (way, (mark, colour)) in enumerate(_WAYS.items()):
            rows = table[table["way"] == way].set_index(["a", "b"]).reindex(pairs)
            y = np.arange(len(pairs))[::-1] + (1 - number) * 0.22
            axes.hlines(y, rows["lower"], rows["upper"], color=colour, linewidth=1.8)
            axes.plot(rows["difference"], y, mark, color=colour, markersize=6, label=way)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(np.arange(len(pairs))[::-1], [f"{a}\nagainst {b}" for a, b in pairs], fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="x", color=_SOFT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("difference of mean cosine distances, with 95 % interval")
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
