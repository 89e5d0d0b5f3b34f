"""Estimate the mean of human ratings of all samples from a judge's ratings of all and human ratings of a part."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from thoughttrace.analysis.stats.intervals import ONE_USER, Codes, Interval, Numbers, bell_mccaffrey_df, t_interval
from thoughttrace.analysis.stats.power import Assumptions, require, require_level
from thoughttrace.analysis.stats.variance import components
from thoughttrace.core.errors import UserError


def corrected_mean(
    judge: npt.ArrayLike,
    human: npt.ArrayLike,
    clusters: npt.ArrayLike,
    level: float = 0.95,
    bounds: tuple[float, float] = (1, 5),
) -> Interval:
    r"""Estimate the mean of human ratings over all N samples, of which n have one, with a cluster-robust interval.

    Prediction-powered inference (Angelopoulos et al. 2023, *Science* 382), power-tuned (Angelopoulos, Duchi & Zrnic
    2023, PPI++, arXiv:2311.01453). With the judge's ratings f and the human ratings h,

    .. math:: \hat\theta = \lambda \bar f_N + \overline{(h - \lambda f)}_n

    It is unbiased whatever the judge is worth; a useless one brings :math:`\lambda` near 0. It assumes that
    **the labelled samples are a random part of all**, drawn sample by sample. Given all samples
    :math:`\bar f_N - \bar f_n` is then uncorrelated with what users share, and the cluster-robust variance is least at
    the ordinary least-squares slope of h on f (double sampling: Cochran 1977, *Sampling Techniques*, sec. 12.6).
    :math:`\lambda` is that slope, clipped to 0–1 (`tuning_parameter`).

    The variance sums the squared influence of each user g on both terms. :math:`S_g` is the user's sum of
    :math:`f - \bar f_N` over its :math:`N_g` samples, :math:`T_g(\lambda)` that of :math:`h - \lambda f`, less its
    mean, over its :math:`n_g` labelled ones:

    .. math:: V = \sum_g \Big( \lambda_{-g} \frac{S_g / N}{\sqrt{1 - N_g / N}}
              + \frac{T_g(\lambda_{-g}) / n}{\sqrt{1 - n_g / n}} \Big)^2

    The roots are those of CR2 (Bell & McCaffrey 2002) for the stacked regression of both terms on their intercepts.
    :math:`\lambda_{-g}` is tuned without user g: one tuned with it would fit its noise, and V be too small. The degrees
    of freedom are those of a mean (`bell_mccaffrey_df`) over users who weigh what they would add to V if samples were
    independent, :math:`n_g s^2_1 + (N_g - n_g) s^2_0` with the mean squared influence of labelled and other samples.
    With all samples labelled, or :math:`\lambda = 0`, all this is `cluster_mean` of the human ratings; with a judge
    that is always right, of the judge's (its degrees of freedom nearly).

    Args:
        judge: N ratings, none of them NaN.
        human: N ratings of the same samples, in the same order; NaN where there is none.
        clusters: N labels; samples of different labels are independent.
        level: Confidence level, between 0 and 1.
        bounds: The ends of the scale, between which the limits are set on the logit (`logit_limits`).

    Returns:
        The interval; `n` and `clusters` count all samples and their users. With labels of fewer than two users, or
        where nothing varies between users, its limits are NaN and `reason` says why.

    Raises:
        ValueError: Lengths differ, a judge's rating is NaN, or there is no human rating.
    """
    data = _Data.of(judge, human, clusters)
    slope, n, users = data.slope(), len(data.f), len(data.sizes)
    estimate = float(slope * data.f.mean() + (data.h - slope * data.f[data.labelled]).mean())
    if (data.labels > 0).sum() < 2:
        reason = ONE_USER if users < 2 else "human ratings from only one user: no interval"
        return Interval.without_limits(reason, estimate, n, users)
    error = math.sqrt(float((data.influence(data.slopes_without()) ** 2).sum()))
    return t_interval(estimate, error, data.freedom(slope), n, users, float(np.abs(data.h).max()), level, bounds)


def tuning_parameter(judge: npt.ArrayLike, human: npt.ArrayLike) -> float:
    r"""Compute the :math:`\lambda` of `corrected_mean`: how far it relies on the judge.

    Args:
        judge: N ratings, none of them NaN.
        human: N ratings of the same samples, in the same order; NaN where there is none.

    Returns:
        From 0, not at all, to 1.

    Raises:
        ValueError: Lengths differ, a judge's rating is NaN, or there is no human rating.
    """
    return _Data.of(judge, human, np.zeros(np.shape(judge))).slope()


def human_ratings_needed(
    judge: npt.ArrayLike, human: npt.ArrayLike, clusters: npt.ArrayLike, half_width: float, level: float = 0.95
) -> int:
    r"""Compute how many of the N samples people have to rate for `corrected_mean` to reach a half-width.

    .. math:: V(n) = V_h(N) + (1/n - 1/N) \, s^2

    :math:`V_h(N)` is the variance of the human mean if all were labelled, from the variance components of the pilot's
    ratings, and :math:`s^2` the variance of :math:`h - \lambda f` among them: rating more of the same samples lowers
    only the second part. The degrees of freedom are the pilot's, which further labels can only raise.

    Args:
        judge: N ratings, none of them NaN.
        human: The pilot's ratings, NaN where there is none; they count towards the number returned.
        clusters: N labels of the user.
        half_width: Of the interval wanted, above 0.
        level: Confidence level, between 0 and 1.

    Returns:
        Number of samples with a human rating, 2 to N.

    Raises:
        UserError: A number is out of its range, the pilot is too small, or not even ratings of all samples are enough.
        ValueError: As `corrected_mean`.
    """
    require(half_width > 0, f"The half-width must be above 0 (got {half_width:g}).")
    require_level(level)
    data = _Data.of(judge, human, clusters)
    parts = components(data.h, data.codes[data.labelled], np.flatnonzero(data.labelled))
    if math.isnan(parts.icc):
        raise UserError(
            f"{len(data.h)} human ratings are too few to estimate how much users differ: "
            "it takes two samples each of two or more users."
        )
    everyone = Assumptions(math.sqrt(parts.users + parts.samples), parts.icc, tuple(map(int, data.sizes)))
    floor = everyone.error(len(data.sizes))[0] ** 2
    rest = float(np.var(data.h - data.slope() * data.f[data.labelled], ddof=1))
    wanted = (half_width / float(stats.t.ppf((1 + level) / 2, data.freedom(data.slope())))) ** 2
    needed = rest / (wanted - floor + rest / len(data.f)) if wanted > floor else math.inf
    if needed > len(data.f):
        raise UserError(
            f"Not even human ratings of all {len(data.f):,} samples give the mean to ± {half_width:g}: "
            "it takes more users, or a larger half-width."
        )
    return max(2, math.ceil(needed))


@dataclass(frozen=True)
class _Data:
    """Checked ratings, and the counts of each user. The names are those of the formulas."""

    f: Numbers  # the judge's ratings
    h: Numbers  # human ratings, of the labelled samples only
    labelled: npt.NDArray[np.bool_]
    codes: Codes
    sizes: Numbers  # samples of each user
    labels: Numbers  # labelled samples of each user

    @classmethod
    def of(cls, judge: npt.ArrayLike, human: npt.ArrayLike, clusters: npt.ArrayLike) -> "_Data":
        f, h, users = np.asarray(judge, dtype=float), np.asarray(human, dtype=float), np.asarray(clusters)
        if not len(f) == len(h) == len(users):
            raise ValueError(f"{len(f)} ratings of the judge, {len(h)} human ones and {len(users)} cluster labels")
        if np.isnan(f).any():
            raise ValueError("the judge's ratings contain NaN: leave unscored samples out and count them")
        labelled = ~np.isnan(h)
        if not labelled.any():
            raise ValueError("no human ratings to correct with")
        codes, _ = pd.factorize(users)
        sizes = np.bincount(codes).astype(float)
        return cls(f, h[labelled], labelled, codes, sizes, np.bincount(codes, weights=labelled).astype(float))

    def _sums(self, values: Numbers) -> Numbers:
        """Sum values of the labelled samples by user."""
        sums = np.bincount(self.codes[self.labelled], weights=values, minlength=len(self.sizes))
        return sums.astype(float)

    def _products(self) -> tuple[Numbers, Numbers]:
        """Multiply the labelled samples' deviations: f·h and f·f."""
        f = self.f[self.labelled] - self.f[self.labelled].mean()
        return f * (self.h - self.h.mean()), f**2

    def slope(self) -> float:
        """Compute λ, from 0 to 1."""
        cross, square = self._products()
        return float(np.clip(cross.sum() / square.sum(), 0, 1)) if square.sum() > 0 else 0.0

    def slopes_without(self) -> Numbers:
        """Compute λ without each user in turn."""
        cross, square = (products.sum() - self._sums(products) for products in self._products())
        slopes: Numbers = np.clip(np.divide(cross, square, out=np.zeros_like(cross), where=square > 1e-9), 0, 1)
        return slopes

    def influence(self, slopes: Numbers) -> Numbers:
        """Compute the influence of each user on the estimate, each with its own λ."""
        n, total = len(self.h), len(self.f)
        of_all = np.bincount(self.codes, weights=self.f - self.f.mean()) / total / np.sqrt(1 - self.sizes / total)
        f = self.f[self.labelled]
        rated, judged = self._sums(self.h - self.h.mean()), self._sums(f - f.mean())
        influence: Numbers = slopes * of_all + (rated - slopes * judged) / n / np.sqrt(1 - self.labels / n)
        return influence

    def freedom(self, slope: float) -> float:
        """Compute the degrees of freedom; users weigh what they would add to V if samples were independent."""
        influence = slope * (self.f - self.f.mean()) / len(self.f)
        rest = self.h - slope * self.f[self.labelled]
        influence[self.labelled] += (rest - rest.mean()) / len(self.h)
        rated, others = (influence[self.labelled] ** 2).mean(), (influence[~self.labelled] ** 2).sum()
        unlabelled = self.sizes - self.labels
        weights = self.labels * rated + unlabelled * others / max(1, unlabelled.sum())
        return bell_mccaffrey_df(weights) if weights.any() else math.nan
