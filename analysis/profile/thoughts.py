"""The chapter on thoughts: their types, how these change over a conversation, lengths, and hindsight."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from thoughttrace.analysis.page.plots import Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    limits,
    name,
    number,
    share,
    short,
)
from thoughttrace.analysis.profile.stages import stage_sections
from thoughttrace.analysis.profile.tables import BY_USER, Mean, OfType, Tables, dot, mean_by_user, readable, sort_by
from thoughttrace.analysis.stats.intervals import ratio_of_means
from thoughttrace.core.published import published_types
from thoughttrace.core.record import TYPES


def thoughts_chapter(tables: Tables) -> Chapter:
    """Write the chapter on thoughts; without thoughts it has no sections.

    Args:
        tables: Conversations as tables.
    """
    thoughts = tables.thoughts
    sections: list[Section] = []
    if len(thoughts):
        sections = [types_section(thoughts), *stage_sections(thoughts), _length_section(thoughts)]
        sections.append(_hindsight_section(tables))
    return Chapter("thoughts", "Thoughts", "", sections)


@dataclass(frozen=True)
class TypeRow(Mean, OfType):
    """The share of a type among the thoughts of its kind."""

    count: int
    published: float
    """The published share; NaN for a type that the paper does not have."""


def types_section(thoughts: pd.DataFrame) -> Section:
    """Write the section of the shares of types.

    Args:
        thoughts: Of `Tables`, at least one.
    """
    rows = type_rows(thoughts)
    columns = [
        short("Kind", "kind"), short("Type", "type"), count("Count", "count"), share("Share", "mean"),
        limits("95 % interval", percent=True), share("Published", "published"), count("Users", "users"),
    ]  # fmt: skip
    note = (
        f"Share of the thoughts of a kind. {BY_USER} The types are an LLM's labels, not people's. Published: the "
        "shares in the paper's figure. They differ slightly from those of the counts reported of the release "
        "(task_motivation: 36.9 %, and 1,680 of 4,498, which is 37.3 %), so the figure may rest on another "
        "selection."
    )
    published = [
        Reference(100 * row.published, "published", panel=f"{row.kind}s", at=readable(row.type))
        for row in rows
        if not np.isnan(row.published)
    ]
    figure = dots(
        [dot(row, readable(row.type), f"{row.kind}s") for row in rows],
        "share of the thoughts of the kind, %", published, scale=(0, None),
    )  # fmt: skip
    picture = Picture("thoughts_types", figure, "Share of each type, with 95 % intervals.")
    return Section("thoughts_types", "Types", rows, columns, note, [picture])


def type_rows(thoughts: pd.DataFrame) -> list[TypeRow]:
    """Estimate the share of each type, including types of the taxonomy that do not occur.

    Args:
        thoughts: Of `Tables`.
    """
    rows = []
    for kind, types in TYPES.items():
        of_kind = thoughts[thoughts["kind"] == kind]
        for label in sort_by([*types, *of_kind["type"]], types) if len(of_kind) else []:
            has_type = of_kind["type"] == label
            published = published_types()[kind].get(label)
            share_published = published.share if published else np.nan
            mean = mean_by_user(has_type, of_kind["user"])
            rows.append(TypeRow(kind, label, **mean, count=int(has_type.sum()), published=share_published))
    return rows


@dataclass(frozen=True)
class ThoughtLengthRow(Mean, OfType):
    """How many words the thoughts of a type (or of `all`) have, and how many their messages."""

    median: float
    message_mean: float
    """Words of their messages."""
    ratio: float
    """Words of a thought for each word of its message."""
    ratio_lower: float
    ratio_upper: float


def _length_section(thoughts: pd.DataFrame) -> Section:
    rows = thought_lengths(thoughts)
    columns = [
        short("Kind", "kind"), short("Type", "type"), count("n", "n"), number("Mean", "mean", ",.1f"),
        limits("95 % interval", spec=",.1f"), number("Median", "median", "g"),
        number("Mean of the messages", "message_mean", ",.1f"), number("Ratio", "ratio"),
        limits("Ratio, 95 %", "ratio_"), count("Users", "users"),
    ]  # fmt: skip
    note = (
        f"Words, split at spaces. {BY_USER} Ratio: how many words a thought has for each word of its message (ratio "
        "of means, Fieller's interval)."
    )
    points = [dot(row, readable(row.type), f"{row.kind}s", scale=1) for row in rows]
    figure = dots(points, "mean words of a thought", scale=(0, None))
    picture = Picture("thoughts_length", figure, "Mean length of thoughts, with 95 % intervals.")
    return Section("thoughts_length", "Length of thoughts", rows, columns, note, [picture])


def thought_lengths(thoughts: pd.DataFrame) -> list[ThoughtLengthRow]:
    """Estimate how long thoughts are, of all types (first) and of each.

    Args:
        thoughts: Of `Tables`.
    """
    rows = []
    for kind, types in TYPES.items():
        of_kind = thoughts[thoughts["kind"] == kind]
        for label in ["all", *sort_by(of_kind["type"], types)] if len(of_kind) else []:
            members = of_kind if label == "all" else of_kind[of_kind["type"] == label]
            words, message_words = members["words"], members["message_words"]
            fields = mean_by_user(words, members["user"], (0, np.inf))
            fields |= {"median": float(words.median()), "message_mean": float(message_words.mean())}
            fields |= dict.fromkeys(("ratio", "ratio_lower", "ratio_upper"), np.nan)
            if not np.isnan(fields["mean"]) and message_words.any():
                ratio = ratio_of_means(words, message_words, members["user"])
                fields |= {"ratio": ratio.estimate, "ratio_lower": ratio.lower, "ratio_upper": ratio.upper}
            rows.append(ThoughtLengthRow(kind, label, **fields))
    return rows


@dataclass(frozen=True)
class HindsightRow(Mean, OfType):
    """How many annotated messages of a type (`all`, `all, after the reply`) got their thoughts in hindsight."""

    late: int
    """Messages whose thought was written after the user's next message, or after the reply."""
    annotated: int
    """Messages of the kind and type, including those for which this is unknown."""

    @property
    def unknown(self) -> int:
        """Messages for which it is unknown."""
        return self.annotated - self.n


