"""Simulate how often 95 % intervals hold the true value; the results are in `docs/coverage.md`.

    OPENBLAS_NUM_THREADS=1 python benchmarks/coverage.py --write docs/coverage.md

takes about half an hour on two cores; `--only PART,…` and `--replications N` do less. It exits with 1 where the
coverage of what the report uses leaves 0.93–0.97, or is below 0.93 where an interval may cover more, by more than two
Monte Carlo standard errors.

**means** — `cluster_mean` against i.i.d. z, Inspect's `ci(cluster=…)` and the percentile bootstrap of users. Ratings
1–5 are a latent normal variable cut at fixed thresholds, so their true means are known. Users differ by a share ICC of
the latent variance; a user's number of samples is skewed, 9.6 on average as in the whole dataset, drawn anew each time.
**pooled** — `pooled_mean` of three models, on samples that all have and where they lack 0, 20 and 50 %.
**judges** — `mean_over_judges` and `difference_over_judges`: each time other judges, who lose 0–30 % of their votes.
**shared** — model A judged by b and c, model B by a and c, compared on the votes of c; judges differ in severity.
**edges** — every interval at few users, ends of scales, uneven users and lost votes (`coverage_edges.py`).
"""

import math
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import click
import coverage_edges as edges
import numpy as np
from inspect_ai.scorer import SampleScore, Score, ci
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy import stats

from thoughttrace.analysis.stats.intervals import Codes, Interval, Numbers, cluster_mean, paired_difference, pooled_mean
from thoughttrace.analysis.stats.panel import difference_over_judges, mean_over_judges

METHODS = ("i.i.d. z", "Inspect ci(cluster=)", "cluster bootstrap", "ours")
ICCS = (0.05, 0.2, 0.4)
USERS = (8, 20, 50, 200, 1058)
ACCEPTED = (0.93, 0.97)

SHARES = edges.MIDDLE
"""Of the ratings 1–5 in the population."""
THRESHOLDS = stats.norm.ppf(np.cumsum(SHARES)[:-1])
TRUE_MEAN = float(SHARES @ np.arange(1, 6))
TRUE_VARIANCE = float(SHARES @ (np.arange(1, 6) - TRUE_MEAN) ** 2)

BOOTSTRAP_DRAWS = 1000
CHECKED = 3  # replications of each cell in which the real `ci` is called too


@dataclass(frozen=True)
class Cell:
    """Results at one ICC and number of users; the arrays are in the order of METHODS."""

    icc: float
    users: int
    replications: int
    ratings: float
    """Ratings per replication."""
    rating_icc: float
    """The realised ICC of the ratings themselves."""
    coverage: Numbers
    width: Numbers

    @property
    def error(self) -> Numbers:
        """Monte Carlo standard error of the coverage."""
        return np.sqrt(self.coverage * (1 - self.coverage) / self.replications)


def draw(rng: np.random.Generator, icc: float, users: int) -> tuple[Numbers, Codes]:
    """Draw the ratings of one replication, and the user (0 … users - 1) of each."""
    owners = draw_owners(rng, users)
    latent = math.sqrt(icc) * rng.normal(size=users)[owners] + math.sqrt(1 - icc) * rng.normal(size=len(owners))
    return rate(latent), owners


def draw_owners(rng: np.random.Generator, users: int) -> Codes:
    """Draw the user (0 … users - 1) of each sample."""
    return np.repeat(np.arange(users), edges.draw_sizes(rng, users))


def rate(latent: Numbers) -> Numbers:
    """Cut the latent variable into ratings 1–5."""
    ratings = np.ones(latent.shape)
    for threshold in THRESHOLDS:
        ratings += latent > threshold
    return ratings


def expected(level: float) -> float:
    """Compute the mean rating where the latent variable has this mean and the variance 1."""
    return 1 + float(stats.norm.sf(THRESHOLDS - level).sum())


def iid(y: Numbers) -> tuple[float, float]:
    """Compute the z interval that treats all ratings as independent."""
    reach = stats.norm.ppf(0.975) * y.std(ddof=1) / math.sqrt(len(y))
    return y.mean() - reach, y.mean() + reach


def like_inspect(y: Numbers, owners: Codes) -> tuple[float, float]:
    """Compute Inspect's `ci` by its formula; the function itself takes 0.2 seconds for 10,000 ratings."""
    sums = np.bincount(owners, weights=y - y.mean())
    error = math.sqrt((sums @ sums) * len(sums) / (len(sums) - 1)) / len(y)
    reach = stats.t.ppf(0.975, len(sums) - 1) * error
    return y.mean() - reach, y.mean() + reach


