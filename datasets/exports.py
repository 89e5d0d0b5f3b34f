"""Write conversations in the forms that trainers and analysts load: chat messages, flat tables, a ConvoKit corpus."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from thoughttrace.core.cache_dir import work_folder
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import KINDS, message_id, thought_id
from thoughttrace.datasets.conversation import Conversation, Message

Form = Literal["sft", "tables", "convokit"]
FORMS: tuple[Form, ...] = get_args(Form)

ShownThoughts = Literal["none", "reasons", "reactions", "both"]
SHOWN_THOUGHTS: tuple[ShownThoughts, ...] = get_args(ShownThoughts)

Stamp = Callable[[Conversation], Mapping[str, str | None]]
"""What every row about a conversation holds: `conversation`, `user`, `data`, `data_revision`, `part`."""


def export(
    output: Path, form: Form, conversations: Iterable[Conversation], stamp: Stamp, thoughts: ShownThoughts = "none"
) -> None:
    """Write conversations to a new folder, whole or not at all.

    Args:
        output: The folder; it must be absent or empty.
        form: `sft` (`sft.jsonl`), `tables` (`conversations.parquet`, `messages.parquet`, `thoughts.parquet`), or
            `convokit` (a corpus folder).
        conversations: What is written, in this order.
        stamp: What every row of a conversation holds.
        thoughts: Which thoughts stand in the chat messages of `sft`; the other forms hold all.

    Raises:
        UserError: The folder holds something, or cannot be written.
    """
    with new_folder(output) as folder:
        if form == "sft":
            _write_sft(folder, conversations, stamp, thoughts)
        elif form == "tables":
            _write_tables(folder, conversations, stamp)
        else:
            _write_convokit(folder, conversations, stamp)


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Make a new folder, whole or not at all.

    Args:
        output: The folder; it must be absent or empty.

    Yields:
        A folder to write to, which becomes `output` when the block ends without an error.

    Raises:
        UserError: The folder holds something, or cannot be written.
    """
    output = output.resolve()
    try:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise UserError(f"{output}: is there already and not an empty folder; name a new one, or empty it first.")
        output.parent.mkdir(parents=True, exist_ok=True)
        with work_folder(output.parent, f".{output.name}.") as work:
            folder = work / output.name
            folder.mkdir()
            yield folder
            # Fails where another command has written something there in the meantime.
            folder.rename(output)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror or error}).") from error


# ---- chat messages


def chat_messages(conversation: Conversation, thoughts: ShownThoughts) -> tuple[list[dict[str, str]], int]:
    """Return a conversation as chat messages, with thoughts in the user's turns, in the order a user has them.

    A turn of the user is `<reaction>…</reaction>` for each reaction to the replies before it, `<reason>…</reason>` for
    each reason of the message, a line each, and then the message. A reaction to the last reply stands in a last turn
    without a message.

    Args:
        conversation: The conversation.
        thoughts: Which are shown.

    Returns:
        Messages with `role` and `content`; and on how many replies a reaction that is shown was written after the
        user's next message, before which it stands: it may know of it.
    """
    turns: list[dict[str, str]] = []
    waiting: list[str] = []
    late = 0
    for index, message in enumerate(conversation.messages):
        if message.role == "assistant":
            turns.append({"role": "assistant", "content": message.content})
            if thoughts in {"reactions", "both"}:
                waiting += [f"<reaction>{thought.content}</reaction>" for thought in message.thoughts]
                late += bool(conversation.hindsight(index))
            continue
        reasons = message.thoughts if thoughts in {"reasons", "both"} else []
        lines = [*waiting, *(f"<reason>{thought.content}</reason>" for thought in reasons), message.content]
        turns.append({"role": "user", "content": "\n".join(lines)})
        waiting = []
    if waiting:
        turns.append({"role": "user", "content": "\n".join(waiting)})
    return turns, late


