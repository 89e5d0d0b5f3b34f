"""Estimate the best of several guesses at one sample."""

from math import comb

import numpy as np
import numpy.typing as npt

from thoughttrace.analysis.stats.intervals import Numbers


def expected_best(values: npt.ArrayLike, guesses: int) -> Numbers:
    r"""Estimate the expected highest of j values, from k values drawn alike.

    It is the mean of the highest over all choices of j of the k values, an unbiased estimate (a U-statistic; Hoeffding
    1948, *Annals of Mathematical Statistics* 19). With the values in rising order,

    .. math:: \binom{k}{j}^{-1} \sum_{i=j}^{k} \binom{i-1}{j-1} x_{(i)}

    Of values that are 1 or 0 it is the pass@j of Chen et al. (2021).

    Args:
        values: Shape (…, k).
        guesses: j, from 1 (the mean) to k (the highest).

    Returns:
        Shape (…).
    """
    rising = np.sort(np.asarray(values, dtype=float), axis=-1)
    weights = np.array([comb(place, guesses - 1) for place in range(rising.shape[-1])], dtype=float)
    return np.asarray(rising @ weights / weights.sum())
