"""`thoughttrace profile`."""

import click
from rich.console import Console
from rich.table import Table

from thoughttrace.datasets.census import Census, census
from thoughttrace.datasets.conversation import TYPES
from thoughttrace.datasets.sources import open_source


@click.command()
@click.argument("data")
@click.option("--skip-bad", is_flag=True, help="Leave out lines that cannot be used, and name them.")
def profile(data: str, skip_bad: bool) -> None:
    """Count what DATA contains: users, conversations, messages, thoughts by kind and type, turns.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL file (also .gz), a folder of them, or - for standard input.
    """
    source = open_source(data, skip_bad)
    found = census(source.conversations)
    console = Console()
    console.print(_counts(found, f"{source.name}, {source.revision}"))
    console.print(_types(found))
    notes = [
        f"{count} thoughts have the unknown type '{label}'; they are kept."
        for label, count in found.unknown_labels.items()
    ]
    if source.skipped:
        notes.append(f"{len(source.skipped)} bad lines skipped:")
    for note in [*notes, *source.skipped]:
        console.print(note, highlight=False, markup=False)


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
