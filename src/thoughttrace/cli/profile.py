"""`thoughttrace profile`: what a dataset of conversations contains."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from thoughttrace.analysis.profile.frames import Frames
    from thoughttrace.datasets.counts import Census
    from thoughttrace.datasets.sources import Source


@click.command()
@click.argument("data")
@click.option(
    "--against",
    multiple=True,
    help="Conversations to compare lengths with: a file or folder of WildChat, LMSYS-Chat-1M, or data in the form of "
    "ThoughtTrace, as JSONL (also .gz) or Parquet. Needs -o. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the page, its tables and plots to.",
)
@click.option("--skip-bad", is_flag=True, help="Skip lines that cannot be used, and list them, instead of stopping.")
def profile(data: str, against: tuple[str, ...], output: Path | None, skip_bad: bool) -> None:
    """Show what DATA contains: users, conversations, messages, thoughts by type, and possible errors.

    With -o the complete profile is written as one HTML page, with its tables and plots as files. It quotes nothing
    that people wrote. `thoughttrace report --add FOLDER` includes it in a report.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL file (also .gz), a folder of them, or - for standard input.
    """
    if against and not output:
        raise click.UsageError("--against needs -o FOLDER: the comparison is written to the page.")
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.profile.frames import frames  # noqa: PLC0415
    from thoughttrace.datasets.counts import census  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415

    source = open_source(data, skip_bad)
    counts = census(source.conversations)
    tables = frames(source.conversations)
    console = Console()
    console.print(_counts(counts, f"{source.name}, {source.revision}"))
    console.print(_types(counts))
    notes = [
        f"{count} thoughts have the unknown type '{label}'; they are kept."
        for label, count in counts.unknown_labels.items()
    ]
    notes += _in_words(source, tables)
    skipped = list(source.skipped)
    if output:
        skipped += _write(source, tables, output, against, skip_bad, console)
        notes.append(f"Page: {output / 'index.html'}")
    if skipped:
        notes.append(f"{len(skipped)} unusable lines skipped:")
    for note in [*notes, *skipped]:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _write(
    source: "Source", tables: "Frames", output: Path, against: tuple[str, ...], skip_bad: bool, console: Console
) -> list[str]:
    """Write the page; return a sentence on each line of another dataset that was skipped."""
    from thoughttrace.analysis.pages import write_pages  # noqa: PLC0415
    from thoughttrace.analysis.profile.chapters import profile_chapters  # noqa: PLC0415
    from thoughttrace.analysis.profile.lengths import other_lengths  # noqa: PLC0415
    from thoughttrace.datasets.other_chats import read_chats  # noqa: PLC0415
    from thoughttrace.datasets.sources import from_where_started  # noqa: PLC0415

    skipped: list[str] = []
    others = []
    paths = [from_where_started(name) for name in against]
    for path in paths:
        ambiguous = [other.name for other in paths].count(path.name) > 1
        name = f"{path.parent.name}/{path.name}" if ambiguous else path.name
        chats = read_chats(path, skipped if skip_bad else None)
        progress = track(chats, f"Reading {name}", console=console, transient=True, disable=not console.is_terminal)
        others.append(other_lengths(name, progress))
    with console.status("Profiling …"):
        chapters = profile_chapters(source, tables, others)
        title = f"What is in {source.name}"
        intro = (
            f"{source.name}, {source.revision}. People talked to assistants and privately noted why they sent a "
            "message (a reason) and what they thought of a reply (a reaction). This page quotes nothing they wrote."
        )
        write_pages(output, chapters, title, intro)
    return skipped


def _in_words(source: "Source", tables: "Frames") -> list[str]:
    """Summarize what to know before using the data: annotated messages, hindsight, and possible errors."""
    from thoughttrace.analysis.profile.check import in_words  # noqa: PLC0415
    from thoughttrace.analysis.profile.contents import checked  # noqa: PLC0415
    from thoughttrace.analysis.profile.findings import CHECKS, findings  # noqa: PLC0415

    sentences = []
    for kind, messages in tables.messages.groupby("kind", sort=False):
        sentence = f"{messages['annotated'].sum():,} of {len(messages):,} messages have a {kind}"
        hindsight = messages["hindsight"].dropna()
        if len(hindsight):
            known_time = f"{hindsight.sum():,} of {len(hindsight):,} with a known time"
            sentence += f"; {known_time} were annotated after the next message"
        sentences.append(f"{sentence}.")
    check = checked(source, tables)
    if check is not None:
        sentences.append(in_words(check))
    for finding in findings(source.conversations, source.skipped):
        if finding.count:
            sentences.append(
                f"{finding.what.capitalize()}: {finding.count:,} of {finding.of:,} {CHECKS[finding.what]}."
            )
    return sentences


def _counts(counts: "Census", title: str) -> Table:
    table = Table("", "count", title=title, title_style="bold")
    table.columns[1].justify = "right"
    least, middle, most = counts.turns
    for name, count in {
        "users": counts.users,
        "conversations": counts.conversations,
        "assistant models": counts.models,
        "messages": counts.messages,
        "  by users": counts.user_messages,
        "  by assistants": counts.assistant_messages,
        "thoughts": counts.reasons + counts.reactions,
        "  reasons": counts.reasons,
        "  reactions": counts.reactions,
        "messages with several thoughts": counts.several,
        "empty thoughts (left out)": counts.empty_thoughts,
        "conversations without survey": counts.no_survey,
        "impossible ages": counts.impossible_ages,
    }.items():
        table.add_row(name, f"{count:,}")
    table.add_row("turns per conversation, min / median / max", f"{least} / {middle:g} / {most}")
    return table


def _types(counts: "Census") -> Table:
    from thoughttrace.core.record import TYPES  # noqa: PLC0415

    table = Table("kind", "type", "count", "share", title="Thoughts by type", title_style="bold")
    for kind in TYPES:
        total = counts.types[kind].total()
        for name, count in counts.types[kind].most_common():
            table.add_row(kind, name, f"{count:,}", f"{count / total:.1%}")
    for column in table.columns[2:]:
        column.justify = "right"
    return table
