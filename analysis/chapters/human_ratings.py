"""What people's ratings say about a run: how far the judge agrees with them, and the mean they would have given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from thoughttrace.analysis.chapters.headline import RUN_COLUMNS, SCALE, kind_of
from thoughttrace.analysis.page.table import (
    Chapter,
    Column,
    Section,
    count,
    format_interval,
    format_number,
    limits,
    note,
    number,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.human_ratings import inferences
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.interrater import alpha, kappa
from thoughttrace.analysis.stats.intervals import Interval
from thoughttrace.analysis.stats.ppi import corrected_mean, human_ratings_needed, tuning_parameter
from thoughttrace.core.errors import UserError
from thoughttrace.core.nearest_rating import nearest_rating
from thoughttrace.core.record import Kind

RATINGS = range(1, 6)

HALF_WIDTHS = (0.2, 0.15, 0.1, 0.05)
"""Half-widths of the corrected mean's 95 % interval for which the number of ratings is planned."""

NOTE = (
    "The corrected mean is what people would have rated on average: the judge's ratings of all samples, less the bias "
    "seen where people rated too (prediction-powered inference, clustered by user). It is valid only if the samples "
    "that people rated are a random part of all. Alpha and kappa of human and judge take each human rating and the "
    "judge's of the same inference, or the mean of several judges; 95 % intervals by a jackknife of users."
)


@dataclass(frozen=True)
class HumanRow:
    """One run's judge compared with people, and its mean corrected by them."""

    kind: Kind
    model: str
    context: str
    judge: str
    ratings: int
    """Human ratings of its inferences."""
    raters: int
    rated: int
    """Samples with a human rating."""
    alpha: float
    """Krippendorff's alpha (ordinal) of human and judge; so is `kappa`, with quadratic weights."""
    alpha_lower: float
    """95 % limit, jackknife of users; NaN where there is none."""
    alpha_upper: float
    kappa: float
    kappa_lower: float
    kappa_upper: float
    alpha_humans: float
    """Of people among themselves; NaN with one rater."""
    alpha_humans_lower: float
    alpha_humans_upper: float
    alpha_humans_n: int
    """Inferences that two or more people rated."""
    judge_mean: float
    """Of all scored samples, 1–5."""
    human_mean: float
    """Of those that people rated, 1–5."""
    slope: float
    """How far the correction relies on the judge, 0–1."""
    mean: float
    """Corrected, 1–5."""
    lower: float
    """95 % limit, clustered by user, on the logit."""
    upper: float
    n: int
    """Scored samples."""
    users: int
    note: str


@dataclass(frozen=True)
class NeededRow:
    """How many samples people have to rate for one half-width of a run's corrected mean."""

    kind: Kind
    model: str
    context: str
    judge: str
    half_width: float
    samples: int | None
    """Those rated already included; None where the half-width cannot be reached or planned."""
    note: str
    """Why not."""


@dataclass(frozen=True)
class ConfusionRow:
    """How a run's judge rated what people gave one rating."""

    kind: Kind
    model: str
    context: str
    judge: str
    human: int
    judged_1: int
    """Human ratings whose inference the judge rated 1; the mean of several judges to the nearest, halves up."""
    judged_2: int
    judged_3: int
    judged_4: int
    judged_5: int


def _with_limits(title: str, field: str) -> Column:
    """Make a column of an estimate with its interval in brackets, such as "0.42 (0.10 – 0.61)"."""

    def show(estimate: float, lower: float, upper: float) -> str:
        interval = format_interval(lower, upper)
        return format_number(estimate) + f" ({interval})" * bool(interval)

    return Column(title, (field, f"{field}_lower", f"{field}_upper"), show, "number")


COLUMNS = [
    *RUN_COLUMNS,
    count("Human ratings", "ratings"),
    count("Raters", "raters"),
    number("Judge's mean", "judge_mean"),
    number("Corrected mean", "mean"),
    limits("95 % interval"),
    _with_limits("Alpha, human–judge", "alpha"),
    _with_limits("Kappa, human–judge", "kappa"),
    _with_limits("Alpha, humans", "alpha_humans"),
    count("Inferences by two or more", "alpha_humans_n"),
    count("n", "n"),
    count("Users", "users"),
]

NEEDED_COLUMNS = [
    *RUN_COLUMNS,
    number("Half-width", "half_width", "g"),
    number("Samples to rate", "samples", ",.0f", empty="–"),
    note("Why not"),
]

