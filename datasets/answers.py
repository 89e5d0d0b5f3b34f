"""Read answers made elsewhere, by a system that is no Inspect model or by a person, and match them to samples."""

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import KINDS, Context, Kind, message_id, place_of
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.files import parse_json, records
from thoughttrace.datasets.sources import from_where_started

NO_MODEL = "none/none"
"""Inspect's name for no model, which answers made elsewhere are run with."""

_SHOWN = 5

_MESSAGE_IDS: dict[str, Kind] = {"assistant_message_id": "reaction", "next_user_message_id": "reason"}
"""What a prediction's metadata call a message, and the kind of thought that can be on it."""

_WRITE = "write lines with the fields id and text"

_GUESSED = ("person", "context", "time")
"""What `thoughttrace guess` writes beside them: where one is missing, the others are a user's own and mean nothing."""


@dataclass(frozen=True)
class Answers:
    """The answers of one system."""

    texts: dict[str, str]
    """By the id of the sample; empty for an answer that says nothing."""
    file: str
    """The file's name, never its path, and its checksum: `mine.jsonl (sha256 0123456789ab)`."""
    person: bool
    """Whether a person gave all of them, as `thoughttrace guess` wrote down."""


@dataclass(frozen=True)
class _Line:
    place: str
    """`mine.jsonl, line 3`."""
    id: str
    text: str
    person: str | None
    """Who wrote it, where `thoughttrace guess` wrote the line."""
    context: str | None
    """In which it was guessed, likewise."""


def read_answers(path: str, system: str, context: Context, conversations: Sequence[Conversation]) -> Answers:
    """Read a file of answers.

    Each record has the `id` of a sample, such as `user1_task1_conversation1/m03/reaction`, and a `text`; or it is a
    prediction with `prediction`, `reference` and `metadata` (`conversation_id`, `assistant_message_id`,
    `next_user_message_id`). Guesses in other contexts, and where persons guessed all that is not of `system`, are
    passed over.

    Args:
        path: A file in JSON Lines, a JSON array, CSV or Parquet, relative to the folder the command was started in.
        system: The name of what gave the answers.
        context: How much of the conversation the answers shall be of.
        conversations: All of the data: answers to messages that a run leaves out are not unknown.

    Raises:
        UserError: The file cannot be read, a record is no answer, or an id is unknown or there twice.
    """
    where, file = f"answers={path}", from_where_started(path)
    if not file.is_file():
        raise UserError(f"{where}: no such file. Give a JSONL, JSON, CSV or Parquet file with the fields id and text.")
    try:
        checksum = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror}).") from error
    by_id = {conversation.id: conversation for conversation in conversations}
    lines = [_line(place, record, by_id) for place, record in _records(file)]
    if not lines:
        raise UserError(f"{where}: holds no answers; {_WRITE}.")
    lines = _of_system(where, lines, system)
    contexts = sorted({line.context for line in lines if line.context})
    lines = [line for line in lines if line.context in (None, context)]
    if not lines:
        raise UserError(
            f"{where}: its answers are of context {listed(contexts)}, and this run has "
            f"context={context}; pass -T context= as they were made."
        )
    _check_ids(where, lines, conversations)
    return Answers(
        {line.id: line.text for line in lines},
        f"{file.name} (sha256 {checksum})",
        all(line.person for line in lines),
    )


def guessed_by(file: Path, person: str) -> list[tuple[str, str | None]]:
    """Return the ids of what a person has guessed, each with the context that was shown.

    Args:
        file: A file that `thoughttrace guess` writes.
        person: The person's name.

    Raises:
        UserError: The file cannot be read, or a record is no answer to a message.
    """
    guessed = []
    for line in (_line(place, record, {}) for place, record in _records(file)):
        if line.person == person:
            try:
                place_of(line.id)
            except ValueError as error:
                raise UserError(f"{line.place}: {error}; correct its id, or remove the line.") from error
            guessed.append((line.id, line.context))
    return guessed


def check_system(parameter: str, name: str) -> None:
    """Check the name of what gives answers: reports show it, and it must not be taken for a control.

    Args:
        parameter: The parameter that gives it, as the user types it.
        name: The name.

    Raises:
        UserError: It cannot be used.
    """
    if not name.strip() or name == NO_MODEL or name.startswith("control ") or not name.isprintable():
        raise UserError(f"{parameter}={name}: is no name of what gives answers; choose one that reports can show.")


def equals_a_note(text: str, notes: Sequence[str]) -> bool:
    """Whether a text is one of some notes, word for word; spaces and line breaks do not count.

    Args:
        text: An answer.
        notes: The notes on its message.
    """
    return text.split() in [note.split() for note in notes]


