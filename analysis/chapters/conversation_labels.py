"""How messages relate, and what conversations are about: the labels' shares, and how far labellers agree."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.headline import PROVENANCE_COLUMNS, provenance_of
from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import Chapter, Picture, Section, count, limits, name, number, share, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import group_mean, too_small
from thoughttrace.analysis.stats.interrater import CHANCE_CORRECTED, cohen_kappa, confusions, jackknife_counts
from thoughttrace.analysis.stats.intervals import Interval
from thoughttrace.core import published
from thoughttrace.core.record import RELATE, TOPIC
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS, SUBTOPICS

Of = Literal["relation", "domain", "subtopic"]

_NAMES: dict[Of, tuple[str, ...]] = {"relation": RELATIONS, "domain": DOMAINS, "subtopic": tuple(SUBTOPICS)}

_HAS: dict[Of, Callable[[str, str], bool]] = {
    "relation": lambda answer, label: answer == label,
    "domain": lambda answer, label: label in {SUBTOPICS.get(subtopic) for subtopic in answer.split("; ")},
    "subtopic": lambda answer, label: label in answer.split("; "),
}
"""Whether an answer names a label."""

_GIVEN: dict[str, Callable[[str], set[str]]] = {
    "domain": lambda answer: {SUBTOPICS[subtopic] for subtopic in answer.split("; ") if subtopic in SUBTOPICS},
    "subtopic": lambda answer: {*answer.split("; ")} & {*SUBTOPICS},
}
"""The labels that an answer gives, of those of which it may give several; without subtopics no longer known."""

_INTERVALS = "95 % intervals are clustered by user (CR2). What got no valid label is left out and counted."
_PUBLISHED = (
    "Published: Jin et al. 2026 (arXiv:2605.20087), {source}, of all 2,155 conversations, labelled by another model "
    "with a prompt that was not available to us; for orientation."
)


@dataclass(frozen=True)
class LabelRow:
    """The share of one label among what one model labelled."""

    model: str
    name: str
    """The label."""
    count: int
    n: int
    """Labelled messages or conversations, of all epochs."""
    users: int
    mean: float
    """The share; NaN where there are too few, and `note` says so."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    note: str
    of_labels: float
    """Of domains and subtopics, several of which may apply: the share among all labels given, which adds up to 1. NaN
    of relations, where it is the share itself, and where there are too few."""
    of_labels_lower: float
    """95 % limit, CR2 by user."""
    of_labels_upper: float
    of_labels_note: str
    published: float
    """NaN where nothing is published. Of domains a share among all labels given."""
    status: str
    """Whether the published share is stated by the authors or reported second-hand."""
    samples: int
    """Planned."""
    coverage: float
    missing: str
    task_version: str
    data: str
    data_revision: str
    prompt_hash: str
    package_version: str
    date: str
    log: str


@dataclass(frozen=True)
class LabellersRow:
    """How far two models' labels of the same things agree."""

    of: str
    name: str
    """`all four` relations, or a domain, given or not."""
    a: str
    b: str
    n: int
    users: int
    alike: float
    """Share of equal labels."""
    kappa: float
    """Cohen's, with limits by a jackknife of users."""
    lower: float
    upper: float
    note: str


