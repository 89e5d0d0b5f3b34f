"""Simulate whether plans have the power they promise, made from small pilots and for several models.

    python benchmarks/power.py [--replications 1000] [--seed 1]

Pilots: two models' ratings 1–5 are latent normal variables cut at fixed thresholds, with effects of users, and as many
samples per user as the dataset has reasons. From each pilot `plan` finds the users that detect a difference of 0.3 with
power 0.8: as estimated, and with assurance (`Assumptions.assured`). Their true power follows from the true variance
components, taken from a very large draw. It exits with 1 where fewer than 0.75 of the plans with assurance, which
promises 0.8, have a power of 0.8.

Models: one of K models is better than the others by the difference that was planned for with `--models K`. Of its pairs
with the others, Holm's adjustment over all pairs must find 0.8 or more; it exits with 1 below 0.78.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import click
import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy import stats

from thoughttrace.analysis.stats.intervals import Codes, Numbers, paired_difference
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm
from thoughttrace.analysis.stats.pilot import pilot_statistics
from thoughttrace.analysis.stats.power import Assumptions, first_step_of_holm, power, users_for_difference
from thoughttrace.analysis.stats.variance import components
from thoughttrace.core.errors import UserError

THRESHOLDS = np.array([-1.0, -0.3, 0.4, 1.1])
USERS = (3, 5, 10, 20, 50)
ICCS = (0.05, 0.2, 0.4)
MODELS = (3, 5)
SIZE_MEAN, SIZE_SHAPE = 4.3, 1.5
"""Samples per user: 1 + negative binomial, with the dataset's mean number of reasons."""
CHANCE = SIZE_SHAPE / (SIZE_SHAPE + SIZE_MEAN - 1)
SIZES = tuple(int(1 + n) for n in stats.nbinom.ppf((np.arange(400) + 0.5) / 400, SIZE_SHAPE, CHANCE))
DIFFERENCE, GOAL = 0.3, 0.8
ENOUGH = GOAL - 0.002
"""A plan has the power where it misses it by no more than what one user adds."""


@dataclass(frozen=True)
class Achieved:
    """True power of the plans from many pilots."""

    powers: Numbers

    def cells(self) -> list[str]:
        """Give the mean, the 10th percentile, and the share that has the power aimed at with its error."""
        share, error = self.share()
        return [f"{self.powers.mean():.2f}", f"{np.quantile(self.powers, 0.1):.2f}", f"{share:.3f} ± {error:.3f}"]

    def share(self) -> tuple[float, float]:
        """Give the share of plans that have the power aimed at, and its Monte Carlo standard error."""
        share = float((self.powers >= ENOUGH).mean())
        return share, math.sqrt(share * (1 - share) / len(self.powers))


def rate(rng: np.random.Generator, icc: float, owners: Codes) -> Numbers:
    """Draw two models' ratings of samples, a column each; half of each effect is common to both models."""
    users = owners.max() + 1
    shared = rng.normal(size=users)[owners], rng.normal(size=len(owners))
    columns = []
    for _ in range(2):
        user = math.sqrt(icc / 2) * (shared[0] + rng.normal(size=users)[owners])
        sample = math.sqrt((1 - icc) / 2) * (shared[1] + rng.normal(size=len(owners)))
        columns.append(1.0 + np.searchsorted(THRESHOLDS, user + sample))
    return np.column_stack(columns)


def truth(icc: float) -> Assumptions:
    """Find the true variance components of the differences from the ratings of very many users."""
    owners = np.repeat(np.arange(200_000), 2)
    ratings = rate(np.random.default_rng(0), icc, owners)
    split = components(ratings[:, 0] - ratings[:, 1], owners, np.arange(len(owners)))
    return Assumptions(math.sqrt(split.users + split.samples), split.icc, SIZES)


