"""Compute cluster-robust intervals (CR2, Bell–McCaffrey): of means, differences, ratios and regressions."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Numbers = npt.NDArray[np.float64]
"""An array of real numbers."""
Codes = npt.NDArray[np.intp]
"""An array of whole numbers from 0 that stand for labels, as `pandas.factorize` gives them."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the limits of its interval, or the reason why it has none."""

    estimate: float
    lower: float
    """Lower limit; NaN where there is no interval."""
    upper: float
    standard_error: float
    df: float
    """Degrees of freedom (Bell–McCaffrey); NaN for a bootstrap."""
    n: int
    clusters: int
    p_value: float = math.nan
    """Of a difference: two-sided, against no difference. NaN for a mean, and where there is no interval."""
    reason: str | None = None
    """Why there is no interval, where there is none. The part before the colon fits into a table cell."""

    @classmethod
    def without_limits(cls, reason: str, estimate: float = math.nan, n: int = 0, clusters: int = 0) -> "Interval":
        """Build the result of an estimation that gave no interval.

        Args:
            reason: Why; what fits into a table cell goes before a colon.
            estimate: The estimate, where there is one.
            n: Number of values.
            clusters: Number of clusters.
        """
        return cls(estimate, math.nan, math.nan, math.nan, math.nan, n, clusters, reason=reason)

    def as_row(self, value: str, *, p_value: bool = False) -> dict[str, Any]:
        """Give the columns of a table row that is about this estimate.

        Args:
            value: Name of the column that holds the estimate, such as "mean" or "difference".
            p_value: Whether the row has a column for the p-value, as rows of differences have.

        Returns:
            `value`, `lower`, `upper`, `p_value` if wanted, `n`, `users`, and `note`: why there is no interval, else
            empty.
        """
        row: dict[str, Any] = {value: self.estimate, "lower": self.lower, "upper": self.upper}
        if p_value:
            row["p_value"] = self.p_value
        return row | {"n": self.n, "users": self.clusters, "note": self.reason or ""}

    def as_columns(self, name: str) -> dict[str, Any]:
        """Give the columns of one among several estimates in a table row.

        Args:
            name: Name of the column that holds the estimate, and the prefix of the others.

        Returns:
            `name`, `name_lower`, `name_upper` and `name_note`: why there is no interval, else empty.
        """
        limits = {f"{name}_lower": self.lower, f"{name}_upper": self.upper}
        return {name: self.estimate, **limits, f"{name}_note": self.reason or ""}


