"""Measure the shift: cosine distances and their comparison, clouds, and a linear probe that separates them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.shift.geometry import (
    FEWEST,
    FEWEST_USERS,
    PAIRS_DRAWN,
    Vectors,
    centroids,
    median_distance,
    mmd,
    sample_of_users,
    steps,
)
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON, RELATIONS
from thoughttrace.analysis.stats.intervals import Interval, Numbers, cluster_mean, coefficient, paired_difference
from thoughttrace.analysis.stats.multiplicity import holm
from thoughttrace.core.published import embedding_distance

ALL, SIMILAR_LENGTH = "all", "similar length"
"""Sets of pairs; in the second neither text has more than twice the words of the other."""

AS_THEY_ARE, BY_TURN, EQUAL_LENGTH = "as they are", "turn by turn", "equal length"
"""Ways of comparing two relations."""

FOLDS = 5
PERCENTILES = (25, 50, 75)

_PUBLISHED: dict[str, Literal["next_message", "reason", "reaction"]] = {
    NEXT: "next_message",
    REASON: "reason",
    REACTION: "reaction",
}
"""The relations as `embedding_distance` names them. Its numbers are of text-embedding-3-large, settings of UMAP not
stated."""

_LONGEST = 6  # texts of 64 and more words are one class


@dataclass(frozen=True)
class RelationRow:
    """How far sources and targets are apart in one relation and set of pairs."""

    relation: str
    pairs: str
    """`ALL` or `SIMILAR_LENGTH`."""
    n: int
    users: int
    distance: float
    """Mean cosine distance."""
    lower: float
    upper: float
    centroids: float
    centroids_debiased: float
    centroids_lower: float
    centroids_upper: float
    centroids_standardized: float
    mmd: float
    """MMD²."""
    mmd_p: float
    auc: float
    auc_words: float
    """Of a probe that sees only the number of words."""
    note: str


@dataclass(frozen=True)
class ComparisonRow:
    """The mean cosine distance of one relation less that of another."""

    a: str
    b: str
    way: str
    difference: float
    lower: float
    upper: float
    p_value: float
    p_holm: float
    """Adjusted over the comparisons of a way."""
    n_a: int
    """Pairs; turns, where they are paired."""
    n_b: int
    share_a: float
    """Of all pairs of the relation."""
    share_b: float
    users: int
    note: str


@dataclass(frozen=True)
class StepsRow:
    """How far the steps of a relation reach on the plane: percentiles of the distance from the origin."""

    relation: str
    n: int
    steps_25: float
    steps_50: float
    steps_75: float
    norm_25: float
    """Of the difference of the embeddings."""
    norm_50: float
    norm_75: float
    published_25: float
    published_50: float
    published_75: float

    def quartiles(self, of: Literal["steps", "norm", "published"]) -> tuple[float, float, float]:
        """Give the percentiles of one measure."""
        return getattr(self, f"{of}_25"), getattr(self, f"{of}_50"), getattr(self, f"{of}_75")


@dataclass(frozen=True)
class Shift:
    """All measures of a dataset."""

    relations: Sequence[RelationRow]
    comparisons: Sequence[ComparisonRow]
    steps: Sequence[StepsRow]
    """Empty where there are too few pairs for a plane."""
    bandwidth: float
    """Of the RBF kernel."""
    plane: Numbers
    """The points of the pairs in the figure, shape (n, 2); n is 0 where there are too few pairs."""
    drawn: npt.NDArray[np.str_]
    """Their relations."""
    note: str
    """What the figure leaves out; empty if nothing."""


def measure(table: pd.DataFrame, source: Vectors, target: Vectors, seed: int) -> Shift:
    """Measure the shift of every relation, and compare them.

    Args:
        table: `Pairs.table`, n rows.
        source: Unit vectors of the sources, shape (n, d).
        target: Unit vectors of the targets, shape (n, d).
        seed: Of permutations, samples and UMAP.
    """
    table = table.assign(distance=cosine_distances(source, target)).reset_index(drop=True)
    # One bandwidth for all, or their MMDs would not be on one scale.
    bandwidth = median_distance(np.vstack([source, target]), seed)
    words = table[["source_words", "target_words"]]
    similar = words.max(axis=1) <= 2 * words.min(axis=1)
    relations = []
    for relation in RELATIONS:
        of_relation = table["relation"] == relation
        for pairs, chosen in {ALL: of_relation, SIMILAR_LENGTH: of_relation & similar}.items():
            if chosen.any():
                rows = chosen.to_numpy()
                relations.append(
                    _measure_relation(relation, pairs, table[rows], source[rows], target[rows], bandwidth, seed)
                )
    in_figure, note = _choose_drawn(table, seed)
    ends, drawn = (source[in_figure], target[in_figure]), table.loc[in_figure, "relation"].to_numpy()
    plane = steps(*ends, seed) if in_figure.any() else np.empty((0, 2))
    return Shift(relations, compare(table), step_rows(plane, *ends, drawn), bandwidth, plane, drawn, note)


def _measure_relation(
    relation: str, pairs: str, table: pd.DataFrame, source: Vectors, target: Vectors, bandwidth: float, seed: int
) -> RelationRow:
    users = table["user"].to_numpy()
    mean = cluster_mean(table["distance"], users, bounds=(0, 2))
    apart = centroids(source, target, users)
    squared, p_value = mmd(source, target, users, bandwidth, seed)
    auc = probe(source, target, users)
    auc_words = probe(_log_words(table, "source"), _log_words(table, "target"), users)
    no_probe = f"fewer than {FOLDS} users: no AUC" if np.isnan(auc) else None
    no_small_p = f"fewer than {FEWEST_USERS} users: MMD's p cannot be below 0.05" * (mean.clusters < FEWEST_USERS)
    return RelationRow(
        relation, pairs, mean.n, mean.clusters, mean.estimate, mean.lower, mean.upper,
        apart.distance, apart.debiased, apart.lower, apart.upper, apart.standardized, squared, p_value,
        auc, auc_words, "; ".join(reason for reason in (mean.reason, no_probe, no_small_p) if reason),
    )  # fmt: skip


def _log_words(table: pd.DataFrame, side: str) -> Vectors:
    words: Vectors = np.log(table[[f"{side}_words"]].to_numpy(dtype=np.float32))
    return words


def _choose_drawn(table: pd.DataFrame, seed: int) -> tuple[npt.NDArray[np.bool_], str]:
    """Choose the pairs in the figure, and say what it leaves out."""
    chosen = sample_of_users(table["user"], PAIRS_DRAWN, seed)
    if chosen.sum() < FEWEST:
        return np.zeros_like(chosen), f"No figure of steps: {chosen.sum()} pairs, and UMAP needs {FEWEST}."
    if chosen.all():
        return chosen, ""
    users = table.loc[chosen, "user"].nunique()
    return chosen, (
        f"The figure of steps shows {chosen.sum():,} of the {len(table):,} pairs, those of a seeded sample of "
        f"{users:,} users; everything else counts every pair."
    )


def step_rows(plane: Numbers, source: Vectors, target: Vectors, relations: npt.NDArray[np.str_]) -> list[StepsRow]:
    """Compute how far from the origin the pairs of each relation lie.

    Args:
        plane: What `steps` returns, shape (n, 2).
        source: Shape (n, d).
        target: Shape (n, d).
        relations: n names.
    """
    distances = {"steps": np.linalg.norm(plane, axis=1), "norm": np.linalg.norm(target - source, axis=1)}
    rows = []
    for relation, of in _PUBLISHED.items():
        chosen = relations == relation
        if chosen.any():
            percentiles = {key: np.percentile(values[chosen], PERCENTILES) for key, values in distances.items()}
            percentiles["published"] = np.array(embedding_distance(of).percentiles)
            fields = {
                f"{key}_{percentile}": float(value)
                for key, values in percentiles.items()
                for percentile, value in zip(PERCENTILES, values, strict=True)
            }
            rows.append(StepsRow(relation, int(chosen.sum()), **fields))
    return rows


# ---- cosine distances


def cosine_distances(source: Vectors, target: Vectors) -> Numbers:
    """Compute 1 − cosine of the angle of each pair, 0–2.

    Args:
        source: n unit vectors, shape (n, d).
        target: n unit vectors.
    """
    distances: Numbers = 1 - np.einsum("nd,nd->n", source, target, dtype=float)
    return np.clip(distances, 0, 2)


def compare(table: pd.DataFrame) -> list[ComparisonRow]:
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
    """
    rows = []
    for b, a in combinations(RELATIONS, 2):
        both = table[table["relation"].isin([a, b])]
        n_a, n_b = (int((both["relation"] == relation).sum()) for relation in (a, b))
        if not n_a or not n_b:
            continue
        turns, matched = _turns(both, a, b), _match_lengths(both, a)
        matched_a = int((matched["relation"] == a).sum())
        ways: dict[str, tuple[Interval, int, int]] = {
            AS_THEY_ARE: (_difference(both, a, lengths=False), n_a, n_b),
            BY_TURN: (_paired(turns, a, b), len(turns), len(turns)),
            EQUAL_LENGTH: (_difference(matched, a, lengths=True), matched_a, len(matched) - matched_a),
        }
        rows += [
            ComparisonRow(
                a, b, way, interval.estimate, interval.lower, interval.upper, interval.p_value, np.nan, used_a, used_b,
                used_a / n_a, used_b / n_b, interval.clusters, interval.reason or "",
            )
            for way, (interval, used_a, used_b) in ways.items()
        ]  # fmt: skip
    p_values = pd.DataFrame([(row.way, row.p_value) for row in rows], columns=["way", "p_value"])
    adjusted = p_values.groupby("way")["p_value"].transform(holm)
    return [replace(row, p_holm=float(p_holm)) for row, p_holm in zip(rows, adjusted, strict=True)]


