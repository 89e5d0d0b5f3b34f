"""Simulate every interval that the program prints at the edges: few users, ends of scales, uneven users, lost votes.

Its tables are part of `benchmarks/coverage.py` (`--only edges`), which writes them into `docs/coverage.md`.

Ratings 1–5 are a latent normal variable cut at thresholds; users share a part of it. The true value is that of the
estimator on half a million simulated samples, or known. "Before" is the interval that the program gave at first:
symmetric and clipped to the scale, or the percentiles of a bootstrap of users.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from thoughttrace.analysis.shift.geometry import centroids
from thoughttrace.analysis.stats.additive import fit_additive
from thoughttrace.analysis.stats.groups import group_difference
from thoughttrace.analysis.stats.interrater import (
    CHANCE_CORRECTED,
    PROPORTION,
    alpha,
    cohen_kappa,
    confusions,
    jackknife_counts,
    kappa,
    macro_f1,
    ordinal_alpha,
    quadratic_kappa,
)
from thoughttrace.analysis.stats.intervals import (
    Codes,
    Interval,
    Numbers,
    cluster_mean,
    paired_difference,
    pooled_mean,
    ratio_of_means,
)
from thoughttrace.analysis.stats.mixed import mixed_mean
from thoughttrace.analysis.stats.panel import difference_over_judges, mean_over_judges
from thoughttrace.analysis.stats.ppi import corrected_mean

Condition = Literal[
    "mid-scale", "90 % at an end", "one user has half", "constant users", "level and size", "lost votes"
]
CONDITIONS: dict[Condition, str] = {
    "mid-scale": "15, 23, 30, 21 and 11 % of ratings are 1–5, or labels are right in 60 %",
    "90 % at an end": "90 % of ratings are a 5, or labels are right in 92 %",
    "one user has half": "mid-scale, and one of the users has half of the samples",
    "constant users": "mid-scale, and three quarters of the users always rate the same",
    "level and size": "mid-scale, and users with more samples rate higher (correlation 0.9)",
    "lost votes": "mid-scale, and a fifth of the votes are lost; of a mean, those of three judges",
}
USERS = (3, 5, 8, 20, 100)

MIDDLE, END = np.array([0.15, 0.23, 0.30, 0.21, 0.11]), np.array([0.01, 0.015, 0.025, 0.05, 0.90])
TYPES = ("a", "b", "c", "d", "e")
OF_TYPES = np.array([0.4, 0.2, 0.2, 0.1, 0.1])
ICC, ALIKE, LOST = 0.2, 0.6, 0.2
"""A user's share of the latent variance, that of what raters of one sample have in common, and of votes lost."""
SEVERITY = 0.3
DRAWS = 200
"""Bootstrap samples of the intervals of before."""
SIZE_MEAN, SIZE_SHAPE = 9.6, 1.5
"""Samples of a user: 1 + negative binomial, standard deviation 7.6."""
SIZE_CHANCE = SIZE_SHAPE / (SIZE_SHAPE + SIZE_MEAN - 1)


def draw_sizes(rng: np.random.Generator, users: int) -> Codes:
    """Draw the number of samples of each user."""
    return 1 + rng.negative_binomial(SIZE_SHAPE, SIZE_CHANCE, users)


