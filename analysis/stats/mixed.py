"""Estimate a mean by a linear mixed model with users, samples and judges as random effects."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from thoughttrace.analysis.stats.intervals import (
    NO_SPREAD,
    ONE_USER,
    Interval,
    Numbers,
    bell_mccaffrey_df,
    logit_limits,
)

NOT_CONVERGED = "did not converge: the mixed model has no estimate"
NO_JUDGE_VARIANCE = "no variance between judges found: no interval"


class _Restricted:
    r"""The restricted likelihood (REML) of ratings of samples, nested in users and crossed with judges.

    With variance ratios :math:`\lambda` to the residual's, the covariance is
    :math:`V = I + \lambda_s Z_s Z_s' + \lambda_u Z_u Z_u' + \lambda_j Z_j Z_j'`. Samples and users are eliminated one
    after the other by the formula of Sherman and Morrison, judges by Woodbury's, so that nothing is larger than
    samples × judges (Searle, Casella & McCulloch 1992, *Variance Components*, ch. 6).
    """

    def __init__(self, ratings: Numbers, user: npt.NDArray[np.intp]) -> None:
        rated = ~np.isnan(ratings)
        self.filled, self.user = np.nan_to_num(ratings), user
        self.votes = rated.sum(axis=1)
        self.n, self.judges = int(self.votes.sum()), ratings.shape[1]
        # Of each sample the sums over its votes: of ones, of each judge's indicator, and of ratings.
        self.sums = np.column_stack([self.votes, rated, self.filled.sum(axis=1)]).astype(float)
        self.products = np.zeros((self.judges + 2, self.judges + 2))
        self.products[0] = self.products[:, 0] = self.sums.sum(axis=0)
        of_judges = np.arange(1, self.judges + 1)
        self.products[of_judges, of_judges] = rated.sum(axis=0)
        self.products[-1, 1:-1] = self.products[1:-1, -1] = self.filled.sum(axis=0)
        self.products[-1, -1] = (self.filled**2).sum()

    def products_and_determinant(self, of_user: float, of_sample: float, of_judge: float) -> tuple[Numbers, float]:
        """Compute M'V⁻¹M of ones, judges' indicators and ratings, and log |V|, at ratios of the variances."""
        spread = 1 + self.votes * of_sample
        scaled = self.sums / spread[:, None]
        users = self.user.max() + 1
        of_users = np.stack([np.bincount(self.user, weights=column, minlength=users) for column in scaled.T], axis=1)
        shrink = 1 + of_user * of_users[:, 0]
        found = self.products - of_sample * self.sums.T @ scaled - of_user * of_users.T @ (of_users / shrink[:, None])
        determinant = float(np.log(spread).sum() + np.log(shrink).sum())
        if of_judge:
            inner = np.eye(self.judges) + of_judge * found[1:-1, 1:-1]
            determinant += float(np.linalg.slogdet(inner)[1])
            found = found - of_judge * found[:, 1:-1] @ np.linalg.solve(inner, found[1:-1])
        return found, determinant

    def users(self, of_user: float, of_sample: float) -> tuple[Numbers, Numbers]:
        """Compute how much each user weighs in the mean, and each one's own mean, at ratios of the variances."""
        scaled = self.sums / (1 + self.votes * of_sample)[:, None]
        votes, ratings = (np.bincount(self.user, weights=scaled[:, column]) for column in (0, -1))
        weights: Numbers = votes / (1 + of_user * votes)
        return weights / weights.sum(), ratings / votes

    def fit(self, ratios: Numbers) -> tuple[float, float, float]:
        """Compute the mean, its variance, and −2 log restricted likelihood at ratios of user, sample and judge."""
        found, determinant = self.products_and_determinant(*ratios)
        ones, cross, squares = found[0, 0], found[0, -1], found[-1, -1]
        residual = (squares - cross**2 / ones) / (self.n - 1)
        deviance = (self.n - 1) * math.log(max(residual, 1e-300)) + determinant + math.log(ones)
        return cross / ones, residual / ones, deviance


