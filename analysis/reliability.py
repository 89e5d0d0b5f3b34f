"""How far raters agree: Krippendorff's alpha and quadratic kappa, with intervals that resample users."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.intervals import Interval, Numbers

RATINGS = np.arange(1, 6)
DRAWS = 1_000
"""Bootstrap samples; with the seed 0, so that the same data give the same limits."""


def alpha(ratings: pd.DataFrame, users: npt.ArrayLike) -> Interval:
    r"""Krippendorff's alpha for ordinal ratings 1 to 5, with a 95 % percentile interval over users.

    .. math:: \alpha = 1 - (n - 1) \frac{\sum_{ck} o_{ck} \delta^2_{ck}}{\sum_{ck} n_c n_k \delta^2_{ck}}

    with coincidences o and the ordinal metric :math:`\delta` (Krippendorff 2011, *Computing Krippendorff's
    Alpha-Reliability*). Coincidences add up over users, so a bootstrap sample of users is a sum.

    Args:
        ratings: Inferences × raters; NaN where a rater gave none. A mean of several goes to the nearest, halves up.
        users: The user of each inference.
    """
    counts = np.stack([(np.floor(ratings.to_numpy() + 0.5) == rating).sum(axis=1) for rating in RATINGS], axis=1)
    pairable = counts.sum(axis=1) > 1
    counts, known = counts[pairable].astype(float), np.asarray(users)[pairable]
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(5), np.arange(5)] -= counts
    pairs /= (counts.sum(axis=1) - 1)[:, None, None]
    return _bootstrapped(pairs, known, _alpha)


def kappa(a: npt.ArrayLike, b: npt.ArrayLike, users: npt.ArrayLike) -> Interval:
    """Cohen's kappa with quadratic weights of two raters, with a 95 % percentile interval over users.

    Args:
        a: n ratings 1 to 5, none of them NaN; a mean of several goes to the nearest, halves up.
        b: n ratings of the same inferences.
        users: The user of each inference.
    """
    first, second = (np.floor(np.asarray(x, dtype=float) + 0.5).astype(int) - 1 for x in (a, b))
    tables = np.zeros((len(first), 5, 5))
    tables[np.arange(len(first)), first, second] = 1
    return _bootstrapped(tables, np.asarray(users), _kappa)


def _alpha(coincidences: Numbers) -> float:
    marginal = coincidences.sum(axis=0)
    total = marginal.sum()
    ranks = np.cumsum(marginal) - marginal / 2
    metric = (ranks[:, None] - ranks[None, :]) ** 2
    expected = (marginal[:, None] * marginal[None, :] * metric).sum()
    return float(1 - (total - 1) * (coincidences * metric).sum() / expected) if expected else np.nan


def _kappa(table: Numbers) -> float:
    weights = (RATINGS[:, None] - RATINGS[None, :]) ** 2
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    wrong = (weights * expected).sum()
    return float(1 - (weights * table).sum() / wrong) if wrong else np.nan


def _bootstrapped(tables: Numbers, users: npt.NDArray[np.generic], statistic: Callable[[Numbers], float]) -> Interval:
    codes, names = pd.factorize(users)
    n, clusters = len(tables), len(names)
    if not n:
        nothing = "no inference has two ratings"
        return Interval(np.nan, np.nan, np.nan, np.nan, np.nan, 0, 0, reason=nothing)
    sums = np.zeros((clusters, 5, 5))
    np.add.at(sums, codes, tables)
    estimate = statistic(sums.sum(axis=0))
    if clusters < 2 or np.isnan(estimate):
        reason = "one user only" if clusters < 2 else "the ratings do not vary"
        return Interval(estimate, np.nan, np.nan, np.nan, np.nan, n, clusters, reason=reason)
    weights = np.random.default_rng(0).multinomial(clusters, np.full(clusters, 1 / clusters), DRAWS)
    drawn = np.array([statistic(table) for table in np.tensordot(weights, sums, axes=1)])
    lower, upper = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(estimate, float(lower), float(upper), float(np.nanstd(drawn)), np.nan, n, clusters)
