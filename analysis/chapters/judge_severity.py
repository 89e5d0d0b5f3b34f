"""How severe each judge is, what models would be rated by the average judge, and what single judges decide."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pandas as pd

from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, number, p, pair, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.votes import groups, votes
from thoughttrace.analysis.stats.additive import AdditiveFit, fit_additive
from thoughttrace.analysis.stats.intervals import Interval
from thoughttrace.analysis.stats.multiplicity import holm_by_family
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class SeverityRow:
    """How severe one judge is."""

    kind: Kind
    judge: str
    severity: float
    """Points that it rates below the average judge."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    n: int
    """Votes."""
    note: str


@dataclass(frozen=True)
class AdjustedRow:
    """The mean of one model as the average judge would rate it."""

    kind: Kind
    model: str
    context: str
    adjusted: float
    """1–5; what it rests on says `fit_additive`."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    mean: float
    """Of the votes that were given, unadjusted."""
    note: str


@dataclass(frozen=True)
class AdjustedPairRow:
    """The difference of two models as the average judge would rate them."""

    kind: Kind
    a: str
    b: str
    context: str
    difference: float
    """a − b."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    p_value: float
    raw_difference: float
    """Of the means of the votes that were given, unadjusted."""
    note: str
    p_holm: float = math.nan
    """Adjusted over all pairs of a kind."""


@dataclass(frozen=True)
class LeaveOneOutRow:
    """How the place of one model depends on single judges."""

    kind: Kind
    model: str
    context: str
    rank: int
    """By the adjusted mean of all judges, among the models that were shown the same."""
    best_rank: int
    """The lowest number of all ranks that it has where one judge is left out."""
    worst_rank: int
    mean: float
    """Adjusted, of all judges."""
    lowest_mean: float
    """The lowest of its adjusted means without one judge."""
    highest_mean: float
    most: str
    """The judge without which the mean is farthest from that of all."""
    without: int
    """Judges that were left out in turn; without any of the others nothing links judges and models."""


SEVERITY_COLUMNS = [
    short("Kind", "kind"),
    name("Judge", "judge"),
    number("Severity", "severity", "+.2f"),
    limits("95 % interval"),
    count("Votes", "n"),
]

ADJUSTED_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    number("Adjusted mean", "adjusted"),
    limits("95 % interval"),
    number("Unadjusted", "mean"),
]

ADJUSTED_PAIR_COLUMNS = [
    short("Kind", "kind"),
    name("A", "a"),
    name("B", "b"),
    short("Context", "context"),
    number("A − B, adjusted", "difference", "+.2f"),
    limits("95 % interval"),
    p("p (Holm)", "p_holm"),
    number("Unadjusted", "raw_difference", "+.2f"),
]

