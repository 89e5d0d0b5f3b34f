"""The people who guessed: how alike their guesses are rated, how they differ, and what the best of them achieve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from thoughttrace.analysis.chapters.headline import columns_of, groups_of_people, mean_agreement, side_by_side
from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, note, number, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.interrater import alpha
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class AgreementRow:
    """How alike the guesses of several people at the same samples are rated."""

    kind: Kind
    context: str
    judge: str
    people: int
    alpha: float
    """Krippendorff's, ordinal, of the ratings that each person's guess at a sample got."""
    lower: float
    """95 % limit, jackknife of users; NaN where there is no interval, and `note` says why."""
    upper: float
    n: int
    """Samples that two or more people guessed."""
    users: int
    note: str
    shared_mean: float
    """Mean agreement over the samples that all guessed, 1–5."""
    best: float
    """Mean over these samples of the highest agreement that any person's guess got."""
    best_lower: float
    """95 % limit, CR2 by user, on the logit."""
    best_upper: float
    best_note: str
    best_n: int
    """Samples that all guessed."""


@dataclass(frozen=True)
class PersonRow:
    """How one person's guesses are rated beside those of the others."""

    kind: Kind
    model: str
    context: str
    judge: str
    guessed: int
    """Samples that the person guessed and judges rated."""
    mean: float
    """Their mean agreement, 1–5."""
    difference: float
    """Agreement above the mean of the others, on the samples that any of them guessed too."""
    lower: float
    """95 % limit, CR2 by user; NaN where there is no interval, and `note` says why."""
    upper: float
    n: int
    """Samples that others guessed too."""
    users: int
    note: str


AGREEMENT_COLUMNS = [
    short("Kind", "kind"),
    count("People", "people"),
    number("Alpha", "alpha"),
    limits("95 % interval"),
    count("By two or more", "n"),
    count("Users", "users"),
    number("Mean", "shared_mean"),
    number("Best of all", "best"),
    limits("Best, 95 %", "best_"),
    count("By all", "best_n"),
    short("Context", "context"),
    name("Judge", "judge"),
    note(),
]

PERSON_COLUMNS = [
    short("Kind", "kind"),
    name("Person", "model"),
    number("Agreement", "mean"),
    count("Guessed", "guessed"),
    number("Above the others", "difference", "+.2f"),
    limits("95 % interval"),
    count("Others guessed too", "n"),
    count("Users", "users"),
    short("Context", "context"),
    name("Judge", "judge"),
    note(),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how the people who guessed agree and differ; nothing where fewer than two guessed in the same setting."""
    runs = evidence.runs.models
    return Chapter(
        "people",
        "The people who guessed",
        "",
        [
            Section(
                "people_agreement", "Samples that two or more people guessed", agreement(runs), AGREEMENT_COLUMNS,
                "Alpha (Krippendorff's, ordinal; jackknife of users) is of the ratings of their guesses at the same "
                "samples: 1 where the guesses of all come equally near to the note, 0 where they do so no more than by "
                "chance. It does not say whether they wrote the same. Over the samples that all guessed, “mean” is of "
                "all guesses, and “best of all” of the one at each sample that was rated highest: what these people "
                "reach together. It rises with their number, as the best of several guesses of a model does.",
            ),
            Section(
                "people", "Each person beside the others", differences(runs), PERSON_COLUMNS,
                "Agreement above the mean of the others on the samples that they guessed too, clustered by user (CR2). "
                "The intervals are not adjusted for the number of people, and the first of many is the best partly by "
                "luck. All of it holds for these people, and says nothing of people at large.",
            ),
        ],
    )  # fmt: skip


def agreement(runs: Sequence[Run]) -> list[AgreementRow]:
    """Estimate how alike the guesses of people are rated, and how the best guess at each sample is.

    Args:
        runs: Runs of models and people.

    Returns:
        A row for each group of people who guessed in the same setting.
    """
    rows = []
    for about, ratings, users in _groups(runs):
        several = int((ratings.notna().sum(axis=1) > 1).sum())
        alike = alpha(ratings, users) if several else Interval.without_limits("no sample guessed by two")
        shared = ratings.dropna()
        of_best = mean_agreement(shared.max(axis=1).to_numpy(), users.loc[shared.index].to_numpy())
        rows.append(
            AgreementRow(
                **about, people=ratings.shape[1], **alike.as_row("alpha") | {"n": several},
                shared_mean=shared.mean(axis=1).mean(), **of_best.as_columns("best"), best_n=len(shared),
            )
        )  # fmt: skip
    return rows


def differences(runs: Sequence[Run]) -> list[PersonRow]:
    """Estimate how far each person's guesses are rated above those of the others.

    Args:
        runs: Runs of models and people.

    Returns:
        A row per person of each group, the one farthest above the others first.
    """
    rows = []
    for about, ratings, users in _groups(runs):
        of_group = []
        for person in ratings.columns:
            above = (ratings[person] - ratings.drop(columns=person).mean(axis=1)).dropna()
            difference = (
                cluster_mean(above, users.loc[above.index])
                if len(above)
                else Interval.without_limits("no sample that others guessed too")
            )
            own = ratings[person].dropna()
            of_group.append(
                PersonRow(
                    **about, model=person, guessed=len(own), mean=float(own.mean()), **difference.as_row("difference")
                )
            )
        rows += sorted(of_group, key=lambda row: -row.difference)
    return rows


def _groups(runs: Sequence[Run]) -> "Iterator[tuple[dict[str, Any], pd.DataFrame, pd.Series[str]]]":
    """Yield for each group of people what it shares, a row per sample and a column per person, and each one's user."""
    for members in groups_of_people(runs):
        ratings, users = side_by_side(members)
        about = {name: value for name, value in columns_of(members[0]).items() if name != "model"}
        yield about, ratings.set_axis([run.name for run in members], axis=1), users