def _records(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the place and the parsed record of each line, item or row."""
    if file.suffix.lower() != ".csv":
        for place, record in records(file):
            try:
                yield place, parse_json(record) if isinstance(record, bytes) else record
            except ValueError as error:
                raise UserError(f"{place}: is not valid JSON ({error}); {_WRITE}.") from error
        return
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            for row in reader:
                yield f"{file.name}, line {reader.line_num}", row
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file.name}: cannot be read as CSV ({error}); save it as UTF-8.") from error


def _line(place: str, record: Any, by_id: Mapping[str, Conversation]) -> _Line:
    if not isinstance(record, dict):
        raise UserError(f"{place}: is no JSON object; {_WRITE}.")
    if "prediction" in record and "id" not in record:
        text, sample = record["prediction"], _predicted(place, record, by_id)
    elif missing := [name for name in ("id", "text") if name not in record]:
        raise UserError(f"{place}: has no field {' and '.join(missing)}; {_WRITE}, or prediction and metadata.")
    else:
        text, sample = record["text"], record["id"]
    if not isinstance(sample, str) or not sample.strip():
        raise UserError(f"{place}: its id is no text; ids are like user1_task1_conversation1/m03/reaction.")
    if not isinstance(text, str):
        # Whether nothing was said, or nothing was asked, would be a guess.
        nothing = text is None or (isinstance(text, float) and math.isnan(text))
        raise UserError(
            f"{place}: its answer is {'null' if nothing else 'no text'}; write an empty text for an answer that says "
            "nothing, and leave out what was not answered."
        )
    guessed = all(record.get(name) for name in _GUESSED)
    person, context = (str(record[name]) if guessed else None for name in ("person", "context"))
    return _Line(place, sample.strip(), text, person, context)


def _predicted(place: str, record: Mapping[str, Any], by_id: Mapping[str, Conversation]) -> str:
    """Return the id of the sample that a prediction answers.

    Such files hold predicted messages too: only a reference that is a note on the message tells that this is a thought.

    Raises:
        UserError: It cannot be told.
    """
    metadata = record.get("metadata")
    given: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    conversation = by_id.get(str(given.get("conversation_id")))
    if conversation is None:
        raise UserError(
            f"{place}: its metadata name no conversation of this data (conversation_id {given.get('conversation_id')})."
        )
    reference = record.get("reference")
    if not isinstance(reference, str):
        raise UserError(f"{place}: which note it predicts cannot be told: it has no reference; {_WRITE}.")
    places = {
        message_id(conversation.id, index, kind): [thought.content for thought in message.thoughts]
        for key, kind in _MESSAGE_IDS.items()
        for index, message in conversation.annotated(kind)
        if message.id is not None and message.id == str(given.get(key))
    }
    places = {sample: notes for sample, notes in places.items() if equals_a_note(reference, notes)}
    if len(places) != 1:
        raise UserError(
            f"{place}: which note it predicts cannot be told: the ids of messages in its metadata, and its reference, "
            f"fit {len(places)} annotated messages of {conversation.id}; {_WRITE}."
        )
    return next(iter(places))


def _of_system(where: str, lines: Sequence[_Line], system: str) -> list[_Line]:
    """Keep, of a file of people's guesses, the lines of the person who is the system."""
    persons = sorted({line.person for line in lines if line.person})
    if not persons:
        return list(lines)
    if system not in persons:
        whose = "several persons; pass one of them as" if len(persons) > 1 else "one person; pass"
        raise UserError(f"{where}: holds answers of {whose} -T system=: {', '.join(persons)}.")
    return [line for line in lines if line.person == system]


def _check_ids(where: str, lines: Sequence[_Line], conversations: Sequence[Conversation]) -> None:
    """Check that each id is that of an annotated message, once.

    Raises:
        UserError: Some are not.
    """
    known = {
        message_id(conversation.id, index, kind)
        for conversation in conversations
        for kind in KINDS
        for index, _ in conversation.annotated(kind)
    }
    first: dict[str, str] = {}
    faults = {
        "ids are those of no annotated message of this data": [line for line in lines if line.id not in known],
        "ids were there before": [line for line in lines if first.setdefault(line.id, line.place) != line.place],
    }
    sentences = [
        f"{len(several):,} {fault}: {listed([f'{line.id} ({line.place})' for line in several])}."
        for fault, several in faults.items()
        if several
    ]
    if sentences:
        raise UserError(f"{where}: {' '.join(sentences)} Nothing was judged.")


def listed(names: Sequence[str]) -> str:
    """List the first few names, and how many more there are.

    Args:
        names: The names.
    """
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def check_answered(path: str, answers: Answers, planned: Sequence[str], partial: bool) -> None:
    """Check that a sample is not smaller than planned without a word: a system could choose what it answers.

    Args:
        path: The file, as the user named it.
        answers: What it holds.
        planned: The ids of the samples of the run.
        partial: Whether samples without an answer may count as missing.

    Raises:
        UserError: Samples have no answer, and none may, or none has one.
    """
    missing = [sample for sample in planned if sample not in answers.texts]
    if missing and (not partial or len(missing) == len(planned)):
        raise UserError(
            f"answers={path}: {len(missing):,} of {len(planned):,} planned samples have no answer: {listed(missing)}. "
            "Answer them, plan fewer samples (users, per_user, types, --limit), or pass -T partial_answers=true: they "
            "then count as missing in the coverage. Pass it also with --sample-id and with eval(limit=…) in Python, "
            "which do not tell here what they leave out. Nothing was judged."
        )
