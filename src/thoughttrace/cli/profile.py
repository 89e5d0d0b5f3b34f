"""`thoughttrace profile`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from thoughttrace.core.record import TYPES
from thoughttrace.datasets.counts import Census, census
from thoughttrace.datasets.other_chats import read_chats
from thoughttrace.datasets.sources import Source, from_where_started, open_source

if TYPE_CHECKING:
    from thoughttrace.analysis.profile.frames import Frames


@click.command()
@click.argument("data")
@click.option(
    "--against",
    multiple=True,
    help="Conversations to compare lengths with: WildChat, LMSYS-Chat-1M, or any in our form, as JSONL (also .gz) or "
    "Parquet, a file or a folder; may be given several times. Shown on the page.",
)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the page and its tables."
)
@click.option("--skip-bad", is_flag=True, help="Leave out lines that cannot be used, and name them.")
def profile(data: str, against: tuple[str, ...], output: Path | None, skip_bad: bool) -> None:
    """Tell what DATA contains: users, conversations, messages, thoughts by kind and type, turns, and what is odd.

    With -o the whole profile is written as one page, with every table as CSV, Markdown and LaTeX and every figure as
    SVG and PNG. No text of people is in it. `thoughttrace report --add FOLDER` shows it in a report too.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL file (also .gz), a folder of them, or - for standard input.
    """
    # Imported here: pandas and matplotlib take seconds, and the other commands need neither.
    from thoughttrace.analysis.profile.frames import frames  # noqa: PLC0415

    if against and not output:
        raise click.UsageError("--against compares on the page: say with -o FOLDER where to write it.")
    source = open_source(data, skip_bad)
    found = census(source.conversations)
    made = frames(source.conversations)
    console = Console()
    console.print(_counts(found, f"{source.name}, {source.revision}"))
    console.print(_types(found))
    notes = [
        f"{count} thoughts have the unknown type '{label}'; they are kept."
        for label, count in found.unknown_labels.items()
    ]
    notes += _in_words(source, made)
    skipped = list(source.skipped)
    if output:
        skipped += _write(source, made, output, against, skip_bad, console)
        notes.append(f"Page: {output / 'index.html'}")
    if skipped:
        notes.append(f"{len(skipped)} bad lines skipped:")
    for note in [*notes, *skipped]:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _write(
    source: Source, made: "Frames", output: Path, against: tuple[str, ...], skip_bad: bool, console: Console
) -> list[str]:
    """Write the page; sentences on the lines of other datasets that were skipped."""
    from thoughttrace.analysis.pages import write_pages  # noqa: PLC0415
    from thoughttrace.analysis.profile.chapters import profile_chapters  # noqa: PLC0415
    from thoughttrace.analysis.profile.lengths import other_lengths  # noqa: PLC0415

    skipped: list[str] = []
    others = []
    paths = [from_where_started(name) for name in against]
    for path in paths:
        alike = [other.name for other in paths].count(path.name) > 1
        name = f"{path.parent.name}/{path.name}" if alike else path.name
        chats = read_chats(path, skipped if skip_bad else None)
        quiet = not console.is_terminal
        watched = track(chats, f"Reading {name}", console=console, transient=True, disable=quiet)
        others.append(other_lengths(name, watched))
    with console.status("Profiling …"):
        chapters = profile_chapters(source, made, others)
        title = f"What is in {source.name}"
        intro = (
            f"{source.name}, {source.revision}. People talked to assistants and privately noted why they sent a "
            "message (a reason) and what they thought of a reply (a reaction). No text of theirs is on this page."
        )
        write_pages(output, chapters, title, intro)
    return skipped


def _in_words(source: Source, made: "Frames") -> list[str]:
    """What is most worth knowing before the data is used."""
    from thoughttrace.analysis.profile.check import in_words  # noqa: PLC0415
    from thoughttrace.analysis.profile.contents import checked  # noqa: PLC0415
    from thoughttrace.analysis.profile.findings import CHECKS, findings  # noqa: PLC0415

    said = []
    for kind, own in made.messages.groupby("kind", sort=False):
        late = own["hindsight"].dropna()
        told = f"; {late.sum():,} of {len(late):,} that can be told were written after the next message"
        said.append(f"{own['annotated'].sum():,} of {len(own):,} messages carry a {kind}{told if len(late) else ''}.")
    against = checked(source, made)
    if against is not None:
        said.append(in_words(against))
    odd = [one for one in findings(source.conversations, source.skipped) if one.count]
    return said + [f"{one.what.capitalize()}: {one.count:,} of {one.of:,} {CHECKS[one.what]}." for one in odd]


def _counts(found: Census, title: str) -> Table:
    table = Table("", "count", title=title, title_style="bold")
    table.columns[1].justify = "right"
    least, middle, most = found.turns
    for name, count in {
        "users": found.users,
        "conversations": found.conversations,
        "assistant models": found.models,
        "messages": found.messages,
        "  by users": found.user_messages,
        "  by assistants": found.assistant_messages,
        "thoughts": found.reasons + found.reactions,
        "  reasons": found.reasons,
        "  reactions": found.reactions,
        "messages with several thoughts": found.several,
        "empty thoughts (left out)": found.empty_thoughts,
        "conversations without survey": found.no_survey,
        "impossible ages": found.impossible_ages,
    }.items():
        table.add_row(name, f"{count:,}")
    table.add_row("turns a conversation, min / median / max", f"{least} / {middle:g} / {most}")
    return table


def _types(found: Census) -> Table:
    table = Table("kind", "type", "count", "share", title="Thoughts by type", title_style="bold")
    for kind in TYPES:
        total = found.types[kind].total()
        for name, count in found.types[kind].most_common():
            table.add_row(kind, name, f"{count:,}", f"{count / total:.1%}")
    for column in table.columns[2:]:
        column.justify = "right"
    return table