def really_inspect(y: Numbers, owners: Codes) -> tuple[float, float]:
    """Call Inspect's `ci(cluster=…)` itself."""
    pairs = zip(y.tolist(), owners.tolist(), strict=True)
    scores = [SampleScore(score=Score(value=value), sample_metadata={"user": user}) for value, user in pairs]
    metric = cast(Callable[[list[SampleScore]], dict[str, float]], ci(cluster="user"))
    limits = metric(scores)
    return limits["lower"], limits["upper"]


def bootstrap(rng: np.random.Generator, y: Numbers, owners: Codes) -> tuple[float, float]:
    """Compute the percentile interval of a bootstrap that resamples users."""
    sizes, sums = np.bincount(owners), np.bincount(owners, weights=y)
    picks = rng.integers(len(sizes), size=(BOOTSTRAP_DRAWS, len(sizes)))
    lower, upper = np.quantile(sums[picks].sum(axis=1) / sizes[picks].sum(axis=1), [0.025, 0.975])
    return lower, upper


def simulate(icc: float, users: int, replications: int, seed: int, advance: Callable[[], None]) -> Cell:
    """Simulate one cell, which has its own random numbers."""
    rng = np.random.default_rng([seed, round(1000 * icc), users])
    limits = np.empty((replications, len(METHODS), 2))
    ratings = pairs = covariance = 0.0
    for i in range(replications):
        y, owners = draw(rng, icc, users)
        ours = cluster_mean(y, owners, bounds=(1, 5))
        limits[i] = iid(y), like_inspect(y, owners), bootstrap(rng, y, owners), (ours.lower, ours.upper)
        if i < CHECKED:
            np.testing.assert_allclose(limits[i, 1], really_inspect(y, owners), rtol=1e-9)
        errors, sizes = y - TRUE_MEAN, np.bincount(owners)
        ratings += len(y)
        pairs += float(sizes @ (sizes - 1))
        covariance += float((np.bincount(owners, weights=errors) ** 2).sum() - errors @ errors)
        advance()
    lower, upper = limits[..., 0], limits[..., 1]
    coverage = ((lower <= TRUE_MEAN) & (upper >= TRUE_MEAN)).mean(axis=0)
    rating_icc = covariance / pairs / TRUE_VARIANCE
    width = (upper - lower).mean(axis=0)
    return Cell(icc, users, replications, ratings / replications, rating_icc, coverage, width)


