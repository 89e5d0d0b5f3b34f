"""Measure how far raters and labellers agree: Krippendorff's alpha, Cohen's kappa, F1; intervals by a bootstrap."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.stats.intervals import ONE_USER, Interval, Numbers

RATINGS = np.arange(1, 6)

DRAWS, RATING_DRAWS = 2_000, 1_000
"""Bootstrap samples for labels, and for ratings; with the seed 0, so that the same data give the same limits."""


def alpha(ratings: npt.ArrayLike, users: npt.ArrayLike) -> Interval:
    r"""Estimate Krippendorff's alpha for ordinal ratings 1 to 5, with a 95 % percentile interval over users.

    .. math:: \alpha = 1 - (n - 1) \frac{\sum_{ck} o_{ck} \delta^2_{ck}}{\sum_{ck} n_c n_k \delta^2_{ck}}

    with coincidences o and the ordinal metric :math:`\delta` (Krippendorff 2011, *Computing Krippendorff's
    Alpha-Reliability*). Coincidences add up over users, so a bootstrap sample of users is a sum.

    Args:
        ratings: Inferences × raters; NaN where a rater gave none. Fractions are rounded, halves up.
        users: The user of each inference.

    Returns:
        Alpha, at most 1; 0 for agreement by chance. `n` counts the inferences with two or more ratings.
    """
    given = np.floor(np.asarray(ratings, dtype=float) + 0.5)
    counts = np.stack([(given == rating).sum(axis=1) for rating in RATINGS], axis=1)
    pairable = counts.sum(axis=1) > 1
    counts = counts[pairable].astype(float)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(5), np.arange(5)] -= counts
    pairs /= (counts.sum(axis=1) - 1)[:, None, None]
    return _bootstrap_ratings(pairs, np.asarray(users)[pairable], _ordinal_alpha)


def kappa(a: npt.ArrayLike, b: npt.ArrayLike, users: npt.ArrayLike) -> Interval:
    """Estimate Cohen's kappa with quadratic weights of two raters, with a 95 % percentile interval over users.

    (Cohen 1968, *Psychological Bulletin* 70.)

    Args:
        a: n ratings 1 to 5, none of them NaN. Fractions are rounded, halves up.
        b: n ratings of the same inferences.
        users: The user of each inference.

    Returns:
        Kappa, −1 to 1; 0 for agreement by chance.
    """
    first, second = (np.floor(np.asarray(x, dtype=float) + 0.5).astype(int) - 1 for x in (a, b))
    tables = np.zeros((len(first), 5, 5))
    tables[np.arange(len(first)), first, second] = 1
    return _bootstrap_ratings(tables, np.asarray(users), _quadratic_kappa)


def confusions(labels: Sequence[str], answers: Sequence[str], users: npt.ArrayLike, types: Sequence[str]) -> Numbers:
    """Count, for each user, which label was given which answer.

    Args:
        labels: n labels, each one of the types.
        answers: n answers; one that is none of the types is counted as no answer.
        users: n names.
        types: K names.

    Returns:
        Counts, shape (users, K, K + 1): label × answer, no answer last.
    """
    rows, columns = (pd.Index(list(types)).get_indexer(pd.Index(list(given))) for given in (labels, answers))
    codes, names = pd.factorize(np.asarray(users))
    counts = np.zeros((len(names), len(types), len(types) + 1))
    np.add.at(counts, (codes, rows, np.where(columns < 0, len(types), columns)), 1)
    return counts


def macro_f1(counts: Numbers) -> Numbers:
    r"""Average F1 over the types that occur among the labels.

    .. math:: F_k = 2 c_{kk} / (c_{k\cdot} + c_{\cdot k})

    Args:
        counts: Label × answer, shape (…, K, K + 1).

    Returns:
        Shape (…); 0 to 1. A type that only answers name lowers the F1 of the types it was named for, and has none.
    """
    occurs = counts.sum(axis=-1) > 0
    return _array(np.where(occurs, f1(counts), 0).sum(axis=-1) / occurs.sum(axis=-1))


def f1(counts: Numbers) -> Numbers:
    """Compute the F1 of each type.

    Args:
        counts: Label × answer, shape (…, K, K + 1).

    Returns:
        Shape (…, K); 0 to 1, NaN where neither labels nor answers name the type.
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return _ratio(2 * right, counts.sum(axis=-1) + counts[..., :-1].sum(axis=-2))


