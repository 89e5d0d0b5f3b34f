"""Simulate how often the 95 % interval of the recovered share contains the true share.

    python benchmarks/recovered_share.py [--replications 2000] [--seed 1]

Ratings 1–5 of a model, of a floor and of a ceiling on the same samples are latent normal variables cut at fixed
thresholds, so their true means, and the true share, are known. Users and samples have effects that the three share
in part, as they do where a thought is hard to infer or a user's thoughts are rated alike. The intervals are that of
the report (`ratio_of_means`: Fieller's with CR2) and the delta method with the same variance. It exits with 1 where
the coverage of the report's leaves 0.93–0.97.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy import stats

from thoughttrace.analysis.stats.intervals import Codes, Numbers, ratio_of_means

THRESHOLDS = np.array([-1.0, -0.3, 0.4, 1.1])
LOCATIONS = {"model": 0.1, "floor": -1.1, "ceiling": 1.4}
"""Latent means; the true share follows from them."""
USERS = (15, 50, 200, 1058)
ICCS = (0.05, 0.2, 0.4)
SIZE_MEAN, SIZE_SHAPE = 4.3, 1.5
"""Samples per user: 1 + negative binomial, with the dataset's mean number of reasons."""
ACCEPTED = (0.93, 0.97)


def true_mean(location: float) -> float:
    """Compute the mean rating of a latent normal variable with this mean and variance 1."""
    return float(1 + stats.norm.sf(THRESHOLDS - location).sum())


MODEL, FLOOR, CEILING = (true_mean(LOCATIONS[name]) for name in ("model", "floor", "ceiling"))
TRUE_SHARE = (MODEL - FLOOR) / (CEILING - FLOOR)


@dataclass(frozen=True)
class Cell:
    """Results at one ICC and number of users."""

    icc: float
    users: int
    replications: int
    coverage: tuple[float, float]
    """Of the report's interval, and of the delta method's."""
    width: tuple[float, float]

    @property
    def error(self) -> tuple[float, float]:
        """Monte Carlo standard error of the coverage."""
        first, second = (math.sqrt(c * (1 - c) / self.replications) for c in self.coverage)
        return first, second


def draw(rng: np.random.Generator, icc: float, users: int) -> tuple[Numbers, Numbers, Codes]:
    """Draw one replication: model − floor and ceiling − floor of each sample, and its user."""
    chance = SIZE_SHAPE / (SIZE_SHAPE + SIZE_MEAN - 1)
    owners = np.repeat(np.arange(users), 1 + rng.negative_binomial(SIZE_SHAPE, chance, users))
    shared = rng.normal(size=users)[owners], rng.normal(size=len(owners))
    ratings = {}
    for name, location in LOCATIONS.items():
        # Half of a user's and of a sample's effect is common to all three, half is specific to the inference.
        user = math.sqrt(icc / 2) * (shared[0] + rng.normal(size=users)[owners])
        sample = math.sqrt((1 - icc) / 2) * (shared[1] + rng.normal(size=len(owners)))
        ratings[name] = 1.0 + np.searchsorted(THRESHOLDS, location + user + sample)
    return ratings["model"] - ratings["floor"], ratings["ceiling"] - ratings["floor"], owners


def simulate(icc: float, users: int, replications: int, seed: int, advance: Callable[[], None]) -> Cell:
    """Simulate one cell, which has its own random numbers."""
    rng = np.random.default_rng([seed, round(1000 * icc), users])
    limits = np.empty((replications, 2, 2))
    for i in range(replications):
        x, y, owners = draw(rng, icc, users)
        share = ratio_of_means(x, y, owners)
        reach = float(stats.t.ppf(0.975, share.df)) * share.standard_error
        limits[i] = (share.lower, share.upper), (share.estimate - reach, share.estimate + reach)
        advance()
    contains = (limits[..., 0] <= TRUE_SHARE) & (limits[..., 1] >= TRUE_SHARE)
    widths = (limits[..., 1] - limits[..., 0]).mean(axis=0)
    first, second = contains.mean(axis=0)
    return Cell(icc, users, replications, (first, second), (widths[0], widths[1]))


@click.command()
@click.option("--replications", default=2000, show_default=True, type=click.IntRange(min=1), help="In each cell.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(replications: int, seed: int) -> None:
    """Print coverage and width; exit with 1 where the coverage of the report's interval leaves 0.93–0.97."""
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("Simulating", total=replications * len(ICCS) * len(USERS))
        cells = [simulate(i, u, replications, seed, lambda: progress.advance(bar)) for i in ICCS for u in USERS]
    console = Console(width=120, highlight=False)
    table = Table(title=f"Coverage ± Monte Carlo s.e. · mean width; true share {TRUE_SHARE:.3f}", box=box.SIMPLE_HEAD)
    for name in ("latent ICC", "users", "replications", "Fieller, CR2 (ours)", "delta method, CR2"):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in cells:
        methods = zip(cell.coverage, cell.error, cell.width, strict=True)
        texts = [f"{c:.3f} ± {e:.3f} · {w:.3f}" for c, e, w in methods]
        table.add_row(f"{cell.icc:.2f}", f"{cell.users}", f"{cell.replications}", *texts)
    console.print(table)
    low, high = ACCEPTED
    outside = [cell for cell in cells if not low <= cell.coverage[0] <= high]
    cells_outside = "; ".join(f"ICC {c.icc}, {c.users} users: {c.coverage[0]:.4f} ± {c.error[0]:.4f}" for c in outside)
    console.print(f"Ours is within {low}–{high} {f'except at {cells_outside}' if outside else 'in every cell'}.")
    sys.exit(bool(outside))


if __name__ == "__main__":
    main()
