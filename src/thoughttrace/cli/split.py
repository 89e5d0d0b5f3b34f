"""`thoughttrace split`: which users are for training, and which for testing."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from thoughttrace.core.terminal import Terminal

if TYPE_CHECKING:
    from thoughttrace.datasets.sources import Source
    from thoughttrace.datasets.split import Split


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "--output",
    default="splits/v1.json",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; one that is there is never replaced.",
)
def split(data: str, output: Path) -> None:
    """Split the users in DATA into train, dev and test (80 / 10 / 10), the same for everyone.

    Users are stratified by the assistant model they met most and by their number of thoughts. The split follows from
    the data alone, whatever its order: whoever has the same release gets the same split. `thoughttrace export --split`
    reads it.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL (also .gz) or Parquet file, a folder of them, or - for standard
    input.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.core.cache_dir import write_whole  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415
    from thoughttrace.datasets.split import leaking_share, make_split, read_split  # noqa: PLC0415

    source = open_source(data)
    made = make_split(source)
    if output.exists():
        if read_split(output).users != made.users:
            raise UserError(f"{output}: holds another split; give another file with -o.")
    else:
        try:
            with write_whole(output) as part:
                part.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{output}: cannot be written ({error.strerror}).") from error
    console = Terminal()
    _print_sizes(console, source, made)
    console.print(made.why, soft_wrap=True)
    share = leaking_share(source.conversations)
    sentence = f"Were conversations split, {share:.0%} of test conversations would have their user in training."
    console.print(sentence, soft_wrap=True)
    console.print(f"{output}: sha256 {made.sha256}", soft_wrap=True)


def _print_sizes(console: Terminal, source: "Source", made: "Split") -> None:
    """Print the sizes of the parts, and of their strata."""
    from thoughttrace.datasets.split import PARTS, strata  # noqa: PLC0415

    parts = made.parts()
    conversations = Counter(parts[conversation.user] for conversation in source.conversations)
    thoughts: Counter[str] = Counter()
    for conversation in source.conversations:
        thoughts[parts[conversation.user]] += sum(len(message.thoughts) for message in conversation.messages)
    table = Table("", *PARTS, title=f"{source.name}, {source.revision}")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("users", *(f"{len(made.users[part]):,}" for part in PARTS))
    table.add_row("conversations", *(f"{conversations[part]:,}" for part in PARTS))
    table.add_row("thoughts", *(f"{thoughts[part]:,}" for part in PARTS), end_section=True)
    for stratum in strata(source.conversations, parts):
        table.add_row(f"users: {stratum.name}", *(f"{stratum.users.get(part, 0):,}" for part in PARTS))
    console.print(table)
