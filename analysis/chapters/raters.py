"""The people who rated: how severe each is, and how many inferences several of them rated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pandas as pd

from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, note, number, share, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.stats.interrater import alpha
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class RaterRow:
    """How severe one person is."""

    kind: Kind
    rater: str
    ratings: int
    """Inferences that the person rated."""
    severity: float
    """Points below the mean of the others, on the inferences that others rated too."""
    lower: float
    """95 % limit, CR2 by user; NaN where there is no interval, and `note` says why."""
    upper: float
    n: int
    """Inferences that others rated too."""
    users: int
    note: str


@dataclass(frozen=True)
class SharedRow:
    """How many inferences several people rated, and how far they agree."""

    kind: Kind
    raters: int
    inferences: int
    several: int
    """Those that two or more people rated."""
    share: float
    """several / inferences."""
    alpha: float
    """Krippendorff's, ordinal, of the people among themselves."""
    lower: float
    upper: float
    n: int
    """Inferences that alpha rests on: `several`."""
    users: int
    note: str


RATER_COLUMNS = [
    short("Kind", "kind"),
    name("Rater", "rater"),
    count("Inferences rated", "ratings"),
    count("Others rated too", "n"),
    number("Severity", "severity", "+.2f"),
    limits("95 % interval"),
    count("Users", "users"),
    note(),
]

SHARED_COLUMNS = [
    short("Kind", "kind"),
    count("Raters", "raters"),
    count("Inferences rated", "inferences"),
    count("By two or more", "n"),
    share("Share", "share"),
    number("Alpha, humans", "alpha"),
    limits("95 % interval"),
    count("Users", "users"),
    note(),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write what the people who rated are like."""
    users = {
        (run.kind, sample): user
        for run in evidence.runs.inferences
        for sample, user in zip(run.rows["id"], run.rows["user"], strict=True)
    }
    ratings = _of_users(evidence.ratings, users)
    if not evidence.texts:  # raters go by their names
        ratings["rater"] = [f"rater {1 + code}" for code in pd.factorize(ratings["rater"], sort=True)[0]]
    return Chapter(
        "raters",
        "The people who rated",
        "",
        [
            Section(
                "raters_shared", "Inferences that two or more people rated", shared(ratings), SHARED_COLUMNS,
                "Only these show how far people agree, and so how much of the judge's disagreement with them could be "
                "their own. `thoughttrace rate` by a second person on the same samples adds to them.",
            ),
            Section(
                "raters", "Severity of each person", severities(ratings), RATER_COLUMNS,
                "Points below the mean of the others on the inferences that they rated too, clustered by user (CR2). A "
                "corrected mean is by these people; where one is severe, by whom a sample was rated matters.",
            ),
        ],
    )  # fmt: skip


def _of_users(ratings: pd.DataFrame | None, users: Mapping[tuple[Kind | None, str], str]) -> pd.DataFrame:
    """Give each rating its sample's user; leave out those of samples that no run has."""
    table = pd.DataFrame(columns=["kind", "id", "inference", "rater", "rating"]) if ratings is None else ratings
    of_samples = [users.get((kind, sample)) for kind, sample in zip(table["kind"], table["id"], strict=True)]
    return (
        table.assign(user=pd.Series(of_samples, table.index, dtype=object))
        .dropna(subset="user")
        .astype({"rating": float})
    )


def shared(ratings: pd.DataFrame) -> list[SharedRow]:
    """Count the inferences that two or more people rated, and estimate how far they agree on these.

    Args:
        ratings: A row per rating: `kind`, `id`, `inference`, `rater`, `rating` (1–5), `user`.

    Returns:
        A row per kind.
    """
    rows = []
    for kind, members in ratings.groupby("kind", sort=False):
        wide, users = _by_rater(members)
        several = int((wide.notna().sum(axis=1) > 1).sum())
        agreement = alpha(wide, users) if several else Interval.without_limits("no inference rated by two")
        row = agreement.as_row("alpha") | {"n": several}
        rows.append(SharedRow(cast(Kind, kind), wide.shape[1], len(wide), several, several / len(wide), **row))
    return rows


def severities(ratings: pd.DataFrame) -> list[RaterRow]:
    """Estimate how far each person rates below the others.

    Args:
        ratings: As for `shared`.

    Returns:
        A row per kind and rater; none of a kind that one person rated.
    """
    rows = []
    for kind, members in ratings.groupby("kind", sort=False):
        wide, users = _by_rater(members)
        for rater in wide.columns if wide.shape[1] > 1 else ():
            less = (wide.drop(columns=rater).mean(axis=1) - wide[rater]).dropna()
            severity = (
                cluster_mean(less, users.loc[less.index])
                if len(less)
                else Interval.without_limits("no inference that others rated too")
            )
            ratings_given = int(wide[rater].notna().sum())
            rows.append(RaterRow(cast(Kind, kind), str(rater), ratings_given, **severity.as_row("severity")))
    return rows


def _by_rater(ratings: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Put inferences into rows and raters into columns; and give the user of each inference."""
    place = ["id", "inference"]
    wide = ratings.pivot_table(index=place, columns="rater", values="rating")
    return wide, ratings.drop_duplicates(place).set_index(place)["user"].loc[wide.index]
