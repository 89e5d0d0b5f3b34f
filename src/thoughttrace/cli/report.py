"""`thoughttrace report`."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

_SHOWN = {
    "Model": "Model",
    "Agreement": "Agreement",
    "95 % interval": "95 % interval",
    "n": "n",
    "Users": "Users",
    "Coverage": "Coverage",
    "Rated 1·2·3·4·5": "1·2·3·4·5",
}
"""The columns of the headline table that a terminal has room for, and their short names."""


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="report",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write into.",
)
def report(logs: tuple[str, ...], output: Path) -> None:
    """Write the report of LOGS (files or folders): table, figures, and one page.

    The newest finished run of each model, kind, judge, context, prompt and data counts; the others are named
    with the reason they do not.
    """
    # Imported here: pandas and matplotlib take seconds, and the other commands need neither.
    from thoughttrace.analysis.headline import PUBLISHED_NOTE  # noqa: PLC0415
    from thoughttrace.analysis.report import table_rows, write_report  # noqa: PLC0415
    from thoughttrace.analysis.runs import read_runs  # noqa: PLC0415

    console = Console(highlight=False)
    with console.status("Reading logs …"):
        runs = read_runs(logs)
    with console.status("Drawing …"):
        table = write_report(runs, output)
    for kind, rows in table.groupby("kind", sort=False):
        console.print(_terminal_table(f"{kind}s".capitalize(), table_rows(rows)))
    console.print(PUBLISHED_NOTE, style="italic")
    for sentence in runs.left_out:
        console.print(f"Left out: {sentence}", markup=False)
    console.print(f"Report: {output / 'index.html'}", markup=False, soft_wrap=True)


def _terminal_table(title: str, rows: Sequence[dict[str, str]]) -> Table:
    shown = Table(
        title=f"{title}: agreement of inferred with true thoughts, 1–5",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in _SHOWN.values():
        shown.add_column(name, justify="left" if name == "Model" else "right", overflow="fold")
    for row in rows:
        shown.add_row(*(row[name] for name in _SHOWN), style="" if row["n"] else "italic")
    return shown
