"""Lengths of conversations and messages, compared with other datasets."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from thoughttrace.analysis.page.style import COLOURS, SOFT, STYLE, plain, wrapped
from thoughttrace.analysis.page.table import Picture, Section, count, limits, name, number
from thoughttrace.analysis.profile.tables import Mean, Tables, mean_by_user
from thoughttrace.core.errors import UserError
from thoughttrace.core.published import median_messages
from thoughttrace.datasets.other_chats import Chat

MEASURES = {
    "turns of a conversation": "turns",
    "messages of a conversation": "messages",
    "words of a user's message": "user words",
    "words of a reply": "assistant words",
    "characters of a user's message": "user characters",
    "characters of a reply": "assistant characters",
    "tokens of a user's message": "user tokens",
    "tokens of a reply": "assistant tokens",
    "tokens of a reason": "reason tokens",
    "tokens of a reaction": "reaction tokens",
}
"""What is measured, and the name of the measurements."""

_TOKENS = (
    "Tokens are word pieces of the packaged embedder's tokenizer (all-MiniLM-L6-v2, 30,522 pieces, no capital "
    "letters), and of no model that chats: on 20 real conversations a piece has 4.3 characters of a user's message, "
    "3.5 of a reply and 4.7 of a thought. "
)

_DRAWN = ("turns of a conversation", "words of a user's message", "words of a reply")


@dataclass(frozen=True)
class Lengths:
    """The lengths in a dataset, each with its user."""

    name: str
    values: dict[str, tuple[pd.Series, pd.Series]]
    """By the values of `MEASURES`: numbers, and users (codes or names) in the same order."""


@dataclass(frozen=True)
class _OfMeasure:
    measure: str
    data: str


@dataclass(frozen=True)
class LengthRow(Mean, _OfMeasure):
    """A measure in a dataset: its mean and its quantiles."""

    q0: float
    q25: float
    q50: float
    q75: float
    q100: float


def measure_tables(name: str, tables: Tables) -> Lengths:
    """Measure the conversations that are profiled.

    Args:
        name: Of the dataset.
        tables: Conversations as tables.
    """
    heads = tables.conversations
    values = {"turns": (heads["turns"], heads["user"]), "messages": (heads["messages"], heads["user"])}
    for role, messages in tables.messages.groupby("role"):
        values |= {f"{role} {unit}": (messages[unit], messages["user"]) for unit in ("words", "characters")}
    for of, table in (("role", tables.messages), ("kind", tables.thoughts)):
        for group, members in table.dropna(subset="tokens").groupby(of):
            values[f"{group} tokens"] = members["tokens"], members["user"]
    return Lengths(name, values)


def measure_chats(name: str, chats: Iterable[Chat]) -> Lengths:
    """Measure other conversations, keeping numbers only.

    Args:
        name: Of the dataset.
        chats: As they are read.

    Raises:
        UserError: There are none.
    """
    codes: dict[str, int] = {}
    measured = {measure: (array("q"), array("q")) for measure in MEASURES.values()}
    for chat in chats:
        user = codes.setdefault(chat.user, len(codes))

        def keep(measure: str, value: int, user: int = user) -> None:
            values, users = measured[measure]
            values.append(value)
            users.append(user)

        keep("turns", sum(role == "user" for role, _ in chat.messages))
        keep("messages", len(chat.messages))
        for role, content in chat.messages:
            keep(f"{role} words", len(content.split()))
            keep(f"{role} characters", len(content))
    if not codes:
        raise UserError(f"{name}: contains no conversations.")
    return Lengths(
        name, {measure: (pd.Series(np.array(v)), pd.Series(np.array(u))) for measure, (v, u) in measured.items() if v}
    )


def length_rows(datasets: Sequence[Lengths]) -> list[LengthRow]:
    """Summarize every measure in every dataset.

    Args:
        datasets: At least one.
    """
    rows = []
    for measure, key in MEASURES.items():
        for dataset in datasets:
            if key in dataset.values:
                values, users = dataset.values[key]
                fields = mean_by_user(values, users, (0, np.inf))
                fields |= {f"q{at}": float(values.quantile(at / 100)) for at in (0, 25, 50, 75, 100)}
                rows.append(LengthRow(measure, dataset.name, **fields))
    return rows


def lengths_section(datasets: Sequence[Lengths]) -> Section:
    """Write the section of the lengths.

    Args:
        datasets: The one that is profiled first.
    """
    columns = [
        name("Measure", "measure"), name("Data", "data"), count("n", "n"), number("Mean", "mean", ",.1f"),
        limits("95 % interval", spec=",.1f"), number("Minimum", "q0", ",g"), number("25 %", "q25", ",g"),
        number("Median", "q50", ",g"), number("75 %", "q75", ",g"), number("Maximum", "q100", ",g"),
        count("Users", "users"),
    ]  # fmt: skip
    tokens = _TOKENS * any("user tokens" in dataset.values for dataset in datasets)
    note = (
        "A turn is a user message and the reply to it. Words are split at spaces, so a text in a script without "
        f"spaces has few words: compare its characters. {tokens}95 % intervals of the mean are clustered by user "
        "(CR2). In WildChat a user is a hashed IP address; LMSYS-Chat-1M names no users, so each conversation counts "
        "as one. Published (Jin et al. 2026), median messages a conversation: "
        f"ThoughtTrace {median_messages('ThoughtTrace').value:g}, WildChat {median_messages('WildChat').value:g}, "
        f"LMSYS-Chat-1M {median_messages('LMSYS-Chat-1M').value:g}."
    )
    caption = "Share of conversations or messages that have at most this length."
    picture = Picture("contents_lengths", _draw(datasets), caption)
    return Section("contents_lengths", "Lengths and turns", length_rows(datasets), columns, note, [picture])


def _draw(datasets: Sequence[Lengths]) -> Figure:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        for axes, measure in zip(figure.subplots(1, len(_DRAWN)), _DRAWN, strict=True):
            for place, dataset in enumerate(datasets):
                if MEASURES[measure] in dataset.values:
                    values, _ = dataset.values[MEASURES[measure]]
                    # As many points as can be seen; a length of 0 is drawn at the left edge of the logarithmic axis.
                    shares = np.linspace(0, 1, min(400, len(values) + 1))
                    x = np.maximum(np.quantile(values, shares, method="inverted_cdf"), 0.8)
                    style = ("-", "--", ":", "-.")[place % 4]
                    axes.step(x, 100 * shares, style, where="post", color=COLOURS[place % len(COLOURS)],
                              label=wrapped(dataset.name))  # fmt: skip
            plain(axes, "y")
            axes.grid(axis="x", color=SOFT, linewidth=0.6)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:,g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set(xlabel=measure, ylim=(0, 101))
        figure.axes[0].set_ylabel("at most this length, %")
        figure.axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    return figure
