"""Ratings that were made elsewhere: checked line by line against the logs."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from thoughttrace.analysis.read.human_ratings import Rating, inferences
from thoughttrace.analysis.runs import Run
from thoughttrace.core.errors import UserError

_COLUMNS = ("kind", "id", "model", "rater", "rating")
_TOLD = 20
"""Faults told at once."""


class _LineError(Exception):
    """What is wrong with a line; its text follows the line's number."""


def import_ratings(file: Path, runs: Sequence[Run], known: pd.DataFrame) -> list[Rating]:
    """Check ratings made elsewhere.

    Args:
        file: CSV (by its name), else JSON lines: `kind`, `id`, `model`, `rater`, `rating`, and `epoch` where a model
            was run several times.
        runs: The runs that were rated.
        known: Ratings that there are, from `read_ratings`.

    Raises:
        UserError: The file cannot be read, or lines are wrong; the message names each line and why.
    """
    logs = pd.concat([inferences(run).assign(kind=run.kind, model=run.model) for run in runs])
    told = {(str(kind), str(id_)): own for (kind, id_), own in logs.groupby(["kind", "id"])}
    seen = {tuple(row): "already in the ratings file" for row in known[["rater", "kind", "id", "inference"]].to_numpy()}
    found: list[Rating] = []
    faults: list[str] = []
    for line, given in _records(file):
        try:
            rating = _rating(given, told)
            key = (rating.rater, rating.kind, rating.id, rating.inference)
            if key in seen:
                raise _LineError(f"{rating.rater} has rated this inference before ({seen[key]})")
            seen[key] = f"line {line}"
            found.append(rating)
        except _LineError as fault:
            faults.append(f"line {line}: {fault}.")
    if faults:
        more = [f"… and {len(faults) - _TOLD:,} more."] * (len(faults) > _TOLD)
        listed = "".join(f"\n  {fault}" for fault in [*faults[:_TOLD], *more])
        raise UserError(f"{file}: nothing was imported, because these lines cannot be; mend them.{listed}")
    return found


def _records(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}).") from error
    if file.suffix.lower() == ".csv":
        reader = csv.DictReader(text.splitlines(keepends=True))
        for row in reader:
            yield reader.line_num, row
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                given = json.loads(line)
            except ValueError:
                given = None
            yield number, given if isinstance(given, dict) else None


def _rating(given: Mapping[str, Any] | None, told: Mapping[tuple[str, str], pd.DataFrame]) -> Rating:
    if given is None:
        raise _LineError("is no JSON object")
    missing = [name for name in _COLUMNS if given.get(name) in (None, "")]
    if missing:
        raise _LineError(f"holds no {', '.join(missing)} (needed are {', '.join(_COLUMNS)})")
    kind, sample, model, rater = (str(given[name]).strip() for name in _COLUMNS[:4])
    value = str(given["rating"]).strip()
    if value not in {"1", "2", "3", "4", "5"}:
        raise _LineError(f"the rating {value!r} is not 1, 2, 3, 4 or 5")
    own = told.get((kind, sample))
    if own is None:
        raise _LineError(f"the logs hold no rated {kind} sample {sample!r}")
    models = sorted(set(own["model"]))
    own = own[own["model"] == model]
    if own.empty:
        raise _LineError(f"the logs hold no inference of {model!r} on it, only of {', '.join(models)}")
    if epoch := str(given.get("epoch") or "").strip():
        own = own[own["epoch"].astype(str) == epoch]
        if own.empty:
            raise _LineError(f"the logs hold no epoch {epoch!r} of it")
    if own["inference"].nunique() > 1:
        raise _LineError(
            f"{model} made several inferences of it: add the column epoch, or give the logs of one context"
        )
    at = {"epoch": int(own.iloc[0]["epoch"]), "inference": own.iloc[0]["inference"]}
    time = datetime.now(UTC).isoformat(timespec="seconds")
    named = {"rater": rater, "kind": kind, "id": sample, "model": model}
    return Rating.model_validate(named | at | {"rating": int(value), "time": time})
