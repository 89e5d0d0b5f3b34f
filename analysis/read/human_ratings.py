"""Read and append people's ratings of inferences: files of JSON lines that are only ever appended to."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from inspect_ai.log import read_eval_log_sample
from pydantic import BaseModel, Field, ValidationError

from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind

UNREAD = {"messages", "events", "store", "attachments"}
"""Parts of a sample in a log that nobody who rates it needs."""

_KEY = ["rater", "kind", "id", "inference"]
_SHORTENED = "..."
"""The end of every answer that Inspect shortened for the sample's summary, where `Run.rows` has it from."""


class Rating(BaseModel, extra="forbid"):
    """One line of a ratings file."""

    rater: str = Field(min_length=1)
    kind: Kind
    id: str
    """Of the sample."""
    model: str
    epoch: int
    inference: str = Field(pattern="^[0-9a-f]{12}$")
    """From `inference_hash`; ratings are joined to runs by it, so models that wrote the same share a rating."""
    rating: Literal[1, 2, 3, 4, 5] | None
    """None takes back the rater's earlier rating."""
    time: str
    """ISO 8601."""


def inference_hash(text: str) -> str:
    """Name an inference by its text, spaces and line breaks aside: 12 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def inferences(run: Run) -> pd.DataFrame:
    """List the inferences of a run that its judges rated.

    Args:
        run: A run that infers thoughts.

    Returns:
        One row per scored sample and epoch: `id`, `epoch`, `user`, `score` (the judges' rating, 1–5), `inference` (its
        hash), `file` (the log it is in).
    """
    rows = run.rows.dropna(subset="score")[["id", "epoch", "user", "score", "answer", "file", "score_name"]]
    # An answer that ends like a shortened one may be complete: reading it again does no harm.
    texts = [
        _full_answer(*place) if answer.endswith(_SHORTENED) else answer
        for answer, *place in rows[["answer", "file", "id", "epoch", "score_name"]].itertuples(index=False)
    ]
    return rows.drop(columns=["answer", "score_name"]).assign(inference=[inference_hash(text) for text in texts])


def _full_answer(file: str, sample: str, epoch: int, score_name: str) -> str:
    scores = read_eval_log_sample(file, sample, epoch, exclude_fields=UNREAD).scores or {}
    return scores[score_name].answer or ""


def read_ratings(files: Sequence[Path]) -> pd.DataFrame:
    """Read ratings files.

    Args:
        files: They may share raters.

    Returns:
        The fields of `Rating`: one row for the latest rating that each rater gave each inference, without those taken
        back.

    Raises:
        UserError: A file cannot be read, or a line in it is not a rating. An incomplete last line is passed over.
    """
    lines = [rating.model_dump() for file in files for rating in _lines(file)]
    table = pd.DataFrame(lines, columns=list(Rating.model_fields))
    return table.drop_duplicates(_KEY, keep="last").dropna(subset="rating").reset_index(drop=True)


def _lines(file: Path) -> Iterator[Rating]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error}).") from error
    for number, line in enumerate(raw[: _end(raw)].splitlines(), start=1):
        try:
            yield Rating.model_validate_json(line)
        except ValidationError as error:
            where, why = ".".join(map(str, error.errors()[0]["loc"])), error.errors()[0]["msg"]
            raise UserError(
                f"{file}, line {number}: not a rating ({where + ': ' if where else ''}{why}). Fix or delete the line."
            ) from error


def _end(raw: bytes) -> int:
    """Return where the last complete line ends: writing what follows was interrupted."""
    return raw.rfind(b"\n") + 1


def append(file: Path, ratings: Sequence[Rating]) -> None:
    """Append ratings, so that they are on the disk when this returns.

    Args:
        file: Made if absent. An incomplete last line, which was never a rating, is removed.
        ratings: Those to append, in order.

    Raises:
        UserError: The file cannot be written.
    """
    data = "".join(json.dumps(rating.model_dump(), ensure_ascii=False) + "\n" for rating in ratings)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)  # another rater may be at the same file
            opened.seek(0)
            opened.truncate(_end(opened.read()))
            opened.write(data.encode())
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise UserError(
            f"{file}: cannot write ratings here ({error.strerror or error}). Choose another file with -o."
        ) from error
