"""The judge card: how often a judge is right about probes with known ratings, and how steady it is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from thoughttrace.analysis.page.table import (
    Chapter,
    Section,
    count,
    dollars,
    limits,
    name,
    number,
    pair,
    share,
    short,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.core import record

ALL = "all"
"""The `family` of the row that sums up all families."""


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
    return Chapter(
        "judge_cards",
        "Judge cards",
        "",
        [
            Section(
                "cards", "How often judges are right", cards(evidence.runs.of(record.PROBE)), COLUMNS,
                "How often a judge is right about probes whose right rating is known (judge_agreement); intervals are "
                "clustered by target (CR2; where a share is 0 or 1, Clopper and Pearson's for the effective number of "
                "targets). Right: the rating is one that the rubric allows. Order broken: of two probes of one "
                "target, the better is not rated higher. Same in both orders: targets of two notes that got the same "
                "rating whichever note came first.",
                terminal=True,
            ),
        ],
    )  # fmt: skip


def cards(runs: list[Run]) -> list[CardRow]:
    """Make the card of each judge: a row over all probes, then one for each family.

    Args:
        runs: Runs of `judge_agreement`.
    """
    return [row for run in runs for row in _card(run)]


def _card(run: Run) -> Iterator[CardRow]:
    rows = run.rows
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
        **_order(rows),
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


def _order(rows: pd.DataFrame) -> dict[str, Any]:
    """Count the pairs of one target that must differ, and those that do not, by mean ratings over epochs."""
    probes = rows.dropna(subset="score").groupby("id")
    rated = probes.first().assign(score=probes["score"].mean())
    pairs = [
        (better["score"], worse["score"])
        for _, ladder in rated.groupby("ladder")
        for first, second in combinations(ladder.to_dict("records"), 2)
        for better, worse in ((first, second), (second, first))
        if better["low"] > worse["high"]
    ]
    return {"order_broken": sum(better <= worse for better, worse in pairs), "order_pairs": len(pairs)}


def _swapped(rows: pd.DataFrame) -> dict[str, Any]:
    """Count targets shown in both orders in one epoch, and those that were rated the same."""
    both = rows[rows["family"] == "order"].dropna(subset="score").groupby(["ladder", "epoch"])["score"]
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