@dataclass(frozen=True)
class World:
    """Users, their samples and what they are like."""

    rng: np.random.Generator
    condition: Condition
    owners: Codes
    """The user of each sample."""
    levels: Numbers
    """Of each user, standard normal."""
    constant: npt.NDArray[np.bool_]
    """Users who always rate the same."""
    endless: bool
    """Whether it stands for the population."""

    @classmethod
    def draw(cls, rng: np.random.Generator, condition: Condition, users: int, *, endless: bool = False) -> "World":
        """Draw users and their samples."""
        levels = rng.standard_normal(users)
        if condition == "level and size":
            place = stats.norm.cdf(0.9 * levels + math.sqrt(1 - 0.81) * rng.standard_normal(users))
            sizes = 1 + stats.nbinom.ppf(place, SIZE_SHAPE, SIZE_CHANCE).astype(int)
        else:
            sizes = draw_sizes(rng, users)
        if condition == "one user has half":
            sizes[0] = sizes[1:].sum()
        constant = rng.random(users) < 0.75 if condition == "constant users" else np.zeros(users, dtype=bool)
        return cls(rng, condition, np.repeat(np.arange(users), sizes), levels, constant, endless)

    def _split(self, levels: Numbers) -> Numbers:
        """Add what differs between a user's samples to the user's levels, shape (users, …); the variance stays 1."""
        own = np.where(self.constant, 1.0, ICC)[self.owners].reshape(-1, *[1] * (levels.ndim - 1))
        noise = self.rng.standard_normal((len(self.owners), *levels.shape[1:]))
        split: Numbers = np.sqrt(own) * levels[self.owners] + np.sqrt(1 - own) * noise
        return split

    def latent(self, raters: int) -> Numbers:
        """Draw what each rater sees in each sample, shape (n, raters)."""
        common = self._split(self.levels)[:, None]
        single = self._split(self.rng.standard_normal((len(self.levels), raters)))
        seen: Numbers = math.sqrt(ALIKE) * common + math.sqrt(1 - ALIKE) * single
        return seen

    def rate(self, latent: Numbers) -> Numbers:
        """Cut the latent variable into ratings; some are lost under that condition."""
        shares = END if self.condition == "90 % at an end" else MIDDLE
        ratings = 1 + np.searchsorted(stats.norm.ppf(np.cumsum(shares)[:-1]), latent).astype(np.float64)
        if self.condition == "lost votes":
            ratings[self.rng.random(ratings.shape) < LOST] = math.nan
        return ratings

    def means(self, shift: float = 0) -> tuple[Numbers, Codes]:
        """Draw the score of each sample that has one: one vote, or the mean of three of which some are lost."""
        ratings = self.rate(self.latent(3 if self.condition == "lost votes" else 1) + shift)
        voted = ~np.isnan(ratings).all(axis=1)
        return np.nanmean(ratings[voted], axis=1), self.owners[voted]


Limits = tuple[float, float]
Found = tuple[Interval | Limits, Limits | None]
"""What the program gives now, and the limits that it gave before, where they were others."""


def clipped(now: Interval, low: float, high: float) -> Limits:
    """Compute the symmetric limits of an estimate, clipped to the scale."""
    reach = float(stats.t.ppf(0.975, now.df)) * now.standard_error
    return max(low, now.estimate - reach), min(high, now.estimate + reach)


def percentiles(world: World, tables: Numbers, statistic: Callable[[Numbers], Numbers]) -> Limits:
    """Compute the limits of a bootstrap that resamples users."""
    weights = world.rng.multinomial(len(tables), np.full(len(tables), 1 / len(tables)), DRAWS)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = statistic(np.tensordot(weights, tables, axes=1))
    lower, upper = np.nanquantile(drawn, [0.025, 0.975]) if not np.isnan(drawn).all() else (math.nan, math.nan)
    return float(lower), float(upper)


def mean(world: World) -> Found:
    """Estimate the mean rating."""
    found = cluster_mean(*world.means(), bounds=(1, 5))
    return found, clipped(found, 1, 5)


def share(world: World) -> Found:
    """Estimate the share of ratings 4 and 5; accuracies, recalls and the judge's card are such shares."""
    ratings, owners = world.means()
    found = cluster_mean(ratings >= 3.5, owners, bounds=(0, 1))
    return found, clipped(found, 0, 1)


def user_weighted(world: World) -> Found:
    """Estimate the mean of the users' means."""
    ratings, owners = world.means()
    counts = np.bincount(owners, minlength=len(world.levels))
    means = (np.bincount(owners, ratings, len(counts)) / np.maximum(counts, 1))[counts > 0]
    found = cluster_mean(means, np.arange(len(means)), bounds=(1, 5))
    return found, clipped(found, 1, 5)


