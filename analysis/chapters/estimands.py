"""The mean agreement taken in other ways: over users, over types, and over parts of the samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from thoughttrace.analysis.chapters.headline import SCALE, kind_of, mean_agreement
from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, note, number, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.groupings import GROUPINGS, by_types
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import MIN_SAMPLES, MIN_USERS, group_mean, too_small
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, pooled_mean
from thoughttrace.analysis.stats.mixed import mixed_mean
from thoughttrace.core.record import Kind, Unscored


@dataclass(frozen=True)
class EstimandRow:
    """One of the ways to take the mean agreement of a run."""

    model: str
    kind: Kind
    context: str
    judge: str
    estimand: str
    """What the mean is of."""
    mean: float
    """NaN where there are too few samples; `note` says so."""
    lower: float
    """95 % limit, CR2 by user (of the mixed model its own), on the logit; NaN without one, and `note` says why."""
    upper: float
    n: int
    """Scored samples that count in it."""
    users: int
    note: str
    """Also what was left out."""


COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    name("Mean", "estimand"),
    number("Agreement", "mean"),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
    note(),
]

NOTE = (
    "The headline is sample-weighted: every annotated message counts the same, so users with many messages count more. "
    "User-weighted: the mean of the users' means, so that every user counts the same; users are independent, so its "
    "interval is the t interval over these means. Mixed model (REML): users count by how well their samples tell their "
    "mean, between the two above; with several judges its interval is for judges like these, too. Where these three "
    "differ, users with many messages rate unlike others, and the headline's interval is somewhat too narrow for few "
    "users: 92–93 % in simulations of 8–30 users. Macro mean over types: the mean of the types' means, so that every "
    "type of thought counts the same; a message with several types counts in each of them, a user's samples of all "
    f"types are one cluster, and types with under {MIN_SAMPLES} scored samples or {MIN_USERS} users are left out. "
    "Without refusals: replies that were no answer, which the headline rates 1 by rule, are left out. Truncated as 1: "
    "a reply without an answer because max_tokens ran out is missing in the headline, as a larger limit would have "
    "given one; counted as 1, like an empty reply, it cannot raise the mean. The rows below "
    "are of parts of the samples, which differ in much else too: a message's reason counts as written after the reply "
    "if any of its thoughts was. A row is missing where no sample in the log says to which part it belongs."
)


def chapter(evidence: Evidence) -> Chapter:
    """Write the mean, taken in other ways."""
    title = "The mean, taken in other ways"
    runs = evidence.runs.models
    return Chapter(
        "estimands",
        title,
        "",
        [Section("estimands", title, estimands(runs), COLUMNS, NOTE)],
        warnings=[sentence for run in runs if (sentence := _lost_to_truncation(run))],
    )


MOST_TRUNCATED = 0.01
"""The share of a run's replies that may be truncated without a warning."""


def _lost_to_truncation(run: Run) -> str:
    """Say how much a run lost because max_tokens ran out, if it is more than next to nothing."""
    truncated, planned, mean = int(_truncated(run).sum()), run.planned_replies, run.scored["score"].mean()
    if truncated <= MOST_TRUNCATED * planned or run.scored.empty:
        return ""
    with_them, _ = _truncated_as_lowest(run)
    return (
        f"{run.name}: {truncated:,} of {planned:,} replies on {kind_of(run)}s ({truncated / planned:.1%}) hold no "
        "answer because max_tokens ran out. They are missing, while an empty reply counts as 1: counted like that the "
        f"mean would be {with_them.estimate:.2f}, not {mean:.2f}. Run it again with a larger max_tokens before you "
        "compare it."
    )


def estimands(runs: Sequence[Run]) -> list[EstimandRow]:
    """Estimate the mean agreement of every run in every way that its log allows.

    Returns:
        A row per run and estimand, the headline's first. A run without any scored sample has only that one.
    """
    return [
        EstimandRow(
            model=run.name,
            kind=kind_of(run),
            context=run.context,
            judge=run.judge,
            estimand=estimand,
            **mean.as_row("mean") | {"note": "; ".join(filter(None, (mean.reason, left_out)))},
        )
        for run in runs
        for estimand, mean, left_out in _means(run)
    ]


Mean = tuple[str, Interval, str]
"""What it is of, its estimate, and what was left out."""


