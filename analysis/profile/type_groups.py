"""The chapter on types of thoughts by what the conversation is like: its length, its topics, how messages relate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from thoughttrace.analysis.page.plots import Matrix, confusion, dots
from thoughttrace.analysis.page.table import Chapter, Column, Picture, Section, count, limits, name, share, short
from thoughttrace.analysis.profile.tables import BY_USER, Mean, OfType, Tables, dot, mean_by_user, readable, sort_by
from thoughttrace.analysis.read.annotations import TASK_OF
from thoughttrace.analysis.stats.groups import bands
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import KINDS, TYPES
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS

_TURNS = (1, 3, 5, 9)

_MESSAGES = {
    "reason": {"of the message": 0},
    "reaction": {"of the message before": -1, "of the next message": 1},
}
"""The messages whose relation a thought is grouped by, and how far they are from the one it is on."""


@dataclass(frozen=True)
class GroupRow(Mean, OfType):
    """The share of a type among the thoughts of its kind in a group."""

    group: str
    message: str
    """Of relations: which message's; else empty."""
    count: int


def type_groups_chapter(tables: Tables, annotations: pd.DataFrame | None) -> Chapter:
    """Write the types of thoughts by length of the conversation and, where they are annotated, by relation and topic.

    Args:
        tables: Conversations as tables.
        annotations: Labels of messages and conversations, as `read_annotations` returns them.

    Raises:
        UserError: There are annotations, and they say nothing of these conversations.
    """
    sections = []
    if len(tables.thoughts):
        sections = [_length_section(tables)]
        if annotations is not None:
            sections += _annotated_sections(tables, annotations)
    return Chapter("thought_groups", "Types of thoughts by conversation", "", sections)


def _annotated_sections(tables: Tables, annotations: pd.DataFrame) -> list[Section]:
    if not {"relation", "domains"} & set(annotations.columns):
        raise UserError(
            "--annotations: the file has neither relations nor domains. Make it with thoughttrace annotate of logs of "
            "relate_messages or label_topic."
        )
    sections = []
    if "relation" in annotations and (rows := by_relation(tables, annotations)):
        note = (
            f"How a user's message relates to the ones before, {_labelled('relation', annotations)}. A reaction is "
            "grouped by the user's message that the reply answers and, in rows of their own, by the user's next "
            "message."
        )
        columns = [short("Relation", lambda row: readable(row.group)), name("Message", "message")]
        sections.append(_section("thoughts_by_relation", "Types by relation of the message", rows, columns, note))
    if "domains" in annotations and (rows := by_domain(tables, annotations)):
        note = (
            f"What the conversation is about, {_labelled('domains', annotations)}. A conversation with several domains "
            "counts in each of them."
        )
        sections.append(_section("thoughts_by_domain", "Types by topic", rows, [name("Domain", "group")], note))
    if not sections:
        raise UserError("--annotations: no thought of this data is annotated. Annotate the data that is profiled.")
    return sections


def _labelled(column: str, annotations: pd.DataFrame) -> str:
    models = f"{column}_model"
    by = ", ".join(sorted(annotations[models].dropna().unique())) if models in annotations else "?"
    return f"as labelled by {by} ({TASK_OF[column].name})"


def by_length(tables: Tables) -> list[GroupRow]:
    """Estimate the share of each type by the number of the user's messages in the conversation.

    Args:
        tables: Conversations as tables.
    """
    turns = bands(_TURNS, "")(tables.conversations["turns"]).cat.rename_categories(str.strip)
    return _rows(tables.thoughts, tables.thoughts["conversation"].map(turns.astype(str)), [*turns.cat.categories])


def by_relation(tables: Tables, annotations: pd.DataFrame) -> list[GroupRow]:
    """Estimate the share of each type by how messages relate to the ones before.

    Args:
        tables: Conversations as tables.
        annotations: With the column `relation`.
    """
    labelled = annotations.dropna(subset=["relation", "message_index"])
    places = zip(labelled["conversation"], labelled["message_index"].astype(int), strict=True)
    relations = dict(zip(places, labelled["relation"], strict=True))
    rows = []
    for kind, messages in _MESSAGES.items():
        of_kind = tables.thoughts[tables.thoughts["kind"] == kind]
        names = of_kind["conversation"].map(tables.conversations["id"])
        for message, distance in messages.items():
            wanted = zip(names, of_kind["index"] + distance, strict=True)
            groups = pd.Series([relations.get(place) for place in wanted], index=of_kind.index, dtype=object)
            rows += _rows(of_kind, groups, RELATIONS, message)
    return rows