def difference(world: World) -> Found:
    """Estimate the paired difference of two models."""
    ratings = world.rate(world.latent(2) + np.array([0.3, 0]))
    both = ~np.isnan(ratings).any(axis=1)
    a, b = ratings[both].T
    return paired_difference(a, b, world.owners[both]), None


def ratio(world: World) -> Found:
    """Estimate the recovered share: (model − floor) / (ceiling − floor)."""
    ratings = world.rate(world.latent(3) + np.array([0, -1, 1]))
    both = ~np.isnan(ratings).any(axis=1)
    model, floor, ceiling = ratings[both].T
    return ratio_of_means(model - floor, ceiling - floor, world.owners[both]), None


def pooled(world: World) -> Found:
    """Estimate the mean of three models that lack 0, 20 and 50 % of the samples."""
    ratings = world.rate(world.latent(3) + np.array([-0.3, 0, 0.4]))
    ratings[world.rng.random(ratings.shape) < [0, 0.2, 0.5]] = math.nan
    if np.isnan(ratings).all(axis=0).any():
        return Interval.without_limits("a model has no ratings"), None
    found = pooled_mean(ratings, world.owners, bounds=(1, 5))
    return found, clipped(found, 1, 5)


def other_judges(world: World) -> Found:
    """Estimate the mean for judges like these three."""
    severities = world.rng.normal(0, SEVERITY, (len(world.owners), 3) if world.endless else 3)
    return mean_over_judges(world.rate(world.latent(3) + severities), world.owners, bounds=(1, 5)), None


def difference_by_other_judges(world: World) -> Found:
    """Estimate the difference of two models for judges like these three."""
    apart = world.rng.normal(0, SEVERITY / 2, (len(world.owners), 3) if world.endless else 3)
    latent = world.latent(6)
    a, b = world.rate(latent[:, :3] + 0.3 + apart), world.rate(latent[:, 3:])
    return difference_over_judges(a, b, world.owners), None


def group(world: World) -> Found:
    """Estimate the difference of a group from the rest, within users."""
    members = world.rng.random(len(world.owners)) < 0.5
    ratings = world.rate(world.latent(1) + 0.4 * members[:, None])[:, 0]
    kept = ~np.isnan(ratings)
    return group_difference(ratings[kept], world.owners[kept], members[kept])[0], None


def corrected(world: World) -> Found:
    """Estimate the mean that people would give, from their ratings of 30 % of the samples and a judge's of all."""
    judge, people = world.rate(world.latent(2) + np.array([0, -0.3])).T
    kept = ~np.isnan(judge)
    people = np.where(world.rng.random(len(people)) < 0.3, people, math.nan)[kept]
    if np.isnan(people).all():
        return Interval.without_limits("people rated nothing"), None
    found = corrected_mean(judge[kept], people, world.owners[kept], bounds=(1, 5))
    return found, clipped(found, 1, 5)


