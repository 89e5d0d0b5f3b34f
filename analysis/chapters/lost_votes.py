"""The votes that judges lost, and what the means and differences would be without this loss."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.chapters.headline import (
    judged_by_each_other,
    kind_of,
    mean_agreement,
    pooled_agreement,
    pooled_name,
)
from thoughttrace.analysis.page.table import Chapter, Section, count, format_share, limits, name, number, share, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import SYSTEM, measurement
from thoughttrace.analysis.read.task_log import Run, shared_judges
from thoughttrace.analysis.read.votes import asked_votes, votes
from thoughttrace.analysis.stats.additive import fit_additive
from thoughttrace.analysis.stats.intervals import Interval, paired_difference
from thoughttrace.core.record import KINDS, Kind

UNEQUAL = 0.05
"""Shares of lost votes that differ by more are named. Whether by chance or not is of no matter: the mean counts what is
left, and a judge that is 0.7 points more severe than the other then moves it by 0.01 or more."""

UNLINKED = Interval.without_limits("judges rated different samples: no estimate")


@dataclass(frozen=True)
class LostVotesRow:
    """How many votes one judge lost on one model."""

    kind: Kind
    model: str
    context: str
    judge: str
    asked: int
    """Votes that it was asked for: on replies that judges were given, its repeats counted."""
    lost: int
    """Those that gave no rating."""
    share: float
    """lost / asked."""


@dataclass(frozen=True)
class MeanRow:
    """The mean of a run that lost votes, and two estimates that the loss does not bias."""

    kind: Kind
    model: str
    context: str
    judge: str
    mean: float
    """The headline's."""
    lower: float
    upper: float
    note: str
    n: int
    """Scored samples."""
    centred: float
    """Of each vote less its judge's severity on this run, by `fit_additive`."""
    centred_lower: float
    centred_upper: float
    centred_note: str
    complete: float
    """Of the replies that all judges rated."""
    complete_lower: float
    complete_upper: float
    complete_note: str
    complete_n: int
    """Samples of these replies."""


@dataclass(frozen=True)
class PairRow:
    """The difference of two runs that lost votes, and two estimates that the loss does not bias."""

    kind: Kind
    a: str
    b: str
    context: str
    judge: str
    """The judges that rated both."""
    difference: float
    """a − b on the samples that both have, by the votes of these judges, as in the comparisons."""
    lower: float
    upper: float
    note: str
    n: int
    centred: float
    centred_lower: float
    centred_upper: float
    centred_note: str
    complete: float
    complete_lower: float
    complete_upper: float
    complete_note: str
    complete_n: int


COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    count("Votes asked for", "asked"),
    count("Votes lost", "lost"),
    share("Share lost", "share"),
]

MEAN_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    number("Agreement", "mean"),
    limits("95 % interval"),
    count("Samples", "n"),
    number("Less severity", "centred"),
    limits("95 % interval", "centred_"),
    number("Complete panels", "complete"),
    limits("95 % interval", "complete_"),
    count("Samples with complete panels", "complete_n"),
]

PAIR_COLUMNS = [
    short("Kind", "kind"),
    name("A", "a"),
    name("B", "b"),
    short("Context", "context"),
    name("Judge", "judge"),
    number("A − B", "difference", "+.2f"),
    limits("95 % interval"),
    count("Samples", "n"),
    number("Less severity", "centred", "+.2f"),
    limits("95 % interval", "centred_"),
    number("Complete panels", "complete", "+.2f"),
    limits("95 % interval", "complete_"),
    count("Samples with complete panels", "complete_n"),
]

_HOW = (
    "Where a panel has lost votes, the others decide, and without a severe judge's votes everything looks better. "
    "Less severity: each vote less its judge's severity, estimated on the replies that several judges rated. Complete "
    "panels: only what all judges rated. All three are alike where the loss changes nothing; the first rests on judges "
    "being as severe where votes were lost as elsewhere{}, the second on what was lost being like the rest."
)


