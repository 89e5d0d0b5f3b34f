"""Read conversations from JSONL: tolerant of what the release contains, strict about what cannot be meant."""

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
    """Pause the garbage collector while many objects are made that all stay: its search would double the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
def load_conversations(path: str | Path, skip_bad: bool = False) -> Loaded:
    """Read conversations, one JSON object per line.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file, a folder of them, or `-` for standard input.
        skip_bad: Leave out a line that cannot be used and name it in `Loaded.skipped`, instead of stopping.

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
                    f"{place}: duplicate conversation id '{conversation.id}' (first at {seen[conversation.id]}); "
                    "ids must be unique."
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
        raise UserError(f"{path}: no conversations in it{skipped}; write one JSON object per line.")
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
        files: list[Path | None] = [file for file in sorted(path.iterdir()) if file.name.endswith(_SUFFIXES)]
        if not files:
            raise UserError(f"{path}: no .jsonl or .jsonl.gz file in this folder.")
        return files
    if not path.exists():
        raise UserError(
            f"{path}: no such file or folder; give a JSONL file, a folder of them, or - for standard input."
        )
    return [path]


def _parse(line: bytes, place: str) -> Conversation:
    try:
        return Conversation.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"{place}{_id_in(line)}: {_fault(error)}") from error


def _id_in(line: bytes) -> str:
    """Return the conversation's id in brackets, where the broken line still shows it."""
    before, start, after = line.partition(b'"id": "')
    name, end, _ = after.partition(b'"')
    return f" ({name.decode('utf-8', 'replace')})" if start and end and b'"messages"' not in before else ""


def _fault(error: ValidationError) -> str:
    """Describe the first thing that is wrong with a record in one sentence."""
    errors = error.errors(include_url=False)
    # Without a user nothing else matters: pydantic may list other errors first.
    no_user = next((fault for fault in errors if fault["loc"] == ("user",) and fault["type"] == "value_error"), None)
    first = no_user or errors[0]
    place, kind = first["loc"] if not no_user else (), first["type"]
    if kind == "json_invalid":
        reason = str(first["ctx"]["error"])
        if "unicode" in reason:
            return "is not valid UTF-8; save the file as UTF-8."
        return f"is not valid JSON ({reason}); write one complete JSON object per line."
    if place == ("messages",) and kind in {"too_short", "missing"}:
        return "has no messages; a conversation needs at least one."
    if len(place) >= 3 and place[0] == "messages" and place[2] == "type":
        fault = "has no 'type'" if kind == "missing" else f"has the role {first['input']!r}"
        return f"message {place[1]} {fault}; it must be 'user' or 'assistant'."
    text = first["msg"].removeprefix("Value error, ")
    if len(place) == 2 and place[0] == "messages":
        return f"message {place[1]} {text}."
    return f"{'.'.join(map(str, place))}: {text}." if place else f"{text}."
