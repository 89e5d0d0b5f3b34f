"""`thoughttrace leaderboard`: one page made of results."""

from pathlib import Path

import click

from thoughttrace.core.terminal import Terminal


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    default="leaderboard",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the page to.",
)
def leaderboard(results: Path, output: Path) -> None:
    """Write the leaderboard of the RESULTS that `thoughttrace submit` put into a folder.

    One page, which opens from disk and loads nothing; its tables and figures as files; the results of models in the
    form of Every Eval Ever, and as the evaluation_report of an entry in the register of Inspect's evaluations.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.results.exchange import write_exchange  # noqa: PLC0415
    from thoughttrace.analysis.results.leaderboard import write_leaderboard  # noqa: PLC0415
    from thoughttrace.analysis.results.standings import once_each  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415
    from thoughttrace.core.result_files import read_results  # noqa: PLC0415

    if results.resolve() == output.resolve():
        raise UserError(f"{output}: holds the results, and the page would be written among them. Give another with -o.")
    console = Terminal()
    counted, left_out = once_each(read_results(results))
    chapters = write_leaderboard(counted, left_out, output)
    write_exchange(counted, output)
    for section in (section for chapter in chapters for section in chapter.filled if section.terminal):
        console.print(section.table.to_terminal(section.title, console.width))
    for sentence in (sentence for chapter in chapters for sentence in chapter.warnings):
        console.print(f"Warning: {sentence}", soft_wrap=True)
    console.print(f"Leaderboard: {output / 'index.html'}", soft_wrap=True)
