"""What a person who guesses is shown, in which order, and how guesses are kept and imported."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.dataset import Sample

from thoughttrace.cli.people.lines import LineError, import_lines, require_fields, time_of
from thoughttrace.cli.people.page import Content, Part, Place, Questions, Role, State
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import CONTEXTS, InferenceMetadata, place_of
from thoughttrace.datasets.answers import check_system, guessed_by
from thoughttrace.datasets.prompt import split_at

_OPENING = b'{"id": "'
"""How every line that is written begins."""

_MARKED = re.compile(r"\[[0-9a-f]{8} (m\d+) [a-z]+\]")
"""How a question names a message, such as `[1a2b3c4d m05 user]`."""

_SPEAKERS = {"user": "the person", "assistant": "the assistant"}

_LONGEST = 2_000
"""Characters of a guess; it is asked for in one sentence."""


class GuessQuestions(Questions):
    """Notes that people guess in a browser.

    Args:
        samples: Of tasks that infer, in reading order.
        file: To which each guess is appended.
    """

    title = "What were they thinking?"
    introduction = (
        "People chatted with an assistant and privately noted what they were thinking. You are asked to guess some of "
        "these notes."
    )
    stored = (
        "the sentences you write, for which message and with how much of the conversation shown, which messages you "
        "were shown"
    )
    afterwards = (
        "Later your sentences are sent to judge models, which rate how near they come to the notes, and a report may "
        "quote them under that name."
    )
    verb = "guessed"
    answer_field = "text"
    person_field = "person"
    imported_by = "thoughttrace guess DATA --import FILE"

    def __init__(self, samples: Sequence[Sample], file: Path) -> None:
        self.samples, self.file = samples, file
        self.numbers = {str(sample.id): number for number, sample in enumerate(samples)}
        said = instructions(samples[0]) if samples else ""
        self.help = {"reason": said, "reaction": said}
        self.scale = {"reason": (), "reaction": ()}
        places = [place_of(str(sample.id)) for sample in samples]
        found = dict.fromkeys(place.conversation for place in places)
        self._conversations = {conversation: number for number, conversation in enumerate(found)}
        self.places = [
            Place(conversation=self._conversations[place.conversation], index=place.message_index) for place in places
        ]

    def content(self, number: int) -> Content:
        """Return what a model is shown, and nothing else of the sample."""
        sample = self.samples[number]
        return Content(kind=sample.metadata_as(InferenceMetadata).kind, parts=list(roles_of(sample)))

    def record(self, number: int) -> dict[str, Any]:
        """Return id and context."""
        sample = self.samples[number]
        return {"id": str(sample.id), "context": sample.metadata_as(InferenceMetadata).context}

    def state(self, name: str) -> State:
        """Read from the file how far a person has come."""
        check_system("name", name)
        before = [sample for sample, _ in guesses_of(self.file, name)]
        return State(
            answered=[self.numbers[sample] for sample in before if sample in self.numbers],
            read_to={
                self._conversations[conversation]: index
                for conversation, index in read_to(self.samples, {*before, *shown_to(self.file, name)}).items()
                if conversation in self._conversations
            },
        )

    def mark_shown(self, name: str, number: int) -> None:
        """Keep that a person is shown a message, and so what comes before it."""
        check_system("name", name)
        mark_shown(self.file, str(self.samples[number].id), name)

    def save(self, name: str, number: int, answer: object) -> None:
        """Append a guess, unless there is one of this person, or of a later message."""
        text = " ".join(answer.split()) if isinstance(answer, str) else ""
        if not text:
            raise UserError("Nothing was written: write a sentence, or skip.")
        if len(text) > _LONGEST:
            raise UserError(f"A guess is one sentence, at most {_LONGEST:,} characters (it has {len(text):,}).")
        state, place = self.state(name), self.places[number]
        if number in state["answered"] or place["index"] < state["read_to"].get(place["conversation"], 0):
            raise UserError(
                "Your guess at this message is stored, or you were shown a later one. Load this page again."
            )
        append_guess(self.file, self.samples[number], text, name)


def in_reading_order(samples: Sequence[Sample]) -> list[Sample]:
    """Order samples so that nobody is asked about a message after having read what follows it.

    Args:
        samples: Of one kind or both; the order of conversations is kept.
    """
    rank: dict[str, int] = {}
    places = [place_of(str(sample.id)) for sample in samples]
    for place in places:
        rank.setdefault(place.conversation, len(rank))
    ordered = sorted(zip(places, samples, strict=True), key=lambda one: (rank[one[0].conversation], one[0][1]))
    return [sample for _, sample in ordered]


def one_of_each_conversation(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Keep one sample of each conversation, drawn by the seed: a person remembers the others, and a model does not.

    Args:
        samples: Of one kind or both.
        seed: Of the draw.
    """
    chosen: dict[str, tuple[str, Sample]] = {}
    for sample in samples:
        lot = hashlib.sha256(f"{seed}:{sample.id}".encode()).hexdigest(), sample
        conversation = place_of(str(sample.id)).conversation
        chosen[conversation] = min(lot, chosen.get(conversation, lot), key=lambda one: one[0])
    return [sample for _, sample in chosen.values()]


