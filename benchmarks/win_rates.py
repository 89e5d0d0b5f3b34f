"""Simulate how often the 95 % intervals of win rates against a baseline contain the true values.

python benchmarks/win_rates.py [--replications 1000] [--seed 1]
"""

import sys
from dataclasses import dataclass

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy import special

from thoughttrace.analysis.stats.intervals import Codes, Interval, Numbers, cluster_mean, paired_difference
from thoughttrace.analysis.stats.win_rates import StyleControl, style_control

PROMPTS = (24, 100, 500)
SETTINGS = {"even": (0.0, 0.4), "far": (-1.2, 0.8), "style only": (0.0, 0.0)}
"""Log odds of a win of two models at equal style."""
SHIFTS = np.array([0.5, 0.2])
"""By how many standard deviations each model is longer, and has more Markdown, than the baseline on average."""
SLOPES = np.array([0.6, 0.2, 0.3, 0.0])
"""What one standard deviation more of each feature adds to the log odds."""
TIE, PROMPT_SPREAD = 0.6, 0.8
"""Half the width of the latent band of ties; the standard deviation of what a prompt adds to both models' log odds."""
PLACE = 0.5
"""What standing first adds to the log odds of an answer."""
ACCEPTED = (0.93, 0.97)


@dataclass(frozen=True)
class Draw:
    """Outcomes of two models on the same prompts."""

    wins: Numbers
    models: Codes
    style: Numbers
    prompts: Codes


def draw(rng: np.random.Generator, prompts: int, strengths: tuple[float, float]) -> Draw:
    """Draw the outcomes: the mean of two verdicts, one in each order, with ties."""
    number = 2 * prompts
    models, labels = np.repeat([0, 1], prompts), np.tile(np.arange(prompts), 2)
    style = rng.normal(size=(number, 4)) + SHIFTS[models][:, None]
    at = np.array(strengths)[models] + style @ SLOPES + PROMPT_SPREAD * rng.normal(size=prompts)[labels]
    verdicts = []
    for place in (PLACE, -PLACE):
        latent = at + place + rng.logistic(size=number)
        verdicts.append(np.where(latent > TIE, 1.0, np.where(latent < -TIE, 0.0, 0.5)))
    return Draw(np.mean(verdicts, axis=0), models, style, labels)


def estimates(drawn: Draw) -> dict[str, Interval]:
    """Estimate all that the report shows of two models."""
    fitted: StyleControl = style_control(drawn.wins, drawn.models, 2, drawn.style, drawn.prompts)
    first, second = (drawn.wins[drawn.models == model] for model in (0, 1))
    prompts = drawn.prompts[drawn.models == 0]
    return {
        "win rate": cluster_mean(first, prompts, bounds=(0, 1)),
        "difference": paired_difference(first, second, prompts),
        "at equal style": fitted.rates[0],
        "difference at equal style": fitted.differences[0, 1],
        "coefficient of length": fitted.coefficients[0],
    }


def truths(strengths: tuple[float, float]) -> dict[str, float]:
    """Estimate the same on a million prompts, of which the estimators are consistent."""
    drawn = draw(np.random.default_rng(0), 1_000_000, strengths)
    scaled = drawn.style.std(axis=0, ddof=1)
    design = np.column_stack([drawn.models == 0, drawn.models == 1, drawn.style / scaled])
    beta = np.zeros(6)
    for _ in range(20):  # Newton's method: CR2 on a million prompts would take minutes
        mean = special.expit(design @ beta)
        weighted = design * (mean * (1 - mean))[:, None]
        beta = beta + np.linalg.solve(weighted.T @ design, design.T @ (drawn.wins - mean))
    means = [float(drawn.wins[drawn.models == model].mean()) for model in (0, 1)]
    rates = special.expit(beta[:2])
    return {
        "win rate": means[0],
        "difference": means[0] - means[1],
        "at equal style": float(rates[0]),
        "difference at equal style": float(rates[0] - rates[1]),
        "coefficient of length": float(beta[2]),
    }


@click.command(help=(__doc__ or "").partition("\n\n")[0])
@click.option("--replications", default=1000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(replications: int, seed: int) -> None:
    """Print the coverage of each interval; exit with 1 where one is clearly outside `ACCEPTED`."""
    rng = np.random.default_rng(seed)
    table = Table("setting", "prompts", "interval", "truth", "mean", "width", "coverage", "none", box=box.SIMPLE_HEAD)
    outside = 0
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(SETTINGS) * len(PROMPTS) * replications)
        for setting, strengths in SETTINGS.items():
            true = truths(strengths)
            for prompts in PROMPTS:
                found: dict[str, list[Interval]] = {name: [] for name in true}
                for _ in range(replications):
                    for name, interval in estimates(draw(rng, prompts, strengths)).items():
                        found[name].append(interval)
                    progress.advance(bar)
                for name, intervals in found.items():
                    made = [each for each in intervals if each.lower == each.lower]
                    covered = float(np.mean([each.lower <= true[name] <= each.upper for each in made]))
                    margin = 2 * (0.95 * 0.05 / len(made)) ** 0.5
                    outside += not ACCEPTED[0] - margin <= covered <= ACCEPTED[1] + margin
                    table.add_row(
                        setting, str(prompts), name, f"{true[name]:.3f}", f"{np.mean([e.estimate for e in made]):.3f}",
                        f"{np.mean([e.upper - e.lower for e in made]):.3f}", f"{covered:.3f}",
                        str(len(intervals) - len(made)),
                    )  # fmt: skip
    Console(width=120).print(table)
    sys.exit(outside > 0)


if __name__ == "__main__":
    main()
