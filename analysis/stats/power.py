"""Plan how many samples and users a comparison needs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import optimize, stats

from thoughttrace.analysis.stats.intervals import Numbers, bell_mccaffrey_df
from thoughttrace.analysis.stats.variance import Components, components
from thoughttrace.core.errors import UserError

_INSTEAD = "or plan without a pilot, with --sd, --icc and --per-user."


@dataclass(frozen=True)
class Assumptions:
    """What is taken for true of one mean: of a model's ratings, or of the paired differences of two models.

    Raises:
        UserError: A figure is out of its range.
    """

    sd: float
    """Standard deviation of one value over all users and samples, above 0."""
    icc: float
    """Share of the variance that lies between users, 0–1."""
    per_user: tuple[int, ...]
    """Samples of each user, 1 or more: a distribution that is stretched to any number of users."""

    def __post_init__(self) -> None:
        require(0 < self.sd < math.inf, f"A standard deviation of {self.sd:g} cannot be: state one above 0.")
        require(0 <= self.icc <= 1, f"An intraclass correlation of {self.icc:g} cannot be: state one from 0 to 1.")
        require(min(self.per_user, default=0) >= 1, "A user has at least one sample: state sizes of 1 or more.")

    def sizes(self, users: int) -> Numbers:
        """Samples of each of so many users, ascending: evenly spaced quantiles of `per_user`."""
        at = (np.arange(users) + 0.5) / users * len(self.per_user)
        sizes: Numbers = np.sort(np.asarray(self.per_user, dtype=float))[at.astype(int)]
        return sizes

    def samples(self, users: int) -> int:
        """Samples of so many users together."""
        return int(self.sizes(users).sum())

    def error(self, users: int) -> tuple[float, float]:
        r"""The standard error of the mean over so many users, two or more, and its degrees of freedom.

        .. math:: V = \sigma^2 \left( \rho \sum_g h_g^2 + (1 - \rho) / N \right), \quad h_g = n_g / N

        with standard deviation :math:`\sigma` and intraclass correlation :math:`\rho`; for equal sizes n that is the
        design effect :math:`1 + (n - 1) \rho` of Kish (1965, *Survey Sampling*, ch. 5). The degrees of freedom are
        those of the interval to come (Bell & McCaffrey 2002).
        """
        sizes = self.sizes(users)
        total = sizes.sum()
        variance = self.sd**2 * (self.icc * float(((sizes / total) ** 2).sum()) + (1 - self.icc) / float(total))
        return math.sqrt(variance), bell_mccaffrey_df(sizes)


@dataclass(frozen=True)
class Figures:
    """What is known about ratings; None is not known."""

    sd: float | None = None
    """Standard deviation of a model's ratings."""
    icc: float | None = None
    per_user: tuple[int, ...] | None = None
    correlation: float | None = None
    """Of two models' ratings of the same sample, −1 to below 1."""
    sd_difference: float | None = None
    """Standard deviation of two models' paired differences."""
    icc_difference: float | None = None

    def over(self, pilot: "Figures") -> "Figures":
        """These, and where they say nothing the pilot's."""
        known = {f.name: getattr(pilot if getattr(self, f.name) is None else self, f.name) for f in fields(self)}
        if self.sd is not None or self.correlation is not None:
            known["sd_difference"] = self.sd_difference  # the pilot's would contradict what is stated
        return Figures(**known)

    def mean(self) -> Assumptions:
        """What holds for a model's mean.

        Raises:
            UserError: A figure is missing or out of its range.
        """
        if self.sd is None or self.icc is None or self.per_user is None:
            named = {"--sd": self.sd, "--icc": self.icc, "--per-user": self.per_user}
            missing = " and ".join(option for option, value in named.items() if value is None)
            raise UserError(f"A plan needs the logs of a pilot, or --sd, --icc and --per-user: add {missing}.")
        return Assumptions(self.sd, self.icc, self.per_user)

    def difference(self) -> Assumptions:
        r"""What holds for the mean of two models' paired differences.

        Unless it is known, their standard deviation is :math:`\sigma \sqrt{2 (1 - \rho)}` with the correlation
        :math:`\rho` of the models' ratings, and their intraclass correlation that of the ratings.

        Raises:
            UserError: A figure is missing or out of its range.
        """
        ratings = self.mean()
        sd, rho = self.sd_difference, self.correlation
        if sd is None:
            if rho is None:
                raise UserError(
                    "A difference needs the correlation of two models' ratings: add --correlation, or give pilot logs "
                    "of two models on the same samples, of two or more users with two or more samples."
                )
            require(-1 <= rho < 1, f"A correlation of {rho:g} cannot be planned with: state one from -1 to below 1.")
            sd = ratings.sd * math.sqrt(2 * (1 - rho))
        icc = ratings.icc if self.icc_difference is None else self.icc_difference
        return Assumptions(sd, icc, ratings.per_user)


