"""Simulate how often the 95 % intervals of the recovered share and of its floor contain the true values.

    python benchmarks/recovered_share.py [--replications 2000] [--seed 1]

Ratings 1–5 of a model, of a floor and of a ceiling on the same samples are latent normal variables cut at fixed
thresholds, so their true means, and the true share, are known. Users and samples have effects that the three share
in part, as they do where a thought is hard to infer or a user's thoughts are rated alike. The intervals are that of
the report (`ratio_of_means`: Fieller's with CR2) and the delta method with the same variance. It exits with 1 where
the coverage of the report's leaves 0.93–0.97.

Then the floor is what `someone_else` gives it: the thoughts of other users of the same data, several draws of each
sample from different users, where each user and each thought fits others' samples better or worse. The intervals are
those of the floor's mean and of model − floor, by user alone and, as in the report, by donor too (`mean_over_donors`),
and that of the recovered share. It exits with 1 where the report's cover less than 0.92 (0.93 within two Monte Carlo
standard errors of 2,000 replications; more than 0.97 is no fault).
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

from thoughttrace.analysis.stats.donors import mean_over_donors
from thoughttrace.analysis.stats.intervals import Codes, Numbers, cluster_mean, ratio_of_means

THRESHOLDS = np.array([-1.0, -0.3, 0.4, 1.1])
LOCATIONS = {"model": 0.1, "floor": -1.1, "ceiling": 1.4}
"""Latent means; the true share follows from them."""
USERS = (15, 50, 200, 1058)
ICCS = (0.05, 0.2, 0.4)
SIZE_MEAN, SIZE_SHAPE = 4.3, 1.5
"""Samples per user: 1 + negative binomial, with the dataset's mean number of reasons."""
ACCEPTED = (0.93, 0.97)
DONATING = (5, 20, 60)
"""Users of the data whose thoughts are each other's floor."""
DRAWS = (1, 3)
DONOR_SHARES = ((0.0, 0.0), (0.05, 0.2), (0.2, 0.2))
"""Shares of the floor's latent variance that are a donor's and a single thought's own."""
LEAST = 0.92


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


def rate(rng: np.random.Generator, location: float, effects: Numbers, variance: float) -> Numbers:
    """Cut latent ratings at the thresholds: their effects have this variance, and noise adds the rest to 1."""
    latent = location + effects + math.sqrt(1 - variance) * rng.normal(size=len(effects))
    ratings: Numbers = 1.0 + np.searchsorted(THRESHOLDS, latent).astype(float)
    return ratings


def simulate_donors(
    users: int, draws: int, shares: tuple[float, float], replications: int, seed: int, advance: Callable[[], None]
) -> list[float]:
    """Simulate floors of shared donors; give the coverage of floor and model − floor, each two ways, and of the share.

    Args:
        users: Users of the data.
        draws: Thoughts of different users for each sample.
        shares: Of the floor's latent variance: a donor's and a thought's own.
        replications: How often.
        seed: Of the random numbers.
        advance: Called after each replication.
    """
    rng = np.random.default_rng([seed, users, draws, round(100 * shares[0])])
    chance, held, kept = SIZE_SHAPE / (SIZE_SHAPE + SIZE_MEAN - 1), np.zeros(5), 1 - sum(shares)
    for _ in range(replications):
        owners = np.repeat(np.arange(users), 1 + rng.negative_binomial(SIZE_SHAPE, chance, users))
        samples = np.arange(len(owners))
        common = math.sqrt(0.1) * rng.normal(size=users)[owners] + math.sqrt(0.4) * rng.normal(size=len(owners))
        own = {name: math.sqrt(0.1) * rng.normal(size=users)[owners] for name in LOCATIONS}
        model, ceiling = (rate(rng, LOCATIONS[name], common + own[name], 0.6) for name in ("model", "ceiling"))
        of_donor = math.sqrt(shares[0]) * rng.normal(size=users)[owners]
        of_donor += math.sqrt(shares[1]) * rng.normal(size=len(owners))
        floors, donors, left = [], [], owners[:, None] != owners
        for _ in range(draws):
            thoughts = (rng.random(left.shape) * left).argmax(axis=1)
            left &= owners[thoughts][:, None] != owners
            effects = math.sqrt(kept) * (common + own["floor"]) + of_donor[thoughts]
            floors.append(rate(rng, LOCATIONS["floor"], effects, 0.6 * kept + sum(shares)))
            donors.append(owners[thoughts])
        floor, drawn = np.mean(floors, axis=0), np.concatenate(floors)
        labels = np.tile(owners, draws), np.concatenate(donors), np.tile(samples, draws)
        found = (
            (cluster_mean(floor, owners), FLOOR),
            (mean_over_donors(drawn, *labels), FLOOR),
            (cluster_mean(model - floor, owners), MODEL - FLOOR),
            (mean_over_donors(np.tile(model, draws) - drawn, *labels), MODEL - FLOOR),
            (ratio_of_means(model - floor, ceiling - floor, owners), TRUE_SHARE),
        )
        held += [not (interval.lower > true or interval.upper < true) for interval, true in found]
        advance()
    return list(held / replications)


def tabulate_donors(replications: int, seed: int, advance: Callable[[], None]) -> tuple[Table, list[str]]:
    """Simulate every cell of shared donors; give the table, and the cells where the report's cover too little."""
    table = Table(title="Coverage of floors whose donors are the users themselves", box=box.SIMPLE_HEAD)
    for name in ("users", "draws", "donor + thought", "floor, by user", "and donor (ours)", "model − floor, by user",
                 "and donor (ours)", "recovered share (ours)"):  # fmt: skip
        table.add_column(name, justify="right")
    outside = []
    for users in DONATING:
        for draws in DRAWS:
            for shares in DONOR_SHARES:
                covered = simulate_donors(users, draws, shares, replications, seed, advance)
                words = f"{shares[0]:g} + {shares[1]:g}"
                table.add_row(f"{users}", f"{draws}", words, *(f"{share:.3f}" for share in covered))
                if min(covered[1], covered[3], covered[4]) < LEAST:
                    outside.append(f"{users} users, {draws} draws, {words}")
    return table, outside


@click.command()
@click.option("--replications", default=2000, show_default=True, type=click.IntRange(min=1), help="In each cell.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(replications: int, seed: int) -> None:
    """Print coverage and width; exit with 1 where the coverage of the report's intervals is not accepted."""
    with Progress(console=Console(stderr=True)) as progress:
        of_donors = len(DONATING) * len(DRAWS) * len(DONOR_SHARES)
        bar = progress.add_task("Simulating", total=replications * (len(ICCS) * len(USERS) + of_donors))
        cells = [simulate(i, u, replications, seed, lambda: progress.advance(bar)) for i in ICCS for u in USERS]
        donors, too_little = tabulate_donors(replications, seed, lambda: progress.advance(bar))
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
    console.print(donors)
    words = f"except at {'; '.join(too_little)}" if too_little else "in every cell"
    console.print(f"With shared donors ours covers {LEAST} or more {words}.")
    sys.exit(bool(outside or too_little))


if __name__ == "__main__":
    main()
