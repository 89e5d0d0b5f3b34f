"""Write results into a folder, read them from it, and write down their schema."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from thoughttrace.core.cache_dir import write_whole
from thoughttrace.core.errors import UserError
from thoughttrace.core.result import Result


def result_schema() -> str:
    """Give the JSON schema of a result's file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Result.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


SCHEMA = "schema.json"
"""The file beside results that holds their schema."""


def read_results(folder: Path) -> list[Result]:
    """Read the results in a folder.

    Args:
        folder: Its JSON files are results, but for `schema.json`.

    Raises:
        UserError: There is none, or a file is no result: the message names file and field.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of results. Write one with thoughttrace submit LOGS --by NAME.")
    files = sorted(file for file in folder.glob("*.json") if file.name != SCHEMA)
    if not files:
        raise UserError(f"{folder}: holds no results. Write some with thoughttrace submit LOGS --by NAME.")
    return [_read(file) for file in files]


def write_result(result: Result, folder: Path) -> Path:
    """Write a result into a folder, in the place of an earlier file of the same logs.

    Args:
        result: The result.
        folder: Made if absent.

    Returns:
        The file.

    Raises:
        UserError: The folder cannot be written.
    """
    file = folder / f"{result.stem}.json"
    try:
        with write_whole(file) as part:
            part.write_text(result.to_json(), encoding="utf-8")
            part.chmod(0o644)  # a temporary file is its owner's alone, and a result is for others
    except OSError as error:
        raise UserError(f"{folder}: cannot write here ({error.strerror}). Choose another folder with -o.") from error
    return file


def _read(file: Path) -> Result:
    try:
        return Result.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = _field(first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{file}: is no result: {field}{said}. Its fields: results/{SCHEMA}.") from error


def _field(place: Sequence[int | str]) -> str:
    """Name a field by where it stands, such as `reason.judges.0.name: `; nothing for the file as a whole."""
    return ".".join(map(str, place)) + ": " if place else ""
