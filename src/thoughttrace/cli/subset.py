"""`thoughttrace subset`: the manifest of a protocol's samples."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from thoughttrace.core.terminal import Terminal

if TYPE_CHECKING:
    from thoughttrace.core.record import Kind

SD, ICC, CORRELATION = 1.1, 0.1, 0.5
"""What the printed precision assumes of ratings from 1 to 5; stated, not measured."""


@click.command()
@click.argument("data")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: in this machine's cache, where -T subset=NAME finds it]",
)
def subset(data: str, name: str, output: Path | None) -> None:
    """Make the manifest of the subset NAME of a protocol from DATA: ids and hashes of its samples, and no text.

    NAME is `full-v1` (every message with a thought) or `mini-v1` (one message a kind of 500 users). The manifest
    follows from the data alone: whoever has the same release gets the same one, with the same checksum. A run with
    `-T subset=NAME` then takes exactly its samples.

    DATA is `sample`, `hub`, `hub@REVISION`, a JSONL (also .gz) or Parquet file, a folder of them, or - for standard
    input.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.core.cache_dir import write_whole  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.record import place_of  # noqa: PLC0415
    from thoughttrace.datasets.sources import open_source  # noqa: PLC0415
    from thoughttrace.datasets.subset import known_subset, make_manifest  # noqa: PLC0415
    from thoughttrace.protocols.manifest import manifest_path  # noqa: PLC0415

    _, asked = known_subset(name)
    source = open_source(data)
    manifest = make_manifest(source, name)
    path = output or manifest_path(name, source.revision)
    try:
        with write_whole(path) as part:
            part.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
            # A temporary file is its owner's alone, and a manifest is for others.
            os.umask(mask := os.umask(0))
            part.chmod(0o644 & ~mask)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another file with -o.") from error
    users = {conversation.id: conversation.user for conversation in source.conversations}
    sizes = {
        kind: _sizes([users[place_of(sample).conversation] for sample in samples])
        for kind, samples in manifest.samples.items()
    }
    console = Terminal()
    console.print(_table(f"{name} of {source.name}, {source.revision}", sizes))
    if (wanted := asked.users) and min(map(len, sizes.values())) < wanted:
        sentence = f"{name} asks for {wanted:,} users of each kind; here all were taken, for there are fewer."
        console.print(sentence, soft_wrap=True)
    console.print(
        f"Computed from assumptions, not measured: ratings with a standard deviation of {SD:g}, of whose variance "
        f"{100 * ICC:g} % lies between users, and a correlation of {CORRELATION:g} between two models' ratings; power "
        "0.8. `thoughttrace plan LOGS` computes it from your logs.",
        soft_wrap=True,
    )
    console.print(f"{path}: sha256 {manifest.sha256}", soft_wrap=True)


def _sizes(users: Sequence[str]) -> list[int]:
    """Count the samples of each user."""
    return sorted(Counter(users).values())


def _table(title: str, sizes: "Mapping[Kind, Sequence[int]]") -> Table:
    """Show what was selected, and the precision to be expected of it."""
    from thoughttrace.analysis.stats.pilot import RatingStatistics  # noqa: PLC0415
    from thoughttrace.analysis.stats.power import detectable, half_width  # noqa: PLC0415

    table = Table("", *(f"{kind}s" for kind in sizes), title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    within, differs = [], []
    for per_user in sizes.values():
        assumed = RatingStatistics(SD, ICC, tuple(per_user), CORRELATION)
        users = len(per_user)
        # Of one user there is no interval.
        within.append(f"± {half_width(assumed.for_mean(), users):.3f}" if users > 1 else "–")
        differs.append(f"{detectable(assumed.for_difference(), users, 0.8):.3f}" if users > 1 else "–")
    table.add_row("users", *(f"{len(per_user):,}" for per_user in sizes.values()))
    table.add_row("messages", *(f"{sum(per_user):,}" for per_user in sizes.values()), end_section=True)
    table.add_row("a model's mean within (95 %)", *within)
    table.add_row("detectable difference of two models", *differs)
    return table
