"""The judge card: how good a judge is at probes whose right rating is known, beside judges that understand nothing."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.chapters.human_ratings import join
from thoughttrace.analysis.page.plots import Bar, stacked
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    dollars,
    limits,
    name,
    number,
    pair,
    share,
    short,
    spread,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.judge_quality import RULE, Figures, JudgeCard, judge_cards, order
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.interrater import kappa
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.core import record
from thoughttrace.core.nearest_rating import nearest_rating

ALL = "all"
"""The `family` of the row that sums up all families."""

RATINGS = range(1, 6)


@dataclass(frozen=True)
class SummaryRow:
    """How one judge, or a trivial one, rated the probes of a run.

    The fields from `log` on are empty in the row of a trivial judge.
    """

    judge: str
    verdict: str
    """"qualified", also for one kind alone, or "not qualified"; empty for a trivial judge."""
    trivial: bool
    task_version: str
    probes_hash: str
    n: int
    """Valid judgements."""
    judgements: int
    """Planned; a trivial judge is asked once."""
    coverage: float
    right: float
    """Share of valid ratings that are right, the mean over families."""
    right_lower: float
    """95 % limit, CR2 by target, on the logit; NaN where there is no interval, and then `right_note` says why."""
    right_upper: float
    right_note: str
    distance: float
    """Points to the nearest right rating, the mean over families."""
    injected: float
    """Share of attacks that got a 4 or 5; NaN where there was none."""
    order_broken: int
    order_pairs: int
    log: str = ""
    why: str = ""
    """Why it is not qualified."""
    slope: float = math.nan
    """Points by which the rating rises where an equally good inference has twice as many words."""
    slope_lower: float = math.nan
    """95 % limit, CR2 by target."""
    slope_upper: float = math.nan
    slope_note: str = ""
    same_again: float = math.nan
    """Share of probes that got the same rating in another epoch; NaN with one epoch."""
    kappa_again: float = math.nan
    """Cohen's kappa of the two, with quadratic weights."""
    people_kappa: float = math.nan
    """Cohen's kappa, with quadratic weights, of this judge and people; NaN where it judged none of their inferences
    alone."""
    people_ratings: int | None = None
    """Human ratings that it rests on."""
    rubric: str = ""
    """The file that a user gave, or the hashes of ours by kind."""
    judge_message: bool = True
    data: str = ""


SUMMARY_COLUMNS = [
    name("Judge", "judge"),
    short("Verdict", "verdict"),
    share("Right", "right"),
    limits("95 % interval", "right_", percent=True),
    number("Points off", "distance"),
    share("Attacks that succeeded", "injected"),
    pair("Order broken", "order_broken", lambda row: row.order_pairs or None, between=" of "),
    share("Coverage", "coverage"),
    number("Rating per doubling of length", "slope", "+.2f"),
    limits("Length, 95 %", "slope_"),
    share("Same again", "same_again"),
    number("Kappa again", "kappa_again"),
    number("Kappa with people", "people_kappa"),
    count("Human ratings", "people_ratings"),
    text("Why not", "why"),
    name("Rubric", "rubric"),
]


@dataclass(frozen=True)
class IntendedRow:
    """Which ratings one judge gave to the probes of one range of right ratings."""

    judge: str
    log: str
    low: int
    """The lowest right rating."""
    high: int
    given_1: int
    given_2: int
    given_3: int
    given_4: int
    given_5: int
    n: int

    @property
    def right(self) -> str:
        """The right ratings, such as "1–2"."""
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"

    @property
    def given(self) -> list[int]:
        """How often each rating was given."""
        return [self.given_1, self.given_2, self.given_3, self.given_4, self.given_5]


INTENDED_COLUMNS = [
    name("Judge", "judge"),
    short("Right", "right"),
    spread("Given 1·2·3·4·5", *(f"given_{rating}" for rating in RATINGS)),
    count("n", "n"),
]


@dataclass(frozen=True)
class CardRow:
    """How one judge rated one family of probes, or all of them.

    The fields from `order_broken` on are empty in the row of a family.
    """

    judge: str
    task_version: str
    data: str
    data_revision: str
    probes_hash: str
    rubric_hash: str
    """Of each kind."""
    judge_message: bool
    """Whether the judge was shown the annotated message."""
    package_version: str
    date: str
    log: str
    family: str
    """Of the probes, or `ALL`."""
    n: int
    """Valid judgements."""
    judgements: int
    """Planned."""
    coverage: float
    """n / judgements."""
    targets: int
    """Clusters of the intervals: the probes of one target are correlated."""
    right: float
    """Share of valid judgements whose rating is among the right ones, 0 to 1."""
    right_lower: float
    """95 % limit, CR2 by target, on the logit; Clopper and Pearson's where the share is 0 or 1. NaN where there is no
    interval, and then `right_note` says why."""
    right_upper: float
    right_note: str
    injected: float
    """Share of attacks that got a 4 or 5, 0 to 1; NaN where there was none."""
    injected_lower: float
    injected_upper: float
    injected_note: str
    rating: float
    """Mean, 1–5."""
    order_broken: int | None = None
    """Of `order_pairs`: those whose better probe is not rated higher."""
    order_pairs: int | None = None
    """Pairs of probes of one target whose right ratings do not overlap."""
    swapped_alike: int | None = None
    """Of `swapped`: those that got the same rating."""
    swapped: int | None = None
    """Targets whose notes were shown in both orders, in each epoch."""
    repeat_sd: float = math.nan
    """Standard deviation between epochs of the same probe, pooled; NaN with one epoch."""
    tokens_per_1000: float = math.nan
    """Tokens for 1,000 judgements."""
    cost_per_1000: float = math.nan
    """US dollars for 1,000 judgements; NaN where no price is known."""


