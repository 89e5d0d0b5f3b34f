"""Read conversations of other datasets, for comparison; only who wrote how much is kept.

The published schemas that are known: WildChat and WildChat-1M (`conversation`, `conversation_hash` or
`conversation_id`, `hashed_ip` of the conversation or of its messages), LMSYS-Chat-1M (`conversation`,
`conversation_id`), and ours (`messages`, `id`, a message's role in `type`). Each in the forms of `datasets/files.py`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.files import records, unpack

_MESSAGES = {"conversation", "messages"}
_CONVERSATION_KEYS = {"conversation_hash", "conversation_id", "hashed_ip", "id", "user"}
_MESSAGE_KEYS = {"role", "type", "content", "hashed_ip"}


@dataclass(frozen=True)
class Chat:
    """A conversation, as far as its length is concerned."""

    user: str
    """Its user; the conversation's own id where the dataset names none."""
    messages: list[tuple[str, str]]
    """Role (`user` or `assistant`) and content, in order. Other roles are left out."""


def read_chats(path: Path, skipped: list[str] | None = None) -> Iterator[Chat]:
    """Read conversations one by one.

    Args:
        path: A file of JSON Lines or a JSON array (also .gz), a Parquet file, or a folder of files of one form.
        skipped: If given, a sentence for each record that cannot be used is appended, instead of stopping.

    Raises:
        UserError: Nothing is at `path`, it cannot be read, or a record has none of the known schemas (with file and
            line).
    """
    for place, record in records(path, _needed):
        try:
            yield _chat(unpack(_parsed(record, place)), place)
        except UserError as error:
            if skipped is None:
                raise
            skipped.append(str(error))


def _parsed(record: Any, place: str) -> Any:
    if not isinstance(record, bytes):
        return record
    try:
        # Unlike pydantic's reader it takes half a surrogate pair, which other datasets have.
        return json.loads(record)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: is not valid JSON ({error}); write one complete JSON object per line.") from error


def _needed(path: str) -> bool:
    """Return whether a leaf column, such as `conversation.list.element.content`, is read."""
    first, _, rest = path.partition(".")
    in_message = rest.count(".") == 2 and rest.rpartition(".")[2] in _MESSAGE_KEYS
    # Messages, or all of them together, may stand as JSON text.
    as_text = rest.count(".") <= 1
    return path in _CONVERSATION_KEYS or (first in _MESSAGES and (in_message or as_text))


def _chat(record: Any, place: str) -> Chat:
    rows = record.get("conversation") or record.get("messages") if isinstance(record, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(
            f"{place}: has no messages; expected a list in 'conversation' (WildChat, LMSYS-Chat-1M) or 'messages' "
            "(ThoughtTrace)."
        )
    messages = []
    for index, row in enumerate(rows):
        role, content = row.get("role") or row.get("type"), row.get("content")
        if not isinstance(role, str) or not isinstance(content, str | None):
            raise UserError(f"{place}: message {index} needs a 'role' and a 'content' that are text.")
        if role in {"user", "assistant"}:
            messages.append((role, content or ""))
    if not messages:
        raise UserError(f"{place}: no message has the role 'user' or 'assistant'.")
    user_in_id = str(record.get("id") or "").partition("_task")[0]
    users = (record.get("user"), record.get("hashed_ip"), rows[0].get("hashed_ip"), user_in_id)
    conversations = (record.get("conversation_hash"), record.get("conversation_id"), place)
    return Chat(str(next(name for name in (*users, *conversations) if name)), messages)