def read_to(samples: Sequence[Sample], seen: Collection[str]) -> dict[str, int]:
    """Return for each conversation the first message about which a person can still be asked.

    It is the last that the person was shown: an earlier one would be asked about after what follows it. Where a model
    is shown one message only, it comes after all of the conversation once the person was shown another of it.

    Args:
        samples: What is asked.
        seen: The ids of what the person has guessed or was shown.
    """
    first: dict[str, int] = {}
    of_conversation: dict[str, set[str]] = {}
    for sample in seen:
        place = place_of(sample)
        first[place.conversation] = max(place.message_index, first.get(place.conversation, 0))
        of_conversation.setdefault(place.conversation, set()).add(sample)
    for each in samples:
        place = place_of(str(each.id))
        others = of_conversation.get(place.conversation, set()) - {str(each.id)}
        if others and each.metadata_as(InferenceMetadata).context == "message":
            first[place.conversation] = max(place.message_index + 1, first[place.conversation])
    return first


def guesses_of(file: Path, name: str) -> list[tuple[str, str | None]]:
    """Return ids and contexts of what a person has guessed; nothing where there is no file yet."""
    return guessed_by(file, name) if file.exists() else []


def _beside(file: Path) -> Path:
    """Return where is kept what people were shown: beside their guesses, whose checksum is part of a measurement."""
    return file.with_name(f"{file.stem}.shown.jsonl")


def shown_to(file: Path, name: str) -> set[str]:
    """Return the ids of the samples that a person was shown.

    Args:
        file: The file with guesses.
        name: The person's.

    Raises:
        UserError: What people were shown is there, and cannot be read.
    """
    path, shown = _beside(file), set()
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from error
    for line in lines:
        with contextlib.suppress(
            ValueError, KeyError, TypeError
        ):  # a line that was cut off when the command was killed
            record = json.loads(line)
            if record["person"] == name and place_of(record["id"]):
                shown.add(record["id"])
    return shown


def mark_shown(file: Path, sample: str, name: str) -> None:
    """Keep that a person is shown a sample, unless that is known already.

    Args:
        file: The file with guesses.
        sample: The sample's id.
        name: The person's.

    Raises:
        UserError: It cannot be written.
    """
    if sample not in shown_to(file, name):
        append_lines(_beside(file), [{"id": sample, "person": name}])