def chapter(evidence: Evidence) -> Chapter:
    """Write which votes were lost, and what the panels' means and differences are without the loss."""
    runs = panels(evidence.runs.models)
    sentences = unequal(runs)
    return Chapter(
        "lost_votes",
        "Lost votes",
        "",
        [
            Section(
                "lost_votes", "Votes that each judge lost",
                lost_votes(runs) if any(map(_lost_some, runs)) else [], COLUMNS,
                "Of the votes that a judge was asked for, those that gave no rating, also when asked again. A reply "
                "that was cut off, or that failed before any judge had it, asks for no votes: the headline counts it "
                "under missing replies. " + " ".join(sentences),
            ),
            Section(
                "lost_votes_means", "The means without the loss", means(runs), MEAN_COLUMNS, _HOW.format(""),
            ),
            Section(
                "lost_votes_pairs", "The differences without the loss", pairs(runs), PAIR_COLUMNS,
                _HOW.format(" and on both models alike"),
            ),
        ],
        warnings=["Judges lost unequal shares of their votes, which moves means and differences: see “Lost votes”."]
        * bool(sentences),
    )  # fmt: skip


def panels(runs: Sequence[Run]) -> list[Run]:
    """Keep the runs with several judges: of a single judge a lost vote is a missing reply, which the headline counts.

    Args:
        runs: Runs of models that infer thoughts.
    """
    return [run for run in runs if len(run.judges) > 1]


def lost_votes(runs: Sequence[Run]) -> list[LostVotesRow]:
    """Count the votes that each judge of each run was asked for and lost.

    Args:
        runs: Runs that infer thoughts.
    """
    rows = []
    for run in runs:
        asked, given = asked_votes(run).sum(), run.vote_counts.sum()
        for judge in run.judges:
            if asked[judge]:
                lost = int(asked[judge] - given[judge])
                rows.append(
                    LostVotesRow(
                        kind_of(run), run.name, run.context, judge, int(asked[judge]), lost, lost / int(asked[judge])
                    )
                )
    return rows


def unequal(runs: Sequence[Run]) -> list[str]:
    """Say of which models the judges of a panel, and of which judge the models, lost unequal shares of votes.

    Args:
        runs: As from `panels`.
    """
    lost = [(run, lost_votes([run])) for run in runs]
    of_judges = {(kind_of(run), run.name): [row.share for row in rows] for run, rows in lost}
    of_models: dict[tuple[Any, ...], list[float]] = {}
    for run, rows in lost:
        for row in rows:
            of_models.setdefault((row.kind, row.judge, *measurement(run, *SYSTEM, "judge")), []).append(row.share)
    sentences = []
    for kind in KINDS:
        if models := _unequal_of(of_judges, kind):
            sentences.append(
                f"On {kind}s, the judges lost unequal shares of their votes on {models}: these means are nearer to "
                "the judges that lost less. The report has the means without the loss."
            )
        if judges := _unequal_of(of_models, kind):
            sentences.append(
                f"On {kind}s, unequal shares of votes were lost on different models by {judges}: differences of these "
                "models may be this loss. The report has the differences without it."
            )
    return sentences


def _unequal_of(shares: Mapping[tuple[Any, ...], list[float]], kind: Kind) -> str:
    """Name the models, or judges, of a kind whose shares differ, each with the range of these."""
    ranges = {
        name: (min(lost), max(lost))
        for (of, name, *_), lost in shares.items()
        if of == kind and lost and max(lost) - min(lost) > UNEQUAL
    }
    return ", ".join(f"{name} ({format_share(low)} to {format_share(high)})" for name, (low, high) in ranges.items())


