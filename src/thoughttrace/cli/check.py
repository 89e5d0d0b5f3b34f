"""`thoughttrace check`: whether runs follow a protocol."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import track
from rich.table import Table

from thoughttrace.core.terminal import Terminal

if TYPE_CHECKING:
    from thoughttrace.analysis.read.protocol_check import ProtocolCheck


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "--protocol",
    "name",
    default="infer-v1",
    show_default=True,
    help="The protocol: the name of one that comes with this package, or the path of its file.",
)
@click.option(
    "--manifest",
    "manifest_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The manifest, written by `thoughttrace subset`.  [default: the one on this machine of the logs' subset]",
)
@click.pass_context
def check(context: click.Context, logs: tuple[str, ...], name: str, manifest_file: Path | None) -> None:
    """Say of each system in LOGS whether its runs follow a protocol, point by point.

    LOGS are files, folders, or URLs such as s3://…. Runs of one measurement are joined, as in a report, so samples that
    were run later add up. A judge that stands in for one of the panel is accepted and named. Controls are compared only
    where there is no model. The exit code is 0 if every point is followed, and 1 otherwise.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.read.entries import entries, tell_apart  # noqa: PLC0415
    from thoughttrace.analysis.read.protocol_check import check_protocol, manifest_of  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import INFERENCE, read_runs  # noqa: PLC0415
    from thoughttrace.protocols.manifest import read_manifest  # noqa: PLC0415
    from thoughttrace.protocols.protocol import read_protocol  # noqa: PLC0415

    protocol = read_protocol(name)
    given = read_manifest(manifest_file) if manifest_file else None
    console = Terminal()
    runs = read_runs(logs, INFERENCE, track=lambda files: track(files, "Reading logs", console=console, transient=True))
    found, followed = entries(runs), []
    models = [entry for entry in found if not any(run.control for run in entry.runs)]
    compared = models or found
    for entry, (of_context, of_judge) in zip(compared, tell_apart(compared), strict=True):
        differs = "; ".join(filter(None, (of_context and f"context {of_context}", of_judge and f"judges {of_judge}")))
        title = f"{entry.name} ({differs})" if differs else entry.name
        manifest = manifest_of(entry, given)
        checked = check_protocol(entry, protocol, manifest)
        followed.append(checked.followed)
        console.print(_table(title, checked))
        if checked.followed:
            console.print(f"{title} follows {protocol.title} ({checked.subset}).", soft_wrap=True)
        else:
            names = ", ".join(point.name for point in checked.deviations)
            console.print(f"{title} does not follow {protocol.title}: {names}.", soft_wrap=True)
        if checked.subset and manifest is None:
            console.print(
                f"No manifest of {checked.subset} can be read on this machine, so its samples were compared by what "
                f"the log says of it. Make it with `thoughttrace subset {protocol.data.name} {checked.subset}`.",
                soft_wrap=True,
            )
    if models and (controls := [entry.name for entry in found if entry not in models]):
        console.print(f"Not compared, for controls stand beside models: {', '.join(controls)}.", soft_wrap=True)
    for sentence in runs.left_out:
        console.print(f"Left out: {sentence}", soft_wrap=True)
    context.exit(0 if all(followed) else 1)


def _table(title: str, checked: "ProtocolCheck") -> Table:
    """Show every point: what is asked, what was found, and whether they are the same."""
    table = Table("Point", "Asked", "Found", "", title=title, title_style="bold")
    for point in checked.points:
        table.add_row(
            point.name,
            point.asked,
            point.found,
            "✓" if point.followed else "✗",
            style=None if point.followed else "bold",
        )
    return table