def _means(run: Run) -> Iterator[Mean]:
    scored = run.scored
    yield "sample-weighted (the headline)", mean_agreement(scored["score"].to_numpy(), scored["user"].to_numpy()), ""
    if scored.empty:
        return
    yield "user-weighted", _user_weighted(scored), ""
    ratings = run.ratings_of(run.judges) if len(run.judges) > 1 else scored[["score"]]
    crossed = "users and judges" if len(run.judges) > 1 else "users"
    mixed = mixed_mean(ratings, scored["user"].reindex(ratings.index), bounds=SCALE)
    yield f"mixed model, {crossed} as random effects", mixed, ""
    yield "macro mean over types", *_macro(scored, kind_of(run))
    yield "without refusals and empty answers", *_answered(run)
    if _truncated(run).any():
        yield "truncated replies counted as 1, like empty ones", *_truncated_as_lowest(run)
    if run.kind == "reaction":
        names = {True: "followed by a user message", False: "followed by no user message"}
        yield from _parts(scored, "followed", names, "not known whether a user message follows")
    else:
        names = {True: "written after the reply", False: "written before the reply"}
        yield from _parts(scored, "after_reply", names, "not known whether written after the reply")
    single = scored[scored["thoughts"] == 1]
    yield "one thought on the message", group_mean(single["score"], single["user"], SCALE), ""


def _user_weighted(scored: pd.DataFrame) -> Interval:
    """Estimate the mean of the users' means.

    With one value a user, the CR2 interval is the classical one: standard deviation of the means over the root of
    their number, t with users − 1 degrees of freedom. Users whose means are of few samples vary more; that is in their
    spread.
    """
    means = scored.groupby("user")["score"].mean()
    return replace(cluster_mean(means, means.index, bounds=SCALE), n=len(scored))


def _macro(scored: pd.DataFrame, kind: Kind) -> tuple[Interval, str]:
    """Estimate the mean of the means of all types with enough samples; name the others."""
    types = GROUPINGS["type"](scored).explode()
    ratings, small = {}, []
    for label in filter(None, by_types(types, kind).cat.categories):
        members = scored.loc[types.index[types == label]]
        if too_small(len(members), members["user"].nunique()):
            small.append(label.replace("_", " "))
        else:
            ratings[label] = members["score"]
    if not ratings:
        return Interval.without_limits("too small: no type with enough samples"), ""
    table = pd.DataFrame(ratings)
    mean = pooled_mean(table, scored["user"].loc[table.index], bounds=SCALE)
    return mean, f"too few samples of {', '.join(small)}" if small else ""


def _answered(run: Run) -> tuple[Interval, str]:
    """Estimate the mean over what the model answered; of repeated replies to a sample those that are answers."""
    by_rule = run.rated_by_rule
    rated = run.rows.dropna(subset="score")
    samples = rated[~by_rule[rated.index]].groupby("id", sort=False).agg({"score": "mean", "user": "first"})
    mean = mean_agreement(samples["score"].to_numpy(), samples["user"].to_numpy())
    return mean, f"{by_rule.sum():,} of {len(rated):,} replies left out" if by_rule.any() else ""


def _truncated(run: Run) -> "pd.Series[bool]":
    """Tell of each reply whether it has no rating because max_tokens left no room for an answer."""
    return run.rows["score"].isna() & (run.rows["reason"] == Unscored.TRUNCATED)


def _truncated_as_lowest(run: Run) -> tuple[Interval, str]:
    """Estimate the mean if what was truncated were rated as what is empty."""
    truncated = _truncated(run)
    rated = run.rows.assign(score=run.rows["score"].mask(truncated, SCALE[0])).dropna(subset="score")
    samples = rated.groupby("id", sort=False).agg({"score": "mean", "user": "first"})
    mean = mean_agreement(samples["score"].to_numpy(), samples["user"].to_numpy())
    return mean, f"{truncated.sum():,} of {len(rated):,} replies were truncated"


def _parts(scored: pd.DataFrame, column: str, names: Mapping[bool, str], unknown: str) -> Iterator[Mean]:
    """Estimate the means of the parts that a fact splits the samples into; none where no sample has the fact."""
    if scored[column].isna().all():
        return
    parts = scored[column].map(names).fillna(unknown)
    for part in (*names.values(), unknown):
        members = scored[parts == part]
        if len(members):
            yield part, group_mean(members["score"], members["user"], SCALE), ""
