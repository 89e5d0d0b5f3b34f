"""`thoughttrace fetch`: the released conversations, downloaded, verified and counted."""

import click
from rich.table import Table

from thoughttrace.core.terminal import Terminal


@click.command()
@click.option(
    "--revision",
    help="Commit, branch or tag of the dataset.  [default: the commit that this version of thoughttrace pins]",
)
def fetch(revision: str | None) -> None:
    """Download the released conversations, and compare them with what is published.

    Tasks and commands then find them as `hub` (`-T data=hub`), without a network. They are stored in Hugging Face's
    cache (HF_HOME).
    """
    # Imported here: they import Inspect, which takes two seconds that --help would have to wait for.
    from thoughttrace.core.cache_dir import sha256  # noqa: PLC0415
    from thoughttrace.core.published import totals  # noqa: PLC0415
    from thoughttrace.datasets.counts import census  # noqa: PLC0415
    from thoughttrace.datasets.hub import (  # noqa: PLC0415
        FILE,
        REPOSITORY,
        REVISION,
        download,
        published_differences,
        state_checks,
    )
    from thoughttrace.datasets.load import load_conversations  # noqa: PLC0415

    revision = revision or REVISION
    path = download(revision)
    commit = path.parent.name
    console = Terminal(soft_wrap=True)
    for name, value in {
        "path": str(path),
        "dataset": REPOSITORY,
        "revision": commit if commit == revision else f"{commit} ('{revision}')",
        "size": f"{path.stat().st_size:,} bytes",
        "sha256": sha256(path),
    }.items():
        console.print(f"{name:<9} {value}", markup=False)
    for sentence in state_checks(path):
        console.print(sentence, markup=False)
    loaded = load_conversations(path, skip_bad=True)
    counts = census(loaded.conversations)
    counted = {
        name: int(getattr(counts, name)) for name in ("users", "conversations", "messages", "reasons", "reactions")
    }
    table = Table("", "downloaded", "published", "difference")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in counted.items():
        published = totals()[name]
        difference = found - published
        table.add_row(name, f"{found:,}", f"{published:,}", f"{difference:+,}" if difference else "none")
    console.print(table)
    for sentence in published_differences(counted):
        console.print(sentence)
    if loaded.skipped:
        console.print(f"{len(loaded.skipped)} unusable lines of {FILE} are not counted:")
    for line in loaded.skipped:
        console.print(line, markup=False)
