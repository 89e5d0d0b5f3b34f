"""`thoughttrace rate`: people's ratings of inferences, given in the terminal or imported from a file."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from thoughttrace.analysis.read.human_ratings import Rating
    from thoughttrace.analysis.read.task_log import Run

_COLUMNS = ("kind", "id", "model", "rater", "rating")
_MOST_FAULTS = 20
"""Faults of an imported file that its error message lists."""


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
@click.option("--rater", help="Your name or a pseudonym. Required unless --import is given.")
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
    help="Add existing ratings from a CSV or JSONL file with the columns kind, id, model, rater, rating.",
)
def rate(
    logs: tuple[str, ...], output: Path, rater: str | None, seed: int, limit: int | None, imported: Path | None
) -> None:
    """Rate the inferences in LOGS against what users really thought, with one key press each.

    LOGS are files, folders, or URLs such as s3://…. Inferences are rated from 1 to 5 by the judges' rubric (press ?
    to read it), in random order. Neither the model that wrote an inference nor its judges' ratings are shown. Every
    rating is saved at once: quit at any time and run the same command again to continue. Skipped inferences come
    again next time. Skip as few as you can: the inferences that are easy to rate are not a random sample.

    \b
    thoughttrace rate logs/first -o ratings.jsonl --rater me --limit 200
    thoughttrace rate logs/first -o ratings.jsonl --import others.csv
    """  # noqa: D301
    if imported is None and not (rater and rater.strip()):
        raise click.ClickException("--rater is required: pass your name or a pseudonym.")
    if imported is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.ClickException(
            "rating needs an interactive terminal. Run the command in one, or import ratings with --import FILE."
        )
    # Imported here: they take seconds, which --help would have to wait for.
    from rich.progress import track  # noqa: PLC0415

    from thoughttrace.analysis.read.human_ratings import append, read_ratings  # noqa: PLC0415
    from thoughttrace.analysis.read.runs import INFERENCE, read_runs  # noqa: PLC0415
    from thoughttrace.core.terminal import Terminal  # noqa: PLC0415

    console = Terminal()
    runs = read_runs(logs, INFERENCE, lambda files: track(files, "Reading logs", console=console, transient=True))
    existing = read_ratings([output] if output.exists() else [])
    if imported is not None:
        ratings = import_ratings(imported, runs.counted, existing)
        append(output, ratings)
        console.print(f"{len(ratings):,} ratings imported into {output}", soft_wrap=True)
        return
    from thoughttrace.cli.rating_screen import Session, questions_for  # noqa: PLC0415

    rater = str(rater).strip()
    append(output, [])  # a file that cannot be written fails before the first rating is given, not after
    questions = questions_for(runs.models, rater, seed, limit)
    rated = existing.loc[existing["rater"] == rater, ["kind", "id", "inference"]]
    rated_keys = set(rated.itertuples(index=False, name=None))
    remaining = [question for question in questions if question.key not in rated_keys]
    rated_before = len(questions) - len(remaining)
    rated_now = Session(console, output, rater).run(remaining, rated_before)
    console.print(
        f"{rated_now:,} rated now; {rated_before + rated_now:,} of {len(questions):,} in {output}",
        soft_wrap=True,
    )
    if rated_now < len(remaining):
        console.print("Run the same command again to continue.")


class _LineError(Exception):
    """What is wrong with a line of an imported file; the message follows the line's number."""