def _hindsight_section(tables: Tables) -> Section:
    rows = hindsight(tables)
    columns = [
        short("Kind", "kind"), name("Type", "type"), count("Late", "late"), count("Out of", "n"),
        share("Share", "mean"), limits("95 % interval", percent=True), count("Unknown", "unknown"),
        count("Users", "users"),
    ]  # fmt: skip
    note = (
        "Annotated messages whose thought was written after the user had sent the next message, out of those for "
        f"which this is known (not a user's last message, nor where times are missing). {BY_USER} A message with "
        "thoughts of several types counts in each. After the reply: reasons written when the reply to their message "
        "had already arrived."
    )
    figure = dots([dot(row, readable(row.type), f"{row.kind}s") for row in rows], "written in hindsight, %",
                  scale=(0, None))  # fmt: skip
    picture = Picture("thoughts_hindsight", figure, "Share written in hindsight, with 95 % intervals.")
    return Section("thoughts_hindsight", "Written in hindsight", rows, columns, note, [picture])


def hindsight(tables: Tables) -> list[HindsightRow]:
    """Estimate how many annotated messages got their thoughts in hindsight, of all types (first) and of each.

    Args:
        tables: Conversations as tables.
    """
    rows = []
    place = ["conversation", "index"]
    labels = tables.thoughts.drop_duplicates([*place, "type"])[[*place, "type"]]
    annotated = tables.messages[tables.messages["annotated"]]
    for kind, types in TYPES.items():
        of_kind = annotated[annotated["kind"] == kind]
        if of_kind.empty:
            continue
        groups = {"all": (of_kind["hindsight"], of_kind["user"])}
        thoughts = tables.thoughts[tables.thoughts["kind"] == kind]
        if thoughts["after_reply"].notna().any():
            groups["all, after the reply"] = (thoughts["after_reply"], thoughts["user"])
        labelled = of_kind.merge(labels, on=place)
        for label in sort_by(labelled["type"], types):
            members = labelled[labelled["type"] == label]
            groups[label] = (members["hindsight"], members["user"])
        for label, (late, users) in groups.items():
            known = late.notna()
            known_late = late[known].astype(bool)
            mean = mean_by_user(known_late, users[known])
            rows.append(HindsightRow(kind, label, **mean, late=int(known_late.sum()), annotated=len(late)))
    return rows
