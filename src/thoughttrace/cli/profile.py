"""`thoughttrace profile`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track

from thoughttrace.core.terminal import Terminal, visible

if TYPE_CHECKING:
    from thoughttrace.analysis.profile.lengths import Lengths
    from thoughttrace.analysis.profile.tables import Tables
    from thoughttrace.datasets.sources import Source


@click.command()
@click.argument("data")
@click.option(
    "--against",
    multiple=True,
    help="Conversations to compare lengths with: a file or folder of WildChat, LMSYS-Chat-1M, or data in the form of "
    "ThoughtTrace, as JSONL (also .gz), a JSON array, or Parquet. Needs -o. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the page, its tables and plots to.",
)
@click.option(
    "--annotations",
    type=click.Path(path_type=Path),
    help="Table written by thoughttrace annotate: types of thoughts are also shown by relation of the message and by "
    "topic. Needs -o.",
)
@click.option(
    "--tokens",
    is_flag=True,
    help="Also count the tokens of messages, replies and thoughts, by the tokenizer of the packaged embedder (extra "
    "similarity): some ten seconds for the full dataset. Needs -o.",
)
@click.option("--skip-bad", is_flag=True, help="Skip lines that cannot be used, and list them.")
def profile(
    data: str,
    against: tuple[str, ...],
    output: Path | None,
    annotations: Path | None,
    tokens: bool,
    skip_bad: bool,
) -> None:
    """Show what DATA contains: users, conversations, messages, thoughts by type, and possible errors.

    With -o the complete profile is written as one HTML page, with its tables and plots as files. It quotes nothing
    that people wrote but short survey answers. `thoughttrace report --add FOLDER` includes it in a report.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL (also .gz) or Parquet file, a folder of them, or - for standard
    input.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.profile.contents import counts_section  # noqa: PLC0415
    from thoughttrace.analysis.profile.tables import build_tables  # noqa: PLC0415
    from thoughttrace.analysis.profile.thoughts import types_section  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415
    from thoughttrace.models.embedding import require_embedder  # noqa: PLC0415
    from thoughttrace.models.word_pieces import count_pieces  # noqa: PLC0415

    if against and not output:
        raise click.UsageError("--against needs -o FOLDER: the comparison is written to the page.")
    if annotations and not output:
        raise click.UsageError("--annotations needs -o FOLDER: the groups are written to the page.")
    if tokens and not output:
        raise click.UsageError("--tokens needs -o FOLDER: the numbers are written to the page.")
    if tokens:
        require_embedder("profile --tokens")
    source = open_source(data, skip_bad)
    console = Terminal()
    with console.status("Counting …"):
        tables = build_tables(source.conversations, count_pieces if tokens else None)
    title = f"{source.name}, {source.revision}"
    console.print(counts_section(source.conversations).table.to_terminal(title, console.width))
    if len(tables.thoughts):
        console.print(types_section(tables.thoughts).table.to_terminal("Thoughts by type", console.width))
    notes = _notes(source, tables)
    skipped = list(source.skipped)
    if output:
        others = _measure_others(against, skipped if skip_bad else None, console)
        with console.status("Profiling …"):
            _write(source, tables, output, others, annotations)
        notes.append(f"Page: {output / 'index.html'}")
    if skipped:
        notes.append(f"{len(skipped)} unusable lines skipped:")
    for note in [*notes, *skipped]:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _measure_others(against: tuple[str, ...], skipped: list[str] | None, console: Console) -> list["Lengths"]:
    """Measure the other datasets; sentences on lines that are skipped are added to `skipped`."""
    from rich.markup import escape  # noqa: PLC0415

    from thoughttrace.analysis.profile.lengths import measure_chats  # noqa: PLC0415
    from thoughttrace.datasets.other_chats import read_chats  # noqa: PLC0415
    from thoughttrace.datasets.sources import from_where_started  # noqa: PLC0415

    paths = [from_where_started(name) for name in against]
    others = []
    for path in paths:
        same_name = [other.name for other in paths].count(path.name) > 1
        name = visible(f"{path.parent.name}/{path.name}" if same_name else path.name)
        chats = track(read_chats(path, skipped), f"Reading {escape(name)}", console=console, transient=True,
                      disable=not console.is_terminal)  # fmt: skip
        others.append(measure_chats(name, chats))
    return others


def _write(source: "Source", tables: "Tables", output: Path, others: list["Lengths"], annotations: Path | None) -> None:
    """Write the page."""
    from thoughttrace.analysis.page.page import write_page  # noqa: PLC0415
    from thoughttrace.analysis.profile.annotators import annotators_chapter  # noqa: PLC0415
    from thoughttrace.analysis.profile.contents import contents_chapter  # noqa: PLC0415
    from thoughttrace.analysis.profile.quality import quality_chapter  # noqa: PLC0415
    from thoughttrace.analysis.profile.thoughts import thoughts_chapter  # noqa: PLC0415
    from thoughttrace.analysis.profile.type_groups import type_groups_chapter  # noqa: PLC0415
    from thoughttrace.analysis.read.annotations import read_annotations  # noqa: PLC0415

    intro = (
        f"{source.name}, {source.revision}. People talked to assistants and privately noted why they sent a "
        "message (a reason) and what they thought of a reply (a reaction). This page contains no text that they wrote, "
        "apart from short survey answers."
    )
    chapters = [
        contents_chapter(source, tables, others),
        thoughts_chapter(tables),
        type_groups_chapter(tables, read_annotations(annotations) if annotations else None),
        annotators_chapter(tables),
        quality_chapter(source),
    ]
    write_page(output, f"What {source.name} contains", intro, chapters)


def _notes(source: "Source", tables: "Tables") -> list[str]:
    """Write the sentences that are most worth reading before the data is used."""
    from thoughttrace.analysis.profile.contents import check_release, summarize_check  # noqa: PLC0415
    from thoughttrace.analysis.profile.quality import find_oddities  # noqa: PLC0415

    turns = tables.conversations["turns"]
    notes = [f"Turns of a conversation: {turns.min()} to {turns.max()}, median {turns.median():g}."]
    for kind, messages in tables.messages.groupby("kind", sort=False):
        late = messages["hindsight"].dropna()
        written = f"; {late.sum():,} of {len(late):,} with known times were written after the next message"
        count = f"{messages['annotated'].sum():,} of {len(messages):,} messages carry a {kind}"
        notes.append(f"{count}{written if len(late) else ''}.")
    check = check_release(source, tables)
    if check is not None:
        notes.append(summarize_check(check))
    findings = [finding for finding in find_oddities(source) if finding.count]
    return notes + [f"{f.finding.capitalize()}: {f.count:,} of {f.of:,} {f.unit}." for f in findings]
