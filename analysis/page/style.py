"""What all figures share: ink, colours, markers, and how they are saved."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.core.terminal import visible

INK = "#1b1b1b"
"""Text and lines; the page replaces it by its own ink, light or dark."""

SOFT = "#8888884d"
"""Grids and frames, on light and dark paper."""

GREY = "#888888"

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#B8A900", "#999999", "#D55E00")
"""Okabe & Ito: colour-blind readers can tell them apart. The last is the published one: use it only for an eighth."""

MARKERS = "osD^vP*X"
"""One for each colour, so that series differ without colour too."""

PUBLISHED = COLOURS[-1]
"""Published values, in every figure."""

RATINGS = ("#b2182b", "#ef8a62", "#cccccc", "#67a9cf", "#2166ac")
"""The ratings 1 to 5."""

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
"""Settings under which every figure is made and saved: `with mpl.rc_context(STYLE): …`."""


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `NAME.svg` (for the page and for print) and `NAME.png`.

    Args:
        figure: What is written.
        folder: Where to.
        name: Of both files.
    """
    with mpl.rc_context(STYLE):
        drawing = folder / f"{name}.svg"
        # Laid out once, for both: with a layout engine, also with "none", savefig draws everything once more.
        if layout := figure.get_layout_engine():
            layout.execute(figure)
            figure.set_layout_engine(None)
        figure.savefig(drawing, metadata={"Date": None})
        # Labels of ticks and legends come from data; with a control character in it, no reader opens an SVG.
        drawing.write_text(visible(drawing.read_text(encoding="utf-8")), encoding="utf-8")
        figure.savefig(folder / f"{name}.png", dpi=200, facecolor="white")


def plain(axes: Axes, grid: str = "x") -> None:
    """Leave of a panel only what is read: one axis and a soft grid.

    Args:
        axes: The panel.
        grid: The axis that numbers stand on, `x` or `y`.
    """
    axes.spines[["top", "right", "left"] if grid == "x" else ["top", "right"]].set_visible(False)
    axes.tick_params(axis="y" if grid == "x" else "x", length=0)
    axes.grid(axis="x" if grid == "x" else "y", color=SOFT, linewidth=0.6)
    axes.set_axisbelow(True)


def wrapped(label: str, width: int = 36) -> str:
    """Break a label so that it leaves room for the figure: each of its lines becomes at most two.

    Args:
        label: The label; line breaks in it are kept.
        width: Of a line, in characters.
    """
    lines = (textwrap.wrap(line, width, max_lines=2, placeholder=" …") for line in visible(label).split("\n"))
    return "\n".join(part for line in lines for part in line)
