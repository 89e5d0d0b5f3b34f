"""`thoughttrace annotate`: the labels in logs, as one table."""

from pathlib import Path

import click
from rich.table import Table

from thoughttrace.core.terminal import Terminal


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="annotations.parquet",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Parquet file to write the table to.",
)
def annotate(logs: tuple[str, ...], output: Path) -> None:
    """Collect the labels of messages and conversations in LOGS into one table, to group results by.

    LOGS are files, folders, or URLs such as s3://…, with runs of relate_messages, label_topic, classify_thought,
    cover_thought or rate_thought. The table has one row per message and per conversation, a column for each task's
    label, and a column for the model that gave it. `thoughttrace report --annotations FILE` groups agreement by these
    labels; the task `predict_message` reads the informativeness of thoughts from the table.
    """
    # Imported here: it takes seconds, which --help would have to wait for.
    from thoughttrace.analysis.read.annotations import TASK_OF  # noqa: PLC0415
    from thoughttrace.analysis.read.annotations import annotate as table_of  # noqa: PLC0415

    console = Terminal()
    with console.status("Reading logs …"):
        table, left_out = table_of(logs)
    try:
        table.to_parquet(output, index=False)
    except OSError as error:
        raise click.ClickException(
            f"{output}: cannot be written ({error.strerror or error}); choose another file with -o."
        ) from error
    overview = Table("Column", "Filled", "By", title=f"{len(table):,} rows", title_style="bold")
    overview.columns[1].justify = "right"
    for column in TASK_OF:
        if column in table:
            by = ", ".join(sorted(table[f"{column}_model"].dropna().unique()))
            overview.add_row(column, f"{table[column].notna().sum():,}", by)
    console.print(overview)
    for sentence in left_out:
        console.print(f"Left out: {sentence}", soft_wrap=True)
    console.print(f"Annotations: {output}", soft_wrap=True)
