"""`thoughttrace rate`."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from thoughttrace.core.errors import UserError


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="ratings.jsonl",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that ratings are appended to; raters may share one.",
)
@click.option("--rater", help="Your name, or any word that stands for you; not needed with --import.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order, and of what --limit picks.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Rate at most so many inferences, the same for all raters with this seed.",
)
@click.option(
    "--import",
    "imported",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add ratings made elsewhere: CSV or JSONL with kind, id, model, rater, rating.",
)
def rate(
    logs: tuple[str, ...], output: Path, rater: str | None, seed: int, limit: int | None, imported: Path | None
) -> None:
    """Rate inferences in LOGS (files, folders, or URLs such as s3://…) against what users really thought.

    One key each, 1 to 5, by the judges' rubric (key ?), in random order, without knowing which model wrote what and how
    it was judged. Every rating is on the disk at once: quit whenever you like, and start the same line again to go
    on. What you skip is asked again next time; skip as little as you can, for what is left out is not random.

    \b
    thoughttrace rate logs/first -o ratings.jsonl --rater me --limit 200
    thoughttrace rate logs/first -o ratings.jsonl --import others.csv
    """  # noqa: D301
    # Imported here: pandas takes seconds, and the other commands do not need it.
    from thoughttrace.analysis.read.human_ratings import append, read_ratings  # noqa: PLC0415
    from thoughttrace.analysis.runs import read_runs  # noqa: PLC0415
    from thoughttrace.cli.questions import questions  # noqa: PLC0415
    from thoughttrace.cli.rating_import import import_ratings  # noqa: PLC0415
    from thoughttrace.cli.rating_screen import Session  # noqa: PLC0415

    console = Console(highlight=False)
    if imported is None and not (rater and rater.strip()):
        raise UserError("A rating needs a rater: state who you are with --rater NAME.")
    if imported is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("Rating needs a terminal: run it in one, or add ratings made elsewhere with --import FILE.")
    runs = read_runs(logs, lambda files: track(files, "Reading logs", console=console, transient=True))
    known = read_ratings([output] if output.exists() else [])
    if imported is not None:
        new = import_ratings(imported, runs.counted, known)
        append(output, new)
        console.print(f"{len(new):,} ratings imported into {output}", markup=False, soft_wrap=True)
        return
    rater = str(rater).strip()
    append(output, [])  # before the first rating is made, not after: can it be written?
    asked = questions(runs.models, rater, seed, limit)
    own = known[known["rater"] == rater]
    done = set(own[["kind", "id", "inference"]].itertuples(index=False, name=None))
    left = [question for question in asked if question.key not in done]
    given = Session(console, output, rater).run(left, len(asked) - len(left))
    console.print(
        f"{given:,} rated now; {len(asked) - len(left) + given:,} of {len(asked):,} in {output}",
        markup=False,
        soft_wrap=True,
    )
    if given < len(left):
        console.print("Start the same line again to go on.")