def cluster_mean(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    r"""The mean of values that are correlated within clusters, with a CR2 interval.

    With residuals :math:`e`, cluster sizes :math:`n_g` and leverages :math:`h_g = n_g / N`,

    .. math:: V = N^{-2} \sum_g (\sum_{i \in g} e_i)^2 / (1 - h_g),

    which is CR2 for an intercept-only model under an independent working covariance (Bell & McCaffrey 2002;
    Pustejovsky & Tipton 2018); the degrees of freedom are `bell_mccaffrey_df`.

    Args:
        values: n numbers, none of them NaN.
        clusters: n labels; values of different labels are independent.
        level: Confidence level, between 0 and 1.
        bounds: The ends of the scale; the limits are clipped to them.

    Returns:
        The interval. With fewer than two clusters, or where nothing varies between them, its limits are NaN
        and `reason` says why: a spread that was not seen is not a spread of zero.

    Raises:
        ValueError: Lengths differ, a value is NaN, or there are no values.
    """
    return _interval(values, clusters, level, bounds, difference=False)


def paired_difference(a: npt.ArrayLike, b: npt.ArrayLike, clusters: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The mean of `a - b` over the same samples, with a CR2 interval and a p-value.

    Args:
        a: n numbers, none of them NaN.
        b: n numbers of the same samples, in the same order.
        clusters: n labels; samples of different labels are independent.
        level: Confidence level, between 0 and 1.

    Returns:
        The interval of the difference; `p_value` is that of the t test with its standard error and degrees
        of freedom.

    Raises:
        ValueError: Lengths differ, a value is NaN, or there are no values.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"a pair needs both: {len(first)} values and {len(second)} values")
    return _interval(first - second, clusters, level, None, difference=True)


def ratio_of_means(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, clusters: npt.ArrayLike, level: float = 0.95
) -> Interval:
    r"""The ratio of two means over the same samples, with Fieller's interval from their CR2 covariance.

    The limits are the ratios R at which the mean of `numerator - R * denominator` is just told from 0 (Fieller 1954,
    *J. R. Stat. Soc. B* 16), its variance the cluster-robust one of `cluster_mean`:

    .. math:: (\bar x - R \bar y)^2 \le t_\nu^2 (V_{xx} - 2 R V_{xy} + R^2 V_{yy})

    Args:
        numerator: n numbers, none of them NaN.
        denominator: n numbers of the same samples, in the same order.
        clusters: n labels; samples of different labels are independent.
        level: Confidence level, between 0 and 1.

    Returns:
        The interval; `standard_error` is that of the delta method. Where the denominator's mean cannot be told
        from 0 the limits are NaN and `reason` says so.

    Raises:
        ValueError: Lengths differ, a value is NaN, or there are no values.
    """
    x, y = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if x.shape != y.shape:
        raise ValueError(f"a ratio needs both: {len(x)} values and {len(y)} values")
    whole = cluster_mean(y, clusters, level)
    cluster_mean(x, clusters, level)  # checks the numerator
    estimate = float(x.mean() / y.mean()) if y.mean() else math.nan
    none: dict[str, Any] = dict.fromkeys(("lower", "upper", "standard_error", "df"), math.nan)
    if whole.clusters < 2 and whole.reason:
        return Interval(estimate, **none, n=len(y), clusters=whole.clusters, reason=whole.reason)
    codes, _ = pd.factorize(np.asarray(clusters))
    sizes = np.bincount(codes)
    sums = np.stack([_residual_sums(x, codes), _residual_sums(y, codes)]) / len(y)
    (xx, xy), (_, yy) = (sums / (1 - sizes / len(y))) @ sums.T
    df = bell_mccaffrey_df(sizes)
    t = float(stats.t.ppf((1 + level) / 2, df)) ** 2
    a, b, c = y.mean() ** 2 - t * yy, x.mean() * y.mean() - t * xy, x.mean() ** 2 - t * xx
    if a <= 0 or y.mean() <= 0:
        reason = "the ends of the scale cannot be told apart: no share can be told"
        return Interval(estimate, **none, n=len(y), clusters=len(sizes), reason=reason)
    root = math.sqrt(max(0.0, b**2 - a * c))
    error = math.sqrt(max(0.0, xx - 2 * estimate * xy + estimate**2 * yy)) / float(y.mean())
    return Interval(estimate, (b - root) / a, (b + root) / a, error, df, len(y), len(sizes))


def bell_mccaffrey_df(sizes: npt.ArrayLike) -> float:
    r"""Satterthwaite degrees of freedom of the CR2 variance of a mean.

    .. math:: \nu^{-1} = \sum_g h_g^2 + (\sum_g b_g)^2 - \sum_g b_g^2, \quad b_g = h_g^2 / (1 - h_g)

    Args:
        sizes: Samples in each cluster; at least two clusters.
    """
    n = np.asarray(sizes, dtype=float)
    leverage = n / n.sum()
    b = leverage**2 / (1 - leverage)
    return float(1 / ((leverage**2).sum() + b.sum() ** 2 - (b**2).sum()))


def _interval(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    level: float,
    bounds: tuple[float, float] | None,
    difference: bool,
) -> Interval:
    y = np.asarray(values, dtype=float)
    labels = np.asarray(clusters)
    if len(y) != len(labels):
        raise ValueError(f"{len(y)} values but {len(labels)} cluster labels")
    if not len(y):
        raise ValueError("no values to average")
    if np.isnan(y).any():
        raise ValueError("values contain NaN: leave unscored samples out and count them in the coverage")
    codes, _ = pd.factorize(labels)
    sizes = np.bincount(codes)
    estimate = float(y.mean())
    none: dict[str, Any] = dict.fromkeys(("lower", "upper", "standard_error", "df"), math.nan)
    if len(sizes) < 2:
        reason = "one user only: no interval can be told"
        return Interval(estimate, **none, n=len(y), clusters=len(sizes), reason=reason)
    variance = float((_residual_sums(y, codes) ** 2 / (1 - sizes / len(y))).sum()) / len(y) ** 2
    error = math.sqrt(variance)
    if error <= 1e-12 * max(1.0, float(np.abs(y).max())):  # rounding, not spread
        reason = "no spread between users: no interval can be told"
        return Interval(estimate, **none, n=len(y), clusters=len(sizes), reason=reason)
    df = bell_mccaffrey_df(sizes)
    reach = float(stats.t.ppf((1 + level) / 2, df)) * error
    low, high = bounds or (-math.inf, math.inf)
    p_value = float(2 * stats.t.sf(abs(estimate) / error, df)) if difference else math.nan
    limits = max(low, estimate - reach), min(high, estimate + reach)
    return Interval(estimate, *limits, error, df, len(y), len(sizes), p_value)


def _residual_sums(y: Numbers, codes: npt.NDArray[np.intp]) -> Numbers:
    """Each cluster's sum of residuals: what every cluster-robust variance of a mean is made of."""
    sums: Numbers = np.bincount(codes, weights=y - y.mean()).astype(float)
    return sums


_TINY = 1e-9


def coefficient(y: npt.ArrayLike, design: npt.ArrayLike, clusters: npt.ArrayLike) -> Interval:
    r"""The first coefficient of a least-squares fit, with a 95 % CR2 interval.

    With the hat matrix H and residuals e, each cluster's are adjusted by :math:`A_g = (I - H_{gg})^{-1/2}`
    (Moore–Penrose where singular: Pustejovsky & Tipton 2018, *JBES* 36). The degrees of freedom are Satterthwaite's
    under an independent working covariance: with :math:`v_g = A_g X_g (X'X)^{-1} c`,

    .. math:: \nu = (\mathrm{tr} P)^2 / \mathrm{tr} P^2, \quad
        P_{gh} = 1_{g=h} v_g'v_g - v_g' H_{gh} v_h.

    With a column of ones alone it is `cluster_mean`.

    Args:
        y: n numbers.
        design: Shape (n, k); columns after the first may depend on each other.
        clusters: n labels.

    Returns:
        The interval; NaN, with the reason, where the first column cannot be told from the others, where there is
        one cluster only, or no spread.
    """
    outcome, columns = np.asarray(y, dtype=float), np.asarray(design, dtype=float)
    codes, _ = pd.factorize(np.asarray(clusters))
    n, users = len(outcome), int(codes.max(initial=-1)) + 1

    def none(reason: str, estimate: float = math.nan) -> Interval:
        gaps: dict[str, Any] = dict.fromkeys(("lower", "upper", "standard_error", "df"), math.nan)
        return Interval(estimate, **gaps, n=n, clusters=users, reason=reason)

    others = _basis(columns[:, 1:])
    own = columns[:, 0] - others @ (others.T @ columns[:, 0])
    size = float(own @ own)
    if size <= _TINY * max(1.0, float(columns[:, 0] @ columns[:, 0])):
        return none("nothing to compare")
    basis = np.column_stack([others, own / math.sqrt(size)])
    estimate = float(own @ outcome) / size
    residuals = outcome - basis @ (basis.T @ outcome)
    if users < 2:
        return none("one user only: no interval can be told", estimate)
    variance, trace, seen = 0.0, 0.0, []
    for code in range(users):
        mine = codes == code
        q = basis[mine]
        values, directions = np.linalg.eigh(np.eye(len(q)) - q @ q.T)
        roots = np.where(values > _TINY, 1 / np.sqrt(np.maximum(values, _TINY)), 0)
        v = directions @ (roots * (directions.T @ (own[mine] / size)))
        variance += float(v @ residuals[mine]) ** 2
        trace += float(v @ v)
        seen.append((float(v @ v), q.T @ v))
    error = math.sqrt(variance)
    if error <= 1e-12 * max(1.0, float(np.abs(outcome).max())):
        return none("no spread between users: no interval can be told", estimate)
    across = np.array([a for _, a in seen])
    p = np.diag([own_part for own_part, _ in seen]) - across @ across.T
    df = float(np.trace(p)) ** 2 / float((p**2).sum())
    reach = float(stats.t.ppf(0.975, df)) * error
    p_value = float(2 * stats.t.sf(abs(estimate) / error, df))
    return Interval(estimate, estimate - reach, estimate + reach, error, df, n, users, p_value)


def _basis(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """An orthonormal basis of what the columns span."""
    if not columns.size:
        return np.zeros((len(columns), 0))
    u, values, _ = np.linalg.svd(columns, full_matrices=False)
    kept: npt.NDArray[np.float64] = u[:, values > _TINY * values.max(initial=1.0)]
    return kept