COLUMNS = [
    name("Labeller", "model"),
    name("Label", lambda row: row.name.replace("_", " ")),
    count("Count", "count"),
    count("Out of", "n"),
    number("Share", "mean", ".1%"),
    limits("95 % interval", percent=True),
    number("Of all labels", "of_labels", ".1%"),
    limits("Of all labels, 95 %", "of_labels_", percent=True),
    share("Published", "published"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    text("Missing", "missing"),
    *PROVENANCE_COLUMNS,
]

SUBTOPIC_COLUMNS = [
    name("Labeller", "model"),
    name("Domain", lambda row: SUBTOPICS[row.name]),
    name("Subtopic", lambda row: row.name.replace("_", " ")),
    count("Count", "count"),
    count("Out of", "n"),
    number("Share", "mean", ".1%"),
    limits("95 % interval", percent=True),
    number("Of all labels", "of_labels", ".1%"),
    limits("Of all labels, 95 %", "of_labels_", percent=True),
]

LABELLERS_COLUMNS = [
    name("Labels", lambda row: "relations" if row.of == "relation" else row.name),
    name("A", "a"),
    name("B", "b"),
    share("Equal", "alike"),
    number("Kappa", "kappa"),
    limits("Kappa, 95 %"),
    count("n", "n"),
    count("Users", "users"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the relations of messages and the topics of conversations."""
    related, topics = evidence.runs.of(RELATE), evidence.runs.of(TOPIC)
    if not related and not topics:
        return Chapter("conversations", "Conversations", "")
    relations, domains = shares(related, "relation"), shares(topics, "domain")
    return Chapter(
        "conversations",
        "Conversations",
        "A model labels each user message by how it relates to the ones before, and each conversation by its topics. "
        "There is no truth to compare the labels with; they serve to describe and to group.",
        [
            Section(
                "conversations_relations", "How messages relate to the ones before", relations, COLUMNS,
                "The label of a user's first message in a conversation is given by definition; a model labelled the "
                f"others. {_INTERVALS} {_PUBLISHED.format(source='reported second-hand')}",
                _pictures("conversations_relations", relations),
                terminal=True,
            ),
            Section(
                "conversations_domains", "What conversations are about", domains, COLUMNS,
                "A conversation may have several domains, so the shares of conversations add up to more than 100 %. "
                "Of all labels: the share among all domains given, one for each domain of a conversation. The "
                "published shares add up to 100 %, so the figure compares these. "
                f"{_INTERVALS} {_PUBLISHED.format(source='stated')}",
                _pictures("conversations_domains", domains),
                terminal=True,
            ),
            Section(
                "conversations_subtopics", "Subtopics", shares(topics, "subtopic"), SUBTOPIC_COLUMNS, _INTERVALS,
            ),
            Section(
                "conversations_labellers", "How far labellers agree", labellers(related, topics), LABELLERS_COLUMNS,
                "Two models' labels of the same messages or conversations, given with the same prompt; a "
                "conversation's first messages are left out. Cohen's kappa is 0 for what chance would give; 95 % "
                "intervals by a jackknife of users. Agreement is not accuracy: both labellers can make the same "
                "mistake.",
            ),
        ],
    )  # fmt: skip


def shares(runs: Sequence[Run], of: Of) -> list[LabelRow]:
    """Estimate the share of every label.

    Args:
        runs: Of `relate_messages` for relations, else of `label_topic`.
        of: Which labels. Of domains and subtopics several may apply, so that shares add up to more than 1.
    """
    known = {} if of == "subtopic" else published.published_labels(of)
    rows = []
    for run in runs:
        labelled = run.rows[run.rows["answer"] != ""].reset_index(drop=True)
        for label in _NAMES[of]:
            has = np.array([_HAS[of](answer, label) for answer in labelled["answer"]], dtype=bool)
            published_share, status = known.get(label, (math.nan, ""))
            rows.append(
                LabelRow(
                    model=run.name,
                    name=label,
                    count=int(has.sum()),
                    **group_mean(has, labelled["user"].to_numpy(), (0, 1)).as_row("mean"),
                    **_of_labels(of, labelled, label).as_columns("of_labels"),
                    published=published_share,
                    status=status,
                    samples=run.planned_replies,
                    coverage=len(labelled) / (run.planned_replies),
                    missing=run.count_missing(run.rows["answer"] == ""),
                    **provenance_of(run),
                )
            )
    return rows


def _of_labels(of: Of, labelled: pd.DataFrame, label: str) -> Interval:
    """Estimate the share of a label among all labels given; relations, of which a message has one, have none."""
    if of == "relation":
        return Interval.without_limits("")
    # Labels of one conversation are not more samples than it is.
    if reason := too_small(len(labelled), labelled["user"].nunique()):
        return Interval.without_limits(reason)
    given = labelled["answer"].map(lambda answer: sorted(_GIVEN[of](answer)))
    labels = given.explode().dropna()
    return group_mean(
        (labels == label).to_numpy(), labelled["user"].loc[labels.index].to_numpy(), (0, 1), unit="labels"
    )


def labellers(related: Sequence[Run], topics: Sequence[Run]) -> list[LabellersRow]:
    """Measure how far two models label alike what both have labelled, with the same prompt on the same data.

    Args:
        related: Runs of `relate_messages`. A conversation's first messages are left out: nobody chose their label.
        topics: Runs of `label_topic`; each domain is a label of its own, given or not.

    Returns:
        One row per pair of models and label.
    """
    rows = []
    for of, runs in (("relation", related), ("domain", topics)):
        for a, b in combinations(runs, 2):
            if a.model == b.model or (a.data_revision, a.prompt_hash) != (b.data_revision, b.prompt_hash):
                continue
            both = _both(a, b)
            for label, first, second, names in _paired(of, both):
                counts = confusions(first, second, both["user"].to_numpy(), names)
                kappa = jackknife_counts(counts, cohen_kappa, CHANCE_CORRECTED).as_row("kappa")
                kappa["note"] = kappa["note"].replace("labels and answers are", "both are")
                alike = float(np.mean([x == y for x, y in zip(first, second, strict=True)]))
                rows.append(LabellersRow(of=of, name=label, a=a.model, b=b.model, alike=alike, **kappa))
    return rows


def _both(first: Run, second: Run) -> pd.DataFrame:
    """Join the first epoch's labels of what both have labelled by choice."""
    a, b = (_chosen(run.rows).set_index("id") for run in (first, second))
    return a[["user", "answer"]].join(b["answer"].rename("other"), how="inner")


def _chosen(rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows[(rows["epoch"] == 1) & (rows["answer"] != "")]
    return chosen[~chosen["first"].astype(bool)] if "first" in chosen else chosen


def _paired(of: str, both: pd.DataFrame) -> list[tuple[str, list[str], list[str], tuple[str, ...]]]:
    if both.empty:
        return []
    if of == "relation":
        return [("all four", both["answer"].tolist(), both["other"].tolist(), RELATIONS[1:])]

    def given(answers: pd.Series, label: str) -> list[str]:
        return ["yes" if _HAS["domain"](answer, label) else "no" for answer in answers]

    return [(label, given(both["answer"], label), given(both["other"], label), ("yes", "no")) for label in DOMAINS]


def _pictures(picture: str, rows: Sequence[LabelRow]) -> list[Picture]:
    """Draw the shares, a panel per labeller; nothing where all are too small."""
    if all(math.isnan(row.mean) for row in rows):
        return []
    return [Picture(picture, _plot(rows), "Shares of the labels with 95 % intervals, clustered by user.")]


def _plot(rows: Sequence[LabelRow]) -> Figure:
    of_labels = any(not math.isnan(row.of_labels) for row in rows)
    drawn = [_drawn(row, of_labels) for row in rows]
    points = [
        Dot(
            row.name.replace("_", " "), 100 * mean, 100 * lower, 100 * upper, panel=row.model,
            text=f"n = {row.n:,}: too small" if math.isnan(mean) else "",
        )
        for row, (mean, lower, upper) in zip(rows, drawn, strict=True)
    ]  # fmt: skip
    references = [
        Reference(100 * row.published, "published", panel=row.model, at=row.name.replace("_", " "))
        for row in rows
        if not math.isnan(row.published)
    ]
    axis = "share of all labels given, %, 95 % interval" if of_labels else "share, %, 95 % interval"
    return dots(points, axis, references, scale=(0, None))


def _drawn(row: LabelRow, of_labels: bool) -> tuple[float, float, float]:
    if of_labels:
        return row.of_labels, row.of_labels_lower, row.of_labels_upper
    return row.mean, row.lower, row.upper
