"""`thoughttrace report`: tables, plots and one page from logs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from thoughttrace.analysis.tables import Rows

_SHOWN = ("Model", "Agreement", "95 % interval", "n", "Users", "Coverage", "Rated 1·2·3·4·5")
"""The columns of the headline table that a terminal has room for."""

_NAMES = {"Kind", "Model", "A", "B", "Rater", "Labeller", "Label", "Group", "Relation", "Thoughts", "Context"}
"""Columns that stand to the left, and may be folded."""


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="report",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the report to.",
)
@click.option(
    "--ratings",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Human ratings of the same inferences, as written by `thoughttrace rate`. Repeatable.",
)
@click.option(
    "--no-text",
    is_flag=True,
    help="Leave out everything that people and models wrote, so that the report can be shared where the data cannot.",
)
@click.option(
    "--add",
    "pages",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Include the page in this folder, as written by `thoughttrace profile` or `shift`. Repeatable.",
)
@click.option(
    "--annotations",
    type=click.Path(path_type=Path),
    help="Also group agreement by the labels in this file, as written by `thoughttrace annotate`.",
)
def report(
    logs: tuple[str, ...],
    output: Path,
    ratings: tuple[Path, ...],
    no_text: bool,
    pages: tuple[Path, ...],
    annotations: Path | None,
) -> None:
    """Write a report of the runs in LOGS: one HTML page, and its tables and plots as files.

    LOGS are files, folders, or URLs such as s3://…. Of each measurement (task, model, judge, context, prompt and data)
    the newest finished run counts; the report names every other log and why it does not count. What is read from a
    log is cached, so the next report of it is quick.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.headline import PUBLISHED_NOTE  # noqa: PLC0415
    from thoughttrace.analysis.report import write_report  # noqa: PLC0415
    from thoughttrace.analysis.runs import read_runs  # noqa: PLC0415
    from thoughttrace.analysis.tables import comparison_rows, headline_rows, without_empty  # noqa: PLC0415

    console = Console(highlight=False)
    runs = read_runs(logs, lambda files: track(files, "Reading logs", console=console, transient=True), others=True)
    with console.status("Drawing …"):
        tables = write_report(runs, output, ratings, not no_text, pages, annotations)
    for kind, rows in tables.headline.groupby("kind", sort=False) if runs.models else ():
        title = f"{kind}s: agreement of inferred with true thoughts, 1–5".capitalize()
        console.print(terminal_table(title, headline_rows(rows), _SHOWN))
    if 0 < len(tables.comparisons) <= 12:  # more are for the page
        shown = ("Kind", "A", "B", "A − B", "95 % interval", "p (Holm)", "n")
        console.print(terminal_table("Paired differences", comparison_rows(tables.comparisons), shown))
    if runs.models:
        console.print(PUBLISHED_NOTE, style="italic")
    for chapter in tables.others:
        for section in chapter.sections[:1]:
            cells = without_empty(section.rows)
            console.print(terminal_table(section.title, cells, _that_fit(cells, console.width)))
    for sentence in runs.left_out:
        console.print(f"Left out: {sentence}", markup=False)
    console.print(f"Report: {output / 'index.html'}", markup=False, soft_wrap=True)


def _that_fit(rows: "Rows", width: int) -> tuple[str, ...]:
    """The first columns of a table that a terminal has room for; names may take two lines."""
    from thoughttrace.analysis.tables import numeric  # noqa: PLC0415

    numbers, fitting = numeric(rows), []
    for name in rows[0]:
        longest = max(len(name), *(len(row[name]) for row in rows))
        width -= 2 + (longest if name in numbers else min(longest, 26))
        if width < 0:
            break
        fitting.append(name)
    return tuple(fitting)


def terminal_table(title: str, rows: "Rows", columns: tuple[str, ...]) -> Table:
    """Some columns of a table, for the terminal.

    Args:
        title: Stands above it.
        rows: The table as people read it.
        columns: Those to show.
    """
    shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        left = name in _NAMES
        header = name.removeprefix("Rated ")
        shown.add_column(header, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for row in rows:
        shown.add_row(*(Text(row[name]) for name in columns), style="" if row.get("n", "") else "italic")
    return shown
