"""Estimate from a pilot what a plan assumes of ratings."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from thoughttrace.analysis.stats.intervals import Numbers, bell_mccaffrey_df
from thoughttrace.analysis.stats.power import Assumptions, require
from thoughttrace.analysis.stats.variance import Components, components
from thoughttrace.core.errors import UserError

SMALL = 12
"""A pilot of fewer users makes a plan that is no more than a guess (Julious 2005, *Pharmaceutical Statistics* 4)."""


@dataclass(frozen=True)
class RatingStatistics:
    """Statistics of a pilot's ratings, or stated ones; None where unknown."""

    sd: float | None = None
    """Standard deviation of a model's ratings."""
    icc: float | None = None
    per_user: tuple[int, ...] | None = None
    correlation: float | None = None
    """Of two models' ratings of the same samples, −1 to below 1."""
    sd_difference: float | None = None
    """Standard deviation of two models' paired differences."""
    icc_difference: float | None = None
    df: float = math.inf
    """Degrees of freedom with which `sd` was estimated; infinite where it is stated."""
    df_difference: float = math.inf
    """Of `sd_difference`."""

    def completed_by(self, pilot: "RatingStatistics") -> "RatingStatistics":
        """Complete these statistics with those of a pilot.

        Args:
            pilot: Used for each statistic that is unknown here; except the standard deviation of differences where
                that of ratings or their correlation is known, which it might contradict.
        """
        merged = {f.name: getattr(pilot if getattr(self, f.name) is None else self, f.name) for f in fields(self)}
        if self.sd is not None or self.correlation is not None:
            merged["sd_difference"] = self.sd_difference
        merged["df"] = pilot.df if self.sd is None else self.df
        merged["df_difference"] = pilot.df_difference if self.sd_difference is None else self.df_difference
        return RatingStatistics(**merged)

    def for_mean(self) -> Assumptions:
        """Give what a plan for a model's mean assumes.

        Raises:
            UserError: A statistic is unknown or out of its range.
        """
        if self.sd is None or self.icc is None or self.per_user is None:
            needed = {
                "standard deviation": self.sd,
                "intraclass correlation": self.icc,
                "samples per user": self.per_user,
            }
            missing = " and ".join(name for name, value in needed.items() if value is None)
            raise UserError(f"A plan needs the {missing}.")
        return Assumptions(self.sd, self.icc, self.per_user, self.df)

    def for_difference(self) -> Assumptions:
        r"""Give what a plan for the mean of two models' paired differences assumes.

        Where it is unknown, their standard deviation is :math:`\sigma \sqrt{2 (1 - \rho)}` with the correlation
        :math:`\rho` of the models' ratings, and their intraclass correlation that of the ratings.

        Raises:
            UserError: A statistic is unknown or out of its range.
        """
        ratings = self.for_mean()
        sd, rho, df = self.sd_difference, self.correlation, self.df_difference
        if sd is None:
            if rho is None:
                raise UserError("A plan for a difference needs the correlation of two models' ratings.")
            require(-1 <= rho < 1, f"The correlation must be from -1 to below 1 (got {rho:g}).")
            sd, df = ratings.sd * math.sqrt(2 * (1 - rho)), ratings.df
        icc = ratings.icc if self.icc_difference is None else self.icc_difference
        return Assumptions(sd, icc, ratings.per_user, df)


def pilot_statistics(ratings: npt.ArrayLike, users: npt.ArrayLike) -> RatingStatistics:
    """Estimate the statistics of a pilot's ratings; those of several runs, and of their pairs, are averaged.

    Args:
        ratings: Shape (n samples, k runs); NaN where a run has no rating of a sample.
        users: n labels of the user.

    Returns:
        All statistics; those of differences are None where no two runs share samples that give them. The degrees of
        freedom are those of one run or pair, the one with the fewest: the others have the same users.

    Raises:
        UserError: A run has too few users or samples, or ratings that do not vary.
    """
    runs, labels = np.asarray(ratings, dtype=float).T, np.asarray(users)
    for run in runs:
        _check(labels[~np.isnan(run)])
    parts = [_components(run, labels) for run in runs]
    require(all(map(_varies, parts)), "The pilot's ratings do not vary.")
    average = _average(parts)
    _, sizes = np.unique(labels[~np.isnan(runs).all(axis=0)], return_counts=True)
    alone = RatingStatistics(_sd(average), average.icc, tuple(map(int, sizes)), df=_fewest_df(runs, labels))
    pairs = [(a, b, _components(a - b, labels)) for a, b in combinations(runs, 2)]
    compared = [pair for pair in pairs if _varies(pair[2])]
    if not compared:
        return alone
    differences = _average([difference for _, _, difference in compared])
    correlation = float(np.mean([_correlation(a, b) for a, b, _ in compared]))
    return replace(
        alone,
        correlation=correlation,
        sd_difference=_sd(differences),
        icc_difference=differences.icc,
        df_difference=_fewest_df([a - b for a, b, _ in compared], labels),
    )


def _check(users: npt.NDArray[np.generic]) -> None:
    """Refuse a run whose ratings cannot separate users from samples; takes the user of each rating."""
    _, counts = np.unique(users, return_counts=True)
    counted = f"{len(users)} scored samples of {len(counts)} {'user' if len(counts) == 1 else 'users'}"
    require(
        len(counts) >= 2 and counts.max() >= 2,
        f"The pilot has {counted}, too few to estimate how much users differ: it takes two or more users, and two or "
        "more samples of one of them.",
    )


def _components(values: Numbers, users: npt.NDArray[np.generic]) -> Components:
    """Split the variance of values, NaN left out, one for each sample."""
    scored = ~np.isnan(values)
    if not scored.any():
        return Components(math.nan, math.nan, math.nan)
    return components(values[scored], users[scored], np.flatnonzero(scored))


def _correlation(a: Numbers, b: Numbers) -> float:
    both = ~np.isnan(a + b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def _varies(parts: Components) -> bool:
    """Tell whether both components are known and one of them is above 0."""
    return parts.users + parts.samples > 1e-12  # less is rounding


def _average(parts: Sequence[Components]) -> Components:
    users, samples = (float(np.mean([getattr(part, name) for part in parts])) for name in ("users", "samples"))
    return Components(users, samples, math.nan)


def _sd(parts: Components) -> float:
    return math.sqrt(parts.users + parts.samples)


def _fewest_df(series: Iterable[Numbers], users: npt.NDArray[np.generic]) -> float:
    """Give the fewest degrees of freedom of the intervals that these series of values have."""
    sizes = (np.unique(users[~np.isnan(values)], return_counts=True)[1] for values in series)
    return min(map(bell_mccaffrey_df, sizes))
