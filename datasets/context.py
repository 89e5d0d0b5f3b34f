"""How much of a conversation a model sees: the dose of context."""

from dataclasses import dataclass
from typing import Literal, get_args

from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.errors import UserError

Context = Literal["message", "history", "lookahead", "profile"]
"""Each sees more than the one before: the annotated message; everything up to it; the next message too; the
survey and task description too."""


@dataclass(frozen=True)
class Window:
    """The messages shown for one annotated message, `first` to `last`, both included."""

    first: int
    last: int
    left_out: int
    """Messages dropped from the front because the context would have been longer than allowed."""


def parse_context(name: str) -> Context:
    """Check the name of a context.

    Raises:
        UserError: There is no such context.
    """
    for context in get_args(Context):
        if name == context:
            return name  # type: ignore[return-value]
    raise UserError(f"context={name}: no such context; choose from {', '.join(get_args(Context))}.")


def window(conversation: Conversation, index: int, context: Context, max_words: int | None) -> Window:
    """Decide which messages are shown for the annotated message `index`.

    Args:
        conversation: The conversation.
        index: Position of the annotated message, 0-based.
        context: How much may be shown.
        max_words: Drop the oldest turns until at most this many words are left. The turn of the annotated
            message, and what follows it, always stay.
    """
    if context == "message":
        return Window(index, index, 0)
    last = index if context == "history" else min(index + 1, len(conversation.messages) - 1)
    first = 0
    if max_words is not None:
        messages = conversation.messages
        starts = [i for i in range(index + 1) if i == 0 or messages[i].role == "user"]
        lengths = [len(message.content.split()) for message in messages]
        first = next((i for i in starts if sum(lengths[i : last + 1]) <= max_words), starts[-1])
    return Window(first, last, first)
