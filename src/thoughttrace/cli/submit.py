"""`thoughttrace submit`: results of logs, as a leaderboard takes them."""

from pathlib import Path

import click

from thoughttrace.core.terminal import Terminal


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "--protocol", default="infer-v1", show_default=True, help="The protocol that the runs are checked against."
)
@click.option(
    "--manifest",
    "manifest_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The manifest, written by `thoughttrace subset`.  [default: the one on this machine of the logs' subset]",
)
@click.option("--by", "name", required=True, help="Who sends the results in: a name, which the leaderboard shows.")
@click.option(
    "-o",
    "--output",
    default="results",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of results.",
)
def submit(logs: tuple[str, ...], protocol: str, manifest_file: Path | None, name: str, output: Path) -> None:
    """Write a result of each system in LOGS for a leaderboard: a JSON file of numbers, names and checksums.

    It says whether the runs follow the protocol and, if not, in which points: the leaderboard shows those apart. No
    word of a conversation, a note or an answer is in it. The same logs always give the same file.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.read.evidence import Evidence  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import read_runs  # noqa: PLC0415
    from thoughttrace.analysis.results.card import limits_of  # noqa: PLC0415
    from thoughttrace.analysis.results.gather import gather  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.result_files import write_result  # noqa: PLC0415
    from thoughttrace.protocols.manifest import read_manifest  # noqa: PLC0415
    from thoughttrace.protocols.protocol import read_protocol  # noqa: PLC0415

    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise UserError(f"--by {name}: give a name of 1 to 100 characters on one line.")
    console = Terminal()
    asked = read_protocol(protocol)
    manifest = read_manifest(manifest_file) if manifest_file else None
    runs = read_runs(logs)
    for result in gather(Evidence(runs), asked, name.strip(), manifest):
        console.print(f"\n{result.system.name}", style="bold", markup=False, soft_wrap=True)
        mark = result.protocol
        if mark and mark.followed:
            console.print(f"  Follows {mark.name}, subset {mark.subset}.", soft_wrap=True)
        for point in mark.deviations if mark else []:
            # Of a point such as "samples missing" none is asked for, and what was found is what is missing.
            asked_for = "" if point.asked == "none" else f"asked {point.asked}; found "
            console.print(f"  ✗ {point.name}: {asked_for}{point.found}", markup=False, soft_wrap=True)
        if mark and not mark.followed:
            console.print(
                f"  DOES NOT FOLLOW {mark.name}: the leaderboard shows it apart, not among the results that do.",
                style="bold",
                soft_wrap=True,
            )
        for sentence in limits_of(result):
            console.print(f"  {sentence}", markup=False, soft_wrap=True)
        console.print(f"  Result: {write_result(result, output)}", markup=False, soft_wrap=True)
    for sentence in runs.left_out:
        console.print(f"Left out: {sentence}", soft_wrap=True)
    console.print(f"\nThe page: thoughttrace leaderboard {output}", markup=False, soft_wrap=True)
