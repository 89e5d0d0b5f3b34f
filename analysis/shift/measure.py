"""All measures of one dataset's shift."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.shift.clouds import Vectors, centroids, median_distance, mmd
from thoughttrace.analysis.shift.distances import compare, cosine_distances
from thoughttrace.analysis.shift.pairs import RELATIONS
from thoughttrace.analysis.shift.probe import FOLDS, probe
from thoughttrace.analysis.shift.projection import FEWEST, MOST, Plane, differences, radii, sample_of_users, steps
from thoughttrace.analysis.stats.intervals import cluster_mean

ALL, ALIKE = "all", "like length"


@dataclass
class Shift:
    """What was measured."""

    relations: pd.DataFrame
    """One row per relation and set of pairs (`all`; `like length`: neither text has more than twice the words of the
    other): `n`, `users`, mean cosine `distance` with `lower`, `upper`; `centroids`, `centroids_debiased` with `…_lower`
    and `…_upper`, `centroids_units`; `mmd`, `mmd_p`; `auc`, `auc_lower`, `auc_upper`, `auc_words` (of a probe that
    sees only the number of words); `note`."""
    comparisons: pd.DataFrame
    """What `compare` returns."""
    radii: pd.DataFrame
    """What `radii` returns; empty where pairs are too few."""
    bandwidth: float
    """Of the RBF kernel."""
    planes: dict[str, Plane] = field(default_factory=dict)
    """`steps` and `differences`: the points of the pairs in the pictures; none where pairs are too few."""
    drawn: npt.NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))
    """Their relations."""
    notes: list[str] = field(default_factory=list)


def measure(table: pd.DataFrame, source: Vectors, target: Vectors, seed: int) -> Shift:
    """Measure the shift of every relation, and compare them.

    Args:
        table: What `cut` gives, n rows.
        source: Unit vectors of the sources, shape (n, d).
        target: Unit vectors of the targets, shape (n, d).
        seed: Of permutations, bootstrap, samples and UMAP.
    """
    table = table.assign(distance=cosine_distances(source, target)).reset_index(drop=True)
    # One bandwidth for all, or their MMDs would not be on one scale.
    bandwidth = median_distance(np.vstack([source, target]), seed)
    longer = table[["source_words", "target_words"]].max(axis=1)
    alike = longer <= 2 * table[["source_words", "target_words"]].min(axis=1)
    rows = []
    for relation in RELATIONS:
        for name, chosen in {
            ALL: table["relation"] == relation,
            ALIKE: (table["relation"] == relation) & alike,
        }.items():
            if chosen.any():
                mine = chosen.to_numpy()
                figures = _relation(table[mine], source[mine], target[mine], bandwidth, seed)
                rows.append({"relation": relation, "pairs": name, **figures})
    shift = Shift(pd.DataFrame(rows), compare(table), pd.DataFrame(), bandwidth)
    _picture(shift, table, source, target, seed)
    return shift


def _relation(table: pd.DataFrame, source: Vectors, target: Vectors, bandwidth: float, seed: int) -> dict[str, object]:
    users = table["user"].to_numpy()
    mean = cluster_mean(table["distance"], users, bounds=(0, 2))
    apart = centroids(source, target, users, seed)
    squared, p_value = mmd(source, target, users, bandwidth, seed)
    found, by_words = (
        probe(source, target, users),
        probe(_log_words(table, "source"), _log_words(table, "target"), users),
    )
    few = f"fewer than {FOLDS} users: no probe" if found is None else ""
    return {
        "n": mean.n, "users": mean.clusters, "distance": mean.estimate, "lower": mean.lower, "upper": mean.upper,
        "centroids": apart.distance, "centroids_debiased": apart.debiased,
        "centroids_lower": apart.lower, "centroids_upper": apart.upper, "centroids_units": apart.units,
        "mmd": squared, "mmd_p": p_value,
        "auc": found.estimate if found else np.nan,
        "auc_lower": found.lower if found else np.nan, "auc_upper": found.upper if found else np.nan,
        "auc_words": by_words.estimate if by_words else np.nan,
        "note": "; ".join(filter(None, (mean.reason, few))),
    }  # fmt: skip


def _log_words(table: pd.DataFrame, side: str) -> npt.NDArray[np.float32]:
    words: Vectors = np.log(table[[f"{side}_words"]].to_numpy(dtype=np.float32))
    return words


def _picture(shift: Shift, table: pd.DataFrame, source: Vectors, target: Vectors, seed: int) -> None:
    chosen = sample_of_users(table["user"], MOST, seed)
    if chosen.sum() < FEWEST:
        shift.notes.append(f"No picture: {chosen.sum()} pairs, and UMAP needs {FEWEST}.")
        return
    if not chosen.all():
        users = table.loc[chosen, "user"].nunique()
        shift.notes.append(
            f"The pictures show {chosen.sum():,} of the {len(table):,} pairs, those of a seeded sample of {users:,} "
            "users; all else counts every pair."
        )
    relations = table.loc[chosen, "relation"]
    ends = source[chosen], target[chosen]
    shift.planes = {"steps": steps(*ends, seed), "differences": differences(*ends, seed)}
    shift.drawn = relations.to_numpy()
    shift.radii = radii(shift.planes, *ends, relations)