def cohen_kappa(counts: Numbers) -> Numbers:
    r"""Compute Cohen's kappa of labels and answers; no answer counts as an answer of its own.

    .. math:: \kappa = (p_o - p_e) / (1 - p_e), \quad p_e = \sum_k p_{k\cdot} p_{\cdot k}

    (Cohen 1960, *Educational and Psychological Measurement* 20).

    Args:
        counts: Label × answer, shape (…, K, K + 1).

    Returns:
        Shape (…); −1 to 1, 0 for what chance would give. NaN where labels and answers are all one type.
    """
    total = counts.sum(axis=(-2, -1))
    observed = np.trace(counts, axis1=-2, axis2=-1) / total
    expected = (counts.sum(axis=-1) * counts[..., :-1].sum(axis=-2)).sum(axis=-1) / total**2
    return _ratio(observed - expected, 1 - expected)


def bootstrap_counts(
    counts: Numbers,
    statistic: Callable[[Numbers], Numbers],
    n: int | None = None,
    draws: int = DRAWS,
    undefined: str = "labels and answers are all one type: no estimate",
) -> Interval:
    """Estimate a statistic of all users' counts, with a 95 % percentile interval over resampled users.

    Args:
        counts: Each user's counts, which add up over users: shape (users, …).
        statistic: From counts with any axes before those of one user's counts to numbers with the axes before.
        n: Number of samples; by default the sum of the counts.
        draws: Number of bootstrap samples.
        undefined: The reason where the statistic is NaN.

    Returns:
        The interval; its standard error is the standard deviation of the draws, its degrees of freedom are NaN.
    """
    users, n = len(counts), int(counts.sum()) if n is None else n
    estimate = float(statistic(counts.sum(axis=0)))
    if users < 2 or np.isnan(estimate):
        return Interval.without_limits(ONE_USER if users < 2 else undefined, estimate, n, users)
    weights = np.random.default_rng(0).multinomial(users, np.full(users, 1 / users), draws)
    drawn = statistic(np.tensordot(weights, counts, axes=1))
    lower, upper = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(estimate, float(lower), float(upper), float(np.nanstd(drawn)), np.nan, n, users)


def _bootstrap_ratings(
    tables: Numbers, users: npt.NDArray[np.generic], statistic: Callable[[Numbers], Numbers]
) -> Interval:
    """Add up the tables of each user's inferences, shape (n, 5, 5), and bootstrap the users."""
    if not len(tables):
        return Interval.without_limits("no inference has two ratings: no estimate")
    codes, names = pd.factorize(users)
    sums = np.zeros((len(names), 5, 5))
    np.add.at(sums, codes, tables)
    return bootstrap_counts(sums, statistic, len(tables), RATING_DRAWS, "ratings do not vary: no estimate")


def _ordinal_alpha(coincidences: Numbers) -> Numbers:
    """Compute alpha from coincidences, shape (…, 5, 5)."""
    marginal = coincidences.sum(axis=-2)
    ranks = np.cumsum(marginal, axis=-1) - marginal / 2
    metric = (ranks[..., :, None] - ranks[..., None, :]) ** 2
    expected = _cells(marginal[..., :, None] * marginal[..., None, :] * metric)
    return 1 - _ratio((marginal.sum(axis=-1) - 1) * _cells(coincidences * metric), expected)


def _quadratic_kappa(counts: Numbers) -> Numbers:
    """Compute quadratically weighted kappa from counts, shape (…, 5, 5)."""
    weights = (RATINGS[:, None] - RATINGS[None, :]) ** 2
    rows, columns = counts.sum(axis=-1), counts.sum(axis=-2)
    expected = rows[..., :, None] * columns[..., None, :] / _cells(counts)[..., None, None]
    return 1 - _ratio(_cells(weights * counts), _cells(weights * expected))


def _cells(tables: Numbers) -> Numbers:
    """Sum the cells of each table, shape (…, K, L)."""
    return _array(tables.reshape(*tables.shape[:-2], -1).sum(axis=-1))


def _ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _array(np.where(denominator > 1e-12, numerator / denominator, np.nan))


def _array(values: npt.ArrayLike) -> Numbers:
    return np.asarray(values, dtype=float)
