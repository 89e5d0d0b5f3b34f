"""One thought at a time: which thoughts enter a run, what is said of each, and what a model reads with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from thoughttrace.datasets.context import window
from thoughttrace.datasets.conversation import Conversation, Kind, Message, Thought
from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.render import block, marker, render
from thoughttrace.datasets.select import select

Beside = Literal["thought", "message", "history"]
"""What a thought is shown with: nothing; the message it is on; everything up to that message."""

MESSAGE_IS: dict[Kind, str] = {"reason": "message", "reaction": "reply"}
"""What prompts call the message that carries a thought."""


@dataclass(frozen=True)
class Noted:
    """A thought and where it stands."""

    conversation: Conversation
    index: int
    """Of its message, 0-based."""
    number: int
    """Among the thoughts on its message that say something, from 1."""

    @cached_property
    def message(self) -> Message:
        """The message it is on."""
        return self.conversation.messages[self.index]

    @cached_property
    def thought(self) -> Thought:
        """The thought itself."""
        return self.message.thoughts[self.number - 1]

    @property
    def kind(self) -> Kind:
        """The kind of thought."""
        return self.message.kind

    @property
    def id(self) -> str:
        """The sample's id, such as `user804_task2_conversation1/m05/reaction/1`."""
        return f"{self.conversation.id}/m{self.index:02}/{self.kind}/{self.number}"

    @property
    def following(self) -> Message | None:
        """The next message of the user, if there is one."""
        later = self.conversation.messages[self.index + 1 :]
        return next((message for message in later if message.role == "user"), None)

    @property
    def metadata(self) -> dict[str, Any]:
        """What names the thought and what analysis groups by; all of it short, so that a log's summaries keep it."""
        return {
            "user": self.conversation.user,
            "conversation": self.conversation.id,
            "message_index": self.index,
            "kind": self.kind,
            "thought_index": self.number,
            "type": self.thought.label,
            "position": round(self.index / max(1, len(self.conversation.messages) - 1), 4),
            "target_words": len(self.thought.content.split()),
        }


def select_thoughts(
    conversations: Sequence[Conversation],
    kind: Kind,
    types: Sequence[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    followed: bool = False,
) -> list[Noted]:
    """Choose thoughts by whole users, in the seeded order of users that `select` gives.

    Args:
        conversations: Where to choose from.
        kind: Which kind of thought.
        types: Only thoughts of these types.
        users: At most this many users, each with all their thoughts.
        per_user: The thoughts on at most this many messages of each user, chosen at random.
        seed: Another seed gives another order and choice.
        followed: Only thoughts after which the user wrote another message.

    Raises:
        UserError: A type is unknown, a number is not positive, or nothing is left.
    """
    whole = {conversation.id: conversation for conversation in conversations}
    offered = [_until_last_user_message(one) for one in conversations] if followed else conversations
    return [
        Noted(whole[conversation.id], index, number)
        for conversation, index in select(offered, kind, types, users, per_user, seed)
        for number, thought in enumerate(conversation.messages[index].thoughts, start=1)
        if not types or thought.label in types
    ]


def _until_last_user_message(conversation: Conversation) -> Conversation:
    last = max((n for n, message in enumerate(conversation.messages) if message.role == "user"), default=-1)
    return conversation.model_copy(update={"messages": conversation.messages[: last + 1]})


def parse_kind(name: str) -> Kind:
    """Check the name of a kind of thought.

    Raises:
        UserError: There is no such kind.
    """
    for kind in get_args(Kind):
        if name == kind:
            return kind  # type: ignore[no-any-return]
    raise UserError(f"kind={name}: no such kind of thought; choose from {', '.join(get_args(Kind))}.")


def parse_beside(name: str) -> Beside:
    """Check the name of what a thought is shown with.

    Raises:
        UserError: There is no such context.
    """
    for beside in get_args(Beside):
        if name == beside:
            return beside  # type: ignore[no-any-return]
    raise UserError(f"context={name}: no such context here; choose from {', '.join(get_args(Beside))}.")


def quote(texts: dict[str, str], besides: str = "") -> str:
    """Texts as a model reads them, each under a line that none of them can forge.

    Args:
        texts: By their labels, in order.
        besides: What else stands in the prompt, whose text shall not forge such a line either.
    """
    mark = marker(besides, *texts.values())
    return "".join(block(mark, label, text) for label, text in texts.items()) + f"[{mark} end]"


def show(noted: Noted, beside: Beside, max_words: int | None = None) -> str:
    """A thought as a model reads it.

    Args:
        noted: The thought.
        beside: What it is shown with.
        max_words: Of the history, drop the oldest turns until at most this many words are left.
    """
    thought = noted.thought.content
    if beside == "thought":
        return quote({noted.kind: thought})
    if beside == "message":
        return quote({MESSAGE_IS[noted.kind]: noted.message.content, noted.kind: thought})
    shown = window(noted.conversation, noted.index, "history", max_words)
    history = render(noted.conversation, shown.first, shown.last)
    return f"{history}\n{quote({f'{noted.kind} on m{noted.index:02}': thought}, history)}"
