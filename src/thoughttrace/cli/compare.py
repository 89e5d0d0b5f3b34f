"""`thoughttrace compare`."""

import sys
from pathlib import Path

import click
from rich.console import Console

from thoughttrace.cli.report import terminal_table

_WIDE = 160
_NARROW = ("Kind", "A", "B", "A − B", "95 % interval", "p (Holm)", "n")


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "--by",
    type=click.Choice(["model", "context", "judge", "prompt", "date"]),
    default="model",
    show_default=True,
    help="In what two compared runs may differ. By date, older runs of the same measurement count too.",
)
@click.option("--force", is_flag=True, help="Compare runs that differ in other things too; each row says in which.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write all columns to this CSV file.",
)
def compare(logs: tuple[str, ...], by: str, force: bool, output: Path | None) -> None:
    """Compare the runs in LOGS (files, folders, or URLs such as s3://…) on the samples that both scored.

    Prints the paired difference of every two runs with its 95 % interval, clustered by user, the p-value adjusted
    by Holm over all pairs of a kind, wins, ties and losses, and Cohen's d. Runs whose judge, rubric, prompt, context,
    data revision or task version differ are not compared, unless that is what `--by` names, or with `--force`.
    """
    # Imported here: pandas and statsmodels take seconds, and the other commands need neither.
    from thoughttrace.analysis.comparison import BYS, require  # noqa: PLC0415
    from thoughttrace.analysis.files import write_csv  # noqa: PLC0415
    from thoughttrace.analysis.runs import read_runs  # noqa: PLC0415
    from thoughttrace.analysis.tables import comparison_rows, without_empty  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    (chosen,) = (known for known in BYS if known == by)
    runs = read_runs(logs, every=force or by == "date")
    table, refused = require(runs.counted, chosen, force)
    rows = without_empty(comparison_rows(table))
    columns = tuple(rows[0]) if console.width >= _WIDE else _NARROW
    console.print(terminal_table(f"Paired differences by {by}", rows, columns))
    for note in dict.fromkeys(row["Note"] for row in rows if row.get("Note")):
        console.print(f"Note: {note}", markup=False)
    for sentence in [*refused, *(f"Left out: {left}" for left in runs.left_out)]:
        console.print(sentence, markup=False)
    if output:
        write_csv(table, output)
        console.print(f"Table: {output}", markup=False, soft_wrap=True)