def mixed_mean(
    ratings: npt.ArrayLike, clusters: npt.ArrayLike, level: float = 0.95, bounds: tuple[float, float] | None = None
) -> Interval:
    r"""Estimate the mean rating by a linear mixed model: users, their samples, and judges are random effects.

    :math:`y_{ij} = \mu + u_{g(i)} + s_i + j_j + e_{ij}`, with variances by restricted maximum likelihood; with one
    judge there is no :math:`s_i`, which cannot be separated from the residual, and no :math:`j_j`. The mean weights
    users between equally and by their samples, as their variance asks for. With the variance :math:`V_J` that judges
    add, the interval is that of `mean_over_judges`,

    .. math:: \hat\mu \pm \sqrt{t_\nu^2 V_U + t_{J-1}^2 V_J}, \quad
        V_U = \sum_g w_g^2 (\bar y_g - \bar y_w)^2 / (1 - w_g).

    :math:`V_U` is CR2's of the users' means with their weights w, and :math:`\nu` its degrees of freedom: the model's
    own variance holds only where users are normal, and covered as little as 0.80 where some always rate the same.

    In balanced data the estimates are those of the analysis of variance wherever these are positive, and with one
    judge the interval is that of `cluster_mean`. `statsmodels.MixedLM` has no fast crossed effects, and for users alone
    its default optimizer ended at a wrong mean and said that it had converged. In simulation (300 draws; 3 to 100
    users of uneven sizes, ICC 0.05 to 0.4; 1, 2, 3 and 5 judges) the interval, where there is one, covers 0.94–1.00.

    Args:
        ratings: Shape (n samples, J judges); NaN where a judge did not rate a sample; each sample has a rating.
        clusters: n labels of the user.
        level: Confidence level, between 0 and 1.
        bounds: The ends of the scale, between which the limits are set on the logit (`logit_limits`).

    Returns:
        The interval; `df` is NaN with several judges. Without limits, and `reason` says why, with one user, without
        spread, where the fit does not converge, and with several judges whose variance is estimated as 0: a spread
        that was not seen is not a spread of zero.
    """
    y = np.asarray(ratings, dtype=float)
    y = y[:, ~np.isnan(y).all(axis=0)]
    user, _ = pd.factorize(np.asarray(clusters))
    users, judges = int(user.max()) + 1, y.shape[1]
    if users < 2:
        return Interval.without_limits(ONE_USER, float(np.nanmean(y)), len(y), users)
    if np.nanvar(y) <= 1e-24:  # rounding, not spread
        return Interval.without_limits(NO_SPREAD, float(np.nanmean(y)), len(y), users)
    likelihood = _Restricted(y, user)
    free = np.array([True, judges > 1, judges > 1])

    def ratios(shares: Numbers) -> Numbers:
        found = np.zeros(3)
        found[free] = shares / (1 - shares)
        return found

    at, bounded = np.full(free.sum(), 0.3), [(0, 0.9999)] * int(free.sum())
    for method in ("L-BFGS-B", "Nelder-Mead"):  # the first is quick, and in some 1 % of cases gives up near the end
        found = optimize.minimize(lambda shares: likelihood.fit(ratios(shares))[2], at, method=method, bounds=bounded)
        if found.success:
            break
        at = found.x
    else:
        return Interval.without_limits(NOT_CONVERGED, n=len(y), clusters=users)
    fitted = ratios(found.x)
    estimate, variance, _ = likelihood.fit(fitted)
    weights, means = likelihood.users(fitted[0], fitted[1])
    of_users = float((weights**2 * (means - weights @ means) ** 2 / (1 - weights)).sum())
    df = bell_mccaffrey_df(weights)
    reach = float(stats.t.ppf((1 + level) / 2, df)) * math.sqrt(of_users)
    if judges > 1:
        if fitted[2] < 1e-6:
            return Interval.without_limits(NO_JUDGE_VARIANCE, estimate, len(y), users)
        products, _ = likelihood.products_and_determinant(fitted[0], fitted[1], 0.0)
        total, _ = likelihood.products_and_determinant(*fitted)
        # Both are the residual variance over such a product.
        of_judges = variance * (1 - total[0, 0] / products[0, 0])
        reach = math.hypot(reach, float(stats.t.ppf((1 + level) / 2, judges - 1)) * math.sqrt(of_judges))
        of_users, df = of_users + of_judges, math.nan
    limits = logit_limits(estimate, reach, bounds) if bounds else (estimate - reach, estimate + reach)
    return Interval(estimate, *limits, math.sqrt(of_users), df, len(y), users)
