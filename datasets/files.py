"""Read the records of data files in the forms that people hold: JSON Lines, a JSON array, Parquet."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic import TypeAdapter, ValidationError

from thoughttrace.core.errors import UserError

LONGEST = 100_000_000
"""Bytes of the longest line, and of the longest JSON array: the release has 30 million in all its lines together."""

_ANYTHING = TypeAdapter[Any](Any)

_ROWS = 2_000
"""Rows of a Parquet file that are in memory at once."""

_FORMS = {".jsonl": "JSON Lines", ".jsonl.gz": "JSON Lines", ".json": "JSON", ".json.gz": "JSON", ".parquet": "Parquet"}
"""The forms that are read, by how the names of files in a folder end."""

_TO_JSONL = "write it as JSON Lines"
_FROM_DISK = "datasets.load_from_disk(FOLDER).to_json('data.jsonl')"
_UNREAD = {
    ".arrow": f"is an Arrow file, as `save_to_disk` writes it: {_TO_JSONL} with {_FROM_DISK}",
    ".feather": f"is an Arrow file: {_TO_JSONL} with pandas.read_feather(FILE).to_json('data.jsonl', "
    "orient='records', lines=True)",
    ".csv": f"is CSV, whose cells do not keep messages apart: {_TO_JSONL} with `to_json('data.jsonl')` in the place "
    "of `to_csv`",
    ".tsv": f"is a table of text, whose cells do not keep messages apart: {_TO_JSONL}",
}
"""What to do with a form that is not read, by how the file's name ends."""

_MAGIC = {
    b"ARROW1": _UNREAD[".arrow"],
    b"\xff\xff\xff\xff": _UNREAD[".arrow"],
    b"PK\x03\x04": "is a ZIP archive: unpack it first",
    b"BZh": "is compressed with bzip2: unpack it first (of compressed files only .gz is read)",
    b"\xfd7zXZ\x00": "is compressed with xz: unpack it first (of compressed files only .gz is read)",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: unpack it first (of compressed files only .gz is read)",
}
"""What to do with a form that is not read, by how the file begins."""

_NESTED = ("messages", "conversation", "survey_answers", "reasons", "reactions")


def records(
    path: str | Path, needed: Callable[[str], bool] = lambda column: True
) -> Iterator[tuple[str, bytes | dict[str, Any] | Any]]:
    """Yield (place, record) for every record: ("FILE, line N", bytes of a line) or ("FILE, row N", a parsed record).

    Args:
        path: A file of JSON Lines or a JSON array (also .gz), a Parquet file, a folder of files of one form, or `-`
            for standard input.
        needed: Whether a leaf column of a Parquet file, such as `messages.list.element.content`, is read.

    Raises:
        UserError: Nothing is at `path`, or it cannot be read.
    """
    for file in _files(path):
        name = "standard input" if file is None else file.name
        try:
            with cast(BinaryIO, sys.stdin.buffer) if file is None else file.open("rb") as opened:
                yield from _records(file, name, io.BufferedReader(cast(Any, opened)), needed)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name}: cannot be read ({error}).") from error


def parse_json(text: str | bytes) -> Any:
    """Parse JSON as the lines of a file are: what has half a surrogate pair, or is nested too deep, is not valid.

    Args:
        text: The JSON text.

    Raises:
        ValueError: It is not valid; the message says why and where.
    """
    try:
        return _ANYTHING.validate_json(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["ctx"]["error"]) from error


def unpack(record: Any) -> Any:
    """Parse the JSON text that a record has where the release has a list or an object.

    Hugging Face's `datasets` keeps messages whose keys differ as JSON text, and so do the files that it writes.

    Args:
        record: A parsed record; it is not changed.
    """
    if not isinstance(record, dict):
        return record
    return record | {key: _unpack_nested(record[key]) for key in _NESTED if key in record}


