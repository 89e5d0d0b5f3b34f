"""Which of two runs is better on the samples both have: paired differences, never two overlapping intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby, product
from typing import Literal, get_args

import numpy as np
import pandas as pd

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.page.table import (
    Chapter,
    Section,
    count,
    format_number,
    limits,
    name,
    note,
    number,
    p,
    pair,
    short,
    spread,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import ASPECT_NAMES, ASPECTS, SYSTEM, Aspect, measurement
from thoughttrace.analysis.read.task_log import Run, shared_judges
from thoughttrace.analysis.stats.intervals import Interval, paired_difference
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.analysis.stats.panel import difference_over_judges
from thoughttrace.analysis.stats.power import detectable_difference, equivalence_margin
from thoughttrace.analysis.stats.ranks import components, rank_intervals, rank_text
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind

By = Literal[
    "model", "effort", "generation", "solver", "context", "context_words", "judge", "prompt", "rubric", "data", "date"
]
"""In what two compared runs may differ; in everything else they must be equal."""

BYS: tuple[By, ...] = get_args(By)

_REPORTED: tuple[By, ...] = ("model", "solver", "context", "context_words", "judge", "prompt")
"""What the report compares by. Efforts and generation configs are compared with the models, as systems."""

_FREE: dict[By, tuple[Aspect, ...]] = {
    "model": SYSTEM,
    # The text of the prompt is what a task version counts.
    "prompt": ("prompt", "confidence", "version"),
    "date": (),
}
"""What may differ besides what is compared."""


@dataclass(frozen=True)
class PairRow:
    """The difference of two runs on the samples that both scored."""

    kind: Kind
    by: By
    a: str
    """What differs, in words."""
    b: str
    model: str
    """Where equal, else empty; so is the context."""
    context: str
    judge: str
    """The judges whose votes are compared: those that rated both, without the two models themselves."""
    votes_a: int
    """Votes of these judges on these samples."""
    votes_b: int
    n: int
    """Samples that both scored."""
    users: int
    mean_a: float
    """On these samples."""
    mean_b: float
    difference: float
    """a − b."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    p_value: float
    wins: int
    """Samples where a is higher."""
    ties: int
    losses: int
    d: float
    """Cohen's d of the paired differences: mean / standard deviation."""
    note: str
    other_judges_lower: float = math.nan
    """95 % limit for other judges like these too; NaN where one judge rated both."""
    other_judges_upper: float = math.nan
    other_judges_note: str = ""
    detectable: float = math.nan
    """The difference that a comparison with this error finds significant with a power of 80 %."""
    equivalent_within: float = math.nan
    """The smallest margin within which the two are equivalent at 5 %; the data rule out larger differences."""
    raw_difference: float = math.nan
    """a − b where each is rated by all its own judges, on the same samples; NaN where these are the same judges."""
    raw_p_value: float = math.nan
    p_holm: float = math.nan
    """Adjusted over the pairs of the same kind (Holm 1979)."""
    ranking: int = 0
    """Number of the ranking that both are in, from 0."""


@dataclass(frozen=True)
class RankRow:
    """The ranks that a run may have among those it was compared with."""

    kind: Kind
    by: By
    model: str
    context: str
    judge: str
    name: str
    best_rank: int
    worst_rank: int

    @property
    def rank(self) -> str:
        """One rank, or a range of ranks."""
        return rank_text(self.best_rank, self.worst_rank)


