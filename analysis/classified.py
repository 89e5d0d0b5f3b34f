"""How far models name the dataset's types of thoughts: accuracy, macro-F1, cohen_kappa, and paired differences."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.comparison import holm
from thoughttrace.analysis.confused import tallies
from thoughttrace.analysis.finished import Header, Read
from thoughttrace.analysis.stats.interrater import bootstrap_counts, cohen_kappa, macro_f1
from thoughttrace.analysis.stats.intervals import paired_difference
from thoughttrace.analysis.thought_logs import NONE, mean_of, missing, per_thought, run_of

_DECLINED = ("refused", "empty", "unparsable")
_SETTING = ("task_version", "data_revision")


def accuracies(found: Sequence[Read]) -> pd.DataFrame:
    """Estimate how far each run agrees with the dataset's labels.

    Args:
        found: Logs of `classify_thought`.

    Returns:
        One row per log: `kind`, `model`, `context`; `accuracy` (share of scored replies that name the dataset's type,
        with CR2 limits by user), `macro_f1` and `kappa` (with percentile limits over users), each with `_lower`,
        `_upper` and `_note` (why there are no limits); `majority`, the accuracy of always naming the most frequent type
        (`majority_type`); `n` (scored replies), `users`, `samples` (planned replies), `coverage` (n / samples),
        `declined` (replies that named no type, wrong by rule), `missing`, and what names the log.
    """
    return pd.DataFrame([_accuracy(header, rows) for header, rows in found])


def differences(found: Sequence[Read]) -> pd.DataFrame:
    """Compare all pairs of runs that differ in the model or in the context only, on the thoughts both have.

    Args:
        found: Logs of `classify_thought`.

    Returns:
        One row per pair: `kind`, `by` (`model` or `context`), `a`, `b`, `model`, `context` (where equal, else empty),
        `n` and `users` (scored by both), `difference` of the accuracies (a − b, with CR2 limits `lower`, `upper`,
        clipped to −1 … 1), `p_value`, `p_holm` (over the pairs of the same kind), `only_a` and `only_b` (thoughts that
        one alone has right more often), `note`.
    """
    rows = [row for a, b in combinations(found, 2) if (row := _difference(a, b))]
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = table.groupby("kind")["p_value"].transform(holm)
    return table


def _accuracy(header: Header, rows: pd.DataFrame) -> dict[str, Any]:
    scored = rows.dropna(subset="value")
    planned = header["planned"] * header["epochs"]
    found = {"accuracy": mean_of(scored, (0.0, 1.0))}
    counts = tallies(header, scored)
    found |= {
        name: bootstrap_counts(counts, statistic) if len(scored) else NONE
        for name, statistic in (("macro_f1", macro_f1), ("kappa", cohen_kappa))
    }
    shares = scored["type"].value_counts(normalize=True)
    row = run_of(header)
    for name, value in found.items():
        row |= {name: value.estimate, f"{name}_lower": value.lower, f"{name}_upper": value.upper}
        row[f"{name}_note"] = value.reason or ""
    return row | {
        "majority": shares.iloc[0] if len(shares) else np.nan,
        "majority_type": shares.index[0] if len(shares) else "",
        "n": len(scored),
        "users": scored["user"].nunique(),
        "samples": planned,
        "coverage": len(scored) / planned,
        "declined": int(scored["reason"].isin(_DECLINED).sum()),
        "missing": missing(header, rows),
        **{name: header[name] for name in (*_SETTING, "data", "prompt_hash", "package_version", "date", "log")},
    }


def _difference(first: Read, second: Read) -> dict[str, Any] | None:
    (a, replies), (b, others) = first, second
    differ = [name for name in ("model", "context") if a[name] != b[name]]
    # The baseline was given no prompt.
    prompts = {a["prompt_hash"], b["prompt_hash"]} - {""}
    if a["kind"] != b["kind"] or len(differ) != 1 or len(prompts) > 1 or any(a[x] != b[x] for x in _SETTING):
        return None
    (by,) = differ
    pair = per_thought(replies).join(per_thought(others)["value"].rename("value_b"), how="inner")
    if pair.empty:
        return None
    x, y = pair["value"].to_numpy(), pair["value_b"].to_numpy()
    found = paired_difference(x, y, pair["user"].to_numpy())
    return {
        "kind": a["kind"],
        "by": by,
        "a": a[by],
        "b": b[by],
        "model": a["model"] if by == "context" else "",
        "context": a["context"] if by == "model" else "",
        "n": found.n,
        "users": found.clusters,
        "difference": found.estimate,
        "lower": float(np.clip(found.lower, -1, 1)),
        "upper": float(np.clip(found.upper, -1, 1)),
        "p_value": found.p_value,
        "only_a": int((x > y).sum()),
        "only_b": int((x < y).sum()),
        "note": found.reason or "",
    }
