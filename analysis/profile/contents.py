"""How much there is, by assistant model, and whether a full download has what is published."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.drawing import STYLE, wrapped
from thoughttrace.analysis.profile.check import against_published, check_section, is_release
from thoughttrace.analysis.profile.figures import COLOURS, SOFT
from thoughttrace.analysis.profile.frames import Frames
from thoughttrace.analysis.profile.shares import whole
from thoughttrace.analysis.section import Section
from thoughttrace.core.record import TYPES
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.sources import Source


def contents_sections(source: Source, made: Frames) -> list[Section]:
    """Counts, counts by assistant model, and for a full download the check of the published counts.

    Args:
        source: The conversations and where they are from.
        made: The same as tables.
    """
    models = by_model(made)
    sections = [
        Section("contents_counts", "Counts", *_counts(source.conversations),
            "A turn is a user message and the reply to it. A pair is an assistant message that a user message "
            "follows."),
        Section("contents_models", "By assistant model", models, _model_rows(models),
            "A user who talked to several models counts with each.", _model_figure(models)),
    ]  # fmt: skip
    table = checked(source, made)
    return sections if table is None else [*sections, check_section(table)]


def checked(source: Source, made: Frames) -> pd.DataFrame | None:
    """A full download against the published counts; None for any other data.

    Args:
        source: The conversations and where they are from.
        made: The same as tables.
    """
    if not is_release(source):
        return None
    return against_published(counts(source.conversations), by_model(made), made.thoughts)


def counts(conversations: Sequence[Conversation]) -> dict[str, float]:
    """Count everything that has a published count, and what stands beside it.

    Args:
        conversations: At least one.
    """
    found = census(conversations)
    pairs = reacted = both = 0
    for conversation in conversations:
        for said, following in zip(conversation.messages, conversation.messages[1:], strict=False):
            if (said.role, following.role) == ("assistant", "user"):
                pairs += 1
                reacted += bool(said.thoughts)
                both += bool(said.thoughts and following.thoughts)
    return {
        "users": found.users,
        "conversations": found.conversations,
        "assistant models": found.models,
        "messages": found.messages,
        "user messages": found.user_messages,
        "assistant messages": found.assistant_messages,
        "thoughts": found.reasons + found.reactions,
        "reasons": found.reasons,
        "reactions": found.reactions,
        "pairs": pairs,
        "pairs with a reaction": reacted,
        "pairs with a reaction and a reason": both,
        "median messages a conversation": float(np.median([len(c.messages) for c in conversations])),
        "median turns a conversation": found.turns[1],
    }


def by_model(made: Frames) -> pd.DataFrame:
    """Users, conversations, messages, thoughts, reasons, reactions of each assistant model, most users first.

    Args:
        made: Conversations as tables.
    """
    heads = made.conversations
    table = heads.groupby("model").agg(
        users=("user", "nunique"), conversations=("id", "size"), messages=("messages", "sum")
    )
    models = made.thoughts["conversation"].map(heads["model"])
    table["thoughts"] = models.value_counts().reindex(table.index, fill_value=0)
    for kind in TYPES:
        own = models[made.thoughts["kind"] == kind]
        table[f"{kind}s"] = own.value_counts().reindex(table.index, fill_value=0)
    return table.reset_index().sort_values(
        ["users", "messages", "model"], ascending=[False, False, True], ignore_index=True
    )


def _counts(conversations: Sequence[Conversation]) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    found = counts(conversations)
    table = pd.DataFrame({"what": list(found), "count": list(found.values())})
    return table, [{"What": what.capitalize(), "Count": f"{n:,g}"} for what, n in found.items()]


def _model_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {"Model": str(row["model"])} | {name.capitalize(): whole(row[name]) for name in table.columns[1:]}
        for _, row in table.iterrows()
    ]


def _model_figure(table: pd.DataFrame) -> Figure:
    shown = table.iloc[::-1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 1 + 0.26 * len(shown)), layout="constrained")
        axes = figure.subplots()
        y, left = np.arange(len(shown)), np.zeros(len(shown))
        for number, kind in enumerate(TYPES):
            axes.barh(y, shown[f"{kind}s"], left=left, height=0.7, color=COLOURS[number], label=f"{kind}s")
            left += shown[f"{kind}s"].to_numpy()
        axes.set_yticks(y, [wrapped(name) for name in shown["model"]])
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="x", color=SOFT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("thoughts")
        axes.legend(frameon=False, loc="lower right")
    return figure
