"""Cosine distances of the pairs, and their three relations compared: as they are, turn by turn, and at equal length."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.comparison import holm
from thoughttrace.analysis.shift.clouds import Numbers, Vectors
from thoughttrace.analysis.shift.pairs import RELATIONS
from thoughttrace.analysis.stats.intervals import Interval, coefficient, paired_difference

COMPARISONS = [(b, a) for a, b in combinations(RELATIONS, 2)]
"""Each relation against those before it."""

_LONGEST = 6  # texts of 64 and more words are one class


def cosine_distances(source: Vectors, target: Vectors) -> Numbers:
    """1 − cosine of the angle of each pair, 0–2.

    Args:
        source: n unit vectors, shape (n, d).
        target: n unit vectors.
    """
    distances: Numbers = 1 - np.einsum("nd,nd->n", source, target, dtype=float)
    return np.clip(distances, 0, 2)


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Compare the mean distances of every two relations, in three ways.

    - *as they are*: all pairs of both relations, the difference of their means (CR2 by user);
    - *turn by turn*: `paired_difference` over the turns that have both. A turn is a user message and the reply to
      it: it pairs the message's reason and the reaction on the reply with the step from this message to the next.
      So message → reason and message → next message share their source, reaction → next message and
      message → next message their target;
    - *equal length*: coarsened exact matching (Iacus, King & Porro 2012, *Political Analysis* 20). Pairs are classed
      by the words of source and of target, each doubling a class (1, 2–3, 4–7 … 64 and more), and only classes in
      which both relations occur are kept. Within them the difference is estimated by regression on the relation, the
      classes, and log₂ words of source and of target, for what a class leaves (CR2 by user).

    Args:
        table: One row per pair, with the columns of `Pairs.table` and `distance`.

    Returns:
        One row per comparison and way, with columns `a`, `b`, `way`, `difference` (mean distance of a less that of b),
        `lower`, `upper`, `p_value`, `p_holm` (over the comparisons of a way), `n_a` and `n_b` (pairs; turns, where
        they are paired), `share_a` and `share_b` (of all pairs of the relation), `users`, `note`.
    """
    rows = []
    for a, b in COMPARISONS:
        both = table[table["relation"].isin([a, b])]
        counts = {name: int((both["relation"] == name).sum()) for name in (a, b)}
        if not all(counts.values()):
            continue
        matched = _of_equal_length(both, a)
        turns = _turns(both, a, b)
        ways: dict[str, tuple[Interval, int, int]] = {
            "as they are": (_difference(both, a, lengths=False), counts[a], counts[b]),
            "turn by turn": (_paired(turns, a, b), len(turns), len(turns)),
            "equal length": (
                _difference(matched, a, lengths=True),
                int((matched["relation"] == a).sum()),
                int((matched["relation"] == b).sum()),
            ),
        }
        for way, (found, n_a, n_b) in ways.items():
            rows.append({
                "a": a, "b": b, "way": way,
                "difference": found.estimate, "lower": found.lower, "upper": found.upper, "p_value": found.p_value,
                "n_a": n_a, "n_b": n_b, "share_a": n_a / counts[a], "share_b": n_b / counts[b],
                "users": found.clusters, "note": found.reason or "",
            })  # fmt: skip
    compared = pd.DataFrame(rows)
    if rows:
        compared.insert(7, "p_holm", compared.groupby("way")["p_value"].transform(holm))
    return compared


def _turns(both: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """The mean distance of each relation in every turn that has both; reactions before any message have no turn."""
    placed = both[both["turn"] >= 0]
    wide = placed.pivot_table(index=["user", "conversation", "turn"], columns="relation", values="distance")
    return wide.reindex(columns=[a, b]).dropna().reset_index()


def _paired(turns: pd.DataFrame, a: str, b: str) -> Interval:
    if turns.empty:
        return _nothing("no turn has both")
    return paired_difference(turns[a], turns[b], turns["user"])


def _of_equal_length(both: pd.DataFrame, a: str) -> pd.DataFrame:
    cell = length_class(both["source_words"]) * (_LONGEST + 1) + length_class(both["target_words"])
    both = both.assign(cell=cell)
    kinds = both.assign(is_a=both["relation"] == a).groupby("cell")["is_a"].transform("nunique")
    return both[kinds == 2]


def _difference(rows: pd.DataFrame, a: str, lengths: bool) -> Interval:
    if rows.empty:
        return _nothing("no pairs of equal length")
    first = (rows["relation"] == a).to_numpy(dtype=float)
    others = [np.ones(len(rows))]
    if lengths:
        others += [np.log2(rows[f"{side}_words"].to_numpy(dtype=float)) for side in ("source", "target")]
        others += list(pd.get_dummies(rows["cell"]).to_numpy(dtype=float).T)
    return coefficient(rows["distance"], np.column_stack([first, *others]), rows["user"])


def length_class(words: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The class of a text's length: every doubling of the words, from 64 on one class.

    Args:
        words: Counts of at least 1.
    """
    classes: npt.NDArray[np.int64] = np.minimum(np.log2(np.asarray(words, dtype=float)), _LONGEST).astype(int)
    return classes


def _nothing(reason: str) -> Interval:
    nan = float("nan")
    return Interval(nan, nan, nan, nan, nan, 0, 0, reason=reason)
