"""The pictures of the next message: means by what was shown, and what it adds."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.analysis.drawing import INK, STYLE, wrapped
from thoughttrace.analysis.messages.gains import ALL, rank
from thoughttrace.analysis.messages.means import PUBLISHED

_SOFT = "#8888884d"
# Okabe & Ito: told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#999999", "#B8A900")
_MARKS = "osD^vPX"
_PUBLISHED = "#D55E00"
_BESIDE: dict[str, Any] = {"fontsize": 8, "frameon": False, "loc": "center left", "bbox_to_anchor": (1.01, 0.5)}


def means_by_arm(table: pd.DataFrame) -> Figure:
    """Draw the mean similarity of each model by what was shown, with 95 % intervals.

    Of more models than can be told apart, those with the highest means are drawn.

    Args:
        table: What `means` returns; some rows have a mean.
    """
    rows = table.dropna(subset="mean").assign(label=labels(table))
    arms = sorted(rows["arm"].unique(), key=lambda arm: (rank(arm), arm))
    best = rows.groupby("label", sort=False)["mean"].mean().sort_values(ascending=False).index[: len(_COLOURS)]
    shown = [label for label in rows["label"].unique() if label in {*best}]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 + 1.3 * len(arms), 4.2))
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        for number, label in enumerate(shown):
            points = rows[rows["label"] == label].drop_duplicates("arm").set_index("arm").reindex(arms)
            x = np.arange(len(arms)) + (number - (len(shown) - 1) / 2) * min(0.16, 0.6 / len(shown))
            reach = [points["mean"] - points["lower"], points["upper"] - points["mean"]]
            axes.errorbar(x, points["mean"], yerr=reach, color=_COLOURS[number], marker=_MARKS[number],
                          linestyle="none", markersize=6, elinewidth=1.6, label=label)  # fmt: skip
        told = PUBLISHED["mean of 3 models"]
        for number, arm in enumerate(arm for arm in told if arm in arms):
            place = arms.index(arm)
            axes.hlines(told[arm], place - 0.42, place + 0.42, color=_PUBLISHED, linestyle="--", linewidth=1.2,
                        label="" if number else "published mean\n(other judge and prompts)")  # fmt: skip
        axes.set_xticks(range(len(arms)), [wrapped(arm, 16) for arm in arms])
        axes.set_xlim(-0.6, len(arms) - 0.4)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("mean similarity, 0–100, with 95 % interval", fontsize=9)
        axes.set_xlabel("thoughts shown")
        axes.grid(axis="y", color=_SOFT, linewidth=0.6)
        _plain(axes)
        axes.legend(**_BESIDE)
    return figure


def gain_forest(table: pd.DataFrame) -> Figure:
    """Draw what each arm adds to the history alone, with 95 % intervals, a group per model.

    Args:
        table: What `gains` returns; some rows are against none.
    """
    rows = table[(table["against"] == "none") & (table["subset"] == ALL)].assign(label=labels(table))
    # Arms can be of different numbers of models, which the table tells.
    rows["label"] = rows["label"].str.replace(r"^mean of \d+ models", "mean of models", regex=True)
    arms = sorted(rows["arm"].unique(), key=lambda arm: (rank(arm), arm))
    groups = list(dict.fromkeys(rows["label"]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 1.4 + (0.25 + 0.15 * len(arms)) * len(groups)))
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        heights = np.arange(len(groups))[::-1].astype(float)
        step = 0.8 / max(len(arms), 2)
        for number, arm in enumerate(arms):
            own = rows[rows["arm"] == arm].drop_duplicates("label").set_index("label").reindex(groups)
            y = heights + ((len(arms) - 1) / 2 - number) * step
            colour, mark = _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)]
            axes.hlines(y, own["lower"], own["upper"], color=colour, linewidth=1.8)
            axes.plot(own["gain"], y, mark, color=colour, markersize=6, label=arm.replace(" by ", "\nby "))
        axes.axvline(0, color=INK, linewidth=0.8)
        if "both" in arms:
            told = PUBLISHED["mean of 3 models"]
            axes.axvline(told["both"] - told["none"], color=_PUBLISHED, linestyle="--", linewidth=1.2,
                         label="published, both\n(other judge and prompts)")  # fmt: skip
        for height in heights[:-1]:
            axes.axhline(height - 0.5, color=_SOFT, linewidth=0.6)
        axes.set_yticks(heights, groups)
        axes.set_ylim(-0.55, len(groups) - 0.45)
        axes.set_xlabel("points of similarity more than with the history alone, with 95 % interval")
        axes.grid(axis="x", color=_SOFT, linewidth=0.6)
        _plain(axes)
        axes.legend(**_BESIDE, title="thoughts shown")
    return figure


def labels(table: pd.DataFrame) -> pd.Series:
    """Name rows by model, and by what else of the setting they differ in."""
    label = table["model"].map(wrapped)
    several = table[table.get("pooled", pd.Series(0, table.index)) == 0]
    if several.groupby("model")["judge"].nunique().max() > 1:
        label = label + "\n" + table["judge"].map(wrapped)
    for column in ("selection", "data_revision", "rubric_hash", "prompt_hash"):
        if table[column].nunique() > 1:
            label = label + "\n" + table[column].map(wrapped)
    return label


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