@dataclass(frozen=True)
class Printed:
    """One table of results."""

    title: str
    words: str
    columns: tuple[str, ...]
    rows: list[list[str]]

    def rich(self) -> Table:
        """Build the table for the terminal."""
        table = Table(title=self.title, box=box.SIMPLE_HEAD)
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Write the table for a page."""
        lines = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        return "\n".join([f"## {self.title}\n", f"{self.words}\n", *(f"| {' | '.join(line)} |" for line in lines)])


def tabulate(cells: list[Cell]) -> Printed:
    """Build the table of coverage ± its Monte Carlo standard error, and mean width, of each interval in each cell."""
    rows = []
    for cell in cells:
        methods = zip(cell.coverage, cell.error, cell.width, strict=True)
        rows.append(
            [
                *(f"{cell.icc:.2f}", f"{cell.rating_icc:.3f}", f"{cell.users}", f"{cell.ratings:,.0f}"),
                *(f"{c:.3f} ± {e:.3f} · {w:.2f}" for c, e, w in methods),
            ]
        )
    words = (
        f"The mean of one model by four methods, {cells[0].replications:,} draws each. Where users resemble "
        "themselves, an interval that takes samples as independent is far too narrow, for any number of users."
    )
    return Printed("Means", words, ("latent ICC", "ICC of ratings", "users", "ratings", *METHODS), rows)


Limits = tuple[float, float]


@dataclass(frozen=True)
class Scenario:
    """One row of the tables about several models or judges."""

    name: str
    users: int
    methods: tuple[str, ...]
    """Names of the intervals; the last is what the report uses."""
    truth: float
    replicate: Callable[[np.random.Generator], list[Limits]]
    """Draws data and computes the limits of each method."""
    most: float = ACCEPTED[1]
    """The highest coverage that is accepted of the last."""


QUALITIES = np.array([-0.3, 0.0, 0.4])
"""Of three models: means of the latent variable."""
MISSING = np.array([0.0, 0.2, 0.5])
"""Shares of the samples that the models lack, where they lack some."""
JUDGES = (2, 3, 5, 9)
SEVERITIES = (0.05, 0.3)
"""Standard deviations of judges' severity, of the latent variable's 1."""
PANEL_USERS = (8, 20, 100, 1058)


def noise(rng: np.random.Generator, variance: float, *shape: int) -> Numbers:
    """Draw normal effects of this variance; single precision takes half the time."""
    effects: Numbers = math.sqrt(variance) * rng.standard_normal(shape, dtype=np.float32)  # type: ignore[assignment]
    return effects


def limits(interval: Interval) -> Limits:
    """Give the limits of an interval of ours."""
    return interval.lower, interval.upper


def z_limits(estimate: float, error: float) -> Limits:
    """Compute the interval of a normal estimate whose error is known."""
    reach = float(stats.norm.ppf(0.975)) * error
    return estimate - reach, estimate + reach


def pooled(users: int, lacking: Numbers, name: str) -> Scenario:
    """Three models rated on the same samples, some of which a model may lack."""

    def replicate(rng: np.random.Generator) -> list[Limits]:
        owners = draw_owners(rng, users)
        n = len(owners)
        of_users = noise(rng, 0.15, users, 1) + noise(rng, 0.05, users, 3)
        y = rate(QUALITIES + of_users[owners] + noise(rng, 0.4, n, 1) + noise(rng, 0.4, n, 3))
        y[rng.random((n, 3)) < lacking] = math.nan
        single = [cluster_mean(column[~np.isnan(column)], owners[~np.isnan(column)]) for column in y.T]
        found = pooled_mean(y, owners, bounds=(1, 5))
        apart = math.sqrt(sum(mean.standard_error**2 for mean in single)) / 3
        together = math.sqrt(float((np.nanvar(y, axis=0, ddof=1) / (~np.isnan(y)).sum(axis=0)).sum())) / 3
        return [z_limits(found.estimate, together), z_limits(found.estimate, apart), limits(found)]

    methods = ("i.i.d. z", "clustered per model, z", "pooled_mean")
    return Scenario(name, users, methods, float(np.mean([expected(quality) for quality in QUALITIES])), replicate)


def over_judges(users: int, judges: int, severity: float, *, difference: bool) -> Scenario:
    """A panel drawn anew each time rates one model, or two."""
    lost = np.linspace(0, 0.3, judges)
    levels = [-0.15, 0.15] if difference else [0.0]

    def replicate(rng: np.random.Generator) -> list[Limits]:
        owners = draw_owners(rng, users)
        n = len(owners)
        # Of a difference, how severe a judge is on one model rather than the other.
        alike, apart = (0.1, severity**2 / 2) if difference else (severity**2, 0.0)
        common = noise(rng, 0.1, users, 1)[owners] + noise(rng, 0.52 - alike - apart, n, 1) + noise(rng, alike, judges)
        rated = []
        for level in levels:
            single = noise(rng, apart, judges) + noise(rng, 0.03, users, judges)[owners] + noise(rng, 0.35, n, judges)
            y = rate(level + common + single)
            y[rng.random((n, judges)) < lost] = math.nan
            rated.append(y)
        values = rated[0] - rated[1] if difference else rated[0]
        voted = ~np.isnan(values).all(axis=1)
        these = cluster_mean(np.nanmean(values[voted], axis=1), owners[voted])
        found = (
            difference_over_judges(rated[0], rated[1], owners)
            if difference
            else mean_over_judges(values, owners, bounds=(1, 5))
        )
        of_users, of_judges = these.standard_error**2, found.standard_error**2 - these.standard_error**2
        df = found.standard_error**4 / (of_users**2 / these.df + of_judges**2 / (judges - 1))
        reach = float(stats.t.ppf(0.975, df)) * found.standard_error
        return [limits(these), (found.estimate - reach, found.estimate + reach), limits(found)]

    name = f"{'difference' if difference else 'mean'}, {judges} judges, severity sd {severity:g}"
    truth = expected(levels[0]) - expected(levels[1]) if difference else expected(0)
    methods = ("over users only", "two-way, Satterthwaite", "over users and judges")
    return Scenario(name, users, methods, truth, replicate, most=1)


def shared(users: int) -> Scenario:
    """Model A is judged by b and c, model B by a and c; models lack samples, and judges lose votes."""
    a, b, c = 0.5, -0.5, 0.2
    levels = {"A": (0.0, (b, c)), "B": (-0.2, (a, c))}

    def replicate(rng: np.random.Generator) -> list[Limits]:
        owners = draw_owners(rng, users)
        n = len(owners)
        common = noise(rng, 0.15, users)[owners] + noise(rng, 0.35, n)
        votes = []
        for quality, severities in levels.values():
            of_model = common + noise(rng, 0.05, users)[owners] + noise(rng, 0.15, n)
            y = rate(quality + of_model[:, None] + np.array(severities) + noise(rng, 0.3, n, 2))
            y[rng.random((n, 2)) < 0.1] = math.nan
            y[rng.random(n) < 0.15] = math.nan
            votes.append(y)
        first, second = (y[:, 1] for y in votes)
        both = ~np.isnan(first) & ~np.isnan(second)
        found = paired_difference(first[both], second[both], owners[both])
        iid_error = float((first - second)[both].std(ddof=1)) / math.sqrt(both.sum())
        any_vote = ~(np.isnan(votes[0]).all(axis=1) | np.isnan(votes[1]).all(axis=1))
        means = [np.nanmean(y[any_vote], axis=1) for y in votes]
        raw = paired_difference(means[0], means[1], owners[any_vote])
        return [limits(raw), z_limits(found.estimate, iid_error), limits(found)]

    methods = ("all votes, clustered", "shared votes, i.i.d. z", "shared votes, clustered")
    return Scenario("A by b, c; B by a, c", users, methods, expected(c) - expected(c - 0.2), replicate)


PARTS: dict[str, list[Scenario]] = {
    "pooled": [
        pooled(users, lacking, name)
        for name, lacking in (("shared samples", 0 * MISSING), ("0, 20, 50 % missing", MISSING))
        for users in PANEL_USERS
    ],
    "judges": [
        over_judges(users, judges, severity, difference=difference)
        for difference, severities, numbers in ((False, SEVERITIES, PANEL_USERS), (True, (0.2,), (8, 100)))
        for judges in JUDGES
        for severity in severities
        for users in numbers
    ],
    "shared": [shared(users) for users in PANEL_USERS],
}


WORDS = {
    "pooled": "The mean of three models; a user's ratings under the three are one cluster. Taken as independent, the "
    "models' errors look smaller than they are: models are rated on the same thoughts.",
    "judges": "Each time other judges are drawn, who lose 0–30 % of their votes; severity is in units of the latent "
    "standard deviation, of a difference that of how much more severe a judge is on one model than on the other. Two "
    "judges say little about others: the interval is nearly as wide as the scale.",
    "shared": "Model A is judged by b and c, model B by a and c: on all votes, the judges' severity passes for a "
    "difference of the models.",
}


def run(part: str, replications: int, seed: int, advance: Callable[[], None]) -> tuple[list[Printed], list[str]]:
    """Simulate a part; give its table, and the rows where the last interval's coverage is not accepted."""
    rows, outside = [], []
    for number, scenario in enumerate(PARTS[part]):
        rng = np.random.default_rng([seed, number])
        found = np.empty((replications, len(scenario.methods), 2))
        for i in range(replications):
            found[i] = scenario.replicate(rng)
            advance()
        given = found[~np.isnan(found[:, -1, 0])]
        coverage = ((given[..., 0] <= scenario.truth) & (given[..., 1] >= scenario.truth)).mean(axis=0)
        error = np.sqrt(coverage * (1 - coverage) / len(given))
        width = np.median(given[..., 1] - given[..., 0], axis=0)
        cells = [f"{c:.3f} ± {e:.3f} · {w:.2f}" for c, e, w in zip(coverage, error, width, strict=True)]
        rows.append([scenario.name, f"{scenario.users:,}", *cells, f"{1 - len(given) / replications:.1%}"])
        if not ACCEPTED[0] - 2 * error[-1] <= coverage[-1] <= scenario.most + 2 * error[-1]:
            outside.append(f"{scenario.name}, {scenario.users} users: {coverage[-1]:.4f} ± {error[-1]:.4f}")
    words = f"{WORDS[part]} The last interval is the report's; {replications:,} draws each."
    columns = ("", "users", *PARTS[part][0].methods, "without interval")
    return [Printed(part.capitalize(), words, columns, rows)], outside