COLUMNS = [
    name("Judge", "judge"),
    short("Probes", lambda row: row.family.replace("_", " ")),
    share("Right", "right"),
    limits("95 % interval", "right_", percent=True),
    share("Attacks that succeeded", "injected"),
    limits("Attacks, 95 %", "injected_", percent=True),
    number("Mean rating", lambda row: row.rating if row.n else "none valid"),
    count("n", "n"),
    count("Targets", "targets"),
    share("Coverage", "coverage"),
    pair("Order broken", "order_broken", lambda row: row.order_pairs or None, between=" of "),
    pair("Same in both orders", "swapped_alike", lambda row: row.swapped or None, between=" of "),
    number("SD of repeats", "repeat_sd"),
    count("Tokens per 1,000", "tokens_per_1000"),
    dollars("Cost per 1,000", lambda row: row.cost_per_1000 if row.family == ALL else ""),
    short("Rubric", "rubric_hash"),
    name("Data", "data"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the cards of the judges that rated probes."""
    runs = evidence.runs.of(record.PROBE)
    intended = [row for run in runs for row in _intended(run)]
    given = [run.rubric_file for run in runs if run.rubric_file]
    beside = " With people: see “Human ratings”." * (evidence.ratings is not None)
    beside += f" By {', '.join(given)}: the right ratings follow our rubric, not this one." if given else ""
    return Chapter(
        "judge_cards",
        "Judge cards",
        "",
        [
            Section(
                "judge_quality", "Is the judge qualified?", summaries(runs, evidence), SUMMARY_COLUMNS,
                f"{RULE} Right and points off: means over the families of probes, intervals clustered by target (CR2). "
                "Trivial judges understand nothing: a constant; 5 for the note word for word and else 1; four "
                "thresholds on the share of words in common or on the cosine of embeddings, fitted on the probes "
                "written by hand. Order broken: of two probes of one target, the better is not rated higher. Length: "
                f"by how much the rating rises with twice the words at equal quality, attacks left out.{beside}",
                terminal=True,
            ),
            Section(
                "judge_intended", "What should be given, and what was", intended, INTENDED_COLUMNS,
                "How often each rating was given to the probes whose right ratings are these.",
                [Picture("judge_intended", _draw(intended), "Ratings given, by the right ratings (left).")]
                if intended else [],
            ),
            Section(
                "cards", "How often judges are right, by family", cards(runs), COLUMNS,
                "How often a judge is right about probes whose right rating is known (judge_agreement); intervals are "
                "clustered by target (CR2; where a share is 0 or 1, Clopper and Pearson's for the effective number of "
                "targets). Right: the rating is one that the rubric allows; “all” counts every probe the same. Same in "
                "both orders: targets of two notes that got the same rating whichever note came first.",
            ),
        ],
    )  # fmt: skip


def summaries(runs: Sequence[Run], evidence: Evidence) -> list[SummaryRow]:
    """Make the rows of the judges of the same probes, followed by those of the trivial judges on these.

    Args:
        runs: Runs of `judge_agreement`.
        evidence: The human ratings, and the runs that were rated.
    """
    by_probes: dict[tuple[str, frozenset[str]], list[JudgeCard]] = {}
    for card in judge_cards(runs):
        by_probes.setdefault((card.run.probes_hash, frozenset(card.run.rows["id"])), []).append(card)
    rows = []
    for members in by_probes.values():
        rows += [_of_judge(card, evidence) for card in members]
        rows += [
            SummaryRow(judge=f"{trivial} (trivial)", verdict="", trivial=True, **_shared(members[0], figures))
            for trivial, figures in members[0].trivial.items()
        ]
    return rows


def _of_judge(card: JudgeCard, evidence: Evidence) -> SummaryRow:
    people = _kappa_with_people(card, evidence)
    return SummaryRow(
        judge=card.run.judge,
        verdict=card.verdict,
        trivial=False,
        **_shared(card, card.judge),
        log=card.run.log,
        why=card.why,
        **card.length_slope.as_columns("slope"),
        same_again=card.same_again,
        kappa_again=card.kappa_again,
        people_kappa=people.estimate,
        people_ratings=people.n or None,
        rubric=card.run.rubric,
        judge_message=card.run.judge_message,
        data=card.run.data,
    )


def _shared(card: JudgeCard, figures: Figures) -> dict[str, Any]:
    return {
        "task_version": card.run.task_version,
        "probes_hash": card.run.probes_hash,
        "n": figures.n,
        "judgements": figures.judgements,
        "coverage": figures.coverage,
        **figures.right.as_columns("right"),
        "distance": figures.distance,
        "injected": figures.injected,
        "order_broken": figures.order_broken,
        "order_pairs": figures.order_pairs,
    }


def _kappa_with_people(card: JudgeCard, evidence: Evidence) -> Interval:
    """Compare a judge with people, on the inferences that it judged alone, as it judged on the card."""
    none = Interval.without_limits("no human ratings")
    if evidence.ratings is None:
        return none
    runs = evidence.runs.inferences
    rated = join(runs, evidence.ratings)
    judge = card.run.judge
    own = [n for n, run in enumerate(runs) if run.judge == judge and card.is_of(run, judge, kind_of(run))]
    rated = rated[rated["run"].isin(own)]
    rated = rated.dropna(subset="score")
    return kappa(rated["human"], rated["score"], rated["user"]) if len(rated) else none


def _intended(run: Run) -> Iterator[IntendedRow]:
    valid = run.rows.dropna(subset="score")
    nearest = nearest_rating(valid["score"].astype(float))
    for low, high in sorted({*zip(valid["low"], valid["high"], strict=True)}):
        members = nearest[(valid["low"] == low) & (valid["high"] == high)]
        given = {f"given_{rating}": int((members == rating).sum()) for rating in RATINGS}
        yield IntendedRow(run.judge, run.log, low, high, **given, n=len(members))


def _draw(rows: Sequence[IntendedRow]) -> Figure:
    several = len({(row.judge, row.log) for row in rows}) > len({row.judge for row in rows})
    bars = [Bar(row.right, row.given, row.judge + f"\n{row.log}" * several) for row in rows]
    return stacked(bars, "share of ratings given, %")


def cards(runs: Sequence[Run]) -> list[CardRow]:
    """Make the card of each judge: a row over all probes, then one for each family.

    Args:
        runs: Runs of `judge_agreement`.
    """
    return [row for run in runs for row in _card(run)]


def _card(run: Run) -> Iterator[CardRow]:
    rows = run.rows
    broken, pairs = order(rows)
    about: dict[str, Any] = {
        "judge": run.judge,
        "task_version": run.task_version,
        "data": run.data,
        "data_revision": run.data_revision,
        "probes_hash": run.probes_hash,
        "rubric_hash": run.rubric_hash,
        "judge_message": run.judge_message,
        "package_version": run.package_version,
        "date": run.date,
        "log": run.log,
    }
    yield CardRow(
        **about,
        family=ALL,
        **_ratings(rows, run.planned_replies),
        order_broken=broken,
        order_pairs=pairs,
        **_swapped(rows),
        repeat_sd=_repeat_sd(rows),
        **_price(rows),
    )
    for family, members in rows.groupby("family", sort=True):
        yield CardRow(**about, family=str(family), **_ratings(members, len(members)))


def _ratings(rows: pd.DataFrame, planned: int) -> dict[str, Any]:
    valid = rows.dropna(subset="score")
    return {
        "n": len(valid),
        "judgements": planned,
        "coverage": len(valid) / planned,
        "targets": valid["ladder"].nunique(),
        **_mean("right", valid, "within"),
        **_mean("injected", valid.dropna(subset="injected"), "injected"),
        "rating": valid["score"].mean(),
    }


def _mean(field: str, rows: pd.DataFrame, column: str) -> dict[str, Any]:
    if rows.empty:
        return {field: math.nan, f"{field}_lower": math.nan, f"{field}_upper": math.nan, f"{field}_note": ""}
    mean = cluster_mean(rows[column].to_numpy(), rows["ladder"].to_numpy(), bounds=(0, 1))
    # Statistics cluster by user and say so; here the clusters are targets.
    why = "no spread between targets: no interval" if mean.clusters > 1 else "only one target: no interval"
    return mean.as_columns(field) | {f"{field}_note": why if mean.reason else ""}


def _swapped(rows: pd.DataFrame) -> dict[str, Any]:
    """Count targets shown in both orders in one epoch, and those that were rated the same."""
    valid = rows[rows["family"] == "order"].dropna(subset="score")
    both = nearest_rating(valid["score"].astype(float)).groupby([valid["ladder"], valid["epoch"]])
    alike = both.nunique()[both.size() == 2] == 1
    return {"swapped_alike": int(alike.sum()), "swapped": len(alike)}


def _repeat_sd(rows: pd.DataFrame) -> float:
    """Pool over probes, each weighted by its number of valid epochs less one."""
    ratings = rows.dropna(subset="score").groupby("id")["score"]
    freedom = ratings.size() - 1
    squares = (ratings.var(ddof=0) * ratings.size()).sum()
    return math.sqrt(squares / freedom.sum()) if freedom.sum() else math.nan


def _price(rows: pd.DataFrame) -> dict[str, Any]:
    tokens = rows["input_tokens"].sum() + rows["output_tokens"].sum()
    cost = rows["cost"].sum(skipna=False)
    return {"tokens_per_1000": 1000 * float(tokens) / len(rows), "cost_per_1000": 1000 * float(cost) / len(rows)}
