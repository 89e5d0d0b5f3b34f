"""The samples of `predict_message`: a user's next message, and what was said and thought before it."""

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from thoughttrace.datasets.context import Window, window
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.notes import Arm
from thoughttrace.datasets.render import Notes, conversation_marker, render
from thoughttrace.datasets.select import Item

After = Literal["thought", "reaction"]
"""Before the message to be predicted the user wrote a thought on something that is shown, or a reaction to the very
reply before it."""


def parse_after(name: str) -> After:
    """Check the name of a choice.

    Raises:
        UserError: There is no such choice.
    """
    if name not in get_args(After):
        raise UserError(f"after={name}: no such choice; choose from {', '.join(get_args(After))}.")
    return cast(After, name)


def next_messages(conversations: Sequence[Conversation], after: After, max_words: int | None) -> list[Item]:
    """Find the user messages after a reply before which the user wrote a thought.

    Which they are does not depend on the notes that will be shown, so that runs with different notes have the same.

    Args:
        conversations: Where to look.
        after: What the user wrote.
        max_words: Drop the oldest turns until at most this many words are shown; notes are not counted.

    Raises:
        UserError: There is no such message.
    """
    found = [
        (conversation, index)
        for conversation in conversations
        for index, message in enumerate(conversation.messages[2:], start=2)
        if message.role == "user" and message.content.strip() and conversation.messages[index - 1].role == "assistant"
        if any(conversation.messages[place].thoughts for place in _thoughts_in(conversation, index, after, max_words))
    ]
    if not found:
        raise UserError(f"after={after}: no user message follows a {after} in this data; nothing to predict.")
    return found


def _thoughts_in(conversation: Conversation, index: int, after: After, max_words: int | None) -> range:
    first = index - 1 if after == "reaction" else shown(conversation, index, max_words).first
    return range(first, index)


def shown(conversation: Conversation, index: int, max_words: int | None) -> Window:
    """The messages shown before message `index`: all, or the last turns of at most so many words, one at least."""
    return window(conversation, index - 1, "history", max_words)


def message_to_sample(
    conversation: Conversation,
    index: int,
    instructions: str,
    question: str,
    arm: Arm,
    notes: Notes,
    max_words: int | None = None,
) -> Sample:
    """Cut the sample of a message to be predicted; the reason on it is never shown.

    Args:
        conversation: The conversation.
        index: Position of the message, 0-based, 2 or more.
        instructions: The system message.
        question: What is asked in the end; `{marker}` and `{message}` name the last reply.
        arm: What the notes are.
        notes: All that may be shown in the conversation; those on messages before `index` are.
        max_words: Drop the oldest turns until at most this many words are shown; notes are not counted.
    """
    window = shown(conversation, index, max_words)
    mark = conversation_marker(conversation, notes)
    asked = question.format(marker=mark, message=f"m{window.last:02}")
    text = f"{render(conversation, window.first, window.last, notes)}[{mark} end]\n\n{asked}"
    seen = [note for own in notes[window.first : index] for note in own]
    return Sample(
        id=f"{conversation.id}/m{index:02}/message",
        input=[ChatMessageSystem(content=instructions), ChatMessageUser(content=text)],
        target=conversation.messages[index].content.strip(),
        metadata=_metadata(conversation, index, window)
        | {
            "arm": arm,
            "marker": mark,
            "notes_shown": len(seen),
            "note_words": sum(len(note.split()) for note in seen),
        },
    )


def _metadata(conversation: Conversation, index: int, window: Window) -> dict[str, Any]:
    """What is the same in every arm."""
    before = conversation.messages[window.first : index]
    return {
        "user": conversation.user,
        "conversation": conversation.id,
        "message_index": index,
        "position": round(index / max(1, len(conversation.messages) - 1), 4),
        "kind": "message",
        "context": "history",
        "messages_shown": window.last - window.first + 1,
        "messages_left_out": window.left_out,
        "thoughts_before": sum(len(message.thoughts) for message in before),
        "hindsight": _hindsight(conversation, index, window),
        "target_words": len(conversation.messages[index].content.split()),
        "assistant_model": conversation.model,
        "reply": conversation.messages[index - 1].content,
    }


def _hindsight(conversation: Conversation, index: int, window: Window) -> bool | None:
    """Whether a thought on what is shown was written after the message was sent, and so may tell of it."""
    sent = conversation.messages[index].timestamp
    thoughts = [t for message in conversation.messages[window.first : index] for t in message.thoughts]
    written = [thought.timestamp for thought in thoughts if thought.timestamp]
    return max(written) > sent if sent and written else None
