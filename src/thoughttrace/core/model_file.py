"""Read a file that says something of each model, such as its price."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from thoughttrace.core.errors import UserError

_Entry = TypeVar("_Entry", bound=BaseModel)

_MOST_BYTES = 1_000_000
"""Of such a file; ours have some 7,000. A device or a stream may have no end."""


def read_by_model(path: Path, entry: type[_Entry], noun: str, ours: Path) -> dict[str, _Entry]:
    """Read what a YAML or JSON file says of each model.

    Args:
        path: The file: a mapping from models' names to the fields of an entry.
        entry: What is said of one model.
        noun: What an entry is called, in the singular.
        ours: The built-in file, which an error names as the example of the form.

    Raises:
        UserError: The file cannot be read, or holds something that is no entry.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UserError(f"{path}: is larger than {_MOST_BYTES:,} bytes, so it is no {noun} file; see {ours}.")
        entries = yaml.safe_load(content.decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: the {noun}s cannot be read ({error.strerror or error}).") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: is neither YAML nor JSON; see {ours} for the form.") from error
    if not isinstance(entries, dict):
        raise UserError(f"{path}: must name models, each with its {noun}s; see {ours} for the form.")
    return {str(model): _entry(path, str(model), fields, entry) for model, fields in entries.items()}


def _entry(path: Path, model: str, fields: Any, entry: type[_Entry]) -> _Entry:
    try:
        return entry.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f", {part}" for part in first["loc"])
        raise UserError(f"{path}: {model}{field}: {first['msg'][0].lower()}{first['msg'][1:]}.") from error
