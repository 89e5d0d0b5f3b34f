"""`thoughttrace plan`: sample sizes, precision and power."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from thoughttrace.core.terminal import Terminal

if TYPE_CHECKING:
    import pandas as pd

    from thoughttrace.analysis.read.task_log import Run
    from thoughttrace.analysis.stats.pilot import RatingStatistics
    from thoughttrace.analysis.stats.power import Assumptions

_Callback = Callable[[click.Context, click.Parameter, float | None], float | None]


def _must_be(words: str, holds: Callable[[float], bool]) -> _Callback:
    """Make the check of an option's value; nan is outside every range.

    Args:
        words: The range in words, after "must be".
        holds: Whether a value is in the range.
    """

    def check(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
        if value is not None and not holds(value):
            raise click.ClickException(f"{option.opts[0]} must be {words} (got {value:g}).")
        return value

    return check


_ABOVE_0 = _must_be("above 0", lambda value: 0 < value < math.inf)
_SHARE = _must_be("from 0 to 1", lambda value: 0 <= value <= 1)


@dataclass(frozen=True)
class _Plan:
    """The assumptions, and the precision that a number of users gives under them."""

    ratings: "Assumptions"
    differences: "Assumptions | None"
    """None where their statistics are missing and the question does not need them."""
    power: float
    level: float
    """Of intervals."""
    test_level: float
    """1 less the level of each test."""

    @property
    def assured(self) -> "_Plan":
        """The same plan for the upper limits of what a pilot estimated."""
        differences = self.differences.assured() if self.differences else None
        return replace(self, ratings=self.ratings.assured(), differences=differences)

    def half_width(self, users: int) -> str:
        from thoughttrace.analysis.stats.power import half_width  # noqa: PLC0415

        return f"{half_width(self.ratings, users, self.level):.3f}"

    def detectable(self, users: int) -> str:
        from thoughttrace.analysis.stats.power import detectable  # noqa: PLC0415

        return f"{detectable(self.differences, users, self.power, self.test_level):.3f}" if self.differences else ""

    def precision(self, users: int) -> str:
        """Say what a number of users achieves."""
        detect = f", and detect a difference of {self.detectable(users)} between models with power {self.power:g}"
        return f"estimate a model's mean within ± {self.half_width(users)}" + detect * bool(self.differences)

    def users_for(self, half_width: float | None, difference: float | None) -> int:
        """Find the fewest users for a half-width, or for a difference."""
        from thoughttrace.analysis.stats.power import users_for_difference, users_for_half_width  # noqa: PLC0415

        if half_width is not None:
            return users_for_half_width(self.ratings, half_width, self.level)
        assert self.differences is not None
        assert difference is not None
        return users_for_difference(self.differences, difference, self.power, self.test_level)


@click.command()
@click.argument("logs", nargs=-1)
@click.option(
    "--half-width",
    type=float,
    callback=_ABOVE_0,
    help="Sample size needed to estimate a model's mean within ± this (> 0).",
)
@click.option(
    "--difference",
    type=float,
    callback=_ABOVE_0,
    help="Sample size needed to detect this difference between two models (> 0).",
)
@click.option(
    "--samples",
    type=int,
    callback=_must_be("1 or more", lambda value: value >= 1),
    help="Precision and detectable difference for this many samples per model.",
)
@click.option("--power", type=float, default=0.8, show_default=True, help="Probability of detecting a true difference.")
@click.option(
    "--level",
    type=float,
    default=0.95,
    show_default=True,
    callback=_must_be("between 0 and 1, such as 0.95", lambda value: 0 < value < 1),
    help="Confidence level of intervals; the significance level of tests is 1 minus this.",
)
@click.option(
    "--models",
    type=int,
    default=2,
    show_default=True,
    callback=_must_be("2 or more", lambda value: value >= 2),
    help="Number of models that will be compared pair by pair, with p-values adjusted by Holm.",
)
@click.option("--kind", type=click.Choice(["reason", "reaction"]), help="Kind of thought, if LOGS contain both.")
@click.option(
    "--sd",
    type=float,
    callback=_must_be(
        "above 0 and at most 2, the most that ratings from 1 to 5 can have", lambda value: 0 < value <= 2
    ),
    help="Standard deviation of a model's ratings (> 0, at most 2).",
)
@click.option(
    "--icc",
    type=float,
    callback=_SHARE,
    help="Intraclass correlation: the share of the ratings' variance that lies between users (0 to 1).",
)
@click.option(
    "--per-user",
    type=float,
    callback=_must_be("1 or more", lambda value: 1 <= value < math.inf),
    help="Mean number of samples per user (1 or more).",
)
@click.option(
    "--correlation",
    type=float,
    callback=_must_be("-1 or more and below 1", lambda value: -1 <= value < 1),
    help="Correlation of two models' ratings of the same sample (-1 to below 1).",
)
@click.option(
    "--icc-difference",
    type=float,
    callback=_SHARE,
    help="Intraclass correlation of two models' paired differences (0 to 1).  [default: the value of --icc]",
)
def plan(
    logs: tuple[str, ...],
    half_width: float | None,
    difference: float | None,
    samples: int | None,
    power: float,
    level: float,
    models: int,
    kind: str | None,
    sd: float | None,
    icc: float | None,
    per_user: float | None,
    correlation: float | None,
    icc_difference: float | None,
) -> None:
    """Plan the sample size for an interval or a comparison, or show what a given sample size achieves.

    The assumptions about ratings come from LOGS, the finished runs of a pilot (files, folders, or URLs such as
    s3://…), or from --sd, --icc and --per-user; comparisons also need --correlation. Options override the pilot. Only
    a pilot of two models on the same samples gives the standard deviation and ICC of differences. A small pilot
    estimates them only roughly, so the plan also says what it takes to be 80 % sure of the answer in spite of that.

    Samples of one user are correlated, so the number of users matters more than the number of samples. The plan
    applies to the intervals and tests of `report` and `compare` (CR2 clustered by user, Bell–McCaffrey degrees of
    freedom). With --models K every pair is planned at the first and strictest step of Holm's adjustment over all
    K (K - 1) / 2 pairs; later steps are less strict, so the power is as planned or higher.

    \b
    thoughttrace plan --half-width 0.1 --sd 1.1 --icc 0.1 --per-user 4.3
    thoughttrace plan logs/pilot --kind reason --difference 0.2
    thoughttrace plan logs/pilot --kind reason --samples 1000
    """  # noqa: D301
    if not 1 - level < power < 1:
        raise click.ClickException(f"--power must be above 1 - level = {1 - level:.3g} and below 1 (got {power:g}).")
    if sum(question is not None for question in (half_width, difference, samples)) != 1:
        raise click.ClickException("pass exactly one of --half-width, --difference and --samples.")
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.stats.pilot import RatingStatistics, pilot_statistics  # noqa: PLC0415
    from thoughttrace.analysis.stats.power import even_sizes, first_step_of_holm, users_within  # noqa: PLC0415

    sizes = None if per_user is None else even_sizes(per_user)
    stated, from_pilot = (
        RatingStatistics(sd, icc, sizes, correlation, icc_difference=icc_difference),
        RatingStatistics(),
    )
    console = Terminal()
    if logs:
        runs = _pilot(logs, kind)
        kind = runs[0].kind
        from_pilot = pilot_statistics(*_ratings(runs))
        console.print(f"Pilot, {kind}s: {', '.join(run.name for run in runs)}", markup=False, soft_wrap=True)
    statistics = stated.completed_by(from_pilot)
    compares = difference is not None or statistics.sd_difference is not None or statistics.correlation is not None
    _check_complete(statistics, compares)
    ratings = statistics.for_mean()
    differences = statistics.for_difference() if compares else None
    planned = _Plan(ratings, differences, power, level, first_step_of_holm(level, models))
    if half_width is not None or difference is not None:
        users = planned.users_for(half_width, difference)
        needed = _count(ratings, users)
        answer = (
            f"To detect a difference of {difference:g} between two models with power {power:g}, each model needs "
            f"{needed}, the same for both."
            if difference is not None
            else f"To estimate a model's mean within ± {half_width:g} ({100 * level:g} % interval), "
            f"a model needs {needed}."
        )
    else:
        samples = samples or 0
        if samples < ratings.samples(2):
            raise click.ClickException(
                f"--samples must hold at least two users, who have {ratings.samples(2):,} samples (got {samples:,}). "
                "Raise --samples, or lower --per-user."
            )
        users = users_within(ratings, samples)
        answer = f"{_count(ratings, users)} {planned.precision(users)}."
    console.print(_assumed(planned, stated, statistics))
    console.print(answer, style="bold", soft_wrap=True)
    if exceeded := list(_exceeded(users, ratings.samples(users), kind)):
        console.print(f"The published dataset has only {' and '.join(exceeded)}.", soft_wrap=True)
    for remark in _remarks(planned, users, half_width, difference, models, len(from_pilot.per_user or ())):
        console.print(f"• {remark}", soft_wrap=True)
    console.print(_alternatives(planned, users))


def _remarks(
    planned: _Plan, users: int, half_width: float | None, difference: float | None, models: int, of_pilot: int
) -> Iterator[str]:
    """Yield what is to be known of an answer: how sure it is after the pilot, and what Holm's adjustment does.

    Args:
        planned: The plan.
        users: Its number of users.
        half_width: What was asked for; so is the difference.
        difference: None as the half-width is where the samples are given.
        models: Number of models.
        of_pilot: Users of the pilot, 0 without one.
    """
    from thoughttrace.analysis.stats.pilot import SMALL  # noqa: PLC0415
    from thoughttrace.analysis.stats.power import ASSURANCE  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415

    if models > 2 and planned.differences:
        pairs = math.comb(models, 2)
        yield (
            f"{models} models make {pairs} pairs: each is planned at the first and strictest step of Holm's "
            f"adjustment, a level of {1 - planned.test_level:.2g}, so that its power is as planned or higher."
        )
    assured = planned.assured
    if assured == planned:
        return
    sure = f"To be {ASSURANCE:.0%} sure of this in spite of the pilot's uncertainty".replace("%", " %")
    if half_width is None and difference is None:
        yield f"{sure}, assume less: that they {assured.precision(users)}."
    else:
        try:
            needed = _count(planned.ratings, assured.users_for(half_width, difference))
        except UserError as error:
            yield f"{sure}: {error}"
        else:
            yield f"{sure}, plan for {needed}."
    if of_pilot < SMALL:
        yield f"The pilot has only {of_pilot} users: the plan is no more than a guess."


def _check_complete(statistics: "RatingStatistics", compares: bool) -> None:
    """Name the options for statistics that neither the pilot nor the user gave."""
    needed = {"--sd": statistics.sd, "--icc": statistics.icc, "--per-user": statistics.per_user}
    if missing := [option for option, value in needed.items() if value is None]:
        raise click.ClickException(
            f"{' and '.join(missing)} missing: a plan needs the logs of a pilot, or --sd, --icc and --per-user."
        )
    if compares and statistics.sd_difference is None and statistics.correlation is None:
        raise click.ClickException(
            "--difference needs the correlation of two models' ratings: pass --correlation, or the logs of a pilot in "
            "which two models have the same samples, from at least two users with at least two samples."
        )


def _pilot(logs: Sequence[str], kind: str | None) -> "list[Run]":
    """Return the pilot's runs of the chosen kind, or of the only kind there is."""
    from thoughttrace.analysis.read.measurement import SYSTEM, measurement  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import INFERENCE, read_runs  # noqa: PLC0415

    counted = read_runs(logs, INFERENCE).counted
    runs = [run for run in counted if kind in {None, run.kind}]
    if not runs:
        raise click.ClickException(
            f"the pilot's logs contain no {kind}s, only {counted[0].kind}s: change --kind, or pass other logs."
        )
    if len({run.kind for run in runs}) > 1:
        raise click.ClickException(
            "the pilot's logs contain reasons and reactions: choose with --kind reason or --kind reaction."
        )
    if len({measurement(run, *SYSTEM) for run in runs}) > 1:
        raise click.ClickException(
            "the pilot's runs differ in judge, context, prompt or data: pass logs with the same settings only."
        )
    return runs


def _ratings(runs: "Sequence[Run]") -> "tuple[pd.DataFrame, pd.Series[str]]":
    """Give the ratings of all runs, samples × runs, and the user of each sample."""
    import pandas as pd  # noqa: PLC0415

    samples = [run.samples.set_index("id") for run in runs]
    ratings = pd.concat([each["score"] for each in samples], axis=1)
    users = pd.concat([each["user"] for each in samples])
    return ratings, users[~users.index.duplicated()].loc[ratings.index]


def _count(assumptions: "Assumptions", users: int) -> str:
    return f"{assumptions.samples(users):,} samples of {users:,} users"


def _assumed(planned: _Plan, stated: "RatingStatistics", statistics: "RatingStatistics") -> Table:
    """Show the assumptions, each with its source."""
    table = Table("Assumed", "", "Source", title="Assumptions", title_style="bold", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"

    def add(name: str, value: str, statistic: str, otherwise: str = "pilot") -> None:
        table.add_row(name, value, "stated" if getattr(stated, statistic) is not None else otherwise)

    ratings, differences = planned.ratings, planned.differences
    sizes = ratings.per_user
    extent = f" ({min(sizes)} to {max(sizes)})" if min(sizes) < max(sizes) else ""
    add("Standard deviation of ratings", f"{ratings.sd:.3g}", "sd")
    add("ICC of ratings (share between users)", f"{ratings.icc:.3g}", "icc")
    add("Samples per user, mean", f"{sum(sizes) / len(sizes):.3g}{extent}", "per_user")
    if differences:
        if statistics.correlation is not None:
            add("Correlation of two models' ratings", f"{statistics.correlation:.3g}", "correlation")
        derived = "from SD and correlation" if statistics.sd_difference is None else "pilot"
        add("Standard deviation of differences", f"{differences.sd:.3g}", "sd_difference", derived)
        default = "default: as of ratings" if statistics.icc_difference is None else "pilot"
        add("ICC of differences", f"{differences.icc:.3g}", "icc_difference", default)
    return table


def _exceeded(users: int, samples: int, kind: str | None) -> Iterator[str]:
    """Yield the published totals that a plan exceeds."""
    from thoughttrace.core.published import totals  # noqa: PLC0415

    published = totals()
    for name, count in {"users": users, "reasons": samples, "reactions": samples}.items():
        if count > published[name] and (name == "users" or kind in {None, name.removesuffix("s")}):
            yield f"{published[name]:,} {name}"


def _alternatives(planned: _Plan, users: int) -> Table:
    """Show what other numbers of users achieve, with the planned number in bold."""
    from thoughttrace.core.published import totals  # noqa: PLC0415

    table = Table(title="Alternatives", title_style="bold", box=box.SIMPLE_HEAD)
    for name in ("Users", "Samples", f"Mean within ± ({100 * planned.level:g} %)"):
        table.add_column(name, justify="right")
    if planned.differences:
        table.add_column(f"Difference at power {planned.power:g}", justify="right")
    for count in sorted({10, 20, 50, 100, 200, 500, totals()["users"], users}):
        row = [f"{count:,}", f"{planned.ratings.samples(count):,}", planned.half_width(count)]
        row += [planned.detectable(count)] * bool(planned.differences)
        table.add_row(*row, style="bold" if count == users else "")
    return table