def additive(world: World, of: Literal["severity", "difference"]) -> Found:
    """Estimate how severe a judge is, or how two models differ, by an additive model of two judges and two models."""
    ratings = world.rate(world.latent(4) + np.array([0.3, 0, -0.1, 0.2]))
    sample, column = np.nonzero(~np.isnan(ratings))
    votes = pd.DataFrame(
        {
            "model": np.array(["a", "b"])[column // 2],
            "judge": np.array(["mild", "strict"])[column % 2],
            "unit": 2 * sample + column // 2,
            "id": sample,
            "user": world.owners[sample],
            "rating": ratings[sample, column],
            "by_rule": False,
        }
    )
    fitted = fit_additive(votes) if votes[["model", "judge"]].drop_duplicates().shape[0] == 4 else None
    if fitted is None:
        return Interval.without_limits("models and judges share nothing"), None
    return fitted.severities[0] if of == "severity" else fitted.differences([("a", "b")])[0], None


def mixed(world: World) -> Found:
    """Estimate the mean by a mixed model with users as random effects."""
    ratings, owners = world.means()
    return mixed_mean(ratings[:, None], owners, bounds=(1, 5)), None


def raters(world: World, statistic: Literal["alpha", "kappa"]) -> Found:
    """Estimate ordinal alpha or quadratic kappa of two raters."""
    ratings = world.rate(world.latent(2))
    both = ~np.isnan(ratings).any(axis=1)
    ratings, owners = ratings[both].astype(int), world.owners[both]
    if not len(owners):
        return Interval.without_limits("nothing was rated"), None
    tables = np.zeros((len(world.levels), 5, 5))
    np.add.at(tables, (owners, *(ratings.T - 1)), 1)
    tables = tables[tables.sum(axis=(1, 2)) > 0]
    if statistic == "kappa":
        first, second = ratings.T
        return kappa(first, second, owners), percentiles(world, tables, partial(quadratic_kappa, np.arange(5.0)))
    return alpha(ratings, owners), percentiles(world, tables + tables.swapaxes(1, 2), ordinal_alpha)


def labels(world: World, statistic: Callable[[Numbers], Numbers], bounds: Limits) -> Found:
    """Estimate macro-F1 or Cohen's kappa of labels and answers; each user has types of their own."""
    right, n = 0.92 if world.condition == "90 % at an end" else 0.6, len(world.owners)
    own = world.rng.dirichlet(6 * OF_TYPES, len(world.levels))
    own[world.constant] = np.eye(len(TYPES))[world.rng.choice(len(TYPES), world.constant.sum(), p=OF_TYPES)]
    true = (world.rng.random(n)[:, None] > own[world.owners].cumsum(axis=1)).sum(axis=1).clip(0, len(TYPES) - 1)
    guessed = world.rng.choice(len(TYPES), n, p=OF_TYPES)
    answers = np.where(world.latent(1)[:, 0] < stats.norm.ppf(right), true, guessed)
    if world.condition == "lost votes":
        answers[world.rng.random(n) < LOST] = -1
    kept = answers >= 0
    names = np.array(TYPES)
    counts = confusions(list(names[true[kept]]), list(names[answers[kept]]), world.owners[kept], TYPES)
    return jackknife_counts(counts, statistic, bounds), percentiles(world, counts, statistic)


APART = 0.25


def distance(world: World) -> Found:
    """Estimate the distance of two centroids in 16 dimensions, 0.25 or, at the end of the scale, 0."""
    apart = 0.0 if world.condition == "90 % at an end" else APART
    noise = [
        0.3 * world.rng.standard_normal((len(world.levels), 16))[world.owners]
        + 0.5 * world.rng.standard_normal((len(world.owners), 16)) * ~world.constant[world.owners, None]
        for _ in range(2)
    ]
    source, target = noise[0] / 4, noise[1] / 4 + np.eye(16)[0] * apart
    found = centroids(source.astype(np.float32), target.astype(np.float32), world.owners)
    return (found.lower, found.upper), None


@dataclass(frozen=True)
class Row:
    """An interval, and how it is called in the tables."""

    name: str
    where: str
    """What of the report has it."""
    method: str
    find: Callable[[World], Found]


ROWS = (
    Row(
        "Mean",
        "headline, breakdown, by judge, estimands (`cluster_mean`)",
        "CR2 by user on the logit; Clopper and Pearson's where all are at an end",
        mean,
    ),
    Row(
        "Share",
        "accuracy, recall, the judge's card, profile (`cluster_mean`)",
        "CR2 by user on the logit; Clopper and Pearson's where it is 0 or 1",
        share,
    ),
    Row("User-weighted mean", "estimands (`cluster_mean`)", "t over the users' means, on the logit", user_weighted),
    Row("Paired difference", "comparisons, controls (`paired_difference`)", "CR2 by user", difference),
    Row(
        "Ratio of means",
        "recovered share, gains (`ratio_of_means`)",
        "Fieller's, from the CR2 covariance by user",
        ratio,
    ),
    Row("Mean of models", "headline (`pooled_mean`)", "CR2 by user across models, on the logit", pooled),
    Row("Mean for other judges", "judges (`mean_over_judges`)", "CR2 by user and by judge, on the logit", other_judges),
    Row(
        "Difference for other judges",
        "comparisons (`difference_over_judges`)",
        "CR2 by user and by judge",
        difference_by_other_judges,
    ),
    Row("Difference of a group", "breakdown (`group_difference`)", "within users CR3 by user, else CR2", group),
    Row("Severity of a judge", "judges (`fit_additive`)", "CR2 by user", partial(additive, of="severity")),
    Row(
        "Difference less severity",
        "judges, lost votes (`fit_additive`)",
        "CR2 by user",
        partial(additive, of="difference"),
    ),
    Row("Mixed model", "estimands (`mixed_mean`)", "REML weights, CR2 by user, on the logit", mixed),
    Row("Corrected mean", "human ratings (`corrected_mean`)", "power-tuned PPI, CR2 by user, on the logit", corrected),
    Row(
        "Alpha, ordinal",
        "judges, human ratings (`alpha`)",
        "jackknife of users, on Fisher's z and the logit",
        partial(raters, statistic="alpha"),
    ),
    Row(
        "Kappa, quadratic",
        "judges, human ratings (`kappa`)",
        "jackknife of users, on Fisher's z and the logit",
        partial(raters, statistic="kappa"),
    ),
    Row(
        "Kappa of labels",
        "labels (`cohen_kappa`)",
        "jackknife of users, on Fisher's z and the logit",
        partial(labels, statistic=cohen_kappa, bounds=CHANCE_CORRECTED),
    ),
    Row(
        "Macro-F1",
        "labels (`macro_f1`)",
        "jackknife of users, on the logit",
        partial(labels, statistic=macro_f1, bounds=PROPORTION),
    ),
    Row("Distance of centroids", "shift (`centroids`)", "jackknife of users, of its square", distance),
)


@dataclass(frozen=True)
class Cell:
    """How often an interval held the true value."""

    now: float
    """Share of the intervals that were given; NaN where there was hardly any."""
    before: float
    without: float
    """Share of the draws without an interval."""
    given: int

    @property
    def error(self) -> float:
        """Monte Carlo standard error."""
        return math.sqrt(self.now * (1 - self.now) / max(1, self.given))


def estimate_of(found: Interval | Limits) -> float:
    """Give the estimate of a world without end; the distance has no need of it."""
    return found.estimate if isinstance(found, Interval) else math.nan


def truth(row: Row, condition: Condition, seed: int) -> float:
    """Compute the true value from half a million samples."""
    if row.find is distance:
        return 0.0 if condition == "90 % at an end" else APART
    same: Condition = "mid-scale" if condition == "one user has half" else condition
    rng = np.random.default_rng([seed, 0])
    return float(np.mean([estimate_of(row.find(World.draw(rng, same, 2500, endless=True))[0]) for _ in range(20)]))


def simulate(row: Row, condition: Condition, replications: int, seed: int) -> list[Cell]:
    """Simulate a row under a condition, for each number of users."""
    true, cells = truth(row, condition, seed), []
    for users in USERS:
        rng = np.random.default_rng([seed, users])
        held: list[tuple[bool, bool]] = []
        compared = False
        for _ in range(replications):
            try:
                now, before = row.find(World.draw(rng, condition, users))
            except ValueError:  # all votes were lost: the report has no such row
                continue
            limits = (now.lower, now.upper) if isinstance(now, Interval) else now
            if not math.isnan(limits[0]):
                compared = before is not None
                held.append((limits[0] <= true <= limits[1], before is not None and before[0] <= true <= before[1]))
        shares = np.mean(held, axis=0) if len(held) > replications / 50 else (math.nan, math.nan)
        without = 1 - len(held) / replications
        cells.append(Cell(float(shares[0]), float(shares[1]) if compared else math.nan, without, len(held)))
    return cells
