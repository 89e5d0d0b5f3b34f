"""A regression coefficient with its cluster-robust interval."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from thoughttrace.analysis.intervals import Interval

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
