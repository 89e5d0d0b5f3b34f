"""`thoughttrace export`: conversations in the forms that trainers and analysts load."""

from pathlib import Path

import click
from rich.progress import track

from thoughttrace.core.terminal import Terminal


@click.command()
@click.argument("data")
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice(["sft", "tables", "convokit"]),
    help="sft: chat messages (JSONL); tables: conversations, messages, thoughts (Parquet); convokit: a corpus folder.",
)
@click.option(
    "--thoughts",
    default="none",
    show_default=True,
    type=click.Choice(["none", "reasons", "reactions", "both"]),
    help="Which thoughts stand in the user's turns of sft, as <reaction>…</reaction> and <reason>…</reason> before the "
    "message. The other forms hold all thoughts.",
)
@click.option(
    "--split",
    "split_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file written by `thoughttrace split`: every row then says its part.",
)
@click.option("--part", type=click.Choice(["train", "dev", "test"]), help="Only the users of this part. Needs --split.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write; it must be absent or empty.",
)
def export(data: str, form: str, thoughts: str, split_file: Path | None, part: str | None, output: Path) -> None:
    """Write the conversations in DATA as chat messages for training, as tables, or as a ConvoKit corpus.

    Every row holds its id, its user, and the data's name and revision.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL (also .gz) or Parquet file, a folder of them, or - for standard
    input.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.core.errors import check_choice  # noqa: PLC0415
    from thoughttrace.datasets import exports  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415
    from thoughttrace.datasets.split import PARTS, read_split, select_part  # noqa: PLC0415

    if part and not split_file:
        raise click.UsageError("--part needs --split FILE, which `thoughttrace split` writes.")
    if thoughts != "none" and form != "sft":
        raise click.UsageError(f"--thoughts is for --to sft; {form} always holds all thoughts.")
    source = open_source(data)
    conversations, parts = source.conversations, {}
    if split_file:
        split = read_split(split_file)
        parts = split.parts()
        conversations = select_part(source, split, check_choice("part", part, PARTS) if part else None)
    console = Terminal()
    exports.export(
        output,
        check_choice("to", form, exports.FORMS),
        track(conversations, "Exporting", console=console, transient=True, disable=not console.is_terminal),
        lambda conversation: {
            "conversation": conversation.id,
            "user": conversation.user,
            "data": source.name,
            "data_revision": source.revision,
            "part": parts.get(conversation.user),
        },
        check_choice("thoughts", thoughts, exports.SHOWN_THOUGHTS),
    )
    for warning in source.warnings:
        console.print(warning, soft_wrap=True)
    users = len({conversation.user for conversation in conversations})
    console.print(
        f"{output}: {len(conversations):,} conversations of {users:,} users, {source.name}, {source.revision}",
        soft_wrap=True,
    )