COLUMNS = [
    short("Kind", "kind"),
    name("A", "a"),
    name("B", "b"),
    number("A − B", "difference", "+.2f"),
    limits("95 % interval"),
    limits("Other judges too", "other_judges_"),
    p("p", "p_value"),
    p("p (Holm)", "p_holm"),
    number("Detectable", "detectable"),
    number("Ruled out above", "equivalent_within"),
    count("n", "n"),
    count("Users", "users"),
    spread("Wins·ties·losses", "wins", "ties", "losses"),
    pair("Votes A / B", "votes_a", "votes_b"),
    number("d", "d", "+.2f"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    note(),
]

RANK_COLUMNS = [
    short("Kind", "kind"),
    short("Rank", "rank"),
    short("By", "by"),
    name("Name", "name"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
]


_ROUNDING = 1e-9
"""What two equal means of ratings may differ by as floats, and no unequal ones do.

The mean over judges, repeats and epochs is a sum of whole ratings over some denominator; unequal means with the
denominators q and r differ by 1 / qr or more. Below 10,000, as with any panel that can be paid, that is above 1e-8; the
rounding of such means is below 1e-14.
"""

_INTRO = (
    "Paired differences on the samples that both scored, by the votes of the judges that rated both; a model's vote on "
    "itself never counts. Clustered by user; p adjusted by Holm over all pairs of a kind that differ in the same "
    f"thing. Shaded: p (Holm) below {LEVEL}. A wins where it is rated higher. Other judges too: the interval if the "
    "judges are taken as a sample of judges like them. Detectable: the difference that this comparison would find "
    "significant (unadjusted) with a power of 80 %; where none was found, smaller ones may well be there. Ruled out "
    "above: the smallest margin within which the two are equivalent at 5 % (two one-sided tests, unadjusted): only "
    "larger differences contradict the data."
)


def chapter(evidence: Evidence) -> Chapter:
    """Write the comparisons by model, context, judge and prompt."""
    pairs = [row for by in _REPORTED for row in compare(evidence.runs.models, by)[0]]
    return Chapter(
        "comparisons",
        "Comparisons",
        _INTRO if pairs else "",
        [
            Section(
                "ranking", "Ranks", ranking(pairs), RANK_COLUMNS,
                "Runs whose difference is not significant share ranks.",
                paper=True,
            ),
            Section(
                "comparisons", "Pairs", pairs, COLUMNS,
                " ".join(misleading(pairs)),
                row_class=lambda row: "clear" if row.p_holm < LEVEL else "",
                paper=True,
                terminal=True,
            ),
        ],
    )  # fmt: skip


def compare(runs: Sequence[Run], by: By = "model", force: bool = False) -> tuple[list[PairRow], list[str]]:
    """Compare all pairs of runs that differ in one thing only.

    Runs that different judges rated are compared by the votes of the judges they share, unless the same models were
    also rated by equal panels: then these runs are compared.

    Args:
        runs: Runs of any kind; only runs of the same kind are compared.
        by: What may differ.
        force: Compare all pairs, each run as all its judges rated it; `note` says in what else they differ.

    Returns:
        One row per pair, and a sentence for every reason why pairs were not compared.
    """
    rows: list[PairRow] = []
    compared: list[tuple[int, int]] = []
    refused: dict[str, int] = {}
    panels = _panels(runs)
    for (i, a), (j, b) in combinations(enumerate(runs), 2):
        if a.kind != b.kind:
            continue
        others = _other_differences(a, b, by)
        judges = shared_judges(a, b) if by != "judge" and not force else []
        if others == ["judge"] and judges and _most_alike(a, b, panels):
            others = []
        if not force and (others or not _differs(a, b, by)):
            reason = _differing(others, judges) if others else f"same {by}"
        elif not force and by != "judge" and not judges:
            reason = "the only judge of both is one of the two models itself; rate both with another judge"
        elif row := _pair(a, b, by, others, judges):
            rows.append(row)
            compared.append((i, j))
            continue
        else:
            reason = "no scored sample in common"
        refused[reason] = refused.get(reason, 0) + 1
    adjusted = holm_by_family([row.p_value for row in rows], [row.kind for row in rows])
    sentences = [f"{n} {'pair' if n == 1 else 'pairs'} not compared: {reason}." for reason, n in refused.items()]
    rankings = components(len(runs), compared)
    numbered = zip(rows, adjusted, (rankings[i] for i, _ in compared), strict=True)
    return [replace(row, p_holm=p_holm, ranking=number) for row, p_holm, number in numbered], sentences


_Panels = dict[tuple[str, ...], list[Run]]


def _panels(runs: Sequence[Run]) -> _Panels:
    """Group runs that differ in their judges only."""
    panels: _Panels = {}
    for run in runs:
        panels.setdefault(measurement(run, "judge"), []).append(run)
    return panels


def _most_alike(a: Run, b: Run, panels: _Panels) -> bool:
    """Tell whether two runs share more judges than the same models do in runs that other panels rated."""
    most = max(
        product(panels[measurement(a, "judge")], panels[measurement(b, "judge")]),
        key=lambda pair: (pair[0].judge == pair[1].judge, len(shared_judges(*pair))),
    )
    return most == (a, b)


def misleading(rows: Sequence[PairRow]) -> list[str]:
    """Name the pairs whose means over all their own judges would have led to another conclusion.

    Args:
        rows: From `compare`.
    """
    sentences = []
    for row in rows:
        by_shared = row.difference if row.p_holm < LEVEL else 0.0
        raw = row.raw_difference if row.raw_p_value < LEVEL else 0.0
        if not math.isnan(row.raw_difference) and np.sign(by_shared) != np.sign(raw):
            sentences.append(
                f"On {row.kind}s, {row.a} and {row.b} were not rated by the same judges: the raw means differ by "
                f"{format_number(row.raw_difference, '+.2f')}, and by the votes of the judges of both ({row.judge}) "
                f"they differ by {format_number(row.difference, '+.2f')}."
            )
    return sentences


def require(runs: Sequence[Run], by: By, force: bool) -> tuple[list[PairRow], list[str]]:
    """Compare runs, or say in one sentence why nothing can be compared.

    Raises:
        UserError: No two of the runs can be compared.
    """
    rows, refused = compare(runs, by, force)
    if not rows:
        reasons = " ".join(refused) or "There is only one run of each kind."
        force_may_help = any("differ" in sentence for sentence in refused)
        fix = " Choose what may differ with --by, or pass --force and the output will say so." * force_may_help
        raise UserError(f"Nothing to compare by {by}. {reasons}{fix}")
    return rows, refused


def ranking(pairs: Sequence[PairRow]) -> list[RankRow]:
    """Rank what was compared; what is not significantly different shares ranks (`rank_intervals`).

    Args:
        pairs: From `compare`.

    Returns:
        A row for each run that was compared, the best of each ranking first.
    """

    def family(row: PairRow) -> tuple[Kind, By, str, str, int]:
        return row.kind, row.by, row.model, row.context, row.ranking

    order = list(dict.fromkeys(map(family, pairs)))
    grouped = groupby(sorted(pairs, key=lambda row: order.index(family(row))), key=family)
    return [row for _, rows in grouped for row in _ranks(list(rows))]


def _ranks(pairs: Sequence[PairRow]) -> list[RankRow]:
    """Give the rank intervals of one ranking, best first."""
    means = {row.a: row.mean_a for row in pairs} | {row.b: row.mean_b for row in pairs}
    clear = [row for row in pairs if row.p_holm < LEVEL]
    ranks = rank_intervals(list(means), [(row.a, row.b) if row.difference > 0 else (row.b, row.a) for row in clear])
    best_first = sorted(means, key=lambda name: (*ranks[name], -means[name]))
    first, judges = pairs[0], {row.judge for row in pairs}
    judge = first.judge if len(judges) == 1 else "of each pair, those that rated both"
    return [RankRow(first.kind, first.by, first.model, first.context, judge, name, *ranks[name]) for name in best_first]


def _pair(a: Run, b: Run, by: By, others: Sequence[Aspect], judges: Sequence[str]) -> PairRow | None:
    """Compare two runs by the votes of some judges of both; without any, each by its own."""
    raw = a, b
    if judges:
        a, b = a.rated_by(judges), b.rated_by(judges)
    first, second = _shared_samples(a, b)
    if first.empty:
        return None
    x, y = first["score"].to_numpy(), second["score"].to_numpy()
    difference = paired_difference(x, y, first["user"].to_numpy())
    tied = np.abs(x - y) < _ROUNDING
    spread = float(np.std(x - y, ddof=1)) if len(x) > 1 else math.nan
    over_judges = _over_judges(*raw, a.judges if a.judge == b.judge else [], first)
    notes = [f"forced: {_differing(others)}"] * bool(others) + [difference.reason or ""] * bool(difference.reason)
    unlike = raw[0].judge != raw[1].judge and a.judge == b.judge
    raw_difference, raw_p_value = _raw(*raw, first.index) if unlike else (math.nan, math.nan)
    return PairRow(
        kind=kind_of(a),
        by=by,
        a=_name(a, by),
        b=_name(b, by),
        model=a.model if a.model == b.model else "",
        context=a.context if a.context == b.context else "",
        judge=a.judge if a.judge == b.judge else "",
        votes_a=_count_votes(raw[0], a.judges, first.index),
        votes_b=_count_votes(raw[1], b.judges, first.index),
        mean_a=x.mean(),
        mean_b=y.mean(),
        **difference.as_row("difference", p_value=True) | {"note": "; ".join(notes)},
        other_judges_lower=over_judges.lower,
        other_judges_upper=over_judges.upper,
        other_judges_note=over_judges.reason or "",
        detectable=detectable_difference(difference.standard_error, difference.df),
        equivalent_within=equivalence_margin(difference.estimate, difference.standard_error, difference.df),
        raw_difference=raw_difference,
        raw_p_value=raw_p_value,
        wins=int(((x > y) & ~tied).sum()),
        ties=int(tied.sum()),
        losses=int(((x < y) & ~tied).sum()),
        d=difference.estimate / spread if spread > _ROUNDING else math.nan,
    )


def _over_judges(a: Run, b: Run, judges: Sequence[str], samples: pd.DataFrame) -> Interval:
    """Estimate the difference for other judges too, where several judges rated both."""
    if len(judges) < 2:
        return Interval.without_limits("")
    first, second = (run.ratings_of(judges).reindex(samples.index) for run in (a, b))
    if (first - second).isna().all(axis=None):
        return Interval.without_limits("no judge rated both on one sample")
    return difference_over_judges(first, second, samples["user"].to_numpy())


def _shared_samples(a: Run, b: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    first, second = a.scored, b.scored
    if first.index.equals(second.index):
        return first, second
    shared = first.index.intersection(second.index)
    return first.loc[shared], second.loc[shared]


def _count_votes(run: Run, judges: Sequence[str], samples: pd.Index) -> int:
    return int(run.vote_counts.loc[run.rows["id"].isin(samples), list(judges)].to_numpy().sum())


def _raw(a: Run, b: Run, samples: pd.Index) -> tuple[float, float]:
    """Compare two runs as if all their judges were the same."""
    first, second = a.scored.loc[samples], b.scored.loc[samples]
    difference = paired_difference(first["score"].to_numpy(), second["score"].to_numpy(), first["user"].to_numpy())
    return difference.estimate, difference.p_value


def _differs(a: Run, b: Run, by: By) -> bool:
    return by == "date" or any(ASPECTS[aspect](a) != ASPECTS[aspect](b) for aspect in _free(by))


def _other_differences(a: Run, b: Run, by: By) -> list[Aspect]:
    """Name in what two runs differ, besides what is compared."""
    return [aspect for aspect, value in ASPECTS.items() if aspect not in _free(by) and value(a) != value(b)]


def _free(by: By) -> tuple[Aspect, ...]:
    return _FREE[by] if by in _FREE else tuple(aspect for aspect in ASPECTS if aspect == by)


_NAMES: dict[By, Callable[[Run], str]] = {
    "model": lambda run: run.name,
    "date": lambda run: run.date,
    "effort": lambda run: run.effort or "default",
    "generation": lambda run: run.generation or "default",
    "solver": lambda run: run.solver or "the task's own",
    "context_words": lambda run: run.context_words or "all",
}
"""What the two sides of a comparison are called, where that is not the value of the aspect."""


def _name(run: Run, by: By) -> str:
    if by in _NAMES:
        return _NAMES[by](run)
    return ", ".join(ASPECTS[aspect](run) for aspect in _free(by)[:1])


def _differing(aspects: Sequence[Aspect], judges: Sequence[str] = ("some",)) -> str:
    names = [ASPECT_NAMES.get(aspect, aspect) for aspect in aspects]
    if names == ["judge"] and not judges:
        return "judge differs, and no judge rated both; rate one again: inspect score LOG --model-role grader=JUDGE"
    if len(names) < 2:
        return "".join(f"{name} differs" for name in names)
    return f"{', '.join(names[:-1])} and {names[-1]} differ"