def _write_sft(folder: Path, conversations: Iterable[Conversation], stamp: Stamp, thoughts: ShownThoughts) -> None:
    with (folder / "sft.jsonl").open("w", encoding="utf-8") as file:
        for conversation in conversations:
            turns, late = chat_messages(conversation, thoughts)
            row = {
                "id": conversation.id,
                "messages": turns,
                "thoughts": thoughts,
                "late_reactions": late,
                "model": conversation.model,
                **stamp(conversation),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


# ---- tables

_TEXT, _WHOLE, _FLOAT, _TRUTH, _TIME = "string", "int64", "float64", "bool", "timestamp"
_STAMP = {"conversation": _TEXT, "user": _TEXT, "data": _TEXT, "data_revision": _TEXT, "part": _TEXT}
_ANSWERS = {"age": _WHOLE, "gender": _TEXT, "education": _TEXT, "occupation": _TEXT, "frequency": _WHOLE,
            "purposes": _TEXT}  # fmt: skip
_COLUMNS: dict[str, dict[str, str]] = {
    "conversations": {
        "id": _TEXT, "model": _TEXT, "task_summary": _TEXT, "task_expectation": _TEXT, "messages": _WHOLE,
        "reasons": _WHOLE, "reactions": _WHOLE, **_ANSWERS, **_STAMP,
    },
    "messages": {
        "id": _TEXT, "index": _WHOLE, "position": _FLOAT, "role": _TEXT, "content": _TEXT, "timestamp": _TIME,
        "thoughts": _WHOLE, "model": _TEXT, **_STAMP,
    },
    "thoughts": {
        "id": _TEXT, "sample": _TEXT, "message": _TEXT, "index": _WHOLE, "position": _FLOAT, "number": _WHOLE,
        "kind": _TEXT, "type": _TEXT, "content": _TEXT, "timestamp": _TIME, "hindsight": _TRUTH, "model": _TEXT,
        **_STAMP,
    },
}  # fmt: skip
"""The columns of each table, and their types. `sample` is the id of the thought's sample in a log of the inference
tasks, `position` 0 for the first message of a conversation and 1 for the last, `hindsight` whether the thoughts on the
message were written after the next user message."""


def _write_tables(folder: Path, conversations: Iterable[Conversation], stamp: Stamp) -> None:
    # Imported here: those who export chat messages need not wait for it.
    import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415
    import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415

    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _COLUMNS}
    for conversation in conversations:
        stamped = {"model": conversation.model, **stamp(conversation)}
        rows["conversations"].append(_conversation_row(conversation) | stamped)
        for index, message in enumerate(conversation.messages):
            place = {"index": index, "position": conversation.position(index), **stamped}
            rows["messages"].append(_message_row(conversation, index, message) | place)
            rows["thoughts"] += [row | place for row in _thought_rows(conversation, index, message)]
    types = {_TIME: pa.timestamp("us", tz="UTC")}
    for name, columns in _COLUMNS.items():
        schema = pa.schema([(column, types.get(kind, kind)) for column, kind in columns.items()])
        pq.write_table(pa.Table.from_pylist(rows[name], schema=schema), folder / f"{name}.parquet")


def _conversation_row(conversation: Conversation) -> dict[str, Any]:
    counts = {f"{kind}s": sum(len(message.thoughts) for _, message in conversation.annotated(kind)) for kind in KINDS}
    texts = {"task_summary": conversation.task_summary, "task_expectation": conversation.task_expectation}
    return {"id": conversation.id, "messages": len(conversation.messages), **texts, **counts, **_answers(conversation)}


def _answers(conversation: Conversation) -> dict[str, Any]:
    person = conversation.participant
    return person.answers if person else dict.fromkeys(_ANSWERS)


def _message_row(conversation: Conversation, index: int, message: Message) -> dict[str, Any]:
    return {
        "id": _message_name(conversation, index),
        "role": message.role,
        "content": message.content,
        "timestamp": message.timestamp,
        "thoughts": len(message.thoughts),
    }


def _thought_rows(conversation: Conversation, index: int, message: Message) -> list[dict[str, Any]]:
    return [
        {
            "id": thought_id(conversation.id, index, message.kind, number),
            "sample": message_id(conversation.id, index, message.kind),
            "message": _message_name(conversation, index),
            "number": number,
            "kind": message.kind,
            "type": thought.label,
            "content": thought.content,
            "timestamp": thought.timestamp,
            "hindsight": conversation.hindsight(index),
        }
        for number, thought in enumerate(message.thoughts, start=1)
    ]