def even(mean: float) -> tuple[int, ...]:
    """Samples per user that are as equal as whole numbers of this mean can be, to the hundredth.

    Raises:
        UserError: The mean is below 1 or infinite.
    """
    require(1 <= mean < math.inf, f"Users with {mean:g} samples each cannot be: state --per-user of 1 or more.")
    hundredths = round(100 * mean)
    return tuple((hundredths + n) // 100 for n in range(100))


def pilot(runs: Sequence[pd.DataFrame]) -> Figures:
    """The figures of a pilot; those of several runs, and of their pairs on shared samples, are averaged.

    Args:
        runs: Samples of one or more runs of one kind: `id`, `user`, `agreement` (NaN: not scored, and left out).

    Returns:
        All figures; those of differences are None where no two runs share samples that tell them.

    Raises:
        UserError: A run has too few users or samples, or ratings that do not vary.
    """
    scored = [run.dropna(subset="agreement") for run in runs]
    for run in scored:
        _check(run)
    parts = [components(run["agreement"], run["user"], run["id"]) for run in scored]
    require(all(map(_varies, parts)), f"The pilot's ratings do not vary: run it on more samples, {_INSTEAD}")
    ratings = _average(parts)
    sizes = pd.concat(scored).drop_duplicates("id").groupby("user").size()
    known = Figures(_sd(ratings), ratings.icc, tuple(int(size) for size in sizes))
    pairs = [_shared(*pair) for pair in combinations(scored, 2)]
    told = {n: found for n, pair in enumerate(pairs) if _varies(found := _difference(pair))}
    if not told:
        return known
    differences = _average(list(told.values()))
    correlation = float(np.mean([pairs[n]["agreement_a"].corr(pairs[n]["agreement_b"]) for n in told]))
    return Figures(known.sd, known.icc, known.per_user, correlation, _sd(differences), differences.icc)


def require(holds: bool, message: str) -> None:
    """Raise UserError with this message unless it holds."""
    if not holds:
        raise UserError(message)


def _check(run: pd.DataFrame) -> None:
    """Refuse a pilot that cannot tell users from samples."""
    counts = run["user"].value_counts()
    found = f"{len(run)} scored samples of {len(counts)} {'user' if len(counts) == 1 else 'users'}"
    lack = f"The pilot has {found}, which do not tell how much users differ"
    require(len(counts) >= 2, f"{lack}: run it on two users or more, {_INSTEAD}")
    require(counts.max() >= 2, f"{lack}: run it on two samples or more of a user, {_INSTEAD}")


def _shared(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """The samples that both runs scored."""
    return a[["id", "user", "agreement"]].merge(b[["id", "agreement"]], on="id", suffixes=("_a", "_b"))


def _difference(pair: pd.DataFrame) -> Components:
    if pair.empty:
        return Components(math.nan, math.nan, math.nan)
    return components(pair["agreement_a"] - pair["agreement_b"], pair["user"], pair["id"])


def _varies(parts: Components) -> bool:
    """Whether there is a spread, and both its parts are known."""
    return parts.users + parts.samples > 1e-12  # less is rounding


def _average(parts: Sequence[Components]) -> Components:
    users, samples = (float(np.mean([getattr(part, name) for part in parts])) for name in ("users", "samples"))
    return Components(users, samples, math.nan)


def _sd(parts: Components) -> float:
    return math.sqrt(parts.users + parts.samples)


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