def shown_parts(sample: Sample) -> Iterator[tuple[str, str]]:
    """Yield heading and text of each part of what a model is shown, the question last, under no heading.

    Args:
        sample: A sample of a task that infers.
    """
    prompt = sample.input[-1].text if not isinstance(sample.input, str) else sample.input
    *blocks, asked = split_at(prompt, sample.metadata_as(InferenceMetadata).block_ends)
    for block in blocks:
        header, _, text = block.partition("\n")
        _, _, label = header.strip("[]").partition(" ")
        number, _, role = label.partition(" ")
        yield f"{number}, {_SPEAKERS[role]}" if role in _SPEAKERS else label, text.strip()
    yield "", _MARKED.sub(r"\1", asked.partition("\n\n")[2])


def roles_of(sample: Sample) -> Iterator[Part]:
    """Yield the parts of what a model is shown, each with what it is to the question.

    Args:
        sample: A sample of a task that infers.
    """
    about = f"m{sample.metadata_as(InferenceMetadata).message_index:02},"
    for heading, text in shown_parts(sample):
        role: Role = "question" if not heading else "about" if heading.startswith(about) else "context"
        yield Part(heading=heading, text=text, role=role)


def instructions(sample: Sample) -> str:
    """Return what a model is told, without the paragraph on marked lines, which people are not shown."""
    paragraphs = "" if isinstance(sample.input, str) else sample.input[0].text
    *first, _, last = paragraphs.split("\n\n")
    return "\n\n".join([*first, last])


def append_guess(file: Path, sample: Sample, text: str, name: str) -> None:
    """Append a guess, so that it is on the disk when this returns."""
    line = {
        "id": sample.id,
        "text": text,
        "person": name,
        "context": sample.metadata_as(InferenceMetadata).context,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    append_lines(file, [line])


def append_lines(file: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Append lines, so that they are on the disk when this returns.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # For its owner alone: it holds people's names.
        with open(file, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
            opened.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror}). Choose another file with -o.") from error


def end_last_line(file: Path) -> None:
    """End the last line of guesses and of what was shown, or remove one that was being written at a kill."""
    for each in (file, _beside(file)):
        if each.exists():
            _end_last_line(each)


def _end_last_line(file: Path) -> None:
    raw = file.read_bytes()
    last = raw.rpartition(b"\n")[2]
    if last.startswith(_OPENING) and not last.endswith(b"}"):
        os.truncate(file, len(raw) - len(last))
    elif last:
        with file.open("ab") as opened:
            opened.write(b"\n")


def import_guesses(imported: Path, samples: Sequence[Sample], file: Path) -> int:
    """Append guesses that were made on a page of their own, each checked against the data.

    Args:
        imported: What people downloaded there: lines with id, text, person, context and time.
        samples: What can be guessed, of both kinds.
        file: The file with guesses.

    Returns:
        How many guesses were imported.

    Raises:
        UserError: A file cannot be read or written, or lines are wrong; the message names each line and its fault.
    """
    known = {str(sample.id) for sample in samples}
    first: dict[tuple[str, str], int] = {}
    before = cache(lambda person: {one for one, _ in guesses_of(file, person)})

    def read(number: int, line: Mapping[str, Any]) -> dict[str, str]:
        require_fields(line, ("id", "text", "person", "context"))
        sample, text, person, context = (
            " ".join(str(line[name]).split()) for name in ("id", "text", "person", "context")
        )
        try:
            check_system("person", person)
        except UserError as error:
            raise LineError(str(error).rstrip(".")) from error
        if sample not in known:
            raise LineError(f"the data hold no annotated message {sample!r}")
        if context not in CONTEXTS:
            raise LineError(f"the context {context!r} is not {', '.join(CONTEXTS)}")
        if sample in before(person):
            raise LineError(f"{person} has already guessed {sample} (in {file})")
        if (other := first.setdefault((person, sample), number)) != number:
            raise LineError(f"{person} has already guessed {sample} (line {other})")
        return {"id": sample, "text": text, "person": person, "context": context, "time": time_of(line)}

    lines = import_lines(imported, read)
    append_lines(file, lines)
    return len(lines)
