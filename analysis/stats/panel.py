"""Estimate what a panel of judges says about judges like them, and how many independent votes it is worth."""

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from thoughttrace.analysis.stats.intervals import Interval, Numbers, bell_mccaffrey_df, cluster_mean, logit_limits
from thoughttrace.analysis.stats.variance import crossed_components, judge_effects, linked

ONE_JUDGE = "only one judge: no interval"
NO_JUDGE_SPREAD = "no spread between judges: no interval"
UNLINKED = "judges rated different samples: no interval"


def mean_over_judges(
    ratings: npt.ArrayLike,
    clusters: npt.ArrayLike,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    r"""Estimate the mean rating with an interval for other users and other judges, of whom these are samples.

    Users and judges are crossed random effects. With the variance :math:`V_U` of the mean over users (`cluster_mean`
    of the samples' means: these judges, other users) and :math:`V_J` over judges, and their degrees of freedom, the
    interval is (Banerjee 1960, *Sankhyā* 22)

    .. math:: \bar y \pm \sqrt{t_U^2 V_U + t_J^2 V_J}.

    It is never narrower than the one for these judges. With normal effects, complete votes and users of one size it
    holds the true mean at least as often as its level says, for any number of judges and any shares of the variance:
    the variance of the mean is at most :math:`E V_U + E V_J`, and the distribution function of chi-squared with one
    degree of freedom is concave. Satterthwaite's degrees of freedom for the sum of the two do not have that property:
    with 2 and 3 judges they covered as little as 0.86 and 0.91 in simulation, because judges that happen to agree make
    their share look small; this one covered 0.94–0.99 (`docs/coverage.md`). With 2 judges t is 12.7, so that the
    interval is often as wide as the scale: two judges say little about others. That is shown, not hidden.

    :math:`V_J` is the CR2 variance, clustered by judge, of the judges' severities in an additive model of samples and
    judges, so that what a judge did not rate is not mistaken for its severity. With complete votes it is
    :math:`s^2 / J` of the J judges' means.

    Args:
        ratings: Shape (n samples, J judges); NaN where a judge did not rate a sample. Of a judge's repeated votes on a
            sample, their mean: so its noise is part of both variances.
        clusters: n labels of the user; samples of different labels are independent.
        level: Confidence level, between 0 and 1.
        bounds: The ends of the scale, between which the limits are set on the logit (`logit_limits`).

    Returns:
        The interval about the mean over samples of the mean of each one's votes. `n` counts the samples with a vote,
        `df` is NaN: it is no t interval. Its limits are NaN, and `reason` says why, with one user or one judge, where
        nothing varies between users or between judges, and where no chain of samples rated by two judges links all
        judges.

    Raises:
        ValueError: Lengths differ, or there are no ratings.
    """
    return _over_judges(ratings, clusters, level, bounds, tested=False)


def difference_over_judges(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike,
    level: float = 0.95,
) -> Interval:
    """Estimate the mean of `a - b` as the same judges rated them, with an interval for other users and other judges.

    How severe a judge is on both models alike cancels: what is left of the judges is how differently they see the two.

    Args:
        a: Shape (n samples, J judges): ratings of one model; NaN where a judge did not rate it.
        b: The same of the other model, with the same samples and judges in the same order.
        clusters: n labels of the user; samples of different labels are independent.
        level: Confidence level, between 0 and 1.

    Returns:
        The interval of `mean_over_judges` on the votes of judges that rated both; `p_value` is the level's complement
        at which a limit is 0.

    Raises:
        ValueError: Shapes differ, or no judge rated both models on any sample.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"a difference needs pairs: got shapes {first.shape} and {second.shape}")
    return _over_judges(first - second, clusters, level, None, tested=True)


def effective_votes(ratings: npt.ArrayLike) -> float:
    r"""Estimate how many independent votes the panel's votes on one sample are worth.

    That is Kish's effective sample size (1965, *Survey Sampling*, ch. 5) of k votes with correlation :math:`\rho`

    .. math:: k_\mathrm{eff} = \frac{k}{1 + (k - 1) \rho}, \quad
        \rho = \frac{\sigma^2_S}{\sigma^2_S + \sigma^2_J + \sigma^2_e}

    with the `crossed_components`: :math:`\sigma^2_S` is what judges share on a sample, and averaging more judges does
    not reduce it; severity, the single judgement and the noise of a vote are a judge's own, and averaging k judges
    divides them by k. So the answer depends on what is given:

    - **Errors** (a judge's rating less people's, of the same sample): what judges share is an error that they have in
      common, and the result is how many independent judges the panel is worth (Kohli 2026, arXiv:2605.29800, found
      about 2 of 9). The noise of people's ratings counts as such an error; a bias on all samples alike does not.
    - **Ratings**: what judges share is the sample's merit and their common error, which ratings alone cannot separate.
      The result is then how many votes on different samples tell as much about the model's mean as the panel's
      votes on one sample. It is no measure of errors in common, and as a rule less than the number above.

    Args:
        ratings: Shape (samples, judges): ratings or errors; NaN where there is none. Of a judge's repeated votes,
            their mean: repeats are no further judges.

    Returns:
        1 to the number of judges; where votes are missing, 1 / k is averaged over samples. NaN where the components
        cannot be estimated or are 0.
    """
    y = np.asarray(ratings, dtype=float)
    split = crossed_components(y)
    votes = (~np.isnan(y)).sum(axis=1)
    own = split.judges + split.residual
    of_panel = split.samples + own * float((1 / votes[votes > 0]).mean())
    return (split.samples + own) / of_panel if of_panel > 0 else math.nan


def _over_judges(
    ratings: npt.ArrayLike, clusters: npt.ArrayLike, level: float, bounds: tuple[float, float] | None, *, tested: bool
) -> Interval:
    y, labels = np.asarray(ratings, dtype=float), np.asarray(clusters)
    if len(y) != len(labels):
        raise ValueError(f"{len(y)} samples but {len(labels)} cluster labels")
    rated = ~np.isnan(y)
    voted, judges = rated.any(axis=1), rated.any(axis=0)
    y, rated = y[voted][:, judges], rated[voted][:, judges]
    votes = rated.sum(axis=1)
    of_these_judges = cluster_mean(np.nansum(y, axis=1) / votes, labels[voted], level, bounds)
    if of_these_judges.reason:
        return of_these_judges
    estimate, n, users = of_these_judges.estimate, of_these_judges.n, of_these_judges.clusters

    if judges.sum() < 2:
        return Interval.without_limits(ONE_JUDGE, estimate, n, users)
    if not linked(y):
        return Interval.without_limits(UNLINKED, estimate, n, users)
    weights = (rated / votes[:, None]).mean(axis=0)
    severities = judge_effects(y)
    deviations = weights * (severities - weights @ severities)
    judge_error = math.sqrt(float((deviations**2 / (1 - weights)).sum()))
    if judge_error <= 1e-12 * max(1.0, float(np.nanmax(np.abs(y)))):  # rounding, not spread
        return Interval.without_limits(NO_JUDGE_SPREAD, estimate, n, users)

    errors = np.array([of_these_judges.standard_error, judge_error])
    df = np.array([of_these_judges.df, bell_mccaffrey_df(weights)])
    reach = _reach(1 - level, errors, df)
    lower, upper = logit_limits(estimate, reach, bounds) if bounds else (estimate - reach, estimate + reach)
    return Interval(
        estimate,
        lower,
        upper,
        float(np.hypot(*errors)),
        math.nan,
        n,
        users,
        _p_value(abs(estimate), errors, df) if tested else math.nan,
    )


def _reach(miss: float, errors: Numbers, df: Numbers) -> float:
    """Compute half the width of the interval that misses the true value with this probability."""
    return float(np.hypot(*(stats.t.isf(miss / 2, df) * errors)))


def _p_value(distance: float, errors: Numbers, df: Numbers) -> float:
    """Compute the probability of a miss at which the interval reaches just so far; 0 below 1e-50."""
    smallest = math.log(1e-50)  # scipy's quantiles of t are wrong or NaN for some degrees of freedom further out
    if _reach(math.exp(smallest), errors, df) <= distance:
        return 0.0
    return math.exp(optimize.brentq(lambda miss: _reach(math.exp(miss), errors, df) - distance, smallest, 0.0))
