"""How far answers agree with labels: what each label was taken for, macro-F1, and Cohen's kappa."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.intervals import Interval, Numbers

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


def kappa(counts: Numbers) -> Numbers:
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


def bootstrapped(counts: Numbers, statistic: Callable[[Numbers], Numbers]) -> Interval:
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
