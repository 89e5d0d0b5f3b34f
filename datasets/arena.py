"""Read prompts and answers in the form in which Arena-Hard-Auto publishes them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import SAMPLE
from thoughttrace.datasets.files import parse_json, records
from thoughttrace.datasets.sources import from_where_started

BUNDLED = Path(__file__).resolve().parent / "arena_prompts.jsonl"
"""Prompts of everyday assistance, invented for this project."""

_ANSWER = "uid, model and messages (the prompt, then the answer), as Arena-Hard-Auto's model_answer/MODEL.jsonl"

_Text = Annotated[str, Field(min_length=1)]


class Record(BaseModel):
    """A line of a file of Arena-Hard-Auto."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    uid: _Text


class Question(Record):
    """A prompt, as a line of Arena-Hard-Auto's `question.jsonl` holds it."""

    category: str | None = None
    subcategory: str | None = None
    prompt: _Text


class Content(BaseModel):
    """What a message of an answer says: its text, under `answer`."""

    answer: str


class Message(BaseModel):
    """A message of an answer; that of the assistant has its text under `answer`."""

    role: str
    content: Content | str

    @property
    def text(self) -> str:
        """What it says."""
        return self.content if isinstance(self.content, str) else self.content.answer


class Answer(Record):
    """An answer, as a line of Arena-Hard-Auto's `model_answer/MODEL.jsonl` holds it."""

    model: _Text
    messages: Annotated[list[Message], Field(min_length=2)]
    """The prompt, and the answer last."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """`token_len`, and by kind of Markdown (`header_count`, `list_count`, `bold_count`) how often each form occurs."""


Line = TypeVar("Line", bound=Record)


@dataclass(frozen=True)
class Prompts:
    """Prompts and where they are from."""

    questions: list[Question]
    name: str
    """`sample`, or the file's name."""
    revision: str
    """`sha256:` and the first 12 digits of the checksum of ids and prompts."""


@dataclass(frozen=True)
class Baseline:
    """The answers of one model that others are compared with."""

    model: str
    texts: Mapping[str, str]
    """By the id of the prompt; empty for one that says nothing."""
    asked: Mapping[str, str]
    """The prompts that it was asked, by their ids; it may have been unable to answer some, as for lack of tokens."""

    @property
    def checksum(self) -> str:
        """`sha256:` and the first 12 digits of the checksum of ids and texts, in whatever form they were given."""
        return _checksum(part for uid in sorted(self.texts) for part in (uid, self.texts[uid]))


def read_prompts(prompts: str, categories: Sequence[str] | None = None) -> Prompts:
    """Read prompts.

    Args:
        prompts: `sample` for the bundled ones, or the path of a file, relative to the folder the command was started
            in.
        categories: Only prompts of these categories; None for all.

    Raises:
        UserError: The file cannot be read, a line is no prompt, an id is there twice, or no prompt is of a category.
    """
    file = BUNDLED if prompts == SAMPLE else from_where_started(prompts)
    where = f"prompts={prompts}"
    questions = list(read_lines(file, where, Question, "uid and prompt, as Arena-Hard-Auto's question.jsonl").values())
    known = dict.fromkeys(question.category for question in questions)
    for category in categories or ():
        if category not in known:
            raise UserError(
                f"categories={category}: no prompt is of it; choose from {', '.join(filter(None, known)) or 'none'}."
            )
    kept = [question for question in questions if categories is None or question.category in categories]
    revision = _checksum(part for question in kept for part in (question.uid, question.prompt))
    return Prompts(kept, SAMPLE if prompts == SAMPLE else file.name, revision)


def read_answers(file: Path, where: str) -> Baseline:
    """Read the answers of one model from a file in Arena-Hard-Auto's form.

    Args:
        file: The file.
        where: What a message about it begins with.

    Raises:
        UserError: The file cannot be read, a line is no answer, or it holds answers of several models.
    """
    answers = read_lines(file, where, Answer, _ANSWER)
    models = sorted({answer.model for answer in answers.values()})
    if len(models) > 1:
        raise UserError(f"{where}: holds answers of several models ({', '.join(models)}); give a file of one of them.")
    return Baseline(
        models[0],
        {uid: answer.messages[-1].text.strip() for uid, answer in answers.items()},
        {uid: answer.messages[-2].text for uid, answer in answers.items()},
    )


def read_lines(file: Path, where: str, form: type[Line], needed: str) -> dict[str, Line]:
    """Read the records of a file, by their `uid`.

    Args:
        file: The file: JSON Lines, a JSON array or Parquet.
        where: What a message about it begins with.
        form: What each record is.
        needed: The fields that it must have, for a message.

    Raises:
        UserError: The file cannot be read, holds nothing, a record has another form, or an id is there twice.
    """
    if not file.is_file():
        raise UserError(f"{where}: no such file; give one of JSON Lines with {needed}.")
    read: dict[str, Line] = {}
    for place, raw in records(file):
        try:
            line = form.model_validate(parse_json(raw) if isinstance(raw, bytes) else raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            fault = ".".join(map(str, first["loc"])) or "the record"
            raise UserError(f"{where}: {place}: {fault}: {first['msg']}. A line needs {needed}.") from error
        except ValueError as error:
            raise UserError(f"{where}: {place}: is not valid JSON ({error}). A line needs {needed}.") from error
        if line.uid in read:
            raise UserError(f"{where}: {place}: duplicate uid {line.uid}; each may be there once.")
        read[line.uid] = line
    if not read:
        raise UserError(f"{where}: holds nothing; a line needs {needed}.")
    return read


def _checksum(parts: Any) -> str:
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass"))
    return f"sha256:{digest.hexdigest()[:12]}"