def import_ratings(file: Path, runs: "Sequence[Run]", existing: "pd.DataFrame") -> "list[Rating]":
    """Read ratings that were made elsewhere, and check each against the logs.

    Args:
        file: CSV if its name ends in .csv, otherwise JSON lines. Columns: `kind`, `id`, `model`, `rater`, `rating`,
            and `epoch` where a model ran several.
        runs: The runs whose inferences were rated.
        existing: The ratings in the ratings file, from `read_ratings`.

    Raises:
        UserError: The file cannot be read, or lines are wrong; the message names each line and its fault.
    """
    import pandas as pd  # noqa: PLC0415

    from thoughttrace.analysis.read.human_ratings import Rating, inferences  # noqa: PLC0415
    from thoughttrace.core.errors import UserError  # noqa: PLC0415

    logged = pd.concat([inferences(run).assign(kind=run.kind, model=run.name) for run in runs])
    by_sample = {(str(kind), str(id_)): rows for (kind, id_), rows in logged.groupby(["kind", "id"])}
    rated_keys = existing[["rater", "kind", "id", "inference"]].itertuples(index=False, name=None)
    rated_in: dict[tuple[Any, ...], str] = dict.fromkeys(rated_keys, "in the ratings file")
    ratings: list[Rating] = []
    faults: list[str] = []
    for number, line in _lines(file):
        try:
            rating = Rating.model_validate(_rating(line, by_sample))
            key = (rating.rater, rating.kind, rating.id, rating.inference)
            if key in rated_in:
                raise _LineError(f"{rating.rater} has already rated this inference ({rated_in[key]})")
            rated_in[key] = f"line {number}"
            ratings.append(rating)
        except _LineError as fault:
            faults.append(f"line {number}: {fault}.")
    if faults:
        more = [f"… and {len(faults) - _MOST_FAULTS:,} more."] * (len(faults) > _MOST_FAULTS)
        listed = "".join(f"\n  {fault}" for fault in [*faults[:_MOST_FAULTS], *more])
        raise UserError(f"{file}: nothing was imported. Fix these lines first:{listed}")
    return ratings


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    """Yield the number and the fields of each line; None for fields that are not a JSON object."""
    from thoughttrace.core.errors import UserError  # noqa: PLC0415

    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}).") from error
    if file.suffix.lower() == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise UserError(f"{file}, line {reader.reader.line_num}: not readable as CSV ({error}).") from error
        return
    # Not splitlines(): JSON may hold U+2028 and others at which that splits too.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError):
                fields = None
            yield number, fields if isinstance(fields, dict) else None


def _rating(line: Mapping[str, Any] | None, by_sample: "Mapping[tuple[str, str], pd.DataFrame]") -> dict[str, Any]:
    """Return the fields of the `Rating` that a line gives.

    Args:
        line: The line's fields; None if it is not a JSON object.
        by_sample: The inferences in the logs, by kind and sample id.

    Raises:
        _LineError: A field is missing or wrong, or the logs hold no such inference.
    """
    if line is None:
        raise _LineError("not a JSON object")
    missing = [name for name in _COLUMNS if line.get(name) in (None, "")]
    if missing:
        raise _LineError(f"{', '.join(missing)} missing (required: {', '.join(_COLUMNS)})")
    kind, sample, model, rater = (str(line[name]).strip() for name in _COLUMNS[:4])
    value = str(line["rating"]).strip()
    if value not in {"1", "2", "3", "4", "5"}:
        raise _LineError(f"the rating {value!r} is not 1, 2, 3, 4 or 5")
    of_sample = by_sample.get((kind, sample))
    if of_sample is None:
        raise _LineError(f"the logs hold no rated {kind} sample {sample!r}")
    matching = of_sample[of_sample["model"] == model]
    if matching.empty:
        models = ", ".join(sorted(set(of_sample["model"])))
        raise _LineError(f"the logs hold no inference by {model!r} for this sample, only by {models}")
    if epoch := str(line.get("epoch") or "").strip():
        matching = matching[matching["epoch"].astype(str) == epoch]
        if matching.empty:
            raise _LineError(f"the logs hold no epoch {epoch!r} of this sample")
    if matching["inference"].nunique() > 1:
        raise _LineError(
            f"{model} wrote several inferences for this sample: add the column epoch, or give the logs of one context"
        )
    first = matching.iloc[0]
    return {
        "kind": kind,
        "id": sample,
        "model": model,
        "epoch": int(first["epoch"]),
        "inference": first["inference"],
        "rater": rater,
        "rating": int(value),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