LEAVE_ONE_OUT_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    count("Rank", "rank"),
    pair("Ranks without one judge", "best_rank", "worst_rank", between="–"),
    number("Mean", "mean"),
    pair("Means without one judge", "lowest_mean", "highest_mean", ".2f", "–"),
    name("Moved most by", "most"),
    count("Judges left out", "without"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how severe judges are and what that does to models, where a kind has several judges."""
    table = votes_of_others(evidence.runs.models)
    table = table[table.groupby("kind")["judge"].transform("nunique") > 1]
    severities, adjusted = severity(table)
    return Chapter(
        "judge_severity",
        "Severity of judges",
        "",
        [
            Section(
                "severity", "Severity of each judge", severities, SEVERITY_COLUMNS,
                "Points below the average judge, by an additive model of judge and model on the inferences that "
                "several judges rated; clustered by user (CR2).",
            ),
            Section(
                "adjusted", "Models as the average judge would rate them", adjusted, ADJUSTED_COLUMNS,
                "From the same additive model: each vote less its judge's severity. So models compare that not all "
                "judges rated, and lost votes of a severe judge do not pass for merit. Unadjusted: the mean of the "
                "votes that were given.",
            ),
            Section(
                "adjusted_pairs", "Differences as the average judge would rate them",
                adjusted_differences(table), ADJUSTED_PAIR_COLUMNS,
                "From the same model: all votes of both, less what each judge is more severe than the average.",
            ),
            Section(
                "leave_one_judge_out", "Ranks and means without each judge", leave_one_out(table),
                LEAVE_ONE_OUT_COLUMNS,
                "The adjusted means and their ranks with one judge left out at a time. Ranks of means as they are, "
                "without regard to significance: for that see the comparisons.",
            ),
        ],
    )  # fmt: skip


def votes_of_others(runs: Sequence[Run]) -> pd.DataFrame:
    """Gather the votes of judges on other models, as `votes` does; a model's vote on itself counts in no comparison.

    Args:
        runs: Runs of models that infer thoughts.
    """
    return votes([run.rated_by(run.other_judges) for run in runs if run.other_judges])


def severity(table: pd.DataFrame) -> tuple[list[SeverityRow], list[AdjustedRow]]:
    """Estimate how severe each judge is, and each model's mean as the average judge would rate it.

    By `fit_additive`: each model's samples count the same in its mean, as in the headline. What a rule rated counts in
    the model's mean, and has no part in how severe judges are.

    Args:
        table: What `votes` returns.

    Returns:
        The rows of judges and those of models. A kind has none where it has one judge, and where judges and models fall
        into groups that share nothing.
    """
    severities: list[SeverityRow] = []
    adjusted: list[AdjustedRow] = []
    for about, members, fit in _fits(table):
        counts = members[~members["by_rule"]]["judge"].value_counts()
        severities += [
            SeverityRow(**about, judge=judge, **_columns("severity", estimate), n=int(counts[judge]))
            for judge, estimate in zip(fit.judges, fit.severities, strict=True)
        ]
        adjusted += [
            AdjustedRow(**about, model=model, context=context, **_columns("adjusted", estimate), mean=given)
            for (model, context), estimate, given in zip(fit.models, fit.means, fit.unadjusted, strict=True)
        ]
    return severities, adjusted


def _columns(value: str, estimate: Interval) -> dict[str, Any]:
    return {value: estimate.estimate, "lower": estimate.lower, "upper": estimate.upper, "note": estimate.reason or ""}


def adjusted_differences(table: pd.DataFrame) -> list[AdjustedPairRow]:
    """Estimate the differences of models as the average judge would rate them, by the fit of `severity`.

    Unlike the paired comparisons this uses all votes of both models, and rests on judges being as severe on one model
    as on another.

    Args:
        table: What `votes` returns.

    Returns:
        A row for each two models that were shown the same context.
    """
    rows: list[AdjustedPairRow] = []
    for about, _, fit in _fits(table):
        given = dict(zip(fit.models, fit.unadjusted, strict=True))
        pairs = [(a, b) for a, b in combinations(fit.models, 2) if a[1] == b[1]]
        rows += [
            AdjustedPairRow(
                **about, a=a[0], b=b[0], context=a[1], **_columns("difference", estimate), p_value=estimate.p_value,
                raw_difference=given[a] - given[b],
            )
            for (a, b), estimate in zip(pairs, fit.differences(pairs), strict=True)
        ]  # fmt: skip
    adjusted = holm_by_family([row.p_value for row in rows], [row.kind for row in rows])
    return [replace(row, p_holm=p_holm) for row, p_holm in zip(rows, adjusted, strict=True)]


def leave_one_out(table: pd.DataFrame) -> list[LeaveOneOutRow]:
    """Rank models by their adjusted means, and again without each judge.

    Args:
        table: What `votes` returns.

    Returns:
        A row for each of several models that were shown the same, the best first; none where a kind has one judge. A
        model has no rank without a judge that alone rated it.
    """
    rows = []
    for about, members, fit in _fits(table):
        means = _means(fit)
        without = {
            judge: _means(rest) for judge in fit.judges if (rest := fit_additive(members[members["judge"] != judge]))
        }
        for context in dict.fromkeys(context for _, context in fit.models):
            of_all = means[means.index.get_level_values(1) == context]
            if len(of_all) < 2:
                continue
            others = {judge: found[found.index.isin(of_all.index)] for judge, found in without.items()}
            ranks, ranks_without = _ranks(of_all), [_ranks(found) for found in others.values()]
            for system in of_all.sort_values(ascending=False, kind="stable").index:
                moved = pd.Series({judge: found[system] for judge, found in others.items() if system in found})
                places = [int(found[system]) for found in ranks_without if system in found]
                if places:
                    rows.append(
                        LeaveOneOutRow(
                            **about, model=system[0], context=context, rank=int(ranks[system]),
                            best_rank=min(places), worst_rank=max(places), mean=of_all[system],
                            lowest_mean=moved.min(), highest_mean=moved.max(),
                            most=str((moved - of_all[system]).abs().idxmax()), without=len(places),
                        )
                    )  # fmt: skip
    return rows


def _means(fit: AdditiveFit) -> pd.Series:
    return pd.Series([mean.estimate for mean in fit.means], pd.MultiIndex.from_tuples(fit.models))


def _ranks(means: pd.Series) -> pd.Series:
    """Rank means, the highest first; those that differ by rounding alone share a rank."""
    return means.round(9).rank(ascending=False, method="min")


def _fits(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, AdditiveFit]]:
    """Fit the additive model to the votes on each kind that has several judges."""
    systems = table.assign(model=pd.Series(zip(table["model"], table["context"], strict=True), table.index))
    for about, members in groups(systems, "kind"):
        if members["judge"].nunique() > 1 and (fit := fit_additive(members)):
            yield about, members, fit
