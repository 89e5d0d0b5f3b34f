"""The chapter on how much there is: counts, assistant models, lengths, and the check of the published counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.page.style import COLOURS, STYLE, plain, wrapped
from thoughttrace.analysis.page.table import Chapter, Picture, Section, count, name, number, short
from thoughttrace.analysis.profile.lengths import Lengths, lengths_section, measure_tables
from thoughttrace.analysis.profile.tables import Tables
from thoughttrace.core.published import PER_MODEL, published_counts
from thoughttrace.core.record import TYPES
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.sources import Source

_RELEASE = "ThoughtTrace.jsonl"
_STATUS = {"stated": "stated by the authors", "reported": "reported second-hand", "": "not published"}


def contents_chapter(source: Source, tables: Tables, others: Sequence[Lengths]) -> Chapter:
    """Write the chapter on how much there is.

    Args:
        source: The conversations and where they are from.
        tables: The same as tables.
        others: Lengths of other datasets, to compare with.
    """
    sections = [counts_section(source.conversations), _models_section(by_model(tables))]
    if (check := check_release(source, tables)) is not None:
        sections.append(_check_section(check))
    sections.append(lengths_section([measure_tables(source.name, tables), *others]))
    return Chapter("contents", "Contents", "", sections)


@dataclass(frozen=True)
class CountRow:
    """A count, or a median of counts."""

    what: str
    count: float


def counts_section(conversations: Sequence[Conversation]) -> Section:
    """Write the section of the counts.

    Args:
        conversations: At least one.
    """
    rows = [CountRow(what, value) for what, value in counts(conversations).items()]
    columns = [name("What", lambda row: row.what.capitalize()), number("Count", "count", ",g")]
    note = (
        "A turn is a user message and the reply to it. A pair is an assistant message that is followed by a user "
        "message."
    )
    return Section("contents_counts", "Counts", rows, columns, note)


def counts(conversations: Sequence[Conversation]) -> dict[str, float]:
    """Count everything that has a published count, and a few things that have none.

    Args:
        conversations: At least one.
    """
    totals = census(conversations)
    pairs = reacted = both = 0
    for conversation in conversations:
        for message, following in zip(conversation.messages, conversation.messages[1:], strict=False):
            if (message.role, following.role) == ("assistant", "user"):
                pairs += 1
                reacted += bool(message.thoughts)
                both += bool(message.thoughts and following.thoughts)
    return {
        "users": totals.users,
        "conversations": totals.conversations,
        "assistant models": totals.models,
        "messages": totals.messages,
        "user messages": totals.user_messages,
        "assistant messages": totals.assistant_messages,
        "thoughts": totals.reasons + totals.reactions,
        "reasons": totals.reasons,
        "reactions": totals.reactions,
        "pairs": pairs,
        "pairs with a reaction": reacted,
        "pairs with a reaction and a reason": both,
        "median messages a conversation": float(np.median([len(c.messages) for c in conversations])),
        "median turns a conversation": totals.turns[1],
    }


@dataclass(frozen=True)
class ModelRow:
    """Counts of an assistant model."""

    model: str
    users: int
    conversations: int
    messages: int
    thoughts: int
    reasons: int
    reactions: int


def by_model(tables: Tables) -> list[ModelRow]:
    """Count by assistant model, most users first.

    Args:
        tables: Conversations as tables.
    """
    heads = tables.conversations
    table = heads.groupby("model").agg(
        users=("user", "nunique"), conversations=("id", "size"), messages=("messages", "sum")
    )
    models = tables.thoughts["conversation"].map(heads["model"])
    table["thoughts"] = models.value_counts().reindex(table.index, fill_value=0)
    for kind in TYPES:
        of_kind = models[tables.thoughts["kind"] == kind]
        table[f"{kind}s"] = of_kind.value_counts().reindex(table.index, fill_value=0)
    table = table.reset_index().sort_values(["users", "messages", "model"], ascending=[False, False, True])
    return [ModelRow(*row) for row in table.itertuples(index=False)]


def _models_section(rows: Sequence[ModelRow]) -> Section:
    columns = [
        name("Model", "model"), count("Users", "users"), count("Conversations", "conversations"),
        count("Messages", "messages"), count("Thoughts", "thoughts"), count("Reasons", "reasons"),
        count("Reactions", "reactions"),
    ]  # fmt: skip
    picture = Picture("contents_models", _draw_models(rows), "Thoughts by assistant model.")
    note = "A user who talked to several models counts with each."
    return Section("contents_models", "By assistant model", rows, columns, note, [picture])


def _draw_models(rows: Sequence[ModelRow]) -> Figure:
    y, left = np.arange(len(rows))[::-1], np.zeros(len(rows))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 1 + 0.26 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for kind, colour in zip(("reasons", "reactions"), COLOURS, strict=False):
            numbers = np.array([getattr(row, kind) for row in rows])
            axes.barh(y, numbers, left=left, height=0.7, color=colour, label=kind)
            left += numbers
        axes.set_yticks(y, [wrapped(row.model) for row in rows])
        plain(axes)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("thoughts")
        axes.legend(frameon=False, loc="lower right")
    return figure


@dataclass(frozen=True)
class CheckRow:
    """A published count and the one of the data."""

    of: str
    """`all`, an assistant model, or a kind of thought."""
    what: str
    here: float
    published: float
    """0 if it is not published."""
    difference: float
    status: str
    """`stated`, `reported`, or empty if it is not published."""


def is_release(source: Source) -> bool:
    """Decide whether this is meant to be the full release: by its name, or by the number of conversations.

    Args:
        source: The conversations and where they are from.
    """
    conversations = next(f.value for f in published_counts() if (f.of, f.what) == ("all", "conversations"))
    by_name = source.name == "hub" or source.name.removesuffix(".gz") == _RELEASE
    return by_name or len(source.conversations) == conversations


def check_release(source: Source, tables: Tables) -> list[CheckRow] | None:
    """Compare a full download with the published counts.

    Args:
        source: The conversations and where they are from.
        tables: The same as tables.

    Returns:
        What `compare_with_published` returns; None for any other data.
    """
    if not is_release(source):
        return None
    return compare_with_published(counts(source.conversations), by_model(tables), tables.thoughts)


def compare_with_published(
    totals: Mapping[str, float], models: Sequence[ModelRow], thoughts: pd.DataFrame
) -> list[CheckRow]:
    """Compare every published count with the one of the data.

    Args:
        totals: What `counts` returns.
        models: Counts by assistant model.
        thoughts: Of `Tables`.

    Returns:
        The rows, those that differ first. What is published and absent counts as 0, and the reverse.
    """
    here: dict[tuple[str, str], float] = {("all", what): value for what, value in totals.items()}
    here |= {(row.model, what): getattr(row, what) for row in models for what in PER_MODEL}
    for kind, of_kind in thoughts.groupby("kind"):
        here |= {(str(kind), str(label)): n for label, n in of_kind["type"].value_counts().items()}
    published = {(figure.of, figure.what): figure for figure in published_counts()}
    rows = [
        CheckRow(*place, here.get(place, 0), figure.value, here.get(place, 0) - figure.value, figure.status)
        for place, figure in published.items()
    ]
    rows += [
        CheckRow(*place, value, 0, value, "")
        for place, value in here.items()
        if place not in published and place[0] != "all"
    ]
    return sorted(rows, key=lambda row: row.difference == 0)


def summarize_check(rows: Sequence[CheckRow]) -> str:
    """Say how many of the published counts differ from those of the data, and which of the dataset's totals.

    Args:
        rows: What `compare_with_published` returns.
    """
    published = [row for row in rows if row.status]
    differing = [row for row in published if row.difference]
    if not differing:
        return f"All {len(published)} published counts match this data."
    totals = [f"{row.what} {row.here:,g} instead of {row.published:,g}" for row in differing if row.of == "all"]
    sentence = f"{len(differing)} of {len(published)} published counts differ from this data"
    return f"{sentence}{', among them ' + ', '.join(totals) if totals else ''}."


def _check_section(rows: Sequence[CheckRow]) -> Section:
    columns = [
        name("Of", "of"), name("What", "what"), number("Here", "here", ",g"),
        number("Published", lambda row: row.published if row.status else None, ",g"),
        number("Difference", lambda row: row.difference or None, "+,g"),
        short("Source", lambda row: _STATUS[row.status]),
    ]  # fmt: skip
    note = (
        f"{summarize_check(rows)} Those that differ come first. Published: Jin et al. 2026, stated by the authors or "
        "reported second-hand (perhaps of another copy). Differences are reported, never corrected."
    )
    return Section("contents_published", "Check against the published counts", rows, columns, note)
