"""People's ratings of inferences: files of JSON lines that are only ever appended to."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from inspect_ai.log import read_eval_log_sample, read_eval_log_sample_summaries
from pydantic import BaseModel, Field, ValidationError

from thoughttrace.analysis.runs import Run
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind

UNREAD = {"messages", "events", "store", "attachments"}
"""Parts of a sample in a log that nobody who rates it needs."""

_KEY = ["rater", "kind", "id", "inference"]
_CUT = "..."
"""What ends an inference that Inspect's summary of a sample cut; one that ends so itself is only read twice."""


class Rating(BaseModel, extra="forbid"):
    """One line of a ratings file."""

    rater: str = Field(min_length=1)
    kind: Kind
    id: str
    """Of the sample."""
    model: str
    epoch: int
    inference: str = Field(pattern="^[0-9a-f]{12}$")
    """What `inference_hash` gives; runs are joined by it, so models that wrote the same share a rating."""
    rating: Literal[1, 2, 3, 4, 5] | None
    """None takes back the rater's earlier one."""
    time: str
    """ISO 8601."""


def inference_hash(text: str) -> str:
    """Name an inference by its text, spaces and line breaks aside: 12 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def inferences(run: Run) -> pd.DataFrame:
    """The inferences of a run that its judges rated.

    Args:
        run: A finished run.

    Returns:
        One row per scored sample and epoch: `id`, `epoch`, `user`, `agreement`, `inference` (its hash).
    """
    hashes = {(str(sample.id), sample.epoch): sample.scores for sample in read_eval_log_sample_summaries(run.file)}
    rows = run.rows.dropna(subset="agreement")[["id", "epoch", "judgement", "user", "agreement"]]
    keys = zip(rows["id"], rows["epoch"], rows["judgement"], strict=True)
    answers = [(id_, epoch, name, (hashes[id_, epoch] or {})[name].answer or "") for id_, epoch, name in keys]
    texts = [_whole(run, *key) if said.endswith(_CUT) else said for *key, said in answers]
    return rows.drop(columns="judgement").assign(inference=[inference_hash(text) for text in texts])


def _whole(run: Run, sample: str, epoch: int, judgement: str) -> str:
    return (read_eval_log_sample(run.file, sample, epoch, exclude_fields=UNREAD).scores or {})[judgement].answer or ""


def read_ratings(files: Sequence[Path]) -> pd.DataFrame:
    """Read ratings files.

    Args:
        files: They may share raters.

    Returns:
        The fields of `Rating`, a row for each rater's latest rating of each inference; what was taken back is left
        out.

    Raises:
        UserError: A file cannot be read, or a line in it is no rating. A last line that was cut off is no mistake.
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
                f"{file}, line {number}: is no rating ({where + ': ' if where else ''}{why}); mend or delete the line."
            ) from error


def _end(raw: bytes) -> int:
    """Where the last whole line ends: what follows was cut off while it was written."""
    return raw.rfind(b"\n") + 1


def append(file: Path, ratings: Sequence[Rating]) -> None:
    """Append ratings, so that they are on the disk when this returns.

    Args:
        file: Made if absent. A last line that was cut off goes, which was never a rating.
        ratings: What to append.

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
            f"{file}: ratings cannot be written ({error.strerror or error}); choose another file with -o."
        ) from error
