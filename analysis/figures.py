"""The report's pictures: means, ratings, groups, stages."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.analysis.breakdown import STAGES
from thoughttrace.analysis.drawing import INK, STYLE, panels, rows_of, wrapped
from thoughttrace.analysis.headline import PUBLISHED, SCALE
from thoughttrace.analysis.scale import CEILINGS, FLOOR

_SOFT = "#8888884d"
# Okabe & Ito: told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#B8A900")
_MARKS = "osD^vP*X"
_PUBLISHED_COLOUR = "#D55E00"
_RATINGS = ("#b2182b", "#ef8a62", "#cccccc", "#67a9cf", "#2166ac")


def forest(table: pd.DataFrame, controls: pd.DataFrame) -> Figure:
    """Draw mean agreement with its 95 % interval, a row per model, a panel per kind.

    Args:
        table: The headline table.
        controls: That of the controls, drawn as lines where one panel of judges rated them all; may be empty.
    """
    with mpl.rc_context(STYLE):
        figure, shown = panels(table, 0.42)
        for axes, rows in shown:
            y = rows_of(axes, rows)
            axes.hlines(y, rows["lower"], rows["upper"], color=_COLOURS[0], linewidth=2)
            axes.plot(rows["mean"], y, "o", color=_COLOURS[0], markersize=7)
            for place, (_, row) in zip(y, rows.iterrows(), strict=True):
                axes.annotate(_figures(row), (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
            _reference(axes, rows, controls)
            published = PUBLISHED[rows["kind"].iloc[0]]
            axes.axvline(published, color=_PUBLISHED_COLOUR, linestyle="--", linewidth=1.2)
            axes.annotate(f"published {published:.2f}\n(other judge and prompts)", (published, 0), (4, 4),
                          xycoords=("data", "axes fraction"), textcoords="offset points",
                          color=_PUBLISHED_COLOUR, fontsize=7, va="bottom")  # fmt: skip
            axes.set(xlim=(SCALE[0] - 0.1, SCALE[1] + 0.1), ylim=(-0.9, len(rows) - 0.4), xticks=range(1, 6))
            axes.set_xlabel("mean agreement, 1–5, with 95 % interval")
            axes.grid(axis="x", color=_SOFT, linewidth=0.6)
            axes.set_axisbelow(True)
    return figure


def ratings(table: pd.DataFrame) -> Figure:
    """Draw how the ratings 1 to 5 are spread, a bar per model, a panel per kind.

    Args:
        table: The headline table.
    """
    with mpl.rc_context(STYLE):
        figure, shown = panels(table, 0.4)
        for axes, rows in shown:
            y = rows_of(axes, rows)
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
        figure.axes[-1].legend(title="rating", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def groups(table: pd.DataFrame, by: str) -> Figure:
    """Draw mean agreement by group as a heat map, a row per model, a panel per kind.

    Args:
        table: What `breakdown` returns.
        by: Which grouping of it.
    """
    with mpl.rc_context(STYLE):
        figure, shown = panels(table[table["by"] == by], 0.42, columns="group")
        for axes, rows in shown:
            grid = rows.pivot_table(index="label", columns="group", values="mean", sort=False, dropna=False)
            counts = rows.pivot_table(index="label", columns="group", values="n", sort=False).reindex_like(grid)
            # Edges: from a single centre Matplotlib would make a cell without height.
            edges = np.arange(grid.shape[1] + 1) - 0.5, np.arange(grid.shape[0] + 1) - 0.5
            axes.pcolormesh(*edges, grid.to_numpy(), cmap="cividis", vmin=SCALE[0], vmax=SCALE[1], edgecolors="white")
            axes.invert_yaxis()
            for (y, x), mean in np.ndenumerate(grid.to_numpy()):
                n = counts.to_numpy()[y, x]
                text = f"{mean:.2f}" if np.isfinite(mean) else f"n = {n:.0f}" if np.isfinite(n) else "–"
                colour = INK if not np.isfinite(mean) else "white" if mean < 3.2 else "black"
                axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour)
            names = [wrapped(name.replace("_", " "), 22) for name in grid.columns]
            axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
            axes.set_yticks(range(len(grid)), grid.index)
    return figure


def stages(table: pd.DataFrame) -> Figure:
    """Draw mean agreement by stage of the conversation, a line per model, a panel per kind.

    Of more models than lines that can be told apart, those with the highest means are drawn.

    Args:
        table: What `breakdown` returns.
    """
    by_stage = table[table["by"] == "stage"]
    with mpl.rc_context(STYLE):
        figure, drawn = panels(by_stage, 0, height=3.6)
        for axes, rows in drawn:
            means = rows.groupby("label", sort=False)["mean"].mean().sort_values(ascending=False)
            shown = [label for label in rows["label"].unique() if label in set(means.index[: len(_COLOURS)])]
            for number, label in enumerate(shown):
                line = rows[rows["label"] == label].set_index("group").reindex(STAGES)
                x = np.arange(len(STAGES)) + (number - (len(shown) - 1) / 2) * 0.06
                reach = [line["mean"] - line["lower"], line["upper"] - line["mean"]]
                axes.errorbar(x, line["mean"], yerr=reach, color=_COLOURS[number], marker=_MARKS[number],
                              linewidth=1.6, elinewidth=1, label=label.replace("\n", ", "))  # fmt: skip
            axes.set_xticks(range(len(STAGES)), STAGES)
            axes.set(ylim=(SCALE[0] - 0.1, SCALE[1] + 0.1), ylabel="mean agreement, 95 % interval")
            axes.grid(axis="y", color=_SOFT, linewidth=0.6)
            axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.1))
    return figure


def _reference(axes: Axes, rows: pd.DataFrame, controls: pd.DataFrame) -> None:
    """Draw floor and ceiling, and the message itself, as lines named above the panel."""
    if controls.empty or {*rows["judge"], *controls["judge"]} != {rows["judge"].iloc[0]}:
        return
    own = controls[controls["kind"] == rows["kind"].iloc[0]]
    means = dict(zip(own["model"].str.split().str[1], own["mean"], strict=True))
    ceiling = next((name for name in CEILINGS if name in means), "")
    for name in {FLOOR, "parrot", ceiling} & set(means):
        axes.axvline(means[name], color=_SOFT[:7], linestyle=":", linewidth=1.4)
        axes.annotate(name.replace("_", " "), (means[name], 1), (0, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", rotation=45, fontsize=8, va="bottom")  # fmt: skip
    axes.set_title(axes.get_title("left"), loc="left", fontweight="bold", pad=48)


def _figures(row: pd.Series) -> str:
    interval = "no interval" if np.isnan(row["lower"]) else f"[{row['lower']:.2f}, {row['upper']:.2f}]"
    return f"{row['mean']:.2f} {interval}" if row["n"] else "none scored"
