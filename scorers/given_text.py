"""Read the prompt or rubric that a user gives in place of ours, and check it before anything is generated."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.sources import from_where_started

_MOST_BYTES = 1_000_000
"""A prompt is a page; what is larger is another file."""

_PLACEHOLDER = re.compile(r"\{\w*\}")


@dataclass(frozen=True)
class GivenText:
    """The text of a file that a user gave."""

    text: str
    file: str
    """Its name, never its path, and its checksum: `paper.md (sha256 0123456789ab)`."""


def read_given_text(parameter: str, path: str) -> GivenText:
    """Read a text file.

    Args:
        parameter: The task parameter that names it.
        path: Its path, relative to the folder the command was started in.

    Raises:
        UserError: There is no such file, or it holds no UTF-8 text.
    """
    where = f"{parameter}={path}"
    try:
        file = from_where_started(path)
        if file.exists() and not file.is_file():
            raise UserError(f"{where}: is no file; give the path of a text file.")
        if file.stat().st_size > _MOST_BYTES:
            raise UserError(f"{where}: is larger than 1 MB, which no prompt is; give the path of a text file.")
        content = file.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n").strip()
    except FileNotFoundError as error:
        raise UserError(f"{where}: no such file. Give the path of a text file such as those in examples/.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: is not UTF-8 text (byte {error.start:,}); save it as UTF-8.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if not text:
        raise UserError(f"{where}: is empty; write the text into it.")
    return GivenText(text, f"{file.name} (sha256 {hashlib.sha256(content).hexdigest()[:12]})")


def check_plain(where: str, text: str) -> None:
    """Check that a text has no placeholders, where nothing is filled in.

    Args:
        where: The parameter and its value, or the part of it that the text is.
        text: The text.

    Raises:
        UserError: It has one.
    """
    if placeholder := _PLACEHOLDER.search(text):
        raise UserError(
            f"{where}: nothing is filled in for {placeholder[0]}; take it out. Conversation, notes and guess are shown "
            "below this text."
        )


def check_placeholders(where: str, text: str, names: Sequence[str]) -> None:
    """Check that a text has each of some placeholders, and no other.

    Args:
        where: The parameter and its value, or the part of it that the text is.
        text: The text.
        names: The names of the placeholders.

    Raises:
        UserError: One is missing, or there is another.
    """
    known = " and ".join(f"{{{name}}}" for name in names)
    try:
        fields = [(name, conversion, spec) for _, name, spec, conversion in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise UserError(
            f"{where}: has a brace that is no placeholder ({error}); only {known} are filled in, and a brace is "
            "written {{ or }}."
        ) from error
    for name, conversion, spec in fields:
        if name not in names or conversion or spec:
            raise UserError(f"{where}: nothing is filled in for {{{name}}}; only {known} are. A brace is written {{{{.")
    if missing := [f"{{{name}}}" for name in names if name not in [field[0] for field in fields]]:
        raise UserError(f"{where}: lacks {' and '.join(missing)}; {known} say which message is asked about.")
