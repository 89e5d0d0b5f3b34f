"""Cut Inspect samples from conversations: by annotated message, by thought, by next message."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import After, Arm, Context, Kind, ThoughtContext
from thoughttrace.datasets.conversation import Conversation, Message, Participant, Thought
from thoughttrace.datasets.prompt import (
    Notes,
    Window,
    block,
    conversation_marker,
    marker,
    render,
    render_profile,
    window,
)
from thoughttrace.datasets.sampling import Item, select


def record_to_sample(
    conversation: Conversation,
    index: int,
    instructions: str,
    question: str,
    context: Context,
    max_context_words: int | None = None,
) -> Sample:
    """Cut the sample of one annotated message.

    The parts of the prompt stand from the most to the least shared (instructions, profile, conversation,
    question), so that the prompts of one conversation begin alike and providers' prompt caches hit.

    Args:
        conversation: The conversation.
        index: Position of the annotated message, 0-based.
        instructions: The system message.
        question: What is asked in the end; `{marker}` and `{message}` name the annotated message in it.
        context: How much of the conversation is shown.
        max_context_words: Drop the oldest turns until at most this many words are shown.

    Returns:
        A sample whose target is every thought on the message, in order.
    """
    shown = window(conversation, index, context, max_context_words)
    profile = render_profile(conversation) if context == "profile" else ""
    mark = conversation_marker(conversation)
    asked = question.format(marker=mark, message=f"m{index:02}")
    text = f"{profile}{render(conversation, shown.first, shown.last)}[{mark} end]\n\n{asked}"
    message = conversation.messages[index]
    return Sample(
        id=f"{conversation.id}/m{index:02}/{message.kind}",
        input=[ChatMessageSystem(content=instructions), ChatMessageUser(content=text)],
        target=[thought.content.strip() for thought in message.thoughts],
        metadata=_metadata(conversation, index)
        | {
            "context": context,
            "messages_shown": shown.last - shown.first + 1,
            "messages_left_out": shown.left_out,
        },
    )


def _metadata(conversation: Conversation, index: int) -> dict[str, Any]:
    """What analysis groups by, and the annotated message, which the judge reads."""
    message = conversation.messages[index]
    thoughts = message.thoughts
    types = list(dict.fromkeys(thought.label for thought in thoughts))
    person = conversation.participant
    return {
        "user": conversation.user,
        "conversation": conversation.id,
        "message_index": index,
        "position": round(index / max(1, len(conversation.messages) - 1), 4),
        "kind": message.kind,
        "type": " + ".join(types),
        "types": types,
        "thoughts": len(thoughts),
        "target_words": sum(len(thought.content.split()) for thought in thoughts),
        "hindsight": conversation.hindsight(index),
        "assistant_model": conversation.model,
        "message": message.content,
        "survey": _survey(person) if person else None,
    }


def _survey(person: Participant) -> dict[str, Any]:
    """Survey answers, long ones cut: a log's summaries leave out what is over 1 kB."""
    answers = person.model_dump() | {"age": person.plausible_age}
    return {name: answer[:200] if isinstance(answer, str) else answer for name, answer in answers.items()}


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
        metadata=_metadata_next_messages(conversation, index, window)
        | {
            "arm": arm,
            "marker": mark,
            "notes_shown": len(seen),
            "note_words": sum(len(note.split()) for note in seen),
        },
    )


def _metadata_next_messages(conversation: Conversation, index: int, window: Window) -> dict[str, Any]:
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


def quote(texts: dict[str, str], besides: str = "") -> str:
    """Texts as a model reads them, each under a line that none of them can forge.

    Args:
        texts: By their labels, in order.
        besides: What else stands in the prompt, whose text shall not forge such a line either.
    """
    mark = marker(besides, *texts.values())
    return "".join(block(mark, label, text) for label, text in texts.items()) + f"[{mark} end]"


def show(noted: Noted, beside: ThoughtContext, max_words: int | None = None) -> str:
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