def simulate_means(replications: int, seed: int, advance: Callable[[], None]) -> tuple[list[Printed], list[str]]:
    """Simulate the mean of one model; give its table, and the cells where the coverage of ours is not accepted."""
    cells = [simulate(icc, users, replications, seed, advance) for icc in ICCS for users in USERS]
    low, high = ACCEPTED
    outside = [
        f"ICC {cell.icc}, {cell.users} users: {cell.coverage[-1]:.4f} ± {cell.error[-1]:.4f}"
        for cell in cells
        if not low - 2 * cell.error[-1] <= cell.coverage[-1] <= high + 2 * cell.error[-1]
    ]
    return [tabulate(cells)], outside


def simulate_edges(replications: int, seed: int, advance: Callable[[], None]) -> tuple[list[Printed], list[str]]:
    """Simulate every interval at the edges; give a table for each, and the cells that cover too little."""
    jobs = [(row, condition) for row in edges.ROWS for condition in edges.CONDITIONS]
    printed, outside = [], []
    with ProcessPoolExecutor() as pool:
        started = [pool.submit(edges.simulate, *job, replications, seed) for job in jobs]
        for row in edges.ROWS:
            lines = []
            for condition in edges.CONDITIONS:
                cells = started[jobs.index((row, condition))].result()
                advance()
                lines.append([condition, *map(shown, cells)])
                outside += [
                    f"{row.name}, {condition}, {users} users: {cell.now:.3f} ± {cell.error:.3f}"
                    for users, cell in zip(edges.USERS, cells, strict=True)
                    if cell.now < ACCEPTED[0] - 2 * cell.error
                ]
            printed.append(
                Printed(
                    row.name,
                    f"In: {row.where}. Method: {row.method}.",
                    ("", *map("{} users".format, edges.USERS)),
                    lines,
                )
            )
    return printed, outside


