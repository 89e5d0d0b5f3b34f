"""Reading conversations from JSONL: tolerant of what the release contains, strict about what can't be meant."""

import gc
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation

_SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass
class Loaded:
    """Conversations, and one sentence for each line that was skipped."""

    conversations: list[Conversation] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@contextmanager
def uncollected() -> Iterator[None]:
    """Make many objects that all stay, without Python looking among them for garbage: that takes as long again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
def load_conversations(path: str | Path, skip_bad: bool = False) -> Loaded:
    """Read conversations, one JSON object a line.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file, a folder of them, or `-` for standard input.
        skip_bad: Leave out a line that cannot be used and say so in `Loaded.skipped`, instead of stopping.

    Returns:
        The conversations in the order of the file(s), and what was skipped.

    Raises:
        UserError: Nothing is at `path`, or a line cannot be used (with its file, line, and id).
    """
    loaded = Loaded()
    seen: dict[str, str] = {}
    for place, line in lines(path):
        try:
            conversation = _parse(line, place)
            if conversation.id in seen:
                raise UserError(
                    f"{place}: conversation id '{conversation.id}' stands already at {seen[conversation.id]}; "
                    "every conversation needs an id of its own."
                )
        except UserError as error:
            if not skip_bad:
                raise
            loaded.skipped.append(str(error))
            continue
        seen[conversation.id] = place
        loaded.conversations.append(conversation)
    if not loaded.conversations:
        skipped = f" ({len(loaded.skipped)} bad lines skipped)" if loaded.skipped else ""
        raise UserError(f"{path}: no conversations in it{skipped}; one JSON object a line is expected.")
    return loaded


def lines(path: str | Path) -> Iterator[tuple[str, bytes]]:
    """Yield ("FILE, line N", the line's bytes) for every line that is not blank.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file, a folder of them, or `-` for standard input.

    Raises:
        UserError: Nothing is at `path`, or it cannot be read.
    """
    for file in _files(path):
        name = "standard input" if file is None else file.name
        try:
            if file is None:
                stream = sys.stdin.buffer
            else:
                stream = gzip.GzipFile(file) if file.suffix == ".gz" else file.open("rb")
            with stream:
                for number, line in enumerate(stream, start=1):
                    if line.strip():
                        yield f"{name}, line {number}", line.removeprefix(b"\xef\xbb\xbf")
        except (OSError, EOFError) as error:
            raise UserError(f"{name}: cannot be read ({error}).") from error


def _files(path: str | Path) -> list[Path | None]:
    if str(path) == "-":
        return [None]
    path = Path(path)
    if path.is_dir():
        found: list[Path | None] = [file for file in sorted(path.iterdir()) if file.name.endswith(_SUFFIXES)]
        if not found:
            raise UserError(f"{path}: no .jsonl or .jsonl.gz file in this folder.")
        return found
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give a JSONL file, a folder of them, or - .")
    return [path]


def _parse(line: bytes, place: str) -> Conversation:
    try:
        return Conversation.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"{place}{_name(line)}: {_sentence(error)}") from error


def _name(line: bytes) -> str:
    """The conversation's id in brackets, where the broken line still tells it."""
    head, found, rest = line.partition(b'"id": "')
    name, closed, _ = rest.partition(b'"')
    return f" ({name.decode('utf-8', 'replace')})" if found and closed and b'"messages"' not in head else ""


def _sentence(error: ValidationError) -> str:
    """Say the first thing that is wrong with a record in one sentence."""
    found = error.errors(include_url=False)
    unnamed = next((one for one in found if one["loc"] == ("user",) and one["type"] == "value_error"), None)
    first = unnamed or found[0]
    where, kind = first["loc"] if not unnamed else (), first["type"]
    if kind == "json_invalid":
        reason = str(first["ctx"]["error"])
        coded = "unicode" not in reason
        return (
            f"is not valid JSON ({reason}); write one whole JSON object a line."
            if coded
            else "is not valid UTF-8; save the file as UTF-8."
        )
    if where == ("messages",) and kind in {"too_short", "missing"}:
        return "has no messages; a conversation needs at least one."
    if len(where) >= 3 and where[0] == "messages" and where[2] == "type":
        fault = "has no 'type'" if kind == "missing" else f"has the role {first['input']!r}"
        return f"message {where[1]} {fault}; it must be 'user' or 'assistant'."
    what = first["msg"].removeprefix("Value error, ")
    path = f"message {where[1]} " if len(where) == 2 and where[0] == "messages" else ".".join(map(str, where))
    return f"{path}{': ' if path and not path.endswith(' ') else ''}{what}."
