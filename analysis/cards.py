"""The judge's card: how often a judge is right about probes, and how steady it is."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pandas as pd

from thoughttrace.analysis.finished import Header, gather
from thoughttrace.analysis.probe_logs import read_probe_log
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.analysis.tables import Rows, dollars, percent, percents

ALL = "all"
"""The name of the row that holds a judge's figures over all families."""

_SAME = ("judge", "task_version", "data", "data_revision", "probes_hash", "rubric_hash", "judge_message")


@dataclass(frozen=True)
class Cards:
    """The cards of judges, and one sentence for every log that does not count."""

    table: pd.DataFrame
    left_out: list[str] = field(default_factory=list)


def cards(files: Sequence[str]) -> Cards:
    """Read the cards in logs of `judge_agreement`; the newest of each judge, version, rubric and set of probes counts.

    Logs of other tasks are passed over.

    Args:
        files: Paths or fsspec URLs.

    Returns:
        For each card one row `all`, then one for each `family` of probes; no rows where there is no card. What names
        the card: `judge`, `task_version`, `data`, `data_revision`, `probes_hash`, `rubric_hash`, `judge_message`,
        `date`, `log`. `n` (valid judgements), `judgements` (planned), `coverage` (n / judgements), `targets`
        (clusters). `right`, the share of valid judgements whose rating is among the right ones, and `injected`, the
        share of attacks that got a 4 or 5, with 95 % limits `…_lower` and `…_upper` (CR2, clustered by target,
        clipped to 0–1; NaN where there is no interval, and then `…_note` says why). `rating` (mean). Only in the
        row `all`, else NaN: `order_broken` of `order_pairs` (pairs of probes of one target whose right ratings do
        not overlap; broken if the better one is not rated higher), `swapped_alike` of `swapped` (notes in both
        orders, rated the same), `repeat_sd` (standard deviation between epochs of the same probe, pooled; NaN with
        one epoch), `tokens_per_1000` and `cost_per_1000` judgements (US dollars; NaN where no price is known).
    """
    found, left_out = gather(files, read_probe_log, _SAME)
    return Cards(pd.DataFrame([row for card in found for row in _card(*card)]), left_out)


def card_rows(table: pd.DataFrame) -> Rows:
    """The cards as people read them.

    Args:
        table: `Cards.table`.
    """
    return [
        {
            "Judge": row["judge"],
            "Probes": row["family"].replace("_", " "),
            "Right": _share(row["right"]),
            "95 % interval": percents(row["right_lower"], row["right_upper"], row["right_note"]),
            "Attacks that worked": _share(row["injected"]),
            "Attacks, 95 %": percents(row["injected_lower"], row["injected_upper"], row["injected_note"]),
            "Mean rating": f"{row['rating']:.2f}" if row["n"] else "none valid",
            "n": f"{row['n']:,}",
            "Targets": f"{row['targets']:,}",
            "Coverage": percent(row["coverage"]),
            "Order broken": _of(row["order_broken"], row["order_pairs"]),
            "Swapped alike": _of(row["swapped_alike"], row["swapped"]),
            "SD of repeats": f"{row['repeat_sd']:.2f}" if pd.notna(row["repeat_sd"]) else "",
            "Tokens per 1,000": f"{row['tokens_per_1000']:,.0f}" if row["family"] == ALL else "",
            "Cost per 1,000": dollars(row["cost_per_1000"]) if row["family"] == ALL else "",
            "Rubric": row["rubric_hash"],
            "Data": row["data"],
        }
        for row in table.to_dict("records")
    ]


def _card(header: Header, rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    named = {name: value for name, value in header.items() if name not in {"planned", "prompt_hash"}}
    whole = _order(rows) | _swapped(rows) | {"repeat_sd": _repeat_sd(rows)} | _price(rows)
    yield named | {"family": ALL} | _figures(rows, header["planned"]) | whole
    for family, own in rows.groupby("family", sort=True):
        yield named | {"family": family} | _figures(own, len(own)) | dict.fromkeys(whole, math.nan)


def _figures(rows: pd.DataFrame, planned: int) -> dict[str, Any]:
    valid = rows.dropna(subset="rating")
    return {
        "n": len(valid),
        "judgements": planned,
        "coverage": len(valid) / planned,
        "targets": valid["ladder"].nunique(),
        **_mean("right", valid, "within"),
        **_mean("injected", valid.dropna(subset="injected"), "injected"),
        "rating": valid["rating"].mean(),
    }


def _mean(name: str, rows: pd.DataFrame, column: str) -> dict[str, Any]:
    if rows.empty:
        return {name: math.nan, f"{name}_lower": math.nan, f"{name}_upper": math.nan, f"{name}_note": ""}
    found = cluster_mean(rows[column].to_numpy(), rows["ladder"].to_numpy(), bounds=(0.0, 1.0))
    return {
        name: found.estimate,
        f"{name}_lower": found.lower,
        f"{name}_upper": found.upper,
        # The probes of one target are what is correlated here, not those of a user.
        f"{name}_note": (found.reason or "").replace("user", "target"),
    }


def _order(rows: pd.DataFrame) -> dict[str, float]:
    """Count the pairs of one target that must differ, and those that do not, by mean ratings over epochs."""
    probes = rows.dropna(subset="rating").groupby("id")
    rated = probes.first().assign(rating=probes["rating"].mean())
    pairs = [
        (better["rating"], worse["rating"])
        for _, ladder in rated.groupby("ladder")
        for one, other in combinations(ladder.to_dict("records"), 2)
        for better, worse in ((one, other), (other, one))
        if better["low"] > worse["high"]
    ]
    return {"order_broken": sum(better <= worse for better, worse in pairs), "order_pairs": len(pairs)}


def _swapped(rows: pd.DataFrame) -> dict[str, float]:
    """Count targets shown in both orders in one epoch, and those that were rated the same."""
    both = rows[rows["family"] == "order"].dropna(subset="rating").groupby(["ladder", "epoch"])["rating"]
    alike = both.nunique()[both.size() == 2] == 1
    return {"swapped_alike": int(alike.sum()), "swapped": len(alike)}


def _repeat_sd(rows: pd.DataFrame) -> float:
    """Pooled over probes, each with its number of valid epochs less one as weight."""
    ratings = rows.dropna(subset="rating").groupby("id")["rating"]
    freedom = ratings.size() - 1
    squares = (ratings.var(ddof=0) * ratings.size()).sum()
    return math.sqrt(squares / freedom.sum()) if freedom.sum() else math.nan


def _price(rows: pd.DataFrame) -> dict[str, float]:
    totals = rows[["tokens", "cost"]].sum(skipna=False) * 1000 / len(rows)
    return {"tokens_per_1000": float(totals["tokens"]), "cost_per_1000": float(totals["cost"])}


def _share(value: float) -> str:
    return percent(value) if pd.notna(value) else ""


def _of(count: float, total: float) -> str:
    return f"{count:,.0f} of {total:,.0f}" if pd.notna(total) and total else ""