def shown(cell: edges.Cell) -> str:
    """Write a cell: the coverage before and now, and how often there was no interval."""
    if math.isnan(cell.now):
        return f"none in {cell.without:.0%}"
    before = "" if math.isnan(cell.before) else f"{cell.before:.2f} → "
    return f"{before}{cell.now:.3f}" + (f" (none in {cell.without:.0%})" if cell.without >= 0.005 else "")


def page(tables: list[Printed], replications: int, outside: list[str]) -> str:
    """Write the page of all tables."""
    conditions = "\n".join(f"- **{name}**: {what}." for name, what in edges.CONDITIONS.items())
    return (
        f"""# How often the intervals hold the true value

Simulated, not measured on data: how often nominal 95 % intervals held the true value, in {replications:,} draws a cell.
Made by

    OPENBLAS_NUM_THREADS=1 python benchmarks/coverage.py --write docs/coverage.md

The draws are seeded. The tables of single intervals read *before → now*: before, an interval was symmetric and clipped
to the scale, or the percentiles of a bootstrap of users; where only one number stands, it is as it was. *None* is how
often the program gives no interval and says why. Users have 9.6 samples on average, with a skewed distribution, and
share a fifth of the latent variance. The conditions:

{conditions}

Accepted is 0.93–0.97, and more where an interval is meant to be conservative, give or take two Monte Carlo standard
errors. {"Elsewhere: " + "; ".join(outside) if outside else "All of these intervals of the report are accepted"}.

"""
        + "\n\n".join(table.markdown() for table in tables)
        + "\n"
    )


Simulation = Callable[[int, int, Callable[[], None]], tuple[list[Printed], list[str]]]
SIMULATED: dict[str, Simulation] = {
    "means": simulate_means,
    **{part: partial(run, part) for part in PARTS},
    "edges": simulate_edges,
}
SIZES = {"means": len(ICCS) * len(USERS), **{part: len(scenarios) for part, scenarios in PARTS.items()}}


def chosen(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    """Split the names of parts at commas."""
    parts = value.split(",")
    if unknown := {*parts} - {*SIMULATED}:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: not one of {', '.join(SIMULATED)}")
    return parts


@click.command()
@click.option("--only", default=",".join(SIMULATED), show_default=True, callback=chosen, help="Parts to run.")
@click.option("--replications", default=1000, show_default=True, type=click.IntRange(min=2), help="In each cell.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--write", type=click.Path(path_type=Path), help="Also write the tables into this Markdown file.")
def main(only: list[str], replications: int, seed: int, write: Path | None) -> None:
    """Print the coverage of intervals; exit with 1 where the coverage of the report's is not accepted."""
    console, tables, outside = Console(width=180, highlight=False), list[Printed](), list[str]()
    with Progress(console=Console(stderr=True)) as progress:
        for part in only:
            steps = len(edges.ROWS) * len(edges.CONDITIONS) if part == "edges" else replications * SIZES[part]
            bar = progress.add_task(part, total=steps)
            printed, failed = SIMULATED[part](replications, seed, partial(progress.advance, bar))
            for table in printed:
                console.print(table.rich())
            tables += printed
            outside += failed
    accepted = f"{ACCEPTED[0]}–{ACCEPTED[1]} (conservative ones {ACCEPTED[0]} or more)"
    console.print(
        f"The report's intervals cover {accepted} {'except: ' + '; '.join(outside) if outside else 'everywhere'}.",
        soft_wrap=True,
    )
    if write:
        write.write_text(page(tables, replications, outside), encoding="utf-8")
    sys.exit(bool(outside))


if __name__ == "__main__":
    main()
