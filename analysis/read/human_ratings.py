"""Read and append people's ratings of inferences: files of JSON lines that are only ever appended to."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.whole_samples import read_inference
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind

_OPENING = b'{"rater":'
"""How every line that `append` writes begins."""

_FIELDS = TypeAdapter(dict[str, object])

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
        hash), `file` (the log it is in). An inference whose text cannot be read, as that part of its log is damaged, is
        not among them: nobody can rate it, nor tell which ratings are of it.
    """
    rows = run.rows.dropna(subset="score")[["id", "epoch", "user", "score", "answer", "file", "score_name"]]
    # An answer that ends like a shortened one may be complete: reading it again does no harm.
    texts = [
        _full_answer(*place) if answer.endswith(_SHORTENED) else answer
        for answer, *place in rows[["answer", "file", "id", "epoch", "score_name"]].itertuples(index=False)
    ]
    hashes = pd.Series([None if text is None else inference_hash(text) for text in texts], rows.index, dtype=object)
    return rows.drop(columns=["answer", "score_name"]).assign(inference=hashes).dropna(subset="inference")


def _full_answer(file: str, sample: str, epoch: int, score_name: str) -> str | None:
    whole = read_inference(file, sample, epoch, score_name)
    return whole.text if whole else None


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
    for number, line in enumerate(raw[: _end(file, raw)].splitlines(), start=1):
        yield _rating(file, number, line)


def _rating(file: Path, number: int, line: bytes) -> Rating:
    try:
        return Rating.model_validate_json(line)
    except ValidationError as error:
        where, why = ".".join(map(str, error.errors()[0]["loc"])), error.errors()[0]["msg"]
        raise UserError(
            f"{file}, line {number}: not a rating ({where + ': ' if where else ''}{why}). Fix or delete the line."
        ) from error


def _end(file: Path, raw: bytes) -> int:
    """Return where the ratings end: behind the last line, or before it if writing it was interrupted.

    A last line without a line break may be a whole rating, as editors and other programs leave it, and the file may be
    no ratings file at all: only what can be nothing but the beginning of a rating may be passed over, or removed.

    Raises:
        UserError: The last line has no line break, and is neither a rating nor the beginning of one.
    """
    last_line = raw.rfind(b"\n") + 1
    last = raw[last_line:]
    if not last:
        return len(raw)
    if _is_beginning(last):
        return last_line
    _rating(file, raw.count(b"\n") + 1, last)
    return len(raw)


def _is_beginning(line: bytes) -> bool:
    """Whether a line is the beginning of a rating that `append` was writing, and not all of it."""
    if not (line.startswith(_OPENING) or _OPENING.startswith(line)):
        return False
    try:
        fields = _FIELDS.validate_json(line, experimental_allow_partial="trailing-strings")
    except ValueError:
        return False
    if not fields.keys() <= Rating.model_fields.keys():
        return False
    try:
        json.JSONDecoder().raw_decode(line.decode("utf-8", "replace"))
    except ValueError:
        return True
    return False  # it is complete, whatever follows it


def append(file: Path, ratings: Sequence[Rating]) -> None:
    """Append ratings, so that they are on the disk when this returns.

    Args:
        file: Made if absent, for its owner alone: it holds people's names. An incomplete last line, which was never a
            rating, is removed.
        ratings: Those to append, in order.

    Raises:
        UserError: The file cannot be written, or its last line is no rating.
    """
    data = "".join(json.dumps(rating.model_dump(), ensure_ascii=False) + "\n" for rating in ratings)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a+b", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)  # another rater may be at the same file
            opened.seek(0)
            before = opened.read()
            kept = before[: _end(file, before)]
            opened.truncate(len(kept))
            opened.write(b"\n" * (kept[-1:] not in {b"", b"\n"}) + data.encode())
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise UserError(
            f"{file}: cannot write ratings here ({error.strerror or error}). Choose another file with -o."
        ) from error
