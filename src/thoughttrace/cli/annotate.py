"""`thoughttrace annotate`."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from thoughttrace.core.errors import UserError


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="annotations.parquet",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Parquet file to write.",
)
def annotate(logs: tuple[str, ...], output: Path) -> None:
    """Make a table of what LOGS say of messages and conversations, for analyses to group by.

    From logs of relate_messages, label_topic, classify_thought, cover_thought and rate_thought: a row per message and
    per conversation, a column per task, and which model said so. `thoughttrace report --annotations FILE` groups by
    it; `predict_message` takes the quality of thoughts from it.
    """
    # Imported here: pandas takes a second, and the other commands do not need it.
    from thoughttrace.analysis.read.annotations import COLUMNS, annotations  # noqa: PLC0415

    console = Console(highlight=False)
    with console.status("Reading logs …"):
        table, left_out = annotations(logs)
    try:
        table.to_parquet(output, index=False)
    except OSError as error:
        raise UserError(
            f"{output}: cannot be written ({error.strerror or error}); choose another file with -o."
        ) from error
    shown = Table("Column", "Filled", "By", title=f"{len(table):,} rows", title_style="bold")
    shown.columns[1].justify = "right"
    for column in COLUMNS:
        if column in table:
            by = ", ".join(sorted(table[f"{column}_model"].dropna().unique()))
            shown.add_row(column, f"{table[column].notna().sum():,}", by)
    console.print(shown)
    for sentence in left_out:
        console.print(f"Left out: {sentence}", markup=False)
    console.print(f"Annotations: {output}", markup=False, soft_wrap=True)
