"""`thoughttrace report`: tables, plots and one page from logs."""

from pathlib import Path

import click
from rich.progress import track

from thoughttrace.core.terminal import Terminal

MOST_ROWS = 40
"""Longer tables are not printed."""


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
@click.option(
    "--cutoffs",
    type=click.Path(path_type=Path),
    help="File of models' training cutoffs (YAML or JSON); goes before the built-in cutoffs.",
)
@click.option(
    "--only-newest",
    is_flag=True,
    help="Of each measurement use only the newest run, instead of joining its runs sample by sample.",
)
@click.option("--partial", is_flag=True, help="Also count what was scored in unfinished logs; the report marks it.")
def report(
    logs: tuple[str, ...],
    output: Path,
    ratings: tuple[Path, ...],
    no_text: bool,
    pages: tuple[Path, ...],
    annotations: Path | None,
    cutoffs: Path | None,
    only_newest: bool,
    partial: bool,
) -> None:
    """Write a report of the runs in LOGS: one HTML page, and its tables and plots as files.

    LOGS are files, folders, or URLs such as s3://…. Finished runs of one measurement (task, model and generation
    config, solver, context, prompt, judges and data) are joined: of each sample the newest scored reply counts. The
    report says what each log contributed, and why others do not count. What is read from a log is cached, so the next
    report of it is quick.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.read.annotations import read_annotations  # noqa: PLC0415
    from thoughttrace.analysis.read.evidence import Evidence  # noqa: PLC0415
    from thoughttrace.analysis.read.human_ratings import read_ratings  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import read_runs  # noqa: PLC0415
    from thoughttrace.analysis.report import write_report  # noqa: PLC0415
    from thoughttrace.core.cutoffs import read_cutoffs  # noqa: PLC0415

    console = Terminal()
    cutoff_table = read_cutoffs(cutoffs)
    evidence = Evidence(
        read_runs(
            logs,
            track=lambda files: track(files, "Reading logs", console=console, transient=True),
            which="newest" if only_newest else "joined",
            partial=partial,
        ),
        read_ratings(ratings) if ratings else None,
        read_annotations(annotations) if annotations else None,
        texts=not no_text,
        cutoffs=cutoff_table,
    )
    with console.status("Drawing …"):
        chapters = write_report(evidence, output, pages)
    for chapter in (chapter for chapter in chapters if chapter.terminal and chapter.intro):
        console.print(chapter.intro, soft_wrap=True)
    for section in (section for chapter in chapters for section in chapter.filled if section.terminal):
        if len(section.rows) <= MOST_ROWS:
            console.print(section.table.to_terminal(section.title, console.width))
        else:
            console.print(f"{section.title}: {len(section.rows):,} rows, in the report.")
    for sentence in (sentence for chapter in chapters for sentence in chapter.warnings):
        console.print(f"Warning: {sentence}", soft_wrap=True)
    for sentence in evidence.runs.left_out:
        console.print(f"Left out: {sentence}", soft_wrap=True)
    console.print(f"Report: {output / 'index.html'}", soft_wrap=True)
