"""Types over the stages of conversations: shares by each rule, and flows as bands between bars."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from thoughttrace.analysis.breakdown import STAGES
from thoughttrace.analysis.drawing import STYLE
from thoughttrace.analysis.profile.figures import COLOURS, PUBLISHED_COLOUR, SOFT, ordered, readable
from thoughttrace.core.record import TYPES

_ACROSS = 4
"""Panels side by side."""

_BAR, _GAP = 0.16, 0.012
"""The width of a bar, where stages are 1 apart, and the gap between types, as a share of the bars' height."""


def over_stages(shares: pd.DataFrame) -> Figure:
    """Draw the share of each type over the stages, by each rule and as published, a panel per type.

    Args:
        shares: What `stages.stage_shares` returns, with `rule`.
    """
    types = shares[["kind", "type"]].drop_duplicates()
    height = -(-len(types) // _ACROSS)
    with mpl.rc_context(STYLE):
        # All panels are alike: placed by hand, as laying out so many takes longer than drawing them.
        tall = 0.7 + 2.1 * height
        figure = Figure(figsize=(11, tall))
        figure.subplots_adjust(0.06, 0.95 / tall, 0.99, 1 - 0.4 / tall, wspace=0.22, hspace=0.75)
        panels = figure.subplots(height, _ACROSS, squeeze=False).ravel()
        for axes, (_, named) in zip(panels, types.iterrows(), strict=False):
            own = shares[(shares["kind"] == named["kind"]) & (shares["type"] == named["type"])]
            for number, (rule, line) in enumerate(own.groupby("rule", sort=False)):
                x = np.arange(len(STAGES)) + 0.1 * number
                reach = [100 * (line["mean"] - line["lower"]), 100 * (line["upper"] - line["mean"])]
                axes.errorbar(x, 100 * line["mean"], yerr=np.nan_to_num(reach), color=COLOURS[number], linewidth=1.2,
                              marker="os"[number], markersize=4, elinewidth=1, label=str(rule))  # fmt: skip
            axes.plot(range(len(STAGES)), 100 * line["published"], "D", color=PUBLISHED_COLOUR, fillstyle="none",
                      label="published")  # fmt: skip
            axes.set_title(f"{named['kind']}: {readable(named['type'])}", loc="left", fontsize=9)
            axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
            axes.set_xticks(range(len(STAGES)), ["Early", "Mid-\nEarly", "Mid-\nLate", "Late"], fontsize=8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color=SOFT, linewidth=0.6)
        for axes in panels[len(types) :]:
            axes.set_visible(False)
        for axes in panels[::_ACROSS]:
            axes.set_ylabel("share, %")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False, fontsize=9)
    return figure


def alluvial(placed: pd.DataFrame) -> Figure:
    """Draw a bar of types at each stage and the flows between neighbours, a panel per kind.

    Args:
        placed: What `stages.sampled` returns.
    """
    kinds = [kind for kind in TYPES if (placed["kind"] == kind).any()]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6 * len(kinds), 5.4), layout="constrained")
        for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
            own = placed[placed["kind"] == kind]
            wide = own.pivot_table(index="conversation", columns="stage", values="type", aggfunc="first", observed=True)
            names = ordered(list(own["type"].unique()), TYPES[kind])
            colours = {name: COLOURS[min(number, 7)] for number, name in enumerate(ordered(names, TYPES[kind]))}
            bottoms = [_bar(axes, place, wide[at], names, colours) for place, at in enumerate(STAGES)]
            for place in range(len(STAGES) - 1):
                _bands(axes, place, wide.iloc[:, place : place + 2], names, colours, bottoms)
            axes.set_xticks(range(len(STAGES)), STAGES)
            axes.set_xlim(-0.15, len(STAGES) - 0.85)
            axes.set_yticks([])
            axes.tick_params(axis="x", length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(f"{kind}s, {len(wide):,} conversations", loc="left", fontweight="bold")
            handles = [Patch(color=colours[name], label=readable(name).replace("\n", " ")) for name in names]
            axes.legend(
                handles=handles, frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.07)
            )
    return figure


def _bar(axes: Axes, place: int, types: pd.Series, names: list[str], colours: dict[str, str]) -> dict[str, float]:
    """Draw the types at a stage, the first on top; where each begins, as a height."""
    bottoms, top = {}, 1.0 + _GAP * (len(names) - 1)
    for name in names:
        share = (types == name).sum() / len(types)
        bottoms[name] = top - share
        axes.bar(place, share, _BAR, bottom=top - share, color=colours[name])
        if share >= 0.035:
            axes.text(place, top - share / 2, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color="black")
        top -= share + _GAP
    return bottoms


def _bands(
    axes: Axes,
    place: int,
    pair: pd.DataFrame,
    names: list[str],
    colours: dict[str, str],
    bottoms: list[dict[str, float]],
) -> None:
    """Draw the flows from a stage to the next, stacked as the bars are."""
    flow = pd.crosstab(pair.iloc[:, 0], pair.iloc[:, 1]).reindex(index=names, columns=names, fill_value=0)
    widths = flow.to_numpy() / len(pair)
    left = {name: bottoms[place][name] + width for name, width in zip(names, widths.sum(axis=1), strict=True)}
    right = {name: bottoms[place + 1][name] + width for name, width in zip(names, widths.sum(axis=0), strict=True)}
    x = np.linspace(0, 1, 40)
    eased = x * x * (3 - 2 * x)
    for row, start in enumerate(names):
        for column, end in enumerate(names):
            width = widths[row, column]
            if width:
                upper = left[start] + (right[end] - left[start]) * eased
                across = place + _BAR / 2 + x * (1 - _BAR)
                axes.fill_between(across, upper - width, upper, color=colours[start], alpha=0.4, linewidth=0)
            left[start] -= width
            right[end] -= width
