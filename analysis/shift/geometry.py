r"""How sources and targets lie to each other as clouds: distance of the centroids, MMD, and steps on a plane by UMAP.

Centroids and MMD are one statistic with two kernels k. With pairs z = (x, y) of a source and a target and

.. math:: h(z_i, z_j) = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i),

MMD² is the mean of h (Gretton et al. 2012, *JMLR* 13, eq. 4). Taken over pairs of *different users* only it is
unbiased although x and y of a pair, and the pairs of a user, depend on each other; it can therefore fall below 0. With
the linear kernel it is the squared distance of the centroids without the part that is mere noise. All that is needed
of h are its sums for every two users, a matrix of users × users.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.stats.intervals import Codes, Numbers
from thoughttrace.analysis.stats.jackknife import jackknife

Vectors = npt.NDArray[np.float32]

DRAWS = 999
"""Permutations."""
FEWEST_USERS = 6
"""With fewer users no permutation test gives p ≤ 0.05: exchanging the sources and targets of G users, all of each
together, gives 2 in 2^G results that are as far from chance as the observed one."""
_BLOCK = 512  # rows of the kernel matrix at once: 40 MB at 20,000 pairs
_MEDIAN_OF = 2000

PAIRS_DRAWN = 4000
"""Pairs in the figure; of more, those of a seeded sample of users."""
FEWEST = 10
"""Pairs that UMAP needs."""
_NEIGHBOURS = 15


@dataclass(frozen=True)
class Centroids:
    """The distance between the centroids of the two clouds; NaN where there are too few users."""

    distance: float
    """Euclidean; noise adds to it, the more the fewer the pairs."""
    debiased: float
    """Without what noise adds; 0 where noise explains all of it."""
    lower: float
    """95 % limits of the debiased distance: roots of those of its square, by a jackknife of users. In simulations of 3
    to 100 users, with true distances of 0 to 1, they covered it in 94–100 %; percentiles of a bootstrap of users in
    50–90 % where few users are far apart."""
    upper: float
    standardized: float
    """The debiased distance over the spread of the clouds: the root mean squared distance of a text from the centroid
    of its own cloud."""


def centroids(source: Vectors, target: Vectors, users: npt.ArrayLike) -> Centroids:
    """Measure the distance of the centroids.

    Args:
        source: n vectors, shape (n, d), n at least 1.
        target: n vectors, each the target of the source in its row.
        users: n labels; with fewer than three there are no limits.
    """
    codes, sizes = _sizes(users)
    sums = np.zeros((len(sizes), source.shape[1]))
    np.add.at(sums, codes, (target - source).astype(float))
    products = sums @ sums.T
    distance = float(np.linalg.norm(sums.sum(axis=0))) / len(codes)
    if len(sizes) < 2:
        return Centroids(distance, *[math.nan] * 4)
    np.fill_diagonal(products, 0)
    squared = float(_between(products, sizes)[0])
    found = jackknife(squared, _between(products, sizes, 1 - np.eye(len(sizes))), sizes, len(codes))
    lower, upper = np.sqrt(np.maximum([found.lower, found.upper], 0))
    debiased = math.sqrt(max(0.0, squared))
    spread = math.sqrt((float(source.var(axis=0).sum()) + float(target.var(axis=0).sum())) / 2)
    return Centroids(distance, debiased, float(lower), float(upper), debiased / spread if spread else math.nan)


def mmd(source: Vectors, target: Vectors, users: npt.ArrayLike, bandwidth: float, seed: int) -> tuple[float, float]:
    """Measure MMD² with an RBF kernel, and test it.

    The p-value is of a permutation test that exchanges sources and targets, all pairs of a user together: pairs of
    a user are not independent, and a message that is the target of one pair is the source of the next, so pairs
    cannot be exchanged one by one. Exchanging a user's pairs flips the sign of the user's sums.

    Args:
        source: n vectors, shape (n, d), n at least 1.
        target: n vectors, each the target of the source in its row.
        users: n labels.
        bandwidth: What `median_distance` returns; above 0.
        seed: Of the permutations.

    Returns:
        MMD² (at most 2; by chance below 0 if there is no shift) and p = (1 + b) / (1 + m), b of m = DRAWS permutations
        being at least as large. NaN with fewer than two users; with G users p is at least about 2 / 2^G.
    """
    codes, sizes = _sizes(users)
    if len(sizes) < 2:
        return math.nan, math.nan
    sums = _kernel_sums(source, target, codes, bandwidth)
    np.fill_diagonal(sums, 0)
    squared = float(_between(sums, sizes)[0])
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, len(sizes)))
    drawn = ((signs @ sums) * signs).sum(axis=1)
    # Flipping all signs changes only the last digits.
    as_large = int((drawn >= sums.sum() - 1e-9 * np.abs(sums).sum()).sum())
    return squared, (1 + as_large) / (1 + DRAWS)


def median_distance(vectors: Vectors, seed: int) -> float:
    """Compute the median Euclidean distance of two different vectors, the usual bandwidth of an RBF kernel.

    Args:
        vectors: Shape (n, d); of more than 2,000, a seeded sample of 2,000 is used.
        seed: Of the sample.
    """
    if len(vectors) > _MEDIAN_OF:
        vectors = np.random.default_rng(seed).choice(vectors, _MEDIAN_OF, replace=False)
    first, second = np.triu_indices(len(vectors), 1)
    distances = np.sqrt(_squared(vectors, vectors)[first, second])
    return float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0


def _kernel_sums(source: Vectors, target: Vectors, codes: Codes, bandwidth: float) -> Numbers:
    """Sum h over the pairs of every two users, block by block: the whole kernel matrix is never in memory."""
    order = np.argsort(codes, kind="stable")
    x, y, codes = source[order], target[order], codes[order]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    sums = np.zeros((len(starts), len(starts)))
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        h = _rbf(x[rows], x, bandwidth) + _rbf(y[rows], y, bandwidth)
        h -= _rbf(x[rows], y, bandwidth) + _rbf(y[rows], x, bandwidth)
        np.add.at(sums, codes[rows], np.add.reduceat(h, starts, axis=1, dtype=float))
    return sums


def _rbf(a: Vectors, b: Vectors, bandwidth: float) -> Vectors:
    kernel: Vectors = np.exp(_squared(a, b) / np.float32(-2 * bandwidth**2))
    return kernel


def _squared(a: Vectors, b: Vectors) -> Vectors:
    squared: Vectors = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.maximum(squared, 0, out=squared)


def _between(sums: Numbers, sizes: Numbers, weights: Numbers | int = 1) -> Numbers:
    """Average h over pairs of different users, for each row of weights.

    Args:
        sums: Sums of h by users, its diagonal 0.
        sizes: Pairs of each user.
        weights: How often each user counts, shape (n, users).
    """
    times = np.atleast_2d(weights * np.ones(len(sizes)))
    counts = times * sizes
    with np.errstate(invalid="ignore", divide="ignore"):  # one user only
        mean: Numbers = ((times @ sums) * times).sum(axis=1) / (counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1))
    return mean


def _sizes(users: npt.ArrayLike) -> tuple[Codes, Numbers]:
    codes, _ = pd.factorize(np.asarray(users))
    return codes, np.bincount(codes).astype(float)


def sample_of_users(users: npt.ArrayLike, most: int, seed: int) -> npt.NDArray[np.bool_]:
    """Choose whole users in a seeded order as long as they have at most `most` pairs together.

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


def steps(source: Vectors, target: Vectors, seed: int) -> Numbers:
    """Lay all texts on a plane by UMAP, and compute the step from each source to its target; no shift is the origin.

    One UMAP of the texts, each once: 15 neighbours, minimal distance 0.1, cosine metric, one thread, a fixed seed.
    The paper's figure may also show one UMAP of the difference vectors; on the 20 published example conversations the
    order of the relations on that plane changed with the seed, and that of the steps did not.

    Args:
        source: Shape (n, d), n at least FEWEST.
        target: n vectors, each the target of the source in its row.
        seed: Of UMAP.

    Returns:
        Shape (n, 2).
    """
    # An extra, and its import takes seconds.
    import umap  # noqa: PLC0415  # inspect-evals-lint: ignore[IECQ004] -- the extra shift has it, as umap-learn

    texts, place = np.unique(np.vstack([source, target]), axis=0, return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads and small data, both expected here
        neighbours = min(_NEIGHBOURS, len(texts) - 1)
        fitted = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1).fit(texts)
    points = fitted.embedding_[place.reshape(2, -1)]
    return np.asarray(points[1] - points[0], dtype=float)
