"""Which of two runs is better on the samples both have: paired differences, never two overlapping intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import Literal, get_args

import numpy as np

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, note, number, p, short, spread
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import paired_difference
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind

By = Literal["model", "context", "judge", "prompt", "date"]
"""In what two compared runs may differ; in everything else they must be equal."""

BYS: tuple[By, ...] = get_args(By)

ASPECTS: dict[str, Callable[[Run], object]] = {
    "model": lambda run: run.model,
    "context": lambda run: run.context,
    "judge": lambda run: run.judge,
    "prompt": lambda run: run.prompt_hash,
    "rubric": lambda run: run.rubric_hash,
    "data revision": lambda run: run.data_revision,
    "task version": lambda run: run.version,
}


@dataclass(frozen=True)
class PairRow:
    """The difference of two runs on the samples that both scored."""

    kind: Kind
    by: By
    a: str
    """What differs, in words."""
    b: str
    model: str
    """Where equal, else empty; so are context and judge."""
    context: str
    judge: str
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
    p_holm: float = math.nan
    """Adjusted over the pairs of the same kind (Holm 1979)."""


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
        return str(self.best_rank) if self.best_rank == self.worst_rank else f"{self.best_rank}–{self.worst_rank}"


COLUMNS = [
    short("Kind", "kind"),
    name("A", "a"),
    name("B", "b"),
    number("A − B", "difference", "+.2f"),
    limits("95 % interval"),
    p("p", "p_value"),
    p("p (Holm)", "p_holm"),
    count("n", "n"),
    count("Users", "users"),
    spread("Wins·ties·losses", "wins", "ties", "losses"),
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


_INTRO = (
    "Paired differences on the samples that both scored, clustered by user; p adjusted by Holm over all pairs of a "
    f"kind that differ in the same thing. Shaded: p (Holm) below {LEVEL}. A wins where it is rated higher."
)


def chapter(evidence: Evidence) -> Chapter:
    """Write the comparisons by model, context, judge and prompt."""
    pairs = [row for by in BYS if by != "date" for row in compare(evidence.runs.models, by)[0]]
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
                row_class=lambda row: "clear" if row.p_holm < LEVEL else "",
                paper=True,
                terminal=True,
            ),
        ],
    )  # fmt: skip


def compare(runs: Sequence[Run], by: By = "model", force: bool = False) -> tuple[list[PairRow], list[str]]:
    """Compare all pairs of runs that differ in one thing only.

    Args:
        runs: Runs of any kind; only runs of the same kind are compared.
        by: What may differ.
        force: Compare also pairs that differ in something else; `note` says in what.

    Returns:
        One row per pair, and a sentence for every reason why pairs were not compared.
    """
    rows: list[PairRow] = []
    refused: dict[str, int] = {}
    for a, b in combinations(runs, 2):
        if a.kind != b.kind:
            continue
        others = _other_differences(a, b, by)
        if not force and (others or not _differs(a, b, by)):
            reason = _differing(others) if others else f"same {by}"
        elif row := _pair(a, b, by, others):
            rows.append(row)
            continue
        else:
            reason = "no scored sample in common"
        refused[reason] = refused.get(reason, 0) + 1
    adjusted = holm_by_family([row.p_value for row in rows], [row.kind for row in rows])
    sentences = [f"{n} {'pair' if n == 1 else 'pairs'} not compared: {reason}." for reason, n in refused.items()]
    return [replace(row, p_holm=adjusted_p) for row, adjusted_p in zip(rows, adjusted, strict=True)], sentences


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
    """Rank what was compared; what is not significantly different shares ranks.

    A rank interval runs from one more than the number of others that are significantly better to the number of all
    less those that are significantly worse.

    Args:
        pairs: From `compare`.

    Returns:
        A row for each run that was compared, the best of each family first.
    """

    def family(row: PairRow) -> tuple[Kind, By, str, str, str]:
        return row.kind, row.by, row.model, row.context, row.judge

    order = list(dict.fromkeys(map(family, pairs)))
    grouped = groupby(sorted(pairs, key=lambda row: order.index(family(row))), key=family)
    return [row for members, rows in grouped for row in _ranks(members, list(rows))]


def _ranks(family: tuple[Kind, By, str, str, str], pairs: Sequence[PairRow]) -> list[RankRow]:
    """Give the rank intervals of one family, best first."""
    means = {row.a: row.mean_a for row in pairs} | {row.b: row.mean_b for row in pairs}
    clear = [row for row in pairs if row.p_holm < LEVEL]
    winners = [row.a if row.difference > 0 else row.b for row in clear]
    losers = [row.b if row.difference > 0 else row.a for row in clear]
    ranks = {name: (1 + losers.count(name), len(means) - winners.count(name)) for name in means}
    best_first = sorted(means, key=lambda name: (*ranks[name], -means[name]))
    return [RankRow(*family, name, *ranks[name]) for name in best_first]


def _pair(a: Run, b: Run, by: By, others: Sequence[str]) -> PairRow | None:
    first, second = a.scored, b.scored
    if not first.index.equals(second.index):
        shared = first.index.intersection(second.index)
        first, second = first.loc[shared], second.loc[shared]
    if first.empty:
        return None
    x, y = first["score"].to_numpy(), second["score"].to_numpy()
    difference = paired_difference(x, y, first["user"].to_numpy())
    spread = float(np.std(x - y, ddof=1)) if len(x) > 1 else math.nan
    notes = [f"forced: {_differing(others)}"] * bool(others) + [difference.reason or ""] * bool(difference.reason)
    return PairRow(
        kind=kind_of(a),
        by=by,
        a=_name(a, by),
        b=_name(b, by),
        model=a.model if a.model == b.model else "",
        context=a.context if a.context == b.context else "",
        judge=a.judge if a.judge == b.judge else "",
        mean_a=x.mean(),
        mean_b=y.mean(),
        **difference.as_row("difference", p_value=True) | {"note": "; ".join(notes)},
        wins=int((x > y).sum()),
        ties=int((x == y).sum()),
        losses=int((x < y).sum()),
        d=difference.estimate / spread if spread else math.nan,
    )


def _differs(a: Run, b: Run, by: By) -> bool:
    return by == "date" or ASPECTS[by](a) != ASPECTS[by](b)


def _other_differences(a: Run, b: Run, by: By) -> list[str]:
    """Name in what two runs differ, besides what is compared."""
    # The text of the prompt is what a task version counts.
    free = {by, "task version"} if by == "prompt" else {by}
    return [aspect for aspect, value in ASPECTS.items() if aspect not in free and value(a) != value(b)]


def _name(run: Run, by: By) -> str:
    return run.date if by == "date" else str(ASPECTS[by](run))


def _differing(aspects: Sequence[str]) -> str:
    if len(aspects) < 2:
        return "".join(f"{aspect} differs" for aspect in aspects)
    return f"{', '.join(aspects[:-1])} and {aspects[-1]} differ"
