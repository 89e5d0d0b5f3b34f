"""The picture of what each type of thought was taken for."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thoughttrace.analysis.confused import NO_TYPE
from thoughttrace.analysis.drawing import STYLE, wrapped


def confusion_figure(cells: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw what each type was taken for, a panel per run: counts, shaded by the share of their row.

    Args:
        cells: What `confused` returns, of one kind.
        runs: The runs to draw, with `model` and `context`, in order.
    """
    types = list(dict.fromkeys(cells["type"]))
    columns = min(2, len(runs))
    lines = -(-len(runs) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.2 + 0.55 * (len(types) + 1) * columns, (0.75 + 0.42 * len(types)) * lines + 1.3))
        figure.set_layout_engine("constrained")
        axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for panel, run in zip(axes.flat, runs.to_dict("records"), strict=False):
            own = cells[(cells["model"] == run["model"]) & (cells["context"] == run["context"])]
            _draw(panel, own, types)
            panel.set_title(f"{wrapped(run['model'], 48)}\nshown: {run['context']}", loc="left", fontsize=8)
        for number, spare in enumerate(axes.flat[len(runs) :], start=len(runs)):
            spare.set_visible(False)
            axes.flat[number - columns].tick_params(labelbottom=True)  # nothing stands below it
        figure.supylabel("the dataset's type", fontsize=9)
        figure.supxlabel("named by the model", fontsize=9)
    return figure


def _draw(axes: Axes, own: pd.DataFrame, types: list[str]) -> None:
    answers = [*types, NO_TYPE]
    counts = own.pivot_table(index="type", columns="answer", values="n", sort=False).loc[types, answers].to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(np.arange(len(answers)), np.arange(len(types)), shares, cmap="Blues", vmin=0, vmax=1,
                    edgecolors="white", linewidth=0.5)  # fmt: skip
    for (y, x), n in np.ndenumerate(counts):
        # Blues at 0 is nearly white in light and dark pages alike.
        axes.text(x, y, f"{n:.0f}" if n else "·", ha="center", va="center", fontsize=8,
                  color="white" if shares[y, x] > 0.55 else "black")  # fmt: skip
    axes.set_ylim(len(types) - 0.5, -0.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(answers)), [_short(name) for name in answers], rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(types)), [_short(name) for name in types], fontsize=8)


def _short(name: str) -> str:
    return wrapped(name.replace("_", " "), 22)