def simulate_pilots(
    true: Assumptions, icc: float, users: int, replications: int, rng: np.random.Generator, advance: Callable[[], None]
) -> tuple[Achieved, Achieved]:
    """Plan from many pilots; give the true power of the plans as estimated and of those with assurance."""
    found: list[list[float]] = []
    while len(found) < replications:
        sizes = 1 + rng.negative_binomial(SIZE_SHAPE, CHANCE, users)
        owners = np.repeat(np.arange(users), sizes)
        try:
            plan = pilot_statistics(rate(rng, icc, owners), owners).for_difference()
        except UserError:  # `plan` refuses this pilot too: no user has two samples, or nothing varies
            continue
        needed = [users_for_difference(each, DIFFERENCE, GOAL) for each in (plan, plan.assured())]
        found.append([power(true, count, DIFFERENCE) for count in needed])
        advance()
    point, assured = np.array(found).T
    return Achieved(point), Achieved(assured)


def simulate_models(models: int, replications: int, rng: np.random.Generator, advance: Callable[[], None]) -> float:
    """Give the share of the better model's pairs that Holm's adjustment over all pairs finds."""
    icc, sd = 0.2, 1.0
    assumed = Assumptions(sd * math.sqrt(2), icc, SIZES)
    users = users_for_difference(assumed, DIFFERENCE, GOAL, first_step_of_holm(1 - LEVEL, models))
    owners = np.repeat(np.arange(users), assumed.sizes(users).astype(int))
    pairs = list(combinations(range(models), 2))
    found = 0.0
    for _ in range(replications):
        between = rng.normal(scale=sd * math.sqrt(icc), size=(users, models))[owners]
        ratings = between + rng.normal(scale=sd * math.sqrt(1 - icc), size=between.shape)
        ratings[:, 0] += DIFFERENCE
        p_values = [paired_difference(ratings[:, a], ratings[:, b], owners).p_value for a, b in pairs]
        found += float((holm(pd.Series(p_values)).to_numpy()[: models - 1] < LEVEL).mean())
        advance()
    return found / replications


@click.command()
@click.option("--replications", default=1000, show_default=True, type=click.IntRange(min=1), help="In each cell.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(replications: int, seed: int) -> None:
    """Print the true power of plans; exit with 1 where one has less than it promises."""
    console, short = Console(width=120, highlight=False), []
    pilots = Table(
        title=f"True power of plans for {GOAL}: mean, 10th percentile, share of plans that have it", box=box.SIMPLE_HEAD
    )
    for name in ("latent ICC", "pilot users", "as estimated", "10th", "have it", "with assurance", "10th", "have it"):
        pilots.add_column(name, justify="right", no_wrap=True)
    of_models = Table(title="Pairs of the better model found after Holm's adjustment", box=box.SIMPLE_HEAD)
    for name in ("models", "pairs", "found"):
        of_models.add_column(name, justify="right")
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("Simulating", total=replications * (len(ICCS) * len(USERS) + len(MODELS)))

        def advance() -> None:
            progress.advance(bar)

        for icc in ICCS:
            true = truth(icc)
            for users in USERS:
                rng = np.random.default_rng([seed, round(1000 * icc), users])
                point, assured = simulate_pilots(true, icc, users, replications, rng, advance)
                pilots.add_row(f"{icc:.2f}", f"{users}", *point.cells(), *assured.cells())
                share, error = assured.share()
                if share < 0.75:
                    short.append(f"ICC {icc}, {users} users: {share:.3f} ± {error:.3f}")
        for models in MODELS:
            found = simulate_models(models, replications, np.random.default_rng([seed, models]), advance)
            of_models.add_row(f"{models}", f"{math.comb(models, 2)}", f"{found:.3f}")
            if found < GOAL - 0.02:
                short.append(f"{models} models: {found:.3f}")
    console.print(pilots)
    console.print(of_models)
    console.print(f"Plans have what they promise {'except at ' + '; '.join(short) if short else 'in every cell'}.")
    sys.exit(bool(short))


if __name__ == "__main__":
    main()
