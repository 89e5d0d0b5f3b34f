"""`thoughttrace card`: a reporting card of each system in logs."""

from pathlib import Path

import click

from thoughttrace.core.terminal import Terminal


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="card",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the cards to.",
)
@click.option(
    "--protocol", default="infer-v1", show_default=True, help="The protocol that the runs are checked against."
)
@click.option(
    "--manifest",
    "manifest_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The manifest, written by `thoughttrace subset`.  [default: the one on this machine of the logs' subset]",
)
def card(logs: tuple[str, ...], output: Path, protocol: str, manifest_file: Path | None) -> None:
    """Write a one-page reporting card of each system in LOGS, as Markdown and JSON.

    Besides the runs of a system, LOGS may hold controls, cards of its judges (judge_agreement), and its runs of
    choose_thought and predict_satisfaction: their numbers are on the card too. They are those of `thoughttrace report`.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.read.evidence import Evidence  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import read_runs  # noqa: PLC0415
    from thoughttrace.analysis.results.card import write_cards  # noqa: PLC0415
    from thoughttrace.analysis.results.gather import gather  # noqa: PLC0415
    from thoughttrace.protocols.manifest import read_manifest  # noqa: PLC0415
    from thoughttrace.protocols.protocol import read_protocol  # noqa: PLC0415

    console = Terminal()
    asked = read_protocol(protocol)
    manifest = read_manifest(manifest_file) if manifest_file else None
    runs = read_runs(logs)
    for file in write_cards(gather(Evidence(runs), asked, manifest=manifest), output):
        console.print(f"Card: {file}", soft_wrap=True)
    for sentence in runs.left_out:
        console.print(f"Left out: {sentence}", soft_wrap=True)
