"""What several guesses at one sample are worth: the best of them, and how far they differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from thoughttrace.analysis.chapters.headline import RIGHT, RUN_COLUMNS, SCALE, columns_of
from thoughttrace.analysis.page.calibration import run_panels
from thoughttrace.analysis.page.plots import Dot, dots
from thoughttrace.analysis.page.table import Chapter, Picture, Section, count, limits, number, share
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.best_of import expected_best
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class BestRow:
    """The best of some guesses of one run, averaged over samples."""

    kind: Kind
    model: str
    context: str
    judge: str
    guesses: int
    best: float
    """Mean over samples of the expected highest agreement; of one guess it is the mean agreement."""
    lower: float
    """95 % limit, CR2 by user, on the logit; NaN without one, and `note` says why."""
    upper: float
    gain: float
    """best less that of one guess."""
    gain_lower: float
    """95 % limit, CR2 by user."""
    gain_upper: float
    gain_note: str
    right: float
    """Share of samples, expected, on which at least one of the guesses is rated `RIGHT` or more; 0 to 1."""
    n: int
    """Samples."""
    users: int
    note: str


@dataclass(frozen=True)
class SpreadRow:
    """How far the guesses of one run at the same sample differ."""

    kind: Kind
    model: str
    context: str
    judge: str
    guesses: int
    """Rated guesses that each sample has at least."""
    distinct: float
    """Mean number of different guesses at a sample, as a share of its guesses; 0 to 1."""
    within: float
    """Standard deviation of the ratings of a sample's guesses: the root of the mean variance."""
    between: float
    """Standard deviation of the samples' mean ratings."""
    never: float
    """Share of samples of which no guess is rated `RIGHT` or more; 0 to 1."""
    sometimes: float
    """Share of samples of which some are."""
    always: float
    """Share of samples of which all are."""
    n: int


BEST_COLUMNS = [
    *RUN_COLUMNS,
    count("Best of", "guesses"),
    number("Agreement", "best"),
    limits("95 % interval"),
    number("More than one guess", lambda row: row.gain if row.guesses > 1 else "", "+.2f"),
    limits("More, 95 %", "gain_"),
    share("One or more right", "right"),
    count("Samples", "n"),
    count("Users", "users"),
]

SPREAD_COLUMNS = [
    *RUN_COLUMNS,
    count("Guesses", "guesses"),
    share("Different guesses", "distinct"),
    number("Spread within samples", "within"),
    number("Spread between samples", "between"),
    share("Never right", "never"),
    share("Sometimes", "sometimes"),
    share("Always", "always"),
    count("Samples", "n"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write what several guesses are worth, of the runs that have several (`--epochs`)."""
    runs = evidence.runs.inferences
    rows = best_of(runs)
    return Chapter(
        "several_guesses",
        "Several guesses",
        "",
        [
            Section(
                "best_of", "The best of several guesses", rows, BEST_COLUMNS,
                "The expected agreement of the best of several guesses at the same sample, over all choices of so many "
                "of its replies (unbiased; Hoeffding 1948), averaged over the samples that have at least as many rated "
                "replies as half of them have. A judge that errs rates the luckiest guess too high, so the best rises "
                "for equal guesses too: compare with a control that ran with as many epochs. CR2 by user.",
                _plot(rows),
            ),
            Section(
                "guess_spread", "How far guesses at one sample differ", spreads(runs), SPREAD_COLUMNS,
                f"Right is a rating of {RIGHT} or more. Sometimes right: in these guesses the model has the user's "
                "reading among others; the judge's noise moves samples here too. Never right: in none of them. "
                "Different guesses: of all guesses at a sample, the share that is left when equal ones count once. "
                "Spreads are standard deviations of ratings, the judge's own noise included.",
            ),
        ],
    )  # fmt: skip


def best_of(runs: Sequence[Run]) -> list[BestRow]:
    """Estimate the best of one guess, two, and so on.

    Args:
        runs: Runs that infer thoughts.

    Returns:
        A row for each run and number of guesses; none of a run whose samples have one rated reply.
    """
    rows = []
    for run in runs:
        ratings = _ratings(run)
        if ratings.empty:
            continue
        scores, users = ratings["scores"], ratings["user"]
        single = _expected_best(scores, 1)
        for number_of in range(1, int(scores.map(len).min()) + 1):
            values = _expected_best(scores, number_of)
            gain = paired_difference(values, single, users)
            right = _expected_best(scores.map(lambda given: given >= RIGHT), number_of)
            rows.append(
                BestRow(
                    **columns_of(run),
                    guesses=number_of,
                    **cluster_mean(values, users, bounds=SCALE).as_row("best"),
                    **gain.as_columns("gain") | {"gain_note": gain.reason or "" if number_of > 1 else ""},
                    right=float(right.mean()),
                )
            )
    return rows


def spreads(runs: Sequence[Run]) -> list[SpreadRow]:
    """Describe how far the guesses of each run at the same sample differ.

    Args:
        runs: Runs that infer thoughts.

    Returns:
        A row for each run whose samples have several rated replies.
    """
    rows = []
    for run in runs:
        ratings = _ratings(run)
        if ratings.empty:
            continue
        scores = ratings["scores"]
        right = scores.map(lambda given: float((given >= RIGHT).mean()))
        rows.append(
            SpreadRow(
                **columns_of(run),
                guesses=int(scores.map(len).min()),
                distinct=float(ratings["distinct"].mean()),
                within=float(np.sqrt(scores.map(lambda given: given.var(ddof=1)).mean())),
                between=float(scores.map(lambda given: given.mean()).std()),
                never=float((right == 0).mean()),
                sometimes=float(right.between(0, 1, inclusive="neither").mean()),
                always=float((right == 1).mean()),
                n=len(ratings),
            )
        )
    return rows


def _ratings(run: Run) -> pd.DataFrame:
    """Return the samples with enough rated replies: `user`, `scores` (an array), `distinct` (share of replies).

    Enough is two, and as many as half of the samples have: a few lost ratings, or joined logs with more epochs of some
    samples, must not decide how many guesses are compared.
    """
    rated = run.rows.dropna(subset="score")
    sizes = rated["id"].value_counts()
    rated = rated[rated["id"].isin(sizes.index[sizes >= max(2, sizes.median() if len(sizes) else 2)])]
    replies = rated.assign(answer=rated["answer"].str.casefold()).groupby("id", sort=False)
    return pd.DataFrame(
        {
            "user": replies["user"].first(),
            "scores": replies["score"].agg(list).map(np.array),
            "distinct": replies["answer"].nunique() / replies.size(),
        }
    )


def _expected_best(scores: pd.Series, guesses: int) -> pd.Series:
    """Estimate the expected best of so many guesses at each sample."""
    found = [
        pd.Series(expected_best(np.stack(members.to_list()), guesses), members.index)
        for _, members in scores.groupby(scores.map(len))
    ]
    return pd.concat(found).loc[scores.index]


def _plot(rows: Sequence[BestRow]) -> list[Picture]:
    """Draw the expected best by the number of guesses."""
    if not rows:
        return []
    points = [
        Dot(
            f"best of {row.guesses}" if row.guesses > 1 else "one guess",
            row.best,
            row.lower,
            row.upper,
            panel=panel,
            series=row.model,
        )
        for row, panel in zip(rows, run_panels(rows), strict=True)
    ]
    figure = dots(points, "agreement of the best guess, 1–5", scale=SCALE, upright=True, joined=True, legend="model")
    return [Picture("best_of", figure, "Agreement of the best of so many guesses, with its 95 % interval.")]