def _turns(both: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Average the distances of each relation in every turn that has both; reactions before any message have no turn."""
    placed = both[both["turn"] >= 0]
    wide = placed.pivot_table(index=["user", "conversation", "turn"], columns="relation", values="distance")
    return wide.reindex(columns=[a, b]).dropna().reset_index()


def _paired(turns: pd.DataFrame, a: str, b: str) -> Interval:
    if turns.empty:
        return Interval.without_limits("no turn has both")
    return paired_difference(turns[a], turns[b], turns["user"])


def _match_lengths(both: pd.DataFrame, a: str) -> pd.DataFrame:
    """Keep the pairs of classes of length in which both relations occur, and add their class as `cell`."""
    cell = length_class(both["source_words"]) * (_LONGEST + 1) + length_class(both["target_words"])
    both = both.assign(cell=cell)
    relations = both.assign(is_a=both["relation"] == a).groupby("cell")["is_a"].transform("nunique")
    return both[relations == 2]


def _difference(rows: pd.DataFrame, a: str, lengths: bool) -> Interval:
    if rows.empty:
        return Interval.without_limits("no pairs of equal length")
    is_a = (rows["relation"] == a).to_numpy(dtype=float)
    others = [np.ones(len(rows))]
    if lengths:
        others += [np.log2(rows[f"{side}_words"].to_numpy(dtype=float)) for side in ("source", "target")]
        others += list(pd.get_dummies(rows["cell"]).to_numpy(dtype=float).T)
    return coefficient(rows["distance"], np.column_stack([is_a, *others]), rows["user"])


def length_class(words: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Class texts by length: every doubling of the words is a class, from 64 on one class.

    Args:
        words: Counts of at least 1.
    """
    classes: npt.NDArray[np.int64] = np.minimum(np.log2(np.asarray(words, dtype=float)), _LONGEST).astype(int)
    return classes


# ---- linear probe


def probe(source: Vectors, target: Vectors, users: npt.ArrayLike) -> float:
    """Compute the AUC of a logistic regression that separates targets from sources, in 5 folds that split no user.

    Vectors are standardised and the regression (L2, C = 1) is fitted on the users of four folds; the AUC is that of
    the fifth, and their mean is given. It has no interval: one for these five fits, which leaves out that other users
    would have given other fits, held the AUC in 0.54–0.81 of simulations without a shift. `mmd` tests whether the
    clouds differ.

    Args:
        source: n vectors, shape (n, d).
        target: n vectors, each the target of the source in its row.
        users: n labels.

    Returns:
        The AUC, 0–1, 0.5 by chance; NaN with fewer than five users.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
    from sklearn.model_selection import GroupKFold, cross_val_score  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    groups = np.tile(np.asarray(users), 2)
    if len(np.unique(groups)) < FOLDS:
        return np.nan
    areas = cross_val_score(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        np.vstack([source, target]),
        np.repeat([0, 1], len(source)),
        groups=groups,
        cv=GroupKFold(FOLDS),
        scoring="roc_auc",
    )
    return float(areas.mean())
