"""A model's ratings of thoughts: how much of them messages express, and how informative they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.headline import PROVENANCE_COLUMNS, kind_of, provenance_of
from thoughttrace.analysis.page.plots import Bar, Dot, Reference, dots, in_figures, stacked
from thoughttrace.analysis.page.table import (
    Chapter,
    Column,
    Picture,
    Section,
    count,
    limits,
    name,
    number,
    share,
    short,
    spread,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.groupings import GROUPINGS, by_types
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import group_mean
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.core import published
from thoughttrace.core.record import COVER, RATE, Kind

SCALE = RATE.scale
RATINGS = range(1, 6)

_GROUPED = ("type", "stage", "target length")
_INTERVALS = "Intervals are clustered by user (CR2). Missing ratings have no number; the coverage counts them."


@dataclass(frozen=True)
class RatingRow:
    """The mean rating that one model gave to thoughts of one kind."""

    kind: Kind
    model: str
    mean: float = math.nan
    lower: float = math.nan
    """95 % limit, CR2 by user, on the logit; NaN where there is none, and `note` says why."""
    upper: float = math.nan
    n: int | None = None
    """Ratings."""
    users: int | None = None
    note: str = ""
    high: float = math.nan
    """Share of ratings of 4 or 5, with its limits."""
    high_lower: float = math.nan
    high_upper: float = math.nan
    high_note: str = ""
    rated_1: int | None = None
    rated_2: int | None = None
    rated_3: int | None = None
    rated_4: int | None = None
    rated_5: int | None = None
    samples: int | None = None
    """Planned replies."""
    coverage: float = math.nan
    """n / samples."""
    missing: str = ""
    """How many replies have no rating, by reason."""
    task_version: str = ""
    data: str = ""
    data_revision: str = ""
    prompt_hash: str = ""
    package_version: str = ""
    date: str = ""
    log: str = ""
    published: bool = False


@dataclass(frozen=True)
class RatingGroupRow:
    """The mean rating of one group of thoughts."""

    kind: Kind
    model: str
    by: str
    """`type`, `stage` or `target length`."""
    group: str
    mean: float
    """NaN where the group is too small; `note` says so."""
    lower: float
    upper: float
    n: int
    users: int
    note: str
    high: float
    """Share of ratings of 4 or 5."""


COLUMNS = [
    short("Kind", "kind"),
    name("Rater", "model"),
    number("Mean", lambda row: "none rated" if row.n == 0 else row.mean),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    text("Missing", "missing"),
    *PROVENANCE_COLUMNS,
]

HIGH_COLUMNS = [
    share("4 or 5", "high"),
    limits("4 or 5, 95 %", "high_", percent=True),
    spread("Rated 1·2·3·4·5", *(f"rated_{rating}" for rating in RATINGS)),
]


def _per_cent(rating: int) -> Column:
    return number(f"{rating}, %", lambda row: 100 * getattr(row, f"rated_{rating}") / max(row.n, 1), ".1f")


DISTRIBUTION_COLUMNS = [
    short("Kind", "kind"),
    name("Rater", "model"),
    spread("Rated 1·2·3·4·5", *(f"rated_{rating}" for rating in RATINGS)),
    *(_per_cent(rating) for rating in RATINGS),
]

GROUP_COLUMNS = [
    short("Kind", "kind"),
    name("Rater", "model"),
    short("By", lambda row: "words of the thought" if row.by == "target length" else row.by),
    name("Group", lambda row: row.group.replace("_", " ")),
    number("Mean", "mean"),
    limits("95 % interval"),
    share("4 or 5", "high"),
    count("n", "n"),
    count("Users", "users"),
]


def coverage(evidence: Evidence) -> Chapter:
    """Write how much of a thought messages express."""
    runs = evidence.runs.of(COVER)
    rows = means(runs)
    return Chapter(
        "thought_coverage",
        "How much of thoughts messages express",
        "A model rates from 1 (nothing) to 5 (all) how much of its reason a message itself expresses, and how much of "
        "a reaction the user's next message expresses. Low ratings: thoughts are not in the messages."
        if rows else "",
        [
            Section(
                "thought_coverage_means", "Expressed share of thoughts", _with_published(rows), COLUMNS,
                f"{_INTERVALS} Published: {published.expressed_share('reason').value:.2f} for reasons and "
                f"{published.expressed_share('reaction').value:.2f} for reactions are reported second-hand of Jin et "
                "al. 2026 (arXiv:2605.20087), rated by GPT-5.4 with a prompt that was not available to us, without "
                "an interval. They are shown for orientation; they are not the same measurement.",
                [Picture("thought_coverage_means", _means_plot(rows), "Mean rating with its 95 % interval. Dashed: "
                         "published values, rated by GPT-5.4 with another prompt.")] if rows else [],
                row_class=lambda row: "published" if row.published else "",
                terminal=True,
            ),
            Section(
                "thought_coverage_ratings", "How the ratings are distributed", rows, DISTRIBUTION_COLUMNS,
                "Share of all valid ratings, in per cent.",
                _distribution("thought_coverage_ratings", rows),
            ),
            Section(
                "thought_coverage_groups", "Expressed share, by type, stage and length of the thought",
                groups(runs),
                [column for column in GROUP_COLUMNS if column.title != "4 or 5"],
                f"{_INTERVALS} Stage: where in the conversation the annotated message is. Length: words of the "
                "thought; a long thought has more that a message can leave out.",
            ),
        ],
    )  # fmt: skip


def informativeness(evidence: Evidence) -> Chapter:
    """Write how informative thoughts are."""
    runs = evidence.runs.of(RATE)
    rows = means(runs)
    return Chapter(
        "thought_informativeness",
        "How informative thoughts are",
        "A model rates from 1 (empty) to 5 (specific and telling) what a thought says that the message it is on does "
        "not. The paper is reported to predict next messages only from thoughts rated 4 or 5; its prompt was "
        "not available to us." if rows else "",
        [
            Section(
                "thought_informativeness_means", "Informativeness of thoughts", rows,
                [*COLUMNS, *HIGH_COLUMNS],
                _INTERVALS,
                _distribution("thought_informativeness_means", rows),
                terminal=True,
            ),
            Section(
                "thought_informativeness_groups", "Informativeness, by type, stage and length of the thought",
                groups(runs), GROUP_COLUMNS,
                f"{_INTERVALS} Length: words of the thought.",
            ),
        ],
    )  # fmt: skip


def means(runs: Sequence[Run]) -> list[RatingRow]:
    """Estimate the mean rating of every run of `cover_thought` or `rate_thought`."""
    return [_mean(run) for run in runs]


def groups(runs: Sequence[Run]) -> list[RatingGroupRow]:
    """Estimate the mean rating of every group of thoughts.

    Returns:
        One row per run, grouping (type, stage, words of the thought) and group.
    """
    rows = []
    for run in runs:
        scored = run.rows.dropna(subset="score").reset_index(drop=True)
        for by in _GROUPED if len(scored) else ():
            labels = GROUPINGS[by](scored).explode()
            if by == "type":
                labels = by_types(labels, kind_of(run))
            for group, members in labels.groupby(labels, sort=True, observed=True).groups.items():
                rows.append(_group(run, scored.loc[members], by, str(group)))
    return rows


def _mean(run: Run) -> RatingRow:
    scored = run.rows.dropna(subset="score")
    mean = high = Interval.without_limits("none scored")
    if len(scored):
        users = scored["user"].to_numpy()
        mean = cluster_mean(scored["score"].to_numpy(), users, bounds=SCALE)
        high = cluster_mean(_is_high(scored).to_numpy(dtype=float), users, bounds=(0, 1))
    planned = run.planned_replies
    return RatingRow(
        kind=kind_of(run),
        model=run.name,
        **mean.as_row("mean"),
        **high.as_columns("high"),
        **_counts(scored),
        samples=planned,
        coverage=len(scored) / planned,
        missing=run.missing,
        **provenance_of(run),
    )


def _counts(scored: pd.DataFrame) -> dict[str, Any]:
    return {f"rated_{rating}": int((scored["score"] == rating).sum()) for rating in RATINGS}


def _is_high(scored: pd.DataFrame) -> "pd.Series[bool]":
    return scored["score"] >= published.informative_from().value


def _group(run: Run, members: pd.DataFrame, by: str, group: str) -> RatingGroupRow:
    mean = group_mean(members["score"], members["user"], SCALE, unit="ratings")
    return RatingGroupRow(
        kind=kind_of(run),
        model=run.name,
        by=by,
        group=group,
        **mean.as_row("mean"),
        high=math.nan if math.isnan(mean.estimate) else float(_is_high(members).mean()),
    )


def _with_published(rows: Sequence[RatingRow]) -> list[RatingRow]:
    """Add the published value after the rows of each kind."""
    kinds = dict.fromkeys(row.kind for row in rows)
    return [
        row
        for kind in kinds
        for row in (
            *(row for row in rows if row.kind == kind),
            RatingRow(kind, published.LABEL, published.expressed_share(kind).value, note="not published",
                      published=True),
        )
    ]  # fmt: skip


def _means_plot(rows: Sequence[RatingRow]) -> Figure:
    points = [
        Dot(row.model, row.mean, row.lower, row.upper, panel=f"{row.kind}s",
            text=in_figures(row.mean, row.lower, row.upper, "none rated"))
        for row in rows
    ]  # fmt: skip
    references = [
        Reference(value, f"published {value:.2f}\n(by GPT-5.4, other prompt)", panel=f"{kind}s")
        for kind in dict.fromkeys(row.kind for row in rows)
        if (value := published.expressed_share(kind).value)
    ]
    return dots(points, "how much of the thought is expressed, 1–5", references, scale=SCALE)


def _distribution(picture: str, rows: Sequence[RatingRow]) -> list[Picture]:
    if not rows:
        return []
    bars = [
        Bar(row.model, [getattr(row, f"rated_{rating}") for rating in RATINGS], panel=f"{row.kind}s") for row in rows
    ]
    return [Picture(picture, stacked(bars, "share of ratings, %"), "How the ratings are distributed.")]
