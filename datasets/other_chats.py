"""Read conversations of other datasets, for comparison; only who wrote how much is kept.

The published schemas that are known: WildChat and WildChat-1M (`conversation`, `conversation_hash` or
`conversation_id`, `hashed_ip` of the conversation or of its messages), LMSYS-Chat-1M (`conversation`,
`conversation_id`), and ours (`messages`, `id`, a message's role in `type`). Each as JSONL, also .gz, or Parquet.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.load import lines

_MESSAGES = {"conversation", "messages"}
_CONVERSATION_KEYS = {"conversation_hash", "conversation_id", "hashed_ip", "id", "user"}
_MESSAGE_KEYS = {"role", "type", "content", "hashed_ip"}
_ROWS = 2_000
"""Rows of a Parquet file that are in memory at once."""


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
        path: A `.jsonl`, `.jsonl.gz` or `.parquet` file, or a folder of them.
        skipped: If given, a sentence for each record that cannot be used is appended, instead of stopping.

    Raises:
        UserError: Nothing is at `path`, it cannot be read, or a record has none of the known schemas (with file and
            line).
    """
    shards = sorted(path.glob("*.parquet")) if path.is_dir() else [path] if path.suffix == ".parquet" else []
    records = (record for file in shards for record in _rows(file)) if shards else _objects(path, skipped)
    for place, record in records:
        try:
            yield _chat(record, place)
        except UserError as error:
            if skipped is None:
                raise
            skipped.append(str(error))


def _objects(path: Path, skipped: list[str] | None) -> Iterator[tuple[str, Any]]:
    for place, line in lines(path):
        try:
            yield place, json.loads(line)
        except ValueError as error:
            sentence = f"{place}: is not valid JSON ({error}); write one complete JSON object per line."
            if skipped is None:
                raise UserError(sentence) from error
            skipped.append(sentence)


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a Parquet file, with only the columns that are needed."""
    try:
        with pq.ParquetFile(file) as parquet:
            paths = [parquet.schema.column(number).path for number in range(len(parquet.schema))]
            number = 0
            for batch in parquet.iter_batches(batch_size=_ROWS, columns=[path for path in paths if _needed(path)]):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file.name}, row {number}", row
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file.name}: cannot be read as Parquet ({error}).") from error


def _needed(path: str) -> bool:
    """Return whether a leaf column, such as `conversation.list.element.content`, is read."""
    first, _, rest = path.partition(".")
    in_message = first in _MESSAGES and rest.count(".") == 2 and rest.rpartition(".")[2] in _MESSAGE_KEYS
    return path in _CONVERSATION_KEYS or in_message


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