def _unpack_nested(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            return value
    return [unpack(_unpack_nested(item)) for item in value] if isinstance(value, list) else value


def _files(path: str | Path) -> Sequence[Path | None]:
    if str(path) == "-":
        return [None]
    path = Path(path)
    try:
        if path.is_dir():
            return _files_in(path)
        exists = path.exists()
    except OSError as error:
        shown = str(path) if len(str(path)) < 200 else f"{str(path)[:60]}…"
        raise UserError(f"{shown}: cannot be read ({error.strerror}); give the path of a file or folder.") from error
    if not exists:
        raise UserError(
            f"{path}: no such file or folder; give a JSONL file, a folder of them, or - for standard input."
        )
    return [path]


def _files_in(folder: Path) -> list[Path]:
    """Return the data files of a folder.

    Raises:
        UserError: There is none, or they have several forms: some may hold the same conversations as others, and none
            is left out without a word.
    """
    # Hidden files are no data: macOS writes a `._data.jsonl` beside a `data.jsonl`.
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    forms: dict[str, list[Path]] = {}
    for file in files:
        if form := next((form for end, form in _FORMS.items() if file.name.lower().endswith(end)), None):
            forms.setdefault(form, []).append(file)
    unread = [file for file in files if file.suffix.lower() in _UNREAD]
    # Beside an Arrow file, JSON files describe it.
    if any(file.suffix.lower() == ".arrow" for file in unread):
        forms.pop("JSON", None)
    if any(file.name == "dataset_dict.json" for file in files):
        raise UserError(
            f"{folder}: holds the splits of a dataset, as `save_to_disk` writes them: {_TO_JSONL} with "
            "datasets.load_from_disk(FOLDER)['train'].to_json('data.jsonl')."
        )
    if not forms:
        if unread:
            raise UserError(f"{folder}: {unread[0].name} {_UNREAD[unread[0].suffix.lower()]}.")
        raise UserError(f"{folder}: no .jsonl, .jsonl.gz, .json or .parquet file in this folder.")
    if len(forms) > 1:
        examples = ", ".join(f"{several[0].name} ({form})" for form, several in forms.items())
        raise UserError(
            f"{folder}: data in several forms, such as {examples}; name one file, or keep one form in the folder."
        )
    return next(iter(forms.values()))


def _records(
    file: Path | None, name: str, stream: io.BufferedReader, needed: Callable[[str], bool]
) -> Iterator[tuple[str, Any]]:
    suffix = file.suffix.lower() if file else ""
    begins = stream.peek(16)
    if begins.startswith(b"PAR1") or suffix == ".parquet":
        if file is None:
            raise UserError(f"{name}: Parquet cannot be read from a pipe; give the file's path.")
        yield from _rows(file, needed)
        return
    if fault := next((fault for magic, fault in _MAGIC.items() if begins.startswith(magic)), _UNREAD.get(suffix)):
        raise UserError(f"{name}: {fault}.")
    plain = gzip.GzipFile(fileobj=stream) if begins.startswith(b"\x1f\x8b") or suffix == ".gz" else stream
    if plain.peek(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from _items(name, plain)
        return
    number = 0
    while line := plain.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise UserError(
                f"{name}, line {number}: is longer than {LONGEST:,} bytes, which no conversation is; write one JSON "
                "object per line."
            )
        if line.strip():
            yield f"{name}, line {number}", line.removeprefix(b"\xef\xbb\xbf")


def _items(name: str, stream: io.BufferedReader | gzip.GzipFile) -> Iterator[tuple[str, Any]]:
    """Yield the items of a JSON array."""
    text = stream.read(LONGEST + 1)
    if len(text) > LONGEST:
        raise UserError(f"{name}: is a JSON array of more than {LONGEST:,} bytes; write one JSON object per line.")
    try:
        items = parse_json(text.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise UserError(
            f"{name}: begins as a JSON array and is not valid JSON ({error}); write one complete JSON object per line."
        ) from error
    for number, item in enumerate(items, start=1):
        yield f"{name}, item {number}", item


def _rows(file: Path, needed: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a Parquet file, with only the columns that are needed."""
    # Imported here: those who read JSON need not wait for it.
    import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415
    import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415

    try:
        with pq.ParquetFile(file) as parquet:
            paths = [parquet.schema.column(number).path for number in range(len(parquet.schema))]
            number = 0
            for batch in parquet.iter_batches(batch_size=_ROWS, columns=[path for path in paths if needed(path)]):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file.name}, row {number}", row
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file.name}: cannot be read as Parquet ({error}).") from error
