"""`thoughttrace compare`: paired differences between runs."""

import sys
from pathlib import Path

import click

from thoughttrace.core.terminal import Terminal

_WIDE = 160
"""The width of a table that is written to a file or a pipe."""


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "--by",
    type=click.Choice(
        [
            "model",
            "effort",
            "generation",
            "solver",
            "context",
            "context_words",
            "judge",
            "prompt",
            "rubric",
            "data",
            "date",
        ]
    ),
    default="model",
    show_default=True,
    help="The one thing in which compared runs differ; models with their generation config. With date, older runs of "
    "the same measurement count for themselves.",
)
@click.option("--force", is_flag=True, help="Also compare runs that differ in other ways; the table says how.")
@click.option(
    "--adjusted",
    is_flag=True,
    help="Also print the models' differences as the average judge would rate them: all votes, less judges' severity.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file to write the complete table to.",
)
def compare(logs: tuple[str, ...], by: str, force: bool, adjusted: bool, output: Path | None) -> None:
    """Compare each pair of runs in LOGS on the samples that both scored.

    LOGS are files, folders, or URLs such as s3://…. For each pair the table shows the paired difference with its 95 %
    interval, clustered by user; the p-value, Holm-adjusted over all pairs of a kind; wins, ties and losses; and
    Cohen's d. Runs that differ in another way are compared only with --force. Runs that different judges rated are
    compared by the votes of the judges that rated both; a model's vote on itself never counts.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.chapters.comparison import BYS, COLUMNS, require  # noqa: PLC0415
    from thoughttrace.analysis.chapters.judge_severity import (  # noqa: PLC0415
        ADJUSTED_PAIR_COLUMNS,
        adjusted_differences,
        votes_of_others,
    )
    from thoughttrace.analysis.chapters.lost_votes import panels, unequal  # noqa: PLC0415
    from thoughttrace.analysis.page.table import Table  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import INFERENCE, read_runs  # noqa: PLC0415

    console = Terminal(width=None if sys.stdout.isatty() else _WIDE)
    (difference,) = (choice for choice in BYS if choice == by)
    runs = read_runs(logs, INFERENCE, which="every" if force or by == "date" else "joined")
    if adjusted:
        differences = Table(adjusted_differences(votes_of_others(runs.models)), ADJUSTED_PAIR_COLUMNS)
        console.print(differences.to_terminal("Differences as the average judge would rate them", console.width))
    pairs, refused = require(runs.counted, difference, force)
    table = Table(pairs, COLUMNS)
    console.print(table.to_terminal(f"Paired differences by {by}", console.width))
    for note in dict.fromkeys(pair.note for pair in pairs if pair.note):
        console.print(f"Note: {note}", soft_wrap=True)
    for sentence in [*unequal(panels(runs.models)), *refused, *(f"Left out: {log}" for log in runs.left_out)]:
        console.print(sentence, soft_wrap=True)
    if output:
        try:
            table.to_csv(output)
        except OSError as error:
            raise click.ClickException(
                f"{output}: cannot be written ({error.strerror or error}); choose another file with -o."
            ) from error
        console.print(f"Table: {output}", soft_wrap=True)
