"""How long conversations and messages are, beside other datasets."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from thoughttrace.analysis.drawing import STYLE, wrapped
from thoughttrace.analysis.profile.figures import COLOURS, SOFT
from thoughttrace.analysis.profile.frames import Frames
from thoughttrace.analysis.profile.shares import limits, mean_of, whole
from thoughttrace.analysis.section import Section
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.other_chats import Chat

MEASURES = {
    "turns of a conversation": "turns",
    "messages of a conversation": "messages",
    "words of a user's message": "user words",
    "words of a reply": "assistant words",
    "characters of a user's message": "user characters",
    "characters of a reply": "assistant characters",
}
"""What is measured, and the name of the measurements."""

_QUANTILES = {"least": 0.0, "quarter": 0.25, "median": 0.5, "three quarters": 0.75, "most": 1.0}
_DRAWN = ("turns of a conversation", "words of a user's message", "words of a reply")


@dataclass(frozen=True)
class Lengths:
    """What was measured in a dataset, each with whose it is."""

    name: str
    found: dict[str, tuple[pd.Series, pd.Series]]
    """By the values of `MEASURES`: numbers, and users (codes or names) in the same order."""


def lengths_section(all_lengths: Sequence[Lengths]) -> Section:
    """Lengths of this dataset and of others.

    Args:
        all_lengths: This dataset's first.
    """
    table = lengths(all_lengths)
    note = (
        "A turn is a user's message and the reply to it. Words are divided at spaces, so a text in a script without "
        "them has few: compare its characters. 95 % intervals of the mean are clustered by user (CR2); of WildChat "
        "a user is a hashed IP address, of LMSYS-Chat-1M, which names none, a conversation. Published (Jin et al. "
        "2026): a median of 8 messages a conversation in ThoughtTrace, 2 in WildChat and LMSYS-Chat-1M. Drawn: the "
        "share of conversations or messages that are at most so long."
    )
    return Section("contents_lengths", "Lengths and turns", table, _rows(table), note, _figure(all_lengths))


def own_lengths(name: str, made: Frames) -> Lengths:
    """Measure the conversations that are profiled.

    Args:
        name: Of the dataset.
        made: Conversations as tables.
    """
    heads = made.conversations
    found = {"turns": (heads["turns"], heads["user"]), "messages": (heads["messages"], heads["user"])}
    for role, own in made.messages.groupby("role"):
        found |= {f"{role} {unit}": (own[unit], own["user"]) for unit in ("words", "characters")}
    return Lengths(name, found)


def other_lengths(name: str, chats: Iterable[Chat]) -> Lengths:
    """Measure other conversations, keeping numbers only.

    Args:
        name: Of the dataset.
        chats: As they are read.

    Raises:
        UserError: There are none.
    """
    codes: dict[str, int] = {}
    found = {measured: (array("q"), array("q")) for measured in MEASURES.values()}
    for chat in chats:
        user = codes.setdefault(chat.user, len(codes))

        def keep(measured: str, value: int, user: int = user) -> None:
            values, users = found[measured]
            values.append(value)
            users.append(user)

        keep("turns", sum(role == "user" for role, _ in chat.messages))
        keep("messages", len(chat.messages))
        for role, content in chat.messages:
            keep(f"{role} words", len(content.split()))
            keep(f"{role} characters", len(content))
    if not codes:
        raise UserError(f"{name}: no conversations in it.")
    return Lengths(
        name, {one: (pd.Series(np.array(v)), pd.Series(np.array(u))) for one, (v, u) in found.items() if len(v)}
    )


def lengths(all_lengths: Sequence[Lengths]) -> pd.DataFrame:
    """Means and quantiles of every measure in every dataset.

    Args:
        all_lengths: Of at least one dataset.

    Returns:
        `measure`, `data`, what `mean_of` returns, and the quantiles `least`, `quarter`, `median`, `three quarters`,
        `most`.
    """
    rows = []
    for measure, name in MEASURES.items():
        for one in all_lengths:
            if name in one.found:
                values, users = one.found[name]
                quantiles = {told: float(values.quantile(at)) for told, at in _QUANTILES.items()}
                rows.append({"measure": measure, "data": one.name} | mean_of(values, users, (0, np.inf)) | quantiles)
    return pd.DataFrame(rows)


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"Measure": row["measure"], "Data": row["data"], "n": whole(row["n"])}
        | {"Mean": "" if np.isnan(row["mean"]) else f"{row['mean']:,.1f}", "95 % interval": limits(row, 1, 1, "")}
        | {name.capitalize(): f"{row[name]:,g}" for name in _QUANTILES}
        | {"Users": whole(row["users"])}
        for _, row in table.iterrows()
    ]


def _figure(all_lengths: Sequence[Lengths]) -> Figure:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        for axes, measure in zip(figure.subplots(1, len(_DRAWN)), _DRAWN, strict=True):
            for number, one in enumerate(all_lengths):
                if MEASURES[measure] in one.found:
                    values, _ = one.found[MEASURES[measure]]
                    # As many points as can be seen; what has length 0 stands at the left edge of the logarithm.
                    shares = np.linspace(0, 1, min(400, len(values) + 1))
                    x = np.maximum(np.quantile(values, shares, method="inverted_cdf"), 0.8)
                    style = ("-", "--", ":", "-.")[number % 4]
                    axes.step(x, 100 * shares, style, where="post", color=COLOURS[number % 8], label=wrapped(one.name))
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:,g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set(xlabel=measure, ylim=(0, 101))
            axes.grid(color=SOFT, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        figure.axes[0].set_ylabel("at most so long, %")
        figure.axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    return figure
