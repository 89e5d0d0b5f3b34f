"""Read conversations from files: tolerant of what the release contains, strict about what cannot be meant."""

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.files import parse_json, records, unpack

_MOST_SKIPPED = 10_000
"""Bad lines after which a file is none of conversations: naming all of them could fill the memory."""

_SHOWN = 5


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
    """Read conversations: from JSON Lines, a JSON array, or Parquet with the release's columns.

    Args:
        path: A file (JSON also as .gz), a folder of files of one form, or `-` for standard input.
        skip_bad: Leave out a line that cannot be used and name it in `Loaded.skipped`, instead of stopping.

    Returns:
        The conversations in the order of the file(s), and what was skipped.

    Raises:
        UserError: Nothing is at `path`, or a line cannot be used (with its file, line, and id).
    """
    loaded = Loaded()
    seen: dict[str, str] = {}
    for place, record in records(path):
        try:
            conversation = _parse(record, place)
            if conversation.id in seen:
                raise UserError(
                    f"{place}: duplicate conversation id '{conversation.id}' (first at {seen[conversation.id]}); "
                    "ids must be unique."
                )
        except UserError as error:
            if not skip_bad:
                raise
            loaded.skipped.append(str(error))
            if len(loaded.skipped) > _MOST_SKIPPED:
                raise UserError(
                    f"{path}: more than {_MOST_SKIPPED:,} lines cannot be used, too many to skip; the first: "
                    f"{loaded.skipped[0]}"
                ) from error
            continue
        seen[conversation.id] = place
        loaded.conversations.append(conversation)
    if not loaded.conversations:
        if loaded.skipped:
            raise UserError(
                f"{path}: no conversations in it; all {len(loaded.skipped):,} lines were skipped: "
                f"{' '.join(first_few(loaded.skipped))}"
            )
        raise UserError(f"{path}: no conversations in it; write one JSON object per line.")
    return loaded


def first_few(skipped: Sequence[str]) -> list[str]:
    """Return the sentences on the first few lines that were skipped, and one on how many more there are."""
    more = len(skipped) - _SHOWN
    return [*skipped[:_SHOWN], *([f"And {more:,} more."] if more > 0 else [])]


def _parse(record: Any, place: str) -> Conversation:
    """Check a record: the bytes of a line, or what they or a row were parsed to."""
    try:
        return Conversation.model_validate_json(record) if isinstance(record, bytes) else _unpacked(record)
    except ValidationError as error:
        fault = error
    if isinstance(record, bytes):
        # Only then: parsing to Python objects first takes twice as long.
        try:
            return _unpacked(parse_json(record))
        except ValidationError as error:
            fault = error
        except ValueError:
            pass  # no JSON, as `fault` says
    raise UserError(f"{place}{_id_in(record)}: {_fault(fault)}") from fault


def _unpacked(record: Any) -> Conversation:
    return Conversation.model_validate(unpack(record))


_ID = re.compile(rb'"id"\s*:\s*"([^"]*)"')


def _id_in(record: Any) -> str:
    """Return the conversation's id in brackets, where the bad record still shows it."""
    if isinstance(record, bytes):
        before, _, _ = record.partition(b'"messages"')
        # A message has an id too, but the conversation's comes first.
        found = _ID.search(before)
        return f" ({found[1].decode('utf-8', 'replace')})" if found else ""
    name = record.get("id") if isinstance(record, dict) else None
    return f" ({name})" if isinstance(name, str) else ""


def _fault(error: ValidationError) -> str:
    """Describe the first thing that is wrong with a record in one sentence."""
    errors = error.errors(include_url=False)
    # Without an id or a user nothing else matters, and without an id there is no user.
    no_id = next((fault for fault in errors if fault["loc"] == ("id",)), None)
    no_user = next((fault for fault in errors if fault["loc"] == ("user",) and fault["type"] == "value_error"), None)
    first = no_id or no_user or errors[0]
    place, kind = first["loc"] if first is not no_user else (), first["type"]
    text = first["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, place)) + ": " if place else ""
    if len(place) == 2 and place[0] == "messages":
        where = f"message {place[1]} "
    if kind == "json_invalid":
        text = _json_fault(str(first["ctx"]["error"]))
    elif kind == "model_type":
        text = f"{where}is no JSON object; write one JSON object per line"
    elif place == ("id",) and kind != "missing" and isinstance(first["input"], dict):
        text = (
            "is a table written column by column; write one JSON object per line, in pandas with "
            "to_json('data.jsonl', orient='records', lines=True)"
        )
    elif place == ("id",) and kind != "value_error":
        text = "has no id; every conversation needs one, such as 'user1_task1_conversation1'"
    elif place == ("messages",) and kind in {"too_short", "missing"}:
        text = "has no messages; a conversation needs at least one"
    elif len(place) >= 3 and place[0] == "messages" and place[2] == "type":
        fault = "has no 'type'" if kind == "missing" else f"has the role {first['input']!r}"
        text = f"message {place[1]} {fault}; it must be 'user' or 'assistant'"
    else:
        text = where + text
    return f"{text}."


def _json_fault(reason: str) -> str:
    if "unicode" in reason:
        return "is not valid UTF-8; save the file as UTF-8"
    return f"is not valid JSON ({reason}); write one complete JSON object per line"
