"""`thoughttrace rate`: people's ratings of inferences, given in the terminal or a browser, or imported from a file."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="ratings.jsonl",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to which ratings are appended. Several raters may share one.",
)
@click.option("--rater", help="Your name or a pseudonym. Required in the terminal; in a browser the page asks for it.")
@click.option("--browser", is_flag=True, help="Rate in a browser on this computer: prints the address of a page.")
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page to this file, for raters elsewhere. It holds all texts; raters download their ratings there.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Random seed for the order and for which inferences --limit selects.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Maximum number of inferences to rate. Raters with the same seed and limit rate the same ones.",
)
@click.option(
    "--import",
    "imported",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add existing ratings from a CSV or JSONL file with the columns kind, id, model, rater, rating, or from what "
    "raters downloaded from a page.",
)
def rate(
    logs: tuple[str, ...],
    output: Path,
    rater: str | None,
    browser: bool,
    page: Path | None,
    seed: int,
    limit: int | None,
    imported: Path | None,
) -> None:
    """Rate the inferences in LOGS against what users really thought, with one key press each.

    LOGS are files, folders, or URLs such as s3://…. Inferences are rated from 1 to 5 by the judges' rubric (press ?
    to read it), in random order. Neither the model that wrote an inference nor its judges' ratings are shown. Every
    rating is saved at once: quit at any time and run the same command again to continue. Skipped inferences come
    again next time. Skip as few as you can: the inferences that are easy to rate are not a random sample.

    \b
    thoughttrace rate logs/first -o ratings.jsonl --rater me --limit 200
    thoughttrace rate logs/first -o ratings.jsonl --browser --limit 200
    thoughttrace rate logs/first --page rate.html --limit 200
    thoughttrace rate logs/first -o ratings.jsonl --import others.csv
    """  # noqa: D301
    ways = {"--browser": browser, "--page": page is not None, "--import": imported is not None}
    chosen = [way for way, given in ways.items() if given]
    if len(chosen) > 1:
        raise click.ClickException(f"{' and '.join(chosen)} do not go together: choose one.")
    if not chosen and not (rater and rater.strip()):
        raise click.ClickException("--rater is required: pass your name or a pseudonym.")
    if not chosen and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.ClickException(
            "rating needs an interactive terminal. Run the command in one, rate in a browser with --browser, or import "
            "ratings with --import FILE."
        )
    # Imported here: they take seconds, which --help would have to wait for.
    from rich.progress import track  # noqa: PLC0415

    from thoughttrace.analysis.read.human_ratings import append, read_ratings  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import INFERENCE, read_runs  # noqa: PLC0415
    from thoughttrace.cli.people.page import write_page  # noqa: PLC0415
    from thoughttrace.cli.people.ratings import RatingQuestions, import_ratings, questions_for  # noqa: PLC0415
    from thoughttrace.cli.people.server import serve  # noqa: PLC0415
    from thoughttrace.core.terminal import Terminal  # noqa: PLC0415

    console = Terminal()
    runs = read_runs(logs, INFERENCE, lambda files: track(files, "Reading logs", console=console, transient=True))
    name = (rater or "").strip()
    if page is not None:
        asked = RatingQuestions(questions_for(runs.models, name, seed, limit), output)
        numbers = track(range(len(asked.places)), "Reading texts", console=console, transient=True)
        written = write_page(asked, page, name or None, numbers)
        console.print(f"{written:,} inferences to rate in {page}; import what raters send back with:", soft_wrap=True)
        console.print(f"  thoughttrace rate {' '.join(logs)} -o {output} --import FILE", soft_wrap=True)
        return
    existing = read_ratings([output] if output.exists() else [])
    if imported is not None:
        ratings = import_ratings(imported, runs.counted, existing)
        append(output, ratings)
        console.print(f"{len(ratings):,} ratings imported into {output}", soft_wrap=True)
        return
    append(output, [])  # a file that cannot be written fails before the first rating is given, not after
    questions = questions_for(runs.models, name, seed, limit)
    if browser:
        stored = serve(RatingQuestions(questions, output), output, name or None, console)
        console.print(f"{stored:,} ratings stored in {output}", soft_wrap=True)
        return
    # It needs a POSIX terminal.
    from thoughttrace.cli.rating_screen import Session  # noqa: PLC0415

    rated = existing.loc[existing["rater"] == name, ["kind", "id", "inference"]]
    rated_keys = set(rated.itertuples(index=False, name=None))
    remaining = [question for question in questions if question.key not in rated_keys]
    rated_before = len(questions) - len(remaining)
    rated_now = Session(console, output, name).run(remaining, rated_before)
    console.print(
        f"{rated_now:,} rated now; {rated_before + rated_now:,} of {len(questions):,} in {output}",
        soft_wrap=True,
    )
    if rated_now < len(remaining):
        console.print("Run the same command again to continue.")
