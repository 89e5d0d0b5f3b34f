"""How many users and samples a question needs, and what a number of them can tell."""

import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, stats

from thoughttrace.analysis.assumptions import Assumptions, require
from thoughttrace.datasets.errors import UserError

MOST_USERS = 1_000_000
"""Where the search for a number of users ends."""


def half_width(ratings: Assumptions, users: int, level: float = 0.95) -> float:
    """The planned half-width of a mean's interval: t quantile times standard error.

    Args:
        ratings: What holds for a model's ratings.
        users: Two or more.
        level: Confidence level, between 0 and 1.

    Raises:
        UserError: The level is out of its range.
    """
    error, df = ratings.error(users)
    return _critical(level, df) * error


def power(differences: Assumptions, users: int, difference: float, level: float = 0.95) -> float:
    """The probability that the two-sided t test of `paired_difference` finds a true difference.

    Its statistic is taken for noncentral t with the Bell–McCaffrey degrees of freedom and noncentrality difference /
    standard error (Cohen 1988, *Statistical Power Analysis*); a significant result of the wrong sign counts, as in
    every two-sided test.

    Args:
        differences: What holds for the paired differences.
        users: Two or more.
        difference: The true mean difference.
        level: 1 less the test's level, between 0 and 1.

    Raises:
        UserError: The level is out of its range.
    """
    error, df = differences.error(users)
    return _power(difference / error, df, _critical(level, df))


def detectable(differences: Assumptions, users: int, goal: float, level: float = 0.95) -> float:
    """The smallest true difference that so many users find with so much power.

    Args:
        differences: What holds for the paired differences.
        users: Two or more.
        goal: Power, above 1 − level and below 1.
        level: 1 less the test's level, between 0 and 1.

    Raises:
        UserError: The power or the level is out of its range.
    """
    error, df = differences.error(users)
    critical = _critical(level, df)
    _require_power(goal, level)
    # Here numerator and denominator of t each miss their half with half of 1 - goal: power is goal or more.
    most = stats.norm.ppf((1 + goal) / 2) + critical * math.sqrt(stats.chi2.ppf((1 + goal) / 2, df) / df)
    return error * float(optimize.brentq(lambda shift: _power(shift, df, critical) - goal, 0, most))


def users_for_half_width(ratings: Assumptions, goal: float, level: float = 0.95) -> int:
    """The fewest users whose planned half-width is no more than the goal.

    Args:
        ratings: What holds for a model's ratings.
        goal: Half-width on the scale of the ratings, above 0.
        level: Confidence level, between 0 and 1.

    Raises:
        UserError: A figure is out of its range, or `MOST_USERS` are too few.
    """
    require(goal > 0, f"A half-width of {goal:g} cannot be reached: ask for one above 0.")
    return _fewest(ratings, lambda users: half_width(ratings, users, level) <= goal)


def users_for_difference(differences: Assumptions, difference: float, goal: float, level: float = 0.95) -> int:
    """The fewest users who find a true difference with so much power.

    Args:
        differences: What holds for the paired differences.
        difference: The true mean difference, above 0.
        goal: Power, above 1 − level and below 1.
        level: 1 less the test's level, between 0 and 1.

    Raises:
        UserError: A figure is out of its range, or `MOST_USERS` are too few.
    """
    require(difference > 0, f"A difference of {difference:g} cannot be detected: ask for one above 0.")
    _require_level(level)
    _require_power(goal, level)
    return _fewest(differences, lambda users: power(differences, users, difference, level) >= goal)


def users_within(assumptions: Assumptions, samples: int) -> int:
    """The most users, up to `MOST_USERS`, whose samples fit into a budget.

    Args:
        assumptions: Whose `per_user` says how many samples users have.
        samples: The budget.

    Raises:
        UserError: It does not hold two users.
    """
    sizes = np.asarray(assumptions.per_user)
    # The samples of U users stray from U times the mean by less than the largest size.
    most = min(MOST_USERS, int((max(samples, 0) + sizes.max()) / sizes.mean()))
    for users in range(most, 1, -1):
        if assumptions.samples(users) <= samples:
            return users
    raise UserError(
        f"A budget of {samples:,} samples is too small for two users, who have {assumptions.samples(2):,}: "
        "raise --samples or lower --per-user."
    )


def _fewest(assumptions: Assumptions, enough: Callable[[int], bool]) -> int:
    """The smallest number of users that is enough, by doubling and bisection."""
    low, high = 1, 2
    while not enough(high):
        if high == MOST_USERS:
            raise UserError(f"That would need more than {MOST_USERS:,} users: ask for less.")
        low, high = high, min(2 * high, MOST_USERS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    # With uneven sizes a user more can tell a little less, when a large one joins. The sums of n and n² stray from
    # their trend by half their range, which moves the number of users by half of this at most; below it none is enough.
    sizes = np.asarray(assumptions.per_user, dtype=float)
    stray = 2 * (np.ptp(sizes**2) / (sizes**2).mean() + 2 * np.ptp(sizes) / sizes.mean())
    return next(users for users in range(max(2, high - math.ceil(stray)), high + 1) if enough(users))


def _critical(level: float, df: float) -> float:
    _require_level(level)
    return float(stats.t.ppf((1 + level) / 2, df))


def _power(shift: float, df: float, critical: float) -> float:
    """Of the two-sided t test whose statistic has this noncentrality."""
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


def _require_level(level: float) -> None:
    require(0 < level < 1, f"A level of {level:g} cannot be: state one between 0 and 1, such as 0.95.")


def _require_power(goal: float, level: float) -> None:
    require(
        1 - level < goal < 1,
        f"A power of {goal:g} cannot be planned for: ask for one above {1 - level:.3g} (1 - level) and below 1.",
    )