def by_domain(tables: Tables, annotations: pd.DataFrame) -> list[GroupRow]:
    """Estimate the share of each type by what the conversation is about.

    Args:
        tables: Conversations as tables.
        annotations: With the column `domains`.
    """
    labelled = annotations[annotations["message_index"].isna()].dropna(subset=["domains"])
    domains = labelled.set_index("conversation")["domains"].str.split("; ")
    names = tables.thoughts["conversation"].map(tables.conversations["id"])
    groups = names.map(domains).explode()
    return _rows(tables.thoughts.loc[groups.index], groups, DOMAINS)


def _rows(thoughts: pd.DataFrame, groups: pd.Series, order: Sequence[str], message: str = "") -> list[GroupRow]:
    """Estimate the share of each type in each group; a thought without a group is in none."""
    rows = []
    labels, types = groups.to_numpy(), thoughts["type"].to_numpy()
    for kind in KINDS:
        of_kind = (thoughts["kind"] == kind).to_numpy()
        for group in sort_by([label for label in labels[of_kind] if isinstance(label, str)], order):
            members = of_kind & (labels == group)
            users = thoughts["user"].to_numpy()[members]
            for label in sort_by([*TYPES[kind], *types[members]], TYPES[kind]):
                has_type = types[members] == label
                mean = mean_by_user(has_type, users)
                rows.append(GroupRow(kind, label, **mean, group=group, message=message, count=int(has_type.sum())))
    return rows


def _length_section(tables: Tables) -> Section:
    rows = by_length(tables)
    note = "A turn is a user message and the reply to it."
    points = [dot(row, row.group, f"{row.kind}: {readable(row.type)}") for row in rows]
    figure = dots(points, "share, %", scale=(0, None), upright=True, joined=True, columns=4)
    picture = Picture("thoughts_by_length", figure, "Share of each type by turns, with 95 % intervals.")
    columns = [short("Turns", "group")]
    return _section("thoughts_by_length", "Types by length of the conversation", rows, columns, note, [picture])


def _section(
    section: str,
    title: str,
    rows: Sequence[GroupRow],
    groups: Sequence[Column],
    note: str,
    pictures: Sequence[Picture] = (),
) -> Section:
    columns = [
        short("Kind", "kind"), *groups, short("Type", "type"), count("Count", "count"), count("Out of", "n"),
        share("Share", "mean"), limits("95 % interval", percent=True), count("Users", "users"),
    ]  # fmt: skip
    words = (
        f"Share of a type among the thoughts of a kind in a group. {note} {BY_USER} The types are an LLM's labels; the "
        "groups differ in much else, so a difference does not show a cause."
    )
    drawn = list(pictures) or [
        Picture(f"{section}_{place}", confusion([matrix], "", "type"), "Counts, shaded by the share of their row.")
        for place, matrix in _matrices(rows)
    ]
    return Section(section, title, rows, columns, words, drawn)


def _matrices(rows: Sequence[GroupRow]) -> Iterator[tuple[str, Matrix]]:
    """Lay out the counts of types in groups, a matrix for each kind and message."""
    places: dict[tuple[str, str], list[GroupRow]] = {}
    for row in rows:
        places.setdefault((row.kind, row.message), []).append(row)
    for (kind, message), members in places.items():
        counts: Mapping[tuple[str, str], int] = {(row.group, row.type): row.count for row in members}
        groups = list(dict.fromkeys(row.group for row in members))
        types = list(dict.fromkeys(row.type for row in members))
        matrix = Matrix(
            f"{kind}s{', by relation ' + message if message else ''}",
            [*map(readable, groups)],
            [*map(readable, types)],
            [[counts.get((group, label), 0) for label in types] for group in groups],
        )
        yield "_".join([kind, *message.split()[2:]]), matrix
