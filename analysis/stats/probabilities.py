"""Measure how well stated probabilities, and yes or no, foretell an outcome: ranking, error and calibration."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.stats.interrater import PROPORTION, jackknife_counts
from thoughttrace.analysis.stats.intervals import Codes, Interval, Numbers

BINS = 10
"""Bins of one width that probabilities are sorted into, each with its upper end; the first has 0 too."""

FEWEST_OF_EACH = 10
"""Answers yes, and answers no, that there must be for an interval of the balanced accuracy."""

ONE_ANSWER = f"hardly ever another answer: fewer than {FEWEST_OF_EACH} replies say yes, or say no"
RARE_ANSWER = f"hardly ever one of the answers: fewer than {FEWEST_OF_EACH} give it"

_ONE_OUTCOME = "one outcome only: no estimate"
_NO_SUCH_OUTCOME = "one of the outcomes does not occur: no estimate"
_PERCENTS = np.arange(101)


def balanced_accuracy(
    outcomes: npt.ArrayLike, answers: npt.ArrayLike, users: npt.ArrayLike, choices: int = 2
) -> Interval:
    """Average the shares of right answers over the outcomes, with a 95 % jackknife interval over users.

    In simulations with 5, 8 and 20 users and two outcomes the interval held the true value in 0.94–0.98 where
    `FEWEST_OF_EACH` answers were yes and as many no, and in 0.81–0.94 where nearly all answers were the same.

    Args:
        outcomes: n numbers of an outcome, from 0; of two, 1 for yes.
        answers: n numbers of an outcome, NaN for no answer, which is wrong.
        users: n names.
        choices: Number of possible outcomes, K.

    Returns:
        The estimate, 0 to 1: 1/K for answers that do not depend on the outcome. Without an estimate where an outcome
        does not occur; without limits where hardly any answer is one of them.
    """
    said = np.asarray(answers, dtype=float)
    counts = _table(outcomes, np.where(np.isnan(said), choices, said), users, choices + 1, choices)
    undefined = _ONE_OUTCOME if choices == 2 else _NO_SUCH_OUTCOME
    found = jackknife_counts(counts, _mean_recall, PROPORTION, undefined=undefined)
    if not found.reason and counts.sum(axis=(0, 1))[:choices].min() < FEWEST_OF_EACH:
        reason = ONE_ANSWER if choices == 2 else RARE_ANSWER
        return Interval.without_limits(reason, found.estimate, found.n, found.clusters)
    return found


def auroc(outcomes: npt.ArrayLike, percents: npt.ArrayLike, users: npt.ArrayLike) -> Interval:
    r"""Compute the area under the ROC curve, with a 95 % jackknife interval over users.

    It is how often a case that happened was given the higher probability:

    .. math:: \frac{1}{n_0 n_1} \sum_{ij} [p_i < p_j] + \tfrac12 [p_i = p_j]

    over the pairs of a case i that did not happen and a case j that did (Mann & Whitney 1947; Hanley & McNeil 1982,
    *Radiology* 143). In simulations with 3, 5, 8 and 20 users the interval held the true value in 0.94–0.99, for areas
    from 0.5 to 0.94.

    Args:
        outcomes: n booleans: what happened.
        percents: n whole numbers, 0 to 100.
        users: n names.

    Returns:
        The area, 0 to 1: 0.5 for chance. Without an estimate where only one outcome occurs.
    """
    counts = _table(outcomes, percents, users, len(_PERCENTS))
    return jackknife_counts(counts, _area, PROPORTION, undefined=_ONE_OUTCOME)


def calibration_error(outcomes: npt.ArrayLike, percents: npt.ArrayLike) -> float:
    r"""Compute the expected calibration error.

    .. math:: \sum_b \frac{n_b}{N} \lvert \bar p_b - \bar y_b \rvert

    over the bins b (Naeini, Cooper & Hauskrecht 2015, *AAAI*). It has no interval: of few cases it is too large, for
    chance alone puts some distance between stated and true in each bin, and a jackknife interval around it held the
    true value of well calibrated probabilities in 0–0.3 of simulations with 5 to 20 users.

    Args:
        outcomes: n booleans: what happened.
        percents: n whole numbers, 0 to 100.

    Returns:
        0 to 1; NaN without cases.
    """
    happened, stated = np.asarray(outcomes, dtype=float), np.asarray(percents, dtype=float) / 100
    excess = np.bincount(bins_of(percents), weights=stated - happened, minlength=BINS)
    return float(np.abs(excess).sum() / len(happened)) if len(happened) else math.nan


def bins_of(percents: npt.ArrayLike) -> Codes:
    """Sort probabilities in per cent into `BINS` bins.

    Args:
        percents: n whole numbers, 0 to 100.

    Returns:
        n numbers of a bin, from 0.
    """
    return np.maximum(0, -(-np.asarray(percents, dtype=np.intp) * BINS // 100) - 1)


def _table(
    outcomes: npt.ArrayLike, levels: npt.ArrayLike, users: npt.ArrayLike, number: int, choices: int = 2
) -> Numbers:
    """Count, for each user, how often each level was stated before each outcome: shape (users, choices, number)."""
    codes, names = pd.factorize(np.asarray(users))
    counts = np.zeros((len(names), choices, number))
    np.add.at(counts, (codes, np.asarray(outcomes, dtype=int), np.asarray(levels, dtype=int)), 1)
    return counts


def _mean_recall(counts: Numbers) -> Numbers:
    """Average the recalls of the outcomes from counts of outcome × answer (with a last column for none)."""
    with np.errstate(invalid="ignore"):
        recalls = np.diagonal(counts, axis1=-2, axis2=-1) / counts.sum(axis=-1)
    return np.asarray(recalls.mean(axis=-1))


def _area(counts: Numbers) -> Numbers:
    """Compute the area from counts of outcome × level, rising."""
    no, yes = counts[..., 0, :], counts[..., 1, :]
    below = np.cumsum(no, axis=-1) - no
    with np.errstate(invalid="ignore"):
        return np.asarray((yes * (below + no / 2)).sum(axis=-1) / (no.sum(axis=-1) * yes.sum(axis=-1)))
