"""`thoughttrace plan`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.hub import PUBLISHED

if TYPE_CHECKING:
    import pandas as pd

    from thoughttrace.analysis.runs import Run
    from thoughttrace.analysis.stats.power import Assumptions, Figures

_AROUND = (10, 20, 50, 100, 200, 500, PUBLISHED["users"])


@dataclass(frozen=True)
class _Plan:
    """What is assumed, and what so many users tell under it."""

    ratings: "Assumptions"
    differences: "Assumptions | None"
    """None where their figures are missing and the question does not need them."""
    power: float
    level: float

    def half_width(self, users: int) -> str:
        from thoughttrace.analysis.stats.power import half_width  # noqa: PLC0415

        return f"{half_width(self.ratings, users, self.level):.3f}"

    def detectable(self, users: int) -> str:
        from thoughttrace.analysis.stats.power import detectable  # noqa: PLC0415

        return f"{detectable(self.differences, users, self.power, self.level):.3f}" if self.differences else ""


@click.command()
@click.argument("logs", nargs=-1)
@click.option("--half-width", type=float, help="Ask: how many samples tell a model's mean to ± this, above 0?")
@click.option("--difference", type=float, help="Ask: how many samples detect this difference of two models, above 0?")
@click.option("--samples", type=int, help="Ask: what can this many samples of a model tell?")
@click.option("--power", type=float, default=0.8, show_default=True, help="Chance to detect a true difference.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Of intervals; tests are at 1 less this.")
@click.option("--kind", type=click.Choice(["reason", "reaction"]), help="Which thoughts, where LOGS hold both.")
@click.option("--sd", type=float, help="Standard deviation of a model's ratings, above 0 and at most 2.")
@click.option("--icc", type=float, help="Share of the ratings' variance that lies between users, 0 to 1.")
@click.option("--per-user", type=float, help="Samples per user, a mean of 1 or more; all users get as many.")
@click.option("--correlation", type=float, help="Of two models' ratings of the same sample, -1 to below 1.")
@click.option("--icc-difference", type=float, help="As --icc, of two models' paired differences.  [default: --icc]")
def plan(
    logs: tuple[str, ...],
    half_width: float | None,
    difference: float | None,
    samples: int | None,
    power: float,
    level: float,
    kind: str | None,
    sd: float | None,
    icc: float | None,
    per_user: float | None,
    correlation: float | None,
    icc_difference: float | None,
) -> None:
    """Plan how many samples and users a question needs, or ask what a budget of samples can tell.

    What the ratings are like comes from a pilot, the LOGS of finished runs (files, folders, or URLs such as s3://…),
    or is stated with --sd, --icc and --per-user, for differences also --correlation. What is stated goes before the
    pilot. The standard deviation and ICC of differences need a pilot of two models on the same samples. A small pilot
    tells the ICC only roughly: see what a higher one would ask for.

    Samples of a user are correlated, so users count for more than samples. The plan is for the intervals and tests
    that `report` and `compare` give (CR2 by user, Bell–McCaffrey degrees of freedom), for one comparison:
    Holm's adjustment over several asks for a level nearer to 1.

    \b
    thoughttrace plan --half-width 0.1 --sd 1.1 --icc 0.1 --per-user 4.3
    thoughttrace plan logs/pilot --kind reason --difference 0.2
    thoughttrace plan logs/pilot --kind reason --samples 1000
    """  # noqa: D301
    # Imported here: pandas and scipy take seconds, and the other commands need neither.
    from thoughttrace.analysis.stats.power import (  # noqa: PLC0415  # noqa: PLC0415
        Figures,
        even,
        pilot,
        users_for_difference,
        users_for_half_width,
        users_within,
    )

    if sum(asked is not None for asked in (half_width, difference, samples)) != 1:
        raise UserError("Ask one question: state exactly one of --half-width, --difference and --samples.")
    if sd is not None and sd > 2:
        raise UserError(f"Ratings from 1 to 5 have a standard deviation of 2 at most: --sd {sd:g} cannot be.")
    sizes = None if per_user is None else even(per_user)
    stated, told = Figures(sd, icc, sizes, correlation, icc_difference=icc_difference), Figures()
    console = Console(highlight=False)
    if logs:
        runs = _pilot(logs, kind)
        kind = runs[0].kind
        try:
            told = pilot(*_ratings(runs))
        except UserError as error:
            raise UserError(f"{error} Or plan without a pilot, with --sd, --icc and --per-user.") from error
        console.print(f"Pilot, {kind}s: {', '.join(run.model for run in runs)}", markup=False, soft_wrap=True)
    known = stated.over(told)
    needed = {"--sd": known.sd, "--icc": known.icc, "--per-user": known.per_user}
    if missing := [flag for flag, value in needed.items() if value is None]:
        raise UserError(
            f"A plan needs the logs of a pilot, or --sd, --icc and --per-user: add {' and '.join(missing)}."
        )
    if difference is not None and known.sd_difference is None and known.correlation is None:
        raise UserError(
            "A difference needs the correlation of two models' ratings: add --correlation, or give pilot logs of two "
            "models on the same samples, of two or more users with two or more samples."
        )
    ratings = known.mean()
    compares = difference is not None or known.sd_difference is not None or known.correlation is not None
    differences = known.difference() if compares else None
    planned = _Plan(ratings, differences, power, level)
    if half_width is not None:
        users = users_for_half_width(ratings, half_width, level)
        answer = f"For a mean to ± {half_width:g} ({100 * level:g} % interval), a model needs {_count(ratings, users)}."
    elif difference is not None and differences is not None:
        users = users_for_difference(differences, difference, power, level)
        answer = (
            f"To detect a difference of {difference:g} between two models with power {power:g}, each model needs "
            f"{_count(ratings, users)}, the same for both."
        )
    else:
        try:
            users = users_within(ratings, samples or 0)
        except UserError as error:
            raise UserError(f"{error} Raise --samples or lower --per-user.") from error
        answer = f"{_count(ratings, users)} of a model tell its mean to ± {planned.half_width(users)}"
        if differences:
            answer += f", and detect a difference of {planned.detectable(users)} from another with power {power:g}"
        answer += "."
    console.print(_assumed(planned, stated, known))
    console.print(answer, style="bold", soft_wrap=True)
    if exceeded := list(_exceeded(users, ratings.samples(users), kind)):
        console.print(f"The published dataset has only {' and '.join(exceeded)}.", soft_wrap=True)
    console.print(_around(planned, users))


def _pilot(logs: Sequence[str], kind: str | None) -> "list[Run]":
    """The runs of the one kind that is asked for, or that there is."""
    from thoughttrace.analysis.runs import read_runs  # noqa: PLC0415

    counted = read_runs(logs).counted
    runs = [run for run in counted if kind in {None, run.kind}]
    if not runs:
        raise UserError(f"The pilot's logs hold no {kind}s, only {counted[0].kind}s: change --kind or the logs.")
    if len({run.kind for run in runs}) > 1:
        raise UserError("The pilot's logs hold reasons and reactions: choose with --kind reason or --kind reaction.")
    if len({run.setting for run in runs}) > 1:
        raise UserError("The pilot's runs differ in judge, context, prompt or data: give the logs of one setting.")
    return runs


def _ratings(runs: "Sequence[Run]") -> "tuple[pd.DataFrame, pd.Series[str]]":
    """Give the ratings of all runs, samples × runs, and the user of each sample."""
    import pandas as pd  # noqa: PLC0415

    samples = [run.samples.set_index("id") for run in runs]
    ratings = pd.concat([each["agreement"] for each in samples], axis=1)
    users = pd.concat([each["user"] for each in samples])
    return ratings, users[~users.index.duplicated()].loc[ratings.index]


def _count(assumptions: "Assumptions", users: int) -> str:
    return f"{assumptions.samples(users):,} samples of {users:,} users"


def _assumed(planned: _Plan, stated: "Figures", known: "Figures") -> Table:
    """The assumptions, each with its source."""
    table = Table("Assumed", "", "Source", title="Assumptions", title_style="bold", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"

    def add(name: str, value: str, figure: str, otherwise: str = "pilot") -> None:
        table.add_row(name, value, "stated" if getattr(stated, figure) is not None else otherwise)

    ratings, differences = planned.ratings, planned.differences
    sizes = ratings.per_user
    spread = f" ({min(sizes)} to {max(sizes)})" if min(sizes) < max(sizes) else ""
    add("Standard deviation of ratings", f"{ratings.sd:.3g}", "sd")
    add("ICC of ratings: share between users", f"{ratings.icc:.3g}", "icc")
    add("Samples per user, mean", f"{sum(sizes) / len(sizes):.3g}{spread}", "per_user")
    if differences:
        if known.correlation is not None:
            add("Correlation of two models' ratings", f"{known.correlation:.3g}", "correlation")
        derived = "from SD and correlation" if known.sd_difference is None else "pilot"
        add("Standard deviation of differences", f"{differences.sd:.3g}", "sd_difference", derived)
        default = "default: as of ratings" if known.icc_difference is None else "pilot"
        add("ICC of differences", f"{differences.icc:.3g}", "icc_difference", default)
    return table


def _exceeded(users: int, samples: int, kind: str | None) -> Iterator[str]:
    """The published totals that a plan exceeds."""
    for name, count in {"users": users, "reasons": samples, "reactions": samples}.items():
        if count > PUBLISHED[name] and (name == "users" or kind in {None, name.removesuffix("s")}):
            yield f"{PUBLISHED[name]:,} {name}"


def _around(planned: _Plan, users: int) -> Table:
    """What other numbers of users tell; the plan's own stands out."""
    table = Table(title="Around it", title_style="bold", box=box.SIMPLE_HEAD)
    for name in ("Users", "Samples", f"Mean to ± ({100 * planned.level:g} %)"):
        table.add_column(name, justify="right")
    if planned.differences:
        table.add_column(f"Difference at power {planned.power:g}", justify="right")
    for count in sorted({*_AROUND, users}):
        row = [f"{count:,}", f"{planned.ratings.samples(count):,}", planned.half_width(count)]
        row += [planned.detectable(count)] * bool(planned.differences)
        table.add_row(*row, style="bold" if count == users else "")
    return table
