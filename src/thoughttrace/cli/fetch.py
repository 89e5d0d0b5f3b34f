"""`thoughttrace fetch`: the released conversations, and how they compare with what is published of them."""

import click
from rich.console import Console
from rich.table import Table

from thoughttrace.core.cache_dir import sha256
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.hub import (
    FILE,
    PUBLISHED,
    REPOSITORY,
    REVISION,
    SECOND_HAND_SHA256,
    download,
    published_differences,
)
from thoughttrace.datasets.load import load_conversations


@click.command()
@click.option("--revision", default=REVISION, help="A commit, branch or tag instead of the pinned commit.")
def fetch(revision: str) -> None:
    """Download the released conversations once, verify them, and compare their totals with the published ones.

    They are then used as `-T data=hub`, without a network. They are kept in Hugging Face's cache (HF_HOME).
    """
    path = download(revision)
    commit, checksum = path.parent.name, sha256(path)
    console = Console(highlight=False, soft_wrap=True)
    for name, value in {
        "path": str(path),
        "dataset": REPOSITORY,
        "revision": commit if commit == revision else f"{commit} ('{revision}')",
        "size": f"{path.stat().st_size:,} bytes",
        "sha256": f"{checksum} (verified: the file is the one that the Hub states)",
    }.items():
        console.print(f"{name:<9} {value}", markup=False)
    if commit == REVISION and checksum != SECOND_HAND_SHA256:
        console.print(f"Note: a checksum of this file known to us second-hand differs: {SECOND_HAND_SHA256}.")
    loaded = load_conversations(path, skip_bad=True)
    counted = census(loaded.conversations)
    found = {name: int(getattr(counted, name)) for name in PUBLISHED}
    console.print(_table(found))
    for sentence in published_differences(found):
        console.print(sentence)
    if loaded.skipped:
        console.print(f"{len(loaded.skipped)} lines of {FILE} cannot be used and are not counted:")
    for line in loaded.skipped:
        console.print(line, markup=False)


def _table(found: dict[str, int]) -> Table:
    table = Table("", "found", "published", "difference")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, count in PUBLISHED.items():
        difference = found[name] - count
        table.add_row(name, f"{found[name]:,}", f"{count:,}", f"{difference:+,}" if difference else "none")
    return table