def means(runs: Sequence[Run]) -> list[MeanRow]:
    """Estimate the mean of each run whose panel lost votes as it is, less judges' severity, and of complete panels.

    Args:
        runs: As from `panels`.
    """
    rows = []
    for run in filter(_lost_some, runs):
        table, centred = votes([run]), UNLINKED
        silent = sorted({*run.judges} - {*table[~table["by_rule"]]["judge"]})
        if silent:
            centred = Interval.without_limits(f"no vote of {', '.join(silent)}")
        elif fit := fit_additive(table):
            centred = fit.overall
        rows.append(_mean_row(run, run.name, run.judge, _mean(run), centred, _mean(_complete(run))))
    for members in judged_by_each_other(runs):
        if any(map(_lost_some, members)):
            complete = pooled_agreement([_complete(run) for run in members])
            estimates = pooled_agreement(members), _overall(members), complete
            rows.append(_mean_row(members[0], pooled_name(members), "each other", *estimates))
    return rows


def _overall(runs: Sequence[Run]) -> Interval:
    """Estimate the mean of models less judges' severity: as the average judge sees them, which is as all together do.

    That is so where every judge counts the same in it, as where each judges all others.
    """
    counts = pd.DataFrame({place: dict.fromkeys(run.judges, 1 / len(run.judges)) for place, run in enumerate(runs)})
    if np.ptp(counts.sum(axis=1)) > 1e-9:
        return Interval.without_limits("judges count differently in this mean: no estimate")
    fit = fit_additive(votes(runs))
    return fit.overall if fit else UNLINKED


def _mean_row(run: Run, model: str, judge: str, plain: Interval, centred: Interval, complete: Interval) -> MeanRow:
    return MeanRow(
        kind=kind_of(run), model=model, context=run.context, judge=judge,
        mean=plain.estimate, lower=plain.lower, upper=plain.upper, note=plain.reason or "", n=plain.n,
        **centred.as_columns("centred"), **complete.as_columns("complete"), complete_n=complete.n,
    )  # fmt: skip


def pairs(runs: Sequence[Run]) -> list[PairRow]:
    """Estimate differences of runs whose shared judges lost votes, in the same three ways as `means`.

    Args:
        runs: As from `panels`.
    """
    rows = []
    for a, b, judges in _pairs(runs):
        plain, complete = _difference(a, b), _difference(_complete(a), _complete(b))
        if not plain.n or not (_lost_some(a) or _lost_some(b)):
            continue
        table = votes([a, b])
        both = a.scored.index.intersection(b.scored.index)
        fit = fit_additive(table[table["id"].isin(both)])
        centred = fit.differences([(a.name, b.name)])[0] if fit else UNLINKED
        rows.append(
            PairRow(
                kind=kind_of(a), a=a.name, b=b.name, context=a.context, judge=", ".join(judges),
                difference=plain.estimate, lower=plain.lower, upper=plain.upper, note=plain.reason or "", n=plain.n,
                **centred.as_columns("centred"), **complete.as_columns("complete"), complete_n=complete.n,
            )
        )  # fmt: skip
    return rows


def _pairs(runs: Sequence[Run]) -> Iterator[tuple[Run, Run, list[str]]]:
    """Give each two runs of different models in the same setting, as the several judges of both rated them."""
    for a, b in combinations(runs, 2):
        judges = shared_judges(a, b)
        if (
            len(judges) > 1
            and a.name != b.name
            and measurement(a, *SYSTEM, "judge") == measurement(b, *SYSTEM, "judge")
        ):
            yield a.rated_by(judges), b.rated_by(judges), judges


def _lost_some(run: Run) -> bool:
    """Tell whether a panel lost votes, so that not all judges count the same in its mean."""
    return bool((asked_votes(run) > run.vote_counts).any(axis=None))


def _complete(run: Run) -> Run:
    """Keep the scores of replies that all judges rated, or a rule."""
    rated = run.votes.notna().all(axis=1) | run.rated_by_rule
    return replace(run, rows=run.rows.assign(score=run.rows["score"].where(rated)))


def _mean(run: Run) -> Interval:
    return mean_agreement(run.scored["score"].to_numpy(), run.scored["user"].to_numpy())


def _difference(a: Run, b: Run) -> Interval:
    first, second = a.scored, b.scored
    both = first.index.intersection(second.index)
    if both.empty:
        return Interval.without_limits("none scored")
    return paired_difference(first["score"].loc[both], second["score"].loc[both], first["user"].loc[both])
