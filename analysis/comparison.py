"""Which of two runs is better, on the samples both have: paired differences, never two overlapping intervals."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.stats.holm import LEVEL as LEVEL  # noqa: PLC0414
from thoughttrace.analysis.stats.holm import holm as holm  # noqa: PLC0414
from thoughttrace.analysis.stats.intervals import paired_difference
from thoughttrace.core.errors import UserError

By = Literal["model", "context", "judge", "prompt", "date"]
"""In what two compared runs may differ; in everything else they must be equal."""

_ASPECTS = {
    "model": "model",
    "context": "context",
    "judge": "judge",
    "prompt": "prompt_hash",
    "rubric": "rubric_hash",
    "data revision": "data_revision",
    "task version": "version",
}

_SHOWN = ("model", "context", "judge")


def compare(runs: Sequence[Run], by: By = "model", force: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """Compare all pairs of runs that differ in one thing only.

    Args:
        runs: Runs of any kind; only runs of the same kind are compared.
        by: What may differ.
        force: Compare also pairs that differ in something else; the column `note` says in what.

    Returns:
        One row per pair: `kind`, `by`, `a` and `b` (what differs, in words), `model`, `context`, `judge` (where equal,
        else empty), `n` and `users` (scored by both), `mean_a`, `mean_b` (on these), `difference` (a − b) with 95 %
        limits `lower`, `upper`, its `p_value` and `p_holm` (Holm 1979, over the pairs of the same kind), `wins`,
        `ties`, `losses` (samples where a is higher, equal, lower), `d` (Cohen's d of the paired differences: mean /
        standard deviation), and `note`. And a sentence for every reason why pairs were not compared.
    """
    rows: list[dict[str, Any]] = []
    refused: dict[str, int] = {}
    for a, b in combinations(runs, 2):
        if a.kind != b.kind:
            continue
        others = _differ_in(a, b, by)
        if not force and (others or not _differs(a, b, by)):
            why = _differing(others) if others else f"same {by}"
            refused[why] = refused.get(why, 0) + 1
            continue
        row = _pair(a, b, by, others)
        if row["n"]:
            rows.append(row)
        else:
            refused["no scored sample in common"] = refused.get("no scored sample in common", 0) + 1
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = table.groupby("kind")["p_value"].transform(holm)
    sentences = [f"{count} {'pair' if count == 1 else 'pairs'} not compared: {why}." for why, count in refused.items()]
    return table, sentences


def require(runs: Sequence[Run], by: By, force: bool) -> tuple[pd.DataFrame, list[str]]:
    """Compare, or say in one sentence why nothing can be compared.

    Raises:
        UserError: No two of the runs can be compared.
    """
    table, refused = compare(runs, by, force)
    if table.empty:
        why = " ".join(refused) or "There is only one run of each kind."
        force_may_help = any("differ" in sentence for sentence in refused)
        mend = " Choose what may differ with --by, or pass --force and the output will say so." * force_may_help
        raise UserError(f"Nothing to compare by {by}. {why}{mend}")
    return table, refused


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Rank what was compared, ties shown as ties.

    A rank interval runs from one more than the number of others that are significantly better to the number
    of all less those that are significantly worse, so what cannot be told apart shares ranks.

    Args:
        table: What `compare` returns.

    Returns:
        `kind`, `by`, the settings in which the compared runs agree, `name`, `best_rank`, `worst_rank`; best first.
    """
    if table.empty:
        return pd.DataFrame()
    family = ["kind", "by", *_SHOWN]
    ranked = [_ranks(pairs) for _, pairs in table.groupby(family, sort=False)]
    return pd.concat(ranked, ignore_index=True)[[*family, "name", "best_rank", "worst_rank"]]


def _ranks(pairs: pd.DataFrame) -> pd.DataFrame:
    """The rank intervals of one family, best first."""
    means = dict(zip(pairs["a"], pairs["mean_a"], strict=True)) | dict(zip(pairs["b"], pairs["mean_b"], strict=True))
    clear = pairs[pairs["p_holm"] < LEVEL]
    up = clear["difference"] > 0
    winners, losers = clear["a"].where(up, clear["b"]), clear["b"].where(up, clear["a"])
    named = {name: pairs[name].iloc[0] for name in ("kind", "by", *_SHOWN)}
    rows = [
        named
        | {
            "name": name,
            "best_rank": 1 + int((losers == name).sum()),
            "worst_rank": len(means) - int((winners == name).sum()),
            "mean": mean,
        }
        for name, mean in means.items()
    ]
    return pd.DataFrame(rows).sort_values(["best_rank", "worst_rank", "mean"], ascending=[True, True, False])


def _pair(a: Run, b: Run, by: By, others: Sequence[str]) -> dict[str, Any]:
    first, second = a.scored, b.scored
    if not first.index.equals(second.index):
        shared = first.index.intersection(second.index)
        first, second = first.loc[shared], second.loc[shared]
    x, y = first["agreement"].to_numpy(), second["agreement"].to_numpy()
    row: dict[str, Any] = {"kind": a.kind, "by": by, "a": _name(a, by), "b": _name(b, by)}
    row |= {name: value if (value := getattr(a, name)) == getattr(b, name) else "" for name in _SHOWN}
    row["n"] = len(x)
    if not len(x):
        return row
    found = paired_difference(x, y, first["user"].to_numpy())
    spread = float(np.std(x - y, ddof=1)) if len(x) > 1 else np.nan
    notes = [f"forced: {_differing(others)}"] * bool(others) + [found.reason] * bool(found.reason)
    return row | {
        "users": found.clusters,
        "mean_a": x.mean(),
        "mean_b": y.mean(),
        "difference": found.estimate,
        "lower": found.lower,
        "upper": found.upper,
        "p_value": found.p_value,
        "wins": int((x > y).sum()),
        "ties": int((x == y).sum()),
        "losses": int((x < y).sum()),
        "d": found.estimate / spread if spread else np.nan,
        "note": "; ".join(str(note) for note in notes),
    }


def _differs(a: Run, b: Run, by: By) -> bool:
    return by == "date" or getattr(a, _ASPECTS[by]) != getattr(b, _ASPECTS[by])


def _differ_in(a: Run, b: Run, by: By) -> list[str]:
    """In what two runs differ, besides what is compared."""
    # The text of the prompt is what a task version counts.
    free = {by, "task version"} if by == "prompt" else {by}
    return [name for name, field in _ASPECTS.items() if name not in free and getattr(a, field) != getattr(b, field)]


def _name(run: Run, by: By) -> str:
    return run.date if by == "date" else str(getattr(run, _ASPECTS[by]))


def _differing(aspects: Sequence[str]) -> str:
    if len(aspects) < 2:
        return "".join(f"{aspect} differs" for aspect in aspects)
    return f"{', '.join(aspects[:-1])} and {aspects[-1]} differ"


BYS: tuple[By, ...] = get_args(By)
