"""The one place where intervals are computed: cluster-robust, for the mean of correlated ratings.

Users are independent, their thoughts are not. CR2 (Bell & McCaffrey 2002, *Survey Methodology* 28) removes the
downward bias that the plain sandwich has with few or uneven clusters, and a Satterthwaite degree of freedom
takes the place of the number of clusters less one. Both have a closed form for a mean, so nothing is iterated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """An estimate and how sure it is."""

    estimate: float
    lower: float
    """Lower limit; NaN where there is no interval."""
    upper: float
    standard_error: float
    df: float
    """Bell–McCaffrey degrees of freedom."""
    n: int
    clusters: int
    reason: str | None = None
    """Why there is no interval, where there is none."""


def cluster_mean(
    values: npt.ArrayLike,
    clusters: Sequence[object] | npt.NDArray[np.generic],
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    r"""The mean of values that are correlated within clusters, with a CR2 interval.

    With residuals :math:`e`, cluster sizes :math:`n_g` and leverages :math:`h_g = n_g / N`,

    .. math:: V = N^{-2} \sum_g (\sum_{i \in g} e_i)^2 / (1 - h_g), \quad
        \nu^{-1} = \sum_g h_g^2 + (\sum_g b_g)^2 - \sum_g b_g^2, \quad b_g = h_g^2 / (1 - h_g),

    which is CR2 and its Satterthwaite degrees of freedom for an intercept-only model under an independent
    working covariance (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018).

    Args:
        values: n numbers, none of them NaN.
        clusters: n labels; values of different labels are independent.
        level: Confidence level, between 0 and 1.
        bounds: The ends of the scale; the limits are clipped to them.

    Returns:
        The interval; with fewer than two clusters its limits are NaN and `reason` says why.

    Raises:
        ValueError: Lengths differ, a value is NaN, or there are no values.
    """
    y = np.asarray(values, dtype=float)
    if len(y) != len(clusters):
        raise ValueError(f"{len(y)} values but {len(clusters)} cluster labels")
    if not len(y):
        raise ValueError("no values to average")
    if np.isnan(y).any():
        raise ValueError("values contain NaN: leave unscored samples out and count them in the coverage")
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    sizes = np.bincount(codes)
    estimate = float(y.mean())
    if len(sizes) < 2:
        nan = math.nan
        return Interval(estimate, nan, nan, nan, nan, len(y), len(sizes), "one user only: no interval can be told")
    leverage = sizes / len(y)
    residuals = np.bincount(codes, weights=y - estimate)
    variance = float((residuals**2 / (1 - leverage)).sum()) / len(y) ** 2
    b = leverage**2 / (1 - leverage)
    df = float(1 / ((leverage**2).sum() + b.sum() ** 2 - (b**2).sum()))
    error = math.sqrt(variance)
    reach = float(stats.t.ppf((1 + level) / 2, df)) * error
    low, high = bounds or (-math.inf, math.inf)
    return Interval(estimate, max(low, estimate - reach), min(high, estimate + reach), error, df, len(y), len(sizes))
