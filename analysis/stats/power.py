"""Plan how many samples and users a mean or a difference needs."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from thoughttrace.analysis.stats.intervals import Numbers, bell_mccaffrey_df
from thoughttrace.core.errors import UserError

MOST_USERS = 1_000_000
"""Where the search for a number of users ends."""

ASSURANCE = 0.8
"""Share of pilots whose plan with assurance has the power or precision it was made for, or more."""


@dataclass(frozen=True)
class Assumptions:
    """What a plan assumes of the values that are averaged: a model's ratings, or two models' paired differences.

    Raises:
        UserError: A number is out of its range.
    """

    sd: float
    """Standard deviation of one value over all users and samples, above 0."""
    icc: float
    """Share of the variance that lies between users, 0–1."""
    per_user: tuple[int, ...]
    """Samples of each user, each 1 or more: a distribution that is stretched to any number of users."""
    df: float = math.inf
    """Degrees of freedom with which a pilot estimated the variance; infinite where it is stated."""

    def __post_init__(self) -> None:
        require(0 < self.sd < math.inf, f"The standard deviation must be above 0 (got {self.sd:g}).")
        require(0 <= self.icc <= 1, f"The intraclass correlation must be from 0 to 1 (got {self.icc:g}).")
        fewest = min(self.per_user, default=0)
        require(fewest >= 1, f"The samples per user must be 1 or more (got {fewest:g}).")

    def assured(self) -> "Assumptions":
        r"""Assume the upper limit that the true variance stays below with probability `ASSURANCE`.

        A pilot of few users often finds too small a variance, and a plan from its estimate then has too little power.
        Browne (1995, *Statistics in Medicine* 14) plans with an upper confidence limit instead,

        .. math:: \sigma^2_+ = \sigma^2 \, \nu / \chi^2_{\nu, 1 - a},

        and the plan has the power it was made for with probability a or more (Kieser & Wassmer 1996, *Biometrical
        Journal* 38). The variance that matters is that of the mean over users, so :math:`\nu` are the degrees of
        freedom of the pilot's own interval; the share between users stays as estimated.

        `benchmarks/power.py` (pilots of 3 to 50 users, ICC 0.05 to 0.4, plans for a power of 0.8): of the plans as
        estimated 33–60 % had it, and from 5 users the power was 0.67–0.81 on average, below 0.29–0.53 in a tenth of
        them; of the plans with assurance 77–100 % had it.

        Returns:
            The same where the variance is stated.
        """
        if math.isinf(self.df):
            return self
        return replace(self, sd=self.sd * math.sqrt(self.df / stats.chi2.ppf(1 - ASSURANCE, self.df)), df=math.inf)

    def sizes(self, users: int) -> Numbers:
        """Spread `per_user` over a number of users, by evenly spaced quantiles.

        Args:
            users: 1 or more.

        Returns:
            Samples of each user, ascending.
        """
        at = (np.arange(users) + 0.5) / users * len(self.per_user)
        sizes: Numbers = np.sort(np.asarray(self.per_user, dtype=float))[at.astype(int)]
        return sizes

    def samples(self, users: int) -> int:
        """Count the samples of a number of users together."""
        return int(self.sizes(users).sum())

    def error(self, users: int) -> tuple[float, float]:
        r"""Compute the standard error of the mean over a number of users, and its degrees of freedom.

        .. math:: V = \sigma^2 \left( \rho \sum_g h_g^2 + (1 - \rho) / N \right), \quad h_g = n_g / N

        with standard deviation :math:`\sigma` and intraclass correlation :math:`\rho`; for equal sizes n that is the
        design effect :math:`1 + (n - 1) \rho` of Kish (1965, *Survey Sampling*, ch. 5). The degrees of freedom are
        those of the interval to come (Bell & McCaffrey 2002).

        Args:
            users: 2 or more.
        """
        sizes = self.sizes(users)
        total = sizes.sum()
        variance = self.sd**2 * (self.icc * float(((sizes / total) ** 2).sum()) + (1 - self.icc) / float(total))
        return math.sqrt(variance), bell_mccaffrey_df(sizes)


def even_sizes(mean: float) -> tuple[int, ...]:
    """Distribute samples over users as evenly as whole numbers allow.

    Args:
        mean: Mean number of samples per user, 1 or more; used to the hundredth.

    Returns:
        Samples of each of 100 users, ascending.

    Raises:
        UserError: The mean is below 1 or infinite.
    """
    require(1 <= mean < math.inf, f"The mean number of samples per user must be 1 or more (got {mean:g}).")
    hundredths = round(100 * mean)
    return tuple((hundredths + n) // 100 for n in range(100))


def require(holds: bool, message: str) -> None:
    """Raise UserError with this message unless it holds."""
    if not holds:
        raise UserError(message)


def require_level(level: float) -> None:
    """Raise UserError unless this is a confidence level."""
    require(0 < level < 1, f"The level must be between 0 and 1, such as 0.95 (got {level:g}).")


def first_step_of_holm(level: float, models: int) -> float:
    r"""Give the level at which Holm's adjustment tests the smallest p-value of all pairs of several models.

    Of m = K (K − 1) / 2 pairs that is :math:`1 - \alpha / m` (Holm 1979, *Scandinavian Journal of Statistics* 6). Every
    later step is less strict, so a pair that is significant here is so after the adjustment, whatever the other pairs
    are: a plan at this level has the planned power for each pair, or more.

    Args:
        level: 1 less the level of the adjusted tests, between 0 and 1.
        models: K, 2 or more.

    Returns:
        `level` or more, below 1.
    """
    return 1 - (1 - level) / math.comb(models, 2)


def half_width(ratings: Assumptions, users: int, level: float = 0.95) -> float:
    """Compute the planned half-width of a mean's interval: t quantile times standard error.

    Args:
        ratings: What is assumed of a model's ratings.
        users: 2 or more.
        level: Confidence level, between 0 and 1.

    Raises:
        UserError: The level is out of its range.
    """
    error, df = ratings.error(users)
    return _critical(level, df) * error


def power(differences: Assumptions, users: int, difference: float, level: float = 0.95) -> float:
    """Compute the probability that the two-sided t test of `paired_difference` detects a true difference.

    Its statistic is approximated by a noncentral t with the Bell–McCaffrey degrees of freedom and the noncentrality
    difference / standard error (Cohen 1988, *Statistical Power Analysis*); a significant result of the wrong sign
    counts, as in every two-sided test.

    Args:
        differences: What is assumed of the paired differences.
        users: 2 or more.
        difference: The true mean difference.
        level: 1 less the test's level, between 0 and 1.

    Returns:
        0 to 1.

    Raises:
        UserError: The level is out of its range.
    """
    error, df = differences.error(users)
    return _power(difference / error, df, _critical(level, df))


def detectable(differences: Assumptions, users: int, goal: float, level: float = 0.95) -> float:
    """Compute the smallest true difference that a number of users detects with a given power.

    Args:
        differences: What is assumed of the paired differences.
        users: 2 or more.
        goal: Power, above 1 − level and below 1.
        level: 1 less the test's level, between 0 and 1.

    Raises:
        UserError: The power or the level is out of its range.
    """
    return detectable_difference(*differences.error(users), goal, level)


def detectable_difference(error: float, df: float, goal: float = 0.8, level: float = 0.95) -> float:
    """Compute the smallest true difference that a t test detects with a given power (minimum detectable difference).

    It rests on the standard error, not on the difference that was found: the power against that one would be the
    p-value in other words (Hoenig & Heisey 2001, *The American Statistician* 55).

    Args:
        error: Standard error of the difference, as of `paired_difference`; NaN where there is none.
        df: Its degrees of freedom.
        goal: Power, above 1 − level and below 1.
        level: 1 less the test's level, between 0 and 1.

    Returns:
        Above 0, in the units of the standard error; NaN without one.

    Raises:
        UserError: The power or the level is out of its range.
    """
    critical = _critical(level, df)
    _require_power(goal, level)
    if math.isnan(error):
        return math.nan
    # Here numerator and denominator of t each miss their half with half of 1 - goal: power is goal or more.
    most = stats.norm.ppf((1 + goal) / 2) + critical * math.sqrt(stats.chi2.ppf((1 + goal) / 2, df) / df)
    return error * float(optimize.brentq(lambda shift: _power(shift, df, critical) - goal, 0, most))


def equivalence_margin(estimate: float, error: float, df: float) -> float:
    r"""Compute the smallest margin within which a difference is equivalent to 0 by two one-sided t tests (TOST).

    Both are significant at 5 % where the 90 % interval lies within ± the margin (Schuirmann 1987, *J. Pharmacokinetics
    and Biopharmaceutics* 15). So the smallest margin is its larger absolute limit,

    .. math:: |d| + t_{\nu, 0.95} \cdot s.

    Larger differences are ruled out; it is the counterpart of `detectable_difference` for what was found.

    Args:
        estimate: The difference d.
        error: Its standard error s, as of `paired_difference`; NaN where there is none.
        df: Its degrees of freedom.

    Returns:
        Above 0, in the units of the difference; NaN without a standard error.
    """
    return abs(estimate) + float(stats.t.ppf(0.95, df)) * error


def users_for_half_width(ratings: Assumptions, goal: float, level: float = 0.95) -> int:
    """Find the fewest users whose planned half-width is no more than the goal.

    Args:
        ratings: What is assumed of a model's ratings.
        goal: Half-width on the scale of the ratings, above 0.
        level: Confidence level, between 0 and 1.

    Raises:
        UserError: A number is out of its range, or `MOST_USERS` are too few.
    """
    require(goal > 0, f"The half-width must be above 0 (got {goal:g}).")
    return _fewest(ratings, lambda users: half_width(ratings, users, level) <= goal)


def users_for_difference(differences: Assumptions, difference: float, goal: float, level: float = 0.95) -> int:
    """Find the fewest users that detect a true difference with a given power.

    Args:
        differences: What is assumed of the paired differences.
        difference: The true mean difference, above 0.
        goal: Power, above 1 − level and below 1.
        level: 1 less the test's level, between 0 and 1.

    Raises:
        UserError: A number is out of its range, or `MOST_USERS` are too few.
    """
    require(difference > 0, f"The difference must be above 0 (got {difference:g}).")
    require_level(level)
    _require_power(goal, level)
    return _fewest(differences, lambda users: power(differences, users, difference, level) >= goal)


def users_within(assumptions: Assumptions, samples: int) -> int:
    """Find the most users, up to `MOST_USERS`, whose samples fit into a budget.

    Args:
        assumptions: Their `per_user` says how many samples users have.
        samples: The budget.

    Returns:
        2 or more.

    Raises:
        UserError: The samples of two users exceed the budget.
    """
    sizes = np.asarray(assumptions.per_user)
    # The samples of U users stray from U times the mean by less than the largest size.
    most = min(MOST_USERS, int((max(samples, 0) + sizes.max()) / sizes.mean()))
    for users in range(most, 1, -1):
        if assumptions.samples(users) <= samples:
            return users
    needed = assumptions.samples(2)
    raise UserError(f"A budget of {samples:,} samples is too small: a plan needs two users, who have {needed:,}.")


def _fewest(assumptions: Assumptions, enough: Callable[[int], bool]) -> int:
    """Find the smallest number of users that is enough, by doubling and bisection."""
    low, high = 1, 2
    while not enough(high):
        if high == MOST_USERS:
            raise UserError(f"More than {MOST_USERS:,} users would be needed.")
        low, high = high, min(2 * high, MOST_USERS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    # With uneven sizes one more user can lower the precision a little, when a large one joins. The sums of n and n²
    # stray from their trend by half their range, which moves the number of users by half of this at most; below it
    # none is enough.
    sizes = np.asarray(assumptions.per_user, dtype=float)
    stray = 2 * (np.ptp(sizes**2) / (sizes**2).mean() + 2 * np.ptp(sizes) / sizes.mean())
    return next(users for users in range(max(2, high - math.ceil(stray)), high + 1) if enough(users))


def _critical(level: float, df: float) -> float:
    require_level(level)
    return float(stats.t.ppf((1 + level) / 2, df))


def _power(shift: float, df: float, critical: float) -> float:
    """Compute the power of the two-sided t test whose statistic has this noncentrality."""
    # Far out the second, a significant result of the wrong sign, is NaN in scipy; it is at most Phi(-shift).
    return float(stats.nct.sf(critical, df, shift) + np.nan_to_num(stats.nct.cdf(-critical, df, shift)))


def _require_power(goal: float, level: float) -> None:
    require(1 - level < goal < 1, f"The power must be above {1 - level:.3g} (1 - level) and below 1 (got {goal:g}).")
