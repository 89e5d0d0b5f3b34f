"""Measure how far raters agree: Krippendorff's alpha, Cohen's kappa, macro-F1."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.stats.intervals import Interval, Numbers

RATINGS = np.arange(1, 6)
RATING_DRAWS = 1_000
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
    weights = np.random.default_rng(0).multinomial(clusters, np.full(clusters, 1 / clusters), RATING_DRAWS)
    drawn = np.array([statistic(table) for table in np.tensordot(weights, sums, axes=1)])
    lower, upper = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(estimate, float(lower), float(upper), float(np.nanstd(drawn)), np.nan, n, clusters)


DRAWS = 2_000
"""Bootstrap samples; with the seed 0, so that the same data give the same limits."""


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
    r"""The mean F1 over the types that occur among the labels.

    .. math:: F_k = 2 c_{kk} / (c_{k\cdot} + c_{\cdot k})

    Args:
        counts: Label × answer, shape (…, K, K + 1).

    Returns:
        Shape (…); 0 to 1. A type that only answers name lowers the F1 of the types it was named for, and has none.
    """
    labels = counts.sum(axis=-1)
    return _mean(f1(counts), labels > 0)


def f1(counts: Numbers) -> Numbers:
    """The F1 of each type, shape (…, K); NaN where neither labels nor answers name it.

    Args:
        counts: Label × answer, shape (…, K, K + 1).
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return _ratio(2 * right, counts.sum(axis=-1) + counts[..., :-1].sum(axis=-2))


def cohen_kappa(counts: Numbers) -> Numbers:
    r"""Cohen's kappa of labels and answers, no answer being an answer of its own.

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


def bootstrap_counts(counts: Numbers, statistic: Callable[[Numbers], Numbers]) -> Interval:
    """A statistic of all users' counts, with a 95 % percentile interval over users.

    Args:
        counts: Shape (users, K, K + 1).
        statistic: From counts of shape (…, K, K + 1) to numbers of shape (…).
    """
    users, n = len(counts), int(counts.sum())
    estimate = float(statistic(counts.sum(axis=0)))
    if users < 2 or np.isnan(estimate):
        reason = "one user only: no interval can be told" if users < 2 else "labels and answers are all one type"
        return Interval(estimate, np.nan, np.nan, np.nan, np.nan, n, users, reason=reason)
    weights = np.random.default_rng(0).multinomial(users, np.full(users, 1 / users), DRAWS)
    drawn = statistic(np.tensordot(weights, counts, axes=1))
    lower, upper = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(estimate, float(lower), float(upper), float(np.nanstd(drawn)), np.nan, n, users)


def _ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Numbers = np.where(denominator > 1e-12, numerator / denominator, np.nan)
    return found


def _mean(values: Numbers, counted: npt.NDArray[np.bool_]) -> Numbers:
    found: Numbers = np.where(counted, values, 0).sum(axis=-1) / counted.sum(axis=-1)
    return found