CONFUSION_COLUMNS = [
    *RUN_COLUMNS,
    count("Human", "human"),
    *(count(f"Judge {rating}", f"judged_{rating}") for rating in RATINGS),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the corrected means, how many ratings they need, and confusion matrices.

    Raises:
        UserError: There are ratings, and none is of an inference in these runs.
    """
    page = partial(Chapter, "human_ratings", "Human ratings", "")
    if evidence.ratings is None:
        return page()
    runs = evidence.runs.inferences
    joined = join(runs, evidence.ratings)
    return page(
        [
            Section(
                "human_ratings", "People and judge", human(runs, joined), COLUMNS,
                f"{NOTE} {unmatched(evidence.ratings, joined)}".strip(),
                terminal=True,
            ),
            Section(
                "human_ratings_needed", "Human ratings needed for a half-width", needed(runs, joined), NEEDED_COLUMNS,
                "Samples that people have to rate, those rated already included, for the corrected mean's 95 % "
                "interval to reach this far to each side; planned from these ratings as a pilot.",
            ),
            Section(
                "human_ratings_confusion", "How the judge rated what people rated", confusion(runs, joined),
                CONFUSION_COLUMNS,
            ),
        ]
    )  # fmt: skip


def join(runs: Sequence[Run], ratings: pd.DataFrame) -> pd.DataFrame:
    """Join human ratings to the runs that hold the rated inferences.

    Args:
        runs: Runs that infer thoughts.
        ratings: What `read_ratings` returns.

    Returns:
        One row per run, epoch and human rating: `run` (its place in `runs`), `kind`, `id`, `epoch`, `user`,
        `inference`, `rater`, `human` (1–5), `score` (the judges' rating).

    Raises:
        UserError: There are ratings, and none is of an inference in these runs.
    """
    given = ratings.rename(columns={"rating": "human"})[["kind", "id", "inference", "rater", "human"]]
    joined = [
        inferences(run).merge(given[given["kind"] == run.kind], on=["id", "inference"]).assign(run=place)
        for place, run in enumerate(runs)
        if (given["kind"] == run.kind).any()
    ]
    if not any(map(len, joined)):
        if len(ratings):
            raise UserError(
                f"None of the {len(ratings):,} human ratings is of an inference in these logs. "
                "Pass the logs that were rated."
            )
        columns = ["run", "kind", "id", "epoch", "user", "inference", "rater", "human", "score"]
        return pd.DataFrame(columns=columns)
    return pd.concat(joined, ignore_index=True).astype({"human": float})


def unmatched(ratings: pd.DataFrame, joined: pd.DataFrame) -> str:
    """Say how many ratings are of no inference in the runs; empty where all are of one.

    Args:
        ratings: What `read_ratings` returns.
        joined: What `join` returns.
    """
    missing = len(ratings) - len(joined.drop_duplicates(["kind", "id", "inference", "rater"]))
    if not missing:
        return ""
    return f"{missing:,} of {len(ratings):,} human ratings are of inferences that these runs do not hold."


def human(runs: Sequence[Run], joined: pd.DataFrame) -> list[HumanRow]:
    """Compare the judge of each run that people rated with people, and correct its mean by them.

    Args:
        runs: The runs that were joined.
        joined: What `join` returns.
    """
    rows = []
    for run, about, members in _rated(runs, joined):
        scored, people = run.scored, _people(run, members)
        units = members.drop_duplicates(["id", "epoch"]).set_index(["id", "epoch"])["user"]
        wide = members.pivot_table(index=["id", "epoch"], columns="rater", values="human")
        humans = alpha(wide, units.loc[wide.index])
        corrected = corrected_mean(scored["score"], people, scored["user"], bounds=SCALE)
        rows.append(
            HumanRow(
                **about,
                ratings=len(members),
                raters=members["rater"].nunique(),
                rated=int(people.notna().sum()),
                **_limits("alpha", alpha(members[["human", "score"]], members["user"])),
                **_limits("kappa", kappa(members["human"], members["score"], members["user"])),
                **_limits("alpha_humans", humans),
                alpha_humans_n=humans.n,
                judge_mean=scored["score"].mean(),
                human_mean=people.mean(),
                slope=tuning_parameter(scored["score"], people),
                **corrected.as_row("mean"),
            )
        )
    return rows


def needed(runs: Sequence[Run], joined: pd.DataFrame) -> list[NeededRow]:
    """Plan how many samples people have to rate for each half-width.

    Args:
        runs: The runs that were joined.
        joined: What `join` returns.
    """
    rows = []
    for run, about, members in _rated(runs, joined):
        scored, people = run.scored, _people(run, members)
        for half_width in HALF_WIDTHS:
            samples, why = None, ""
            try:
                samples = human_ratings_needed(scored["score"], people, scored["user"], half_width)
            except UserError as error:
                why = str(error)
            rows.append(NeededRow(**about, half_width=half_width, samples=samples, note=why))
    return rows


def confusion(runs: Sequence[Run], joined: pd.DataFrame) -> list[ConfusionRow]:
    """Count how each run's judge rated what people rated 1, 2, 3, 4 and 5.

    Args:
        runs: The runs that were joined.
        joined: What `join` returns.
    """
    rows = []
    for _, about, members in _rated(runs, joined):
        judged = nearest_rating(members["score"])
        for rating in RATINGS:
            ratings = judged[members["human"] == rating]
            counts: dict[str, Any] = {f"judged_{n}": int((ratings == n).sum()) for n in RATINGS}
            rows.append(ConfusionRow(**about, human=rating, **counts))
    return rows


def _rated(runs: Sequence[Run], joined: pd.DataFrame) -> Iterator[tuple[Run, dict[str, Any], pd.DataFrame]]:
    """Give each run that people rated, what names it in tables, and its rows."""
    for place, run in enumerate(runs):
        members = joined[joined["run"] == place]
        if len(members):
            about = {"kind": kind_of(run), "model": run.name, "context": run.context, "judge": run.judge}
            yield run, about, members


def _people(run: Run, members: pd.DataFrame) -> pd.Series:
    """Give the mean human rating of each scored sample; NaN where people rated none of its inferences."""
    return members.groupby("id")["human"].mean().reindex(run.scored.index)


def _limits(field: str, interval: Interval) -> dict[str, Any]:
    return {field: interval.estimate, f"{field}_lower": interval.lower, f"{field}_upper": interval.upper}
