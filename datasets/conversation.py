"""Define a conversation as the ThoughtTrace release writes it, and check it."""

import math
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from thoughttrace.core.record import Kind

Role = Literal["user", "assistant"]

KIND_OF: dict[Role, Kind] = {"user": "reason", "assistant": "reaction"}
"""The kind of thought that a message of each role can carry."""

_RELEASE_ID = re.compile(r"(?P<user>.+?)_task\d+_conversation\d+")
_AGES = range(10, 111)


_LARGEST = 2**31
"""Of an age or a frequency: what is larger is a slip of the keyboard, and too large for tables."""


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, or NaN, which pandas writes for None."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text_or_empty(value: Any) -> Any:
    return "" if _is_missing(value) else value


def _text_or_unknown(value: Any) -> Any:
    return "unknown" if _is_missing(value) else value


def _list_or_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return [value]
    return [] if _is_missing(value) else value


def _name(value: Any) -> Any:
    """Read a name that is a number as text: 804, and 804.0, which pandas makes of it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return value
    return str(int(value)) if value == int(value) else str(value)


def _without_control_characters(name: str) -> str:
    """Refuse a name that cannot be the name of a file: a log keeps each sample in a file of its own."""
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise ValueError("has a control character, with which the sample would not be found in its log; remove it")
    return name


def _answer(value: Any) -> Any:
    """Read a survey answer that is a number, or a list of texts, as text."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return None if _is_missing(value) else _name(value)


def _message_name(value: Any) -> str | None:
    """Read a message's id, a number in the release, as text; what is neither counts as missing."""
    named = _name(value)
    return named if isinstance(named, str) and named else None


def _number(value: Any) -> float | None:
    """Read a number, which the release writes as a string; what is not a number counts as missing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < _LARGEST else None


def _whole_number(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _years(value: Any) -> int | None:
    """Read an age in completed years."""
    number = _number(value)
    return int(number) if number is not None else None


def _moment(value: Any) -> datetime | None:
    """Read `…Z`, `…+00:00`, and times without a zone (taken as UTC); anything else counts as missing.

    A number is missing too: whether it counts seconds or milliseconds would be a guess.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Text = Annotated[str, BeforeValidator(_text_or_empty)]
