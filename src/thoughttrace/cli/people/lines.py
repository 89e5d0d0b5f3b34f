"""Read a file that people's answers are imported from: line by line, and nothing of it where a line is wrong."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from thoughttrace.core.errors import UserError

_MOST_FAULTS = 20
"""Faults of an imported file that its error message lists."""

_Record = TypeVar("_Record")


class LineError(Exception):
    """What is wrong with a line of an imported file; the message follows the line's number."""


def import_lines(file: Path, read: Callable[[int, Mapping[str, Any]], _Record]) -> list[_Record]:
    """Read every line of a file, or say what is wrong with which lines.

    Args:
        file: CSV if its name ends in .csv, otherwise JSON lines.
        read: Reads a line from its number and its fields; raises `LineError` where it is wrong.

    Raises:
        UserError: The file cannot be read, or lines are wrong; the message names each line and its fault.
    """
    records, faults = [], []
    for number, line in _lines(file):
        try:
            if line is None:
                raise LineError("not a JSON object")
            records.append(read(number, line))
        except LineError as fault:
            faults.append(f"line {number}: {fault}.")
    if faults:
        more = [f"… and {len(faults) - _MOST_FAULTS:,} more."] * (len(faults) > _MOST_FAULTS)
        listed = "".join(f"\n  {fault}" for fault in [*faults[:_MOST_FAULTS], *more])
        raise UserError(f"{file}: nothing was imported. Fix these lines first:{listed}")
    return records


def require_fields(line: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Check that a line has fields, and none of them is empty.

    Raises:
        LineError: Some are missing.
    """
    if missing := [name for name in names if line.get(name) is None or not str(line[name]).strip()]:
        raise LineError(f"{', '.join(missing)} missing (required: {', '.join(names)})")


def time_of(line: Mapping[str, Any]) -> str:
    """Return when an answer was given, ISO 8601 to the second; now, where the line does not say it."""
    try:
        given = datetime.fromisoformat(str(line.get("time"))).astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or one that is in no year in UTC
        given = datetime.now(UTC)
    return given.isoformat(timespec="seconds")


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    """Yield the number and the fields of each line; None for fields that are not a JSON object."""
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
