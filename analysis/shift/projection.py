"""The paper's picture, differences of embeddings on a plane by UMAP, in the two ways in which it can be meant."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.shift.clouds import Vectors
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON

Plane = npt.NDArray[np.float64]
"""Points on a plane, shape (n, 2)."""

PERCENTILES = (25, 50, 75)

PUBLISHED = {NEXT: (0.38, 1.96, 6.89), REASON: (0.77, 3.71, 6.94), REACTION: (3.93, 6.62, 9.75)}
"""Distance to the origin at PERCENTILES in the paper's figure: text-embedding-3-large, settings of UMAP not stated."""

MOST = 4000
"""Pairs in the picture; of more, those of a seeded sample of users."""
FEWEST = 10
_NEIGHBOURS = 15


def sample_of_users(users: npt.ArrayLike, most: int, seed: int) -> npt.NDArray[np.bool_]:
    """Choose whole users in a seeded order while their pairs are not more than `most`.

    Args:
        users: n labels.
        most: Pairs that may be chosen.
        seed: Of the order.

    Returns:
        Which of the n are chosen; those of the first user always.
    """
    codes, names = pd.factorize(np.asarray(users))
    order = np.random.default_rng(seed).permutation(len(names))
    total = np.cumsum(np.bincount(codes, minlength=len(names))[order])
    chosen = order[: max(1, int((total <= most).sum()))]
    return np.isin(codes, chosen)


def steps(source: Vectors, target: Vectors, seed: int) -> Plane:
    """Lay all texts on a plane, and give the step from each source to its target: "no shift" is the origin by itself.

    One UMAP of the texts, each once: 15 neighbours, minimal distance 0.1, cosine metric, one thread, a fixed seed.

    Args:
        source: Shape (n, d), n at least FEWEST.
        target: n vectors, each the target of the source in its row.
        seed: Of UMAP.

    Returns:
        Shape (n, 2).
    """
    texts, place = np.unique(np.vstack([source, target]), axis=0, return_inverse=True)
    points = _umap(texts, seed, "cosine").embedding_[place.reshape(2, -1)]
    return np.asarray(points[1] - points[0], dtype=float)


def differences(source: Vectors, target: Vectors, seed: int) -> Plane:
    """Lay the difference vectors (target − source) themselves on a plane, all in one fit.

    As `steps`, but with the Euclidean metric, for the zero vector has no angle. Such a plane has no origin of its own:
    where the zero vector comes to lie is taken for it. It is placed by `transform` after the fit, for in the fit it
    would be a neighbour of nearly all others and change the picture. On the 20 published example conversations the
    order of the relations on this plane changed with the seed, that of `steps` did not.

    Args:
        source: Shape (n, d), n at least FEWEST.
        target: n vectors, each the target of the source in its row.
        seed: Of UMAP.

    Returns:
        Shape (n, 2).
    """
    fitted = _umap(target - source, seed, "euclidean")
    origin = fitted.transform(np.zeros((1, source.shape[1]), dtype=np.float32))
    return np.asarray(fitted.embedding_ - origin, dtype=float)


def radii(planes: dict[str, Plane], source: Vectors, target: Vectors, relations: pd.Series) -> pd.DataFrame:
    """How far from the origin the pairs lie: on each plane, as published, and by the plain norm of the difference.

    Args:
        planes: Points by the name of the plane, shape (n, 2).
        source: Shape (n, d).
        target: Shape (n, d).
        relations: n names.

    Returns:
        One row per relation, with columns `relation`, `n`, and for p of PERCENTILES `PLANE_p`, `published_p`, `norm_p`.
    """
    far = {name: np.linalg.norm(points, axis=1) for name, points in planes.items()}
    far["norm"] = np.linalg.norm(target - source, axis=1)
    rows = []
    for relation, published in PUBLISHED.items():
        mine = (relations == relation).to_numpy()
        if mine.any():
            figures = {name: np.percentile(distances[mine], PERCENTILES) for name, distances in far.items()}
            figures["published"] = np.array(published)
            named = {f"{n}_{p}": float(x) for n, row in figures.items() for p, x in zip(PERCENTILES, row, strict=True)}
            rows.append({"relation": relation, "n": int(mine.sum()), **named})
    return pd.DataFrame(rows)


def _umap(vectors: Vectors, seed: int, metric: str) -> Any:
    import umap  # noqa: PLC0415 - an extra, and its import takes seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on threads and small data, of which all is known here
        neighbours = min(_NEIGHBOURS, len(vectors) - 1)
        return umap.UMAP(n_neighbors=neighbours, metric=metric, random_state=seed, n_jobs=1).fit(vectors)
