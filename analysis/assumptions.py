"""What a plan takes for true about ratings: stated figures, or those of a pilot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np
import pandas as pd

from thoughttrace.analysis.intervals import Numbers, bell_mccaffrey_df
from thoughttrace.analysis.variance import Components, components
from thoughttrace.datasets.errors import UserError

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