Name = Annotated[str, BeforeValidator(_name)]
Answer = Annotated[str | None, BeforeValidator(_answer)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
WholeNumber = Annotated[int | None, BeforeValidator(_whole_number)]
Years = Annotated[int | None, BeforeValidator(_years)]


class _Record(BaseModel):
    # The release grows columns; a key nobody here reads must not stop a run.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Thought(_Record):
    """What a user privately wrote about one message."""

    content: Text = ""
    timestamp: Moment = None
    label: Text = ""

    @property
    def words(self) -> int:
        """How many words it has, split at white space."""
        return len(self.content.split())


class Participant(_Record):
    """A user's survey answers, as given, impossible ages included."""

    age: Years = None
    gender: Answer = None
    education: Answer = None
    occupation: Answer = None
    frequency: WholeNumber = None
    purposes: Answer = None

    @property
    def plausible_age(self) -> int | None:
        """The age in years, or None where it is missing or outside 10–110 (the release has 2 and 366)."""
        return self.age if self.age in _AGES else None

    @property
    def answers(self) -> dict[str, Any]:
        """The answers by their names, None where one is missing; without an impossible age."""
        return self.model_dump() | {"age": self.plausible_age}


class Message(_Record):
    """One message, with the reasons (on a user's) or reactions (on an assistant's) that are on it."""

    role: Role = Field(alias="type")
    # Left out of what is written: the checksums of data, which logs name, are older than it.
    id: Annotated[str | None, BeforeValidator(_message_name)] = Field(default=None, exclude=True)
    content: str
    timestamp: Moment = None
    reasons: Annotated[list[Thought], BeforeValidator(_list_or_empty)] = Field(default_factory=list)
    reactions: Annotated[list[Thought], BeforeValidator(_list_or_empty)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _thoughts_are_on_their_role(self) -> "Message":
        if self.role == "user" and self.reactions:
            raise ValueError("has a reaction on a user message; reactions belong on assistant messages")
        if self.role == "assistant" and self.reasons:
            raise ValueError("has a reason on an assistant message; reasons belong on user messages")
        return self

    @property
    def words(self) -> int:
        """How many words it has, split at white space."""
        return len(self.content.split())

    @property
    def kind(self) -> Kind:
        """The kind of thought this message can carry."""
        return KIND_OF[self.role]

    @property
    def annotations(self) -> list[Thought]:
        """All thoughts on this message, empty ones included."""
        return self.reasons if self.role == "user" else self.reactions

    @property
    def thoughts(self) -> list[Thought]:
        """The thoughts on this message that are not empty."""
        return [thought for thought in self.annotations if thought.content.strip()]


class Conversation(_Record):
    """A conversation of one user with one assistant model, ordered by position, never by timestamp.

    A record's `user` key names the user; without one the user is read from an id like the release's,
    `user804_task2_conversation1`.
    """

    id: Annotated[Name, AfterValidator(_without_control_characters)] = Field(min_length=1)
    user: str = Field(default="", validate_default=True)
    messages: list[Message] = Field(min_length=1)
    model: Annotated[str, BeforeValidator(_text_or_unknown)] = Field(default="unknown", alias="model_name")
    task_summary: Text = ""
    task_expectation: Text = ""
    survey_answers: Annotated[list[Participant], BeforeValidator(_list_or_empty)] = Field(default_factory=list)

    # A validator of the whole record would first make Python objects of all its JSON, which takes twice as long.
    @field_validator("user", mode="before")
    @classmethod
    def _name_the_user(cls, user: Any, info: ValidationInfo) -> Any:
        if user and not _is_missing(user):
            return _name(user)
        release_id = _RELEASE_ID.fullmatch(info.data.get("id", ""))
        if not release_id:
            # Every interval clusters by user: a guessed user would make every interval wrong.
            raise ValueError("has no user: name the id like 'user1_task1_conversation1' or add a 'user' key")
        return release_id["user"]

    def __hash__(self) -> int:
        # Its lists have no hash, and the id is unique.
        return hash(self.id)

    @property
    def participant(self) -> Participant | None:
        """The user's survey answers, if there are any."""
        return self.survey_answers[0] if self.survey_answers else None

    def annotated(self, kind: Kind) -> Iterator[tuple[int, Message]]:
        """Yield (index, message) of the messages that carry thoughts of a kind, in order."""
        for index, message in enumerate(self.messages):
            if message.kind == kind and message.thoughts:
                yield index, message

    def position(self, index: int) -> float:
        """Return where message `index` is: 0 the first message of the conversation, 1 the last."""
        return round(index / max(1, len(self.messages) - 1), 4)

    def next_message(self, index: int, role: Role) -> Message | None:
        """Return the first message of a role after message `index`, if there is one."""
        return next((message for message in self.messages[index + 1 :] if message.role == role), None)

    def hindsight(self, index: int) -> bool | None:
        """Return whether a thought on message `index` was written after the next user message.

        None where there is no next user message, or no timestamps.
        """
        return self._written_after(index, self.next_message(index, "user"))

    def after_reply(self, index: int) -> bool | None:
        """Return whether a reason on message `index` was written after the reply to the message.

        None where there is no reply, or no timestamps, and on a reply itself.
        """
        reply = self.next_message(index, "assistant") if self.messages[index].role == "user" else None
        return self._written_after(index, reply)

    def _written_after(self, index: int, later: Message | None) -> bool | None:
        """Return whether a thought on message `index` was written after a later message; None if not known."""
        written = [thought.timestamp for thought in self.messages[index].thoughts if thought.timestamp]
        return max(written) > later.timestamp if later and later.timestamp and written else None