def _message_name(conversation: Conversation, index: int) -> str:
    """Name a message: what the ids of its samples begin with."""
    return message_id(conversation.id, index, "").rstrip("/")


# ---- ConvoKit


def _write_convokit(folder: Path, conversations: Iterable[Conversation], stamp: Stamp) -> None:
    """Write a corpus as `Corpus.dump` of ConvoKit 3 to 5 does.

    An assistant's speaker is `assistant/MODEL`, so that no user has the same name.
    """
    speakers: dict[str, dict[str, Any]] = {}
    heads: dict[str, dict[str, Any]] = {}
    index: dict[str, dict[str, set[str]]] = {
        part: defaultdict(set) for part in ("utterances", "speakers", "conversations")
    }
    origin: dict[str, str | None] = {}
    # ConvoKit opens its files in the platform's encoding: JSON in ASCII is the same in all of them.
    with (folder / "utterances.jsonl").open("w", encoding="ascii") as file:
        for conversation in conversations:
            stamped = dict(stamp(conversation))
            origin = {key: stamped[key] for key in ("data", "data_revision")}
            assistant = f"assistant/{conversation.model}"
            person = {"role": "user", "part": stamped["part"], **origin, **_answers(conversation)}
            speakers.setdefault(conversation.user, person)
            speakers.setdefault(assistant, {"role": "assistant", "model": conversation.model, **origin})
            heads[conversation.id] = {
                "model": conversation.model,
                "task_summary": conversation.task_summary,
                "task_expectation": conversation.task_expectation,
                **{key: value for key, value in stamped.items() if key != "conversation"},
            }
            for number, message in enumerate(conversation.messages):
                extra = {"index": number, "role": message.role, **_thoughts_of(message), **stamped}
                _add_types(index["utterances"], extra)
                utterance: dict[str, Any] = {
                    "id": _message_name(conversation, number),
                    "conversation_id": conversation.id,
                    "text": message.content,
                    "speaker": conversation.user if message.role == "user" else assistant,
                    "meta": extra,
                    "reply-to": _message_name(conversation, number - 1) if number else None,
                    "timestamp": int(message.timestamp.timestamp()) if message.timestamp else None,
                    "vectors": [],
                }
                file.write(json.dumps(utterance) + "\n")
    for name, objects in (("speakers", speakers), ("conversations", heads)):
        for extra in objects.values():
            _add_types(index[name], extra)
        whole = {key: {"meta": extra, "vectors": []} for key, extra in objects.items()}
        (folder / f"{name}.json").write_text(json.dumps(whole), encoding="ascii")
    (folder / "corpus.json").write_text(json.dumps({"name": "thoughttrace", **origin}), encoding="ascii")
    overall = {key: [str(str)] for key in ("name", *origin)}
    nothing = [str(type(None))]
    types = {
        f"{name}-index": {key: sorted(held) or nothing for key, held in keys.items()} for name, keys in index.items()
    }
    (folder / "index.json").write_text(
        json.dumps({**types, "overall-index": overall, "version": 1, "vectors": []}), encoding="ascii"
    )


def _thoughts_of(message: Message) -> dict[str, list[dict[str, str | None]]]:
    """Return `reasons` and `reactions`, each thought with `content`, `type` and `timestamp` (ISO 8601)."""
    held = [
        {
            "content": thought.content,
            "type": thought.label,
            "timestamp": thought.timestamp.isoformat() if thought.timestamp else None,
        }
        for thought in message.thoughts
    ]
    return {"reasons": held if message.role == "user" else [], "reactions": held if message.role == "assistant" else []}


def _add_types(index: dict[str, set[str]], extra: Mapping[str, Any]) -> None:
    """Add to ConvoKit's index, without which it drops a key when it writes the corpus again."""
    for key, value in extra.items():
        kinds = index[key]  # a key whose values are all missing is listed, too
        if value is not None:
            kinds.add(str(type(value)))
