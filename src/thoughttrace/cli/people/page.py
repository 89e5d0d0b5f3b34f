"""The page that asks people in a browser: one page for guesses and for ratings, served or as a file of its own."""

import base64
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypedDict

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from thoughttrace.core.cache_dir import write_whole
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind

_HERE = Path(__file__).resolve().parent
_SCRIPT = (_HERE / "page.js").read_text(encoding="utf-8")
_STYLE = (_HERE / "page.css").read_text(encoding="utf-8")


Role = Literal["context", "about", "note", "inference", "question"]
"""What a text is to a question: `about` is the message that it is about, `question` what is asked."""


class Part(TypedDict):
    """A text that is shown, under a heading."""

    heading: str
    text: str
    role: Role


class Content(TypedDict):
    """What a question shows."""

    kind: Kind
    parts: list[Part]


class Place(TypedDict, total=False):
    """Where a question stands among the others; it tells nothing of what the question shows."""

    conversation: int
    index: int
    """Of the message in its conversation: no question comes after one of a later message, which shows what follows."""
    round: int
    """Without a conversation: those of the first round come first, each round in an order of the person's own."""


class State(TypedDict):
    """How far a person has come: places in the list of questions."""

    answered: list[int]
    read_to: dict[int, int]
    """By conversation: the first message about which the person can still be asked; missing for all."""


class Questions(ABC):
    """What a page asks, and how an answer is kept."""

    title: ClassVar[str]
    introduction: ClassVar[str]
    stored: ClassVar[str]
    """What is stored of a person beside the name, as the consent text says it."""
    afterwards: ClassVar[str]
    """What becomes of it, in a sentence or two."""
    verb: ClassVar[Literal["guessed", "rated"]]
    answer_field: ClassVar[str]
    """Of an answer as a line of JSON; so is `person_field`, the name."""
    person_field: ClassVar[str]
    imported_by: ClassVar[str]
    """The command that imports such lines; without the paths it is given, which can name a model or a person."""
    help: dict[Kind, str]
    scale: dict[Kind, Sequence[str]]
    """A line for each rating, from 1; empty where a sentence is written."""
    places: Sequence[Place]

    @abstractmethod
    def content(self, number: int) -> Content | None:
        """Return what a question shows; None where it cannot be read."""

    @abstractmethod
    def record(self, number: int) -> dict[str, Any]:
        """Return what a line of JSON says beside the answer, the person and the time."""

    @abstractmethod
    def state(self, name: str) -> State:
        """Say how far a person has come.

        Raises:
            UserError: The name cannot be used.
        """

    def mark_shown(self, name: str, number: int) -> None:  # noqa: B027 - most need not know
        """Keep that a person is shown a question, where it decides what can be asked later.

        Raises:
            UserError: The name cannot be used, or it cannot be written.
        """

    @abstractmethod
    def save(self, name: str, number: int, answer: object) -> None:
        """Keep an answer, so that it is on the disk when this returns.

        Raises:
            UserError: It is no answer to this question, or cannot be written.
        """


def consent(questions: type[Questions], where: str, name: str | None) -> list[str]:
    """Return the paragraphs that a person agrees to before the first question.

    Args:
        questions: What will be asked.
        where: Where the answers are stored: `in guesses.jsonl`.
        name: The name that was given; None where the person chooses one.
    """
    named = f"the name you gave ({name})" if name else "the name you choose, such as a pseudonym"
    return [
        questions.introduction,
        f"What is stored, {where}: {named}, {questions.stored}, and when. Nothing else about you. "
        f"{questions.afterwards} You can stop at any time.",
    ]


def served_page(questions: Questions, where: str, name: str | None) -> tuple[str, str]:
    """Write the page that asks the server it came from.

    Args:
        questions: What is asked.
        where: As for `consent`.
        name: As for `consent`.

    Returns:
        The page, and its content security policy.
    """
    data = _data(questions, where, name) | {"served": True, "where": where}
    return _page(questions.title, data, "connect-src 'self'; ")


def write_page(questions: Questions, file: Path, name: str | None, track: Iterable[int]) -> int:
    """Write a page that needs no server: with all questions inside, it keeps the answers until they are downloaded.

    Args:
        questions: What is asked.
        file: Replaced if it exists.
        name: As for `consent`.
        track: The numbers of the questions, as progress over them is shown.

    Returns:
        How many questions it asks: those that can be read.

    Raises:
        UserError: The file cannot be written, or is not named as a page.
    """
    if file.suffix.lower() != ".html":
        # Another ending may be a slip, and the file somebody's answers.
        raise UserError(f"--page {file}: name a file that ends in .html.")
    texts: dict[str, int] = {}
    shown, places = [], []
    for number in track:
        if content := questions.content(number):
            # Most of a prompt is in those of the same conversation too.
            parts = [{**part, "text": texts.setdefault(part["text"], len(texts))} for part in content["parts"]]
            shown.append({"kind": content["kind"], "parts": parts, "record": questions.record(number)})
            places.append(questions.places[number])
    where = "in this browser, and nowhere else until you download it and hand it over"
    data = _data(questions, where, name) | {
        "served": False, "places": places, "shown": shown, "texts": [*texts],
        "key": hashlib.sha256(json.dumps([shown, [*texts]]).encode()).hexdigest()[:16],
    }  # fmt: skip
    page, _ = _page(questions.title, data, "")
    try:
        with write_whole(file) as unfinished:
            unfinished.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--page {file}: cannot be written ({error.strerror or error}).") from error
    return len(shown)


def _data(questions: Questions, where: str, name: str | None) -> dict[str, Any]:
    """Return what both pages know: nothing of any question's texts."""
    return {
        "name": name or "",
        "consent": consent(type(questions), where, name),
        "verb": questions.verb,
        "fields": {"answer": questions.answer_field, "person": questions.person_field},
        "importedBy": questions.imported_by,
        "help": questions.help,
        "scale": questions.scale,
        "places": list(questions.places),
        "key": hashlib.sha256(json.dumps([questions.title, *questions.places]).encode()).hexdigest()[:16],
    }


def _page(title: str, data: dict[str, Any], may: str) -> tuple[str, str]:
    """Fill the template in; return it with its policy: run our script and no other, whatever a conversation holds."""
    policy = (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; img-src data:; {may}"
        "base-uri 'none'; form-action 'none'"
    )
    # In plain ASCII, so that half a surrogate pair stays what it is; without <, so that no text ends the element.
    inside = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("page.html").render(
        title=title, policy=policy, style=Markup(_STYLE), script=Markup(_SCRIPT), data=Markup(inside)
    )
    return page, policy


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
