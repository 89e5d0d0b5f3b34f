"""The plots that chapters share: dots with intervals, stacked ratings, confusion matrices.

A plot takes plain values and draws a panel for each name of a panel, in the order in which they come. It knows no kind,
no model and no published value: labels, panels and reference lines are given to it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.analysis.page.style import (
    COLOURS,
    GREY,
    INK,
    MARKERS,
    PUBLISHED,
    RATINGS,
    SOFT,
    STYLE,
    plain,
    wrapped,
)
from thoughttrace.analysis.page.table import format_number

SERIES = len(COLOURS) - 1
"""As many series as can be told apart, beside published values. Of more, those with the highest means are drawn."""


@dataclass(frozen=True)
class Dot:
    """An estimate with its interval; NaN for what is not known."""

    label: str
    """Of the place where it stands: a row or, in an upright plot, a position from left to right."""
    mean: float
    lower: float = math.nan
    upper: float = math.nan
    panel: str = ""
    series: str = ""
    """Gives its colour and marker; of one series they are all alike, and there is no legend."""
    text: str = ""
    """Stands at the right edge, or in the place of a mean that is not known; see `in_figures`."""


@dataclass(frozen=True)
class Reference:
    """A value to compare with: a line through its panel, or a mark at one label."""

    value: float
    label: str = ""
    kind: Literal["published", "control", "zero"] = "published"
    """Dashed and coloured; dotted and named above the panel; thin and nameless."""
    panel: str | None = None
    """Its panel; None for all."""
    at: str | None = None
    """The label at which it stands, as a hollow diamond or, upright, a dash; None for a line through the panel."""


def in_figures(mean: float, lower: float, upper: float, none: str = "none scored") -> str:
    """Write an estimate out, to stand at the right edge: "2.93 [2.70, 3.17]".

    Args:
        mean: The estimate.
        lower: Its lower limit.
        upper: Its upper limit.
        none: What is said without an estimate.
    """
    if math.isnan(mean):
        return none
    limits = "no interval" if math.isnan(lower) else f"[{format_number(lower)}, {format_number(upper)}]"
    return f"{format_number(mean)} {limits}"


def dots(
    points: Sequence[Dot],
    axis: str,
    references: Sequence[Reference] = (),
    scale: tuple[float, float | None] | None = None,
    upright: bool = False,
    joined: bool = False,
    legend: str = "",
    columns: int = 2,
) -> Figure:
    """Draw estimates with their intervals.

    Args:
        points: At least one.
        axis: What the axis of the numbers shows.
        references: Values to compare with.
        scale: The ends of this axis, the second None for as far as needed; None for what the numbers need.
        upright: Labels stand side by side and numbers go up, as for stages; else each label is a row.
        joined: Join the dots of a series by a line.
        legend: The title of the legend of the series.
        columns: Panels side by side.
    """
    series = _clearest(points)
    points = [point for point in points if point.series in series]
    panels = list(dict.fromkeys(point.panel for point in points))
    places = {panel: _places([point for point in points if point.panel == panel]) for panel in panels}
    keyed = len(series) > 1 or any(reference.at is not None for reference in references)
    columns = min(columns, len(panels))
    with mpl.rc_context(STYLE):
        figure, grid = _panels(panels, columns, _size([*places.values()], len(series), upright, columns))
        for axes, panel in zip(grid, panels, strict=True):
            labels = places[panel]
            offset = _offsets(series, upright)
            for name in series:
                members = [point for point in points if (point.panel, point.series) == (panel, name)]
                colour, marker = COLOURS[series.index(name)], MARKERS[series.index(name)]
                look = {"color": colour, "marker": marker, "markersize": 6 if keyed else 7, "linewidth": 1.6,
                        "linestyle": "-" if joined else "none",
                        "label": wrapped(name or "here, with 95 % interval", 30)}  # fmt: skip
                _draw_series(axes, members, _positions(members, labels, upright) + offset[name], upright, look)
            _label(axes, labels, upright, columns)
            if len(series) > 1 and not upright:
                for between in range(1, len(labels)):
                    axes.axhline(between - 0.5, color=SOFT, linewidth=0.6)
            within = [reference for reference in references if reference.panel in {None, panel}]
            _draw_references(axes, within, labels, upright, keyed)
            _set_scale(axes, scale, upright)
            if not upright and (controls := [reference for reference in within if reference.kind == "control"]):
                _name_controls(axes, controls)
            (axes.set_ylabel if upright else axes.set_xlabel)(axis, fontsize=9)
        if columns > 2:
            for axes in (axes for number, axes in enumerate(grid) if number % columns):
                axes.set_ylabel("")  # small panels: the first of a line says it for all
        if keyed:
            _key(figure, grid, legend)
    return figure


def _clearest(points: Sequence[Dot]) -> list[str]:
    """Choose the series to draw, in their order."""
    means: dict[str, list[float]] = {}
    for point in points:
        means.setdefault(point.series, []).extend([point.mean] if math.isfinite(point.mean) else [])
    best = sorted(means, key=lambda name: -float(np.mean(means[name])) if means[name] else math.inf)[:SERIES]
    return [name for name in means if name in best]


def _places(points: Sequence[Dot]) -> list[str]:
    """List the labels of a panel; one that a series has twice is there twice."""
    most: dict[str, int] = {}
    for (_, label), number in Counter((point.series, point.label) for point in points).items():
        most[label] = max(most.get(label, 0), number)
    order = dict.fromkeys(point.label for point in points)
    return [label for label in order for _ in range(most[label])]


def _positions(points: Sequence[Dot], labels: Sequence[str], upright: bool) -> np.ndarray:
    """Number the places of points; rows are numbered from below, and the first is on top."""
    seen = Counter[str]()
    places = []
    for point in points:
        place = labels.index(point.label) + seen[point.label]
        seen[point.label] += 1
        places.append(place if upright else len(labels) - 1 - place)
    return np.array(places, dtype=float)


def _offsets(series: Sequence[str], upright: bool) -> dict[str, float]:
    """Set series apart around the place they share."""
    step = min(0.16, 0.6 / len(series)) if upright else 0.8 / max(len(series), 2)
    middle = (len(series) - 1) / 2
    return {name: (number - middle) * (step if upright else -step) for number, name in enumerate(series)}


def _size(places: Sequence[Sequence[str]], series: int, upright: bool, columns: int) -> tuple[float, float]:
    """Choose the size of one panel in inches."""
    most = max(map(len, places))
    if upright:
        if columns > 2:
            return 11 / columns, 2.2
        return (5.6 if columns > 1 else min(11, 3.6 + 1.3 * most)), 4.2
    lines = max(wrapped(label).count("\n") + 1 for labels in places for label in labels)
    row = max(0.42 if series == 1 else 0.25 + 0.15 * series, 0.17 * lines + 0.1)
    return (5.6 if columns > 1 else 7.6 if series == 1 else 8.6), 1.3 + row * most


def _panels(panels: Sequence[str], columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * lines))
    figure.set_layout_engine("constrained", wspace=0.08)
    grid = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, panel in zip(grid, panels, strict=False):
        small = {"fontsize": 9} if columns > 2 else {"fontweight": "bold"}
        axes.set_title(wrapped(panel, 48 if columns <= 2 else 30), loc="left", **small)
    for spare in grid[len(panels) :]:
        spare.set_visible(False)
    return figure, grid[: len(panels)]


def _draw_series(axes: Axes, points: Sequence[Dot], places: np.ndarray, upright: bool, look: Mapping[str, Any]) -> None:
    order = np.argsort(places)  # a line that joins the dots must not go back and forth
    place, points = places[order], [points[number] for number in order]
    mean, lower, upper = (np.array([getattr(point, end) for point in points]) for end in ("mean", "lower", "upper"))
    if upright:
        axes.vlines(place, lower, upper, color=look["color"], linewidth=1.4)
        axes.plot(place, mean, **look)
    else:
        axes.hlines(place, lower, upper, color=look["color"], linewidth=2)
        axes.plot(mean, place, **look)
    for at, point in zip(place, points, strict=True):
        if point.text and not upright:
            x, size, alpha = (1.02, 9, 1.0) if math.isfinite(point.mean) else (0.02, 8, 0.8)
            axes.annotate(point.text, (x, at), xycoords=("axes fraction", "data"), va="center", fontsize=size,
                          alpha=alpha)  # fmt: skip


def _label(axes: Axes, labels: Sequence[str], upright: bool, columns: int) -> None:
    """Name the places."""
    places = np.arange(len(labels))
    if upright:
        axes.set_xticks(places, [wrapped(label, 16 if columns <= 2 else 6) for label in labels],
                        fontsize=10 if columns <= 2 else 8)  # fmt: skip
        axes.set_xlim(-0.6, len(labels) - 0.4)
    else:
        axes.set_yticks(places[::-1], [wrapped(label) for label in labels])
        axes.set_ylim(-0.55, len(labels) - 0.45)
    plain(axes, "y" if upright else "x")


def _draw_references(
    axes: Axes, references: Sequence[Reference], labels: Sequence[str], upright: bool, keyed: bool
) -> None:
    line = axes.axhline if upright else axes.axvline
    names = set()
    for reference in references:
        value, colour = reference.value, PUBLISHED if reference.kind == "published" else GREY
        label = "" if reference.label in names else reference.label  # once in the legend
        names.add(reference.label)
        if reference.at is not None:
            if reference.at in labels:
                at = labels.index(reference.at)
                if upright:
                    axes.hlines(value, at - 0.42, at + 0.42, color=colour, linestyle="--", linewidth=1.2, label=label)
                else:
                    axes.plot(value, len(labels) - 1 - at, "D", color=colour, markersize=6, fillstyle="none",
                              label=label)  # fmt: skip
        elif reference.kind == "zero":
            line(value, color=INK, linewidth=0.8)
        elif reference.kind == "control":
            line(value, color=colour, linestyle=":", linewidth=1.4)
            if upright:
                _name_line(axes, reference, INK)
        else:
            line(value, color=colour, linestyle="--", linewidth=1.2, label=label if keyed else None)
            if upright and not keyed:
                _name_line(axes, reference, colour)
            elif not keyed:
                axes.set_ylim(-0.9)  # room for the name below the last row
                axes.annotate(reference.label, (value, 0), (4, 4), xycoords=("data", "axes fraction"),
                              textcoords="offset points", color=colour, fontsize=7, va="bottom")  # fmt: skip


def _name_controls(axes: Axes, controls: Sequence[Reference]) -> None:
    """Name upright lines above the panel; of those that are near, the names stand together."""
    groups: list[list[Reference]] = []
    for control in sorted(controls, key=lambda control: control.value):
        if not groups or control.value - groups[-1][0].value >= 0.05 * np.ptp(axes.get_xlim()):
            groups.append([])
        groups[-1].append(control)
    for group in groups:
        label = "\n".join(control.label for control in group)
        axes.annotate(label, (group[0].value, 1), (0, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", rotation=45, fontsize=8, va="bottom")  # fmt: skip
    pad = 14 + max(3.6 * len(control.label) for control in controls) + 8 * (max(map(len, groups)) - 1)
    axes.set_title(axes.get_title("left"), loc="left", fontweight="bold", pad=pad)


def _name_line(axes: Axes, reference: Reference, colour: str) -> None:
    """Name a level line at its left end, above it."""
    axes.annotate(reference.label, (0, reference.value), (4, 2), xycoords=("axes fraction", "data"),
                  textcoords="offset points", color=colour, fontsize=7, va="bottom")  # fmt: skip


def _set_scale(axes: Axes, scale: tuple[float, float | None] | None, upright: bool) -> None:
    if scale is None:
        return
    low, high = scale
    set_limits = axes.set_ylim if upright else axes.set_xlim
    if high is None:
        _, top = axes.get_ylim() if upright else axes.get_xlim()
        set_limits(low, top + 0.03 * (top - low))
        return
    set_limits(low - 0.025 * (high - low), high + 0.025 * (high - low))
    if high - low <= 10:
        (axes.set_yticks if upright else axes.set_xticks)(np.arange(low, high + 1))


def _key(figure: Figure, grid: Sequence[Axes], title: str) -> None:
    """Explain the series once for all panels."""
    entries = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    look: Any = {"frameon": False, "fontsize": 8, "title": title or None}
    if len(grid) > 1:
        figure.legend([*entries.values()], [*entries], loc="outside lower center", ncols=min(4, len(entries)), **look)
    else:
        figure.legend([*entries.values()], [*entries], loc="outside right center", **look)


@dataclass(frozen=True)
class Bar:
    """How often each rating was given, from the lowest to the highest."""

    label: str
    counts: Sequence[float]
    panel: str = ""


def stacked(bars: Sequence[Bar], axis: str) -> Figure:
    """Draw how ratings from 1 upwards are spread, as shares of each bar.

    Args:
        bars: At least one; with at most five ratings.
        axis: What the shares are of.
    """
    panels = list(dict.fromkeys(bar.panel for bar in bars))
    by_panel = {panel: [bar for bar in bars if bar.panel == panel] for panel in panels}
    size = _size([[bar.label for bar in row] for row in by_panel.values()], 1, False, min(2, len(panels)))
    with mpl.rc_context(STYLE):
        figure, grid = _panels(panels, min(2, len(panels)), size)
        for axes, rows in zip(grid, by_panel.values(), strict=True):
            y = np.arange(len(rows))[::-1]
            counts = np.array([bar.counts for bar in rows], dtype=float)
            shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            left = np.zeros(len(rows))
            for number, (share, colour) in enumerate(zip(shares.T, RATINGS, strict=False)):
                drawn = axes.barh(y, share, left=left, height=0.7, color=colour, label=str(number + 1))
                texts = [f"{part:.0f}" if part >= 7 else "" for part in share]
                axes.bar_label(drawn, texts, label_type="center", fontsize=8, color=_on(colour))
                left += share
            axes.set_yticks(y, [wrapped(bar.label) for bar in rows])
            axes.set(xlim=(0, 100), xlabel=axis)
            plain(axes)
            axes.grid(visible=False)
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, title="rating", loc="outside right center", frameon=False)
    return figure


@dataclass(frozen=True)
class Matrix:
    """Counts of what is (rows) against what it was taken for (columns)."""

    panel: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[float]]


def confusion(matrices: Sequence[Matrix], rows: str, columns: str) -> Figure:
    """Draw confusion matrices: counts, shaded by the share of their row, a panel each.

    Args:
        matrices: At least one; all with the same rows and columns.
        rows: What the rows are.
        columns: What the columns are.
    """
    down, right = len(matrices[0].rows), len(matrices[0].columns)
    across = min(2, len(matrices))
    with mpl.rc_context(STYLE):
        figure, grid = _panels([matrix.panel for matrix in matrices], across,
                               (2.2 / across + 0.55 * right, 1.4 + 0.42 * down))  # fmt: skip
        for number, (axes, matrix) in enumerate(zip(grid, matrices, strict=True)):
            _draw_matrix(axes, matrix)
            axes.tick_params(labelleft=number % across == 0, labelbottom=number + across >= len(matrices))
        figure.supylabel(rows, fontsize=9)
        figure.supxlabel(columns, fontsize=9)
    return figure


def _draw_matrix(axes: Axes, matrix: Matrix) -> None:
    counts = np.array(matrix.counts, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Edges: from a single centre Matplotlib would make a cell without height.
    edges = np.arange(counts.shape[1] + 1) - 0.5, np.arange(counts.shape[0] + 1) - 0.5
    axes.pcolormesh(*edges, shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    for (y, x), n in np.ndenumerate(counts):
        # Blues at 0 is nearly white in light and dark pages alike.
        axes.text(x, y, f"{n:.0f}" if n else "·", ha="center", va="center", fontsize=8,
                  color="white" if shares[y, x] > 0.55 else "black")  # fmt: skip
    axes.set_ylim(len(matrix.rows) - 0.5, -0.5)
    axes.set_title(axes.get_title("left"), loc="left", fontsize=8, fontweight="normal")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(counts.shape[1]), [wrapped(label, 22) for label in matrix.columns], rotation=40, ha="right",
                    fontsize=8)  # fmt: skip
    axes.set_yticks(range(counts.shape[0]), [wrapped(label, 22) for label in matrix.rows], fontsize=8)


def _on(colour: str) -> str:
    """Choose the colour of text on a bar."""
    return "white" if colour in {RATINGS[0], RATINGS[-1]} else "black"
