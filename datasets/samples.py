"""Make Inspect samples of conversations: of annotated, next and related messages, of thoughts, of topics."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import (
    After,
    Arm,
    Context,
    InferenceMetadata,
    Kind,
    NextMessageMetadata,
    RelationMetadata,
    Survey,
    ThoughtContext,
    ThoughtMetadata,
    TopicMetadata,
    conversation_id,
    message_id,
    thought_id,
)
from thoughttrace.datasets.conversation import Conversation, Message, Participant, Thought
from thoughttrace.datasets.prompt import (
    Notes,
    Prompt,
    Window,
    conversation_marker,
    conversation_prompt,
    message_blocks,
    opening,
    quote,
    window,
)
from thoughttrace.datasets.sampling import Item, select

# ---- annotated messages


def record_to_sample(
    conversation: Conversation,
    index: int,
    instructions: str,
    question: str,
    context: Context,
    max_context_words: int | None = None,
) -> Sample:
    """Make the sample of an annotated message.

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
    prompt = conversation_prompt(conversation, shown, question, index, profile=context == "profile")
    message = conversation.messages[index]
    thoughts = message.thoughts
    types = list(dict.fromkeys(thought.label for thought in thoughts))
    metadata = InferenceMetadata(
        user=conversation.user,
        conversation=conversation.id,
        message_index=index,
        position=conversation.position(index),
        context=context,
        messages_shown=shown.shown,
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
        kind=message.kind,
        type=" + ".join(types),
        types=types,
        thoughts=len(thoughts),
        target_words=sum(thought.words for thought in thoughts),
        hindsight=conversation.hindsight(index),
        followed=conversation.next_message(index, "user") is not None,
        after_reply=conversation.after_reply(index),
        assistant_model=conversation.model,
        message=message.content,
        survey=_survey(conversation.participant),
    )
    return Sample(
        id=message_id(conversation.id, index, message.kind),
        input=prompt_messages(instructions, prompt),
        target=[thought.content.strip() for thought in thoughts],
        metadata=metadata.to_log(),
    )


def prompt_messages(instructions: str, prompt: Prompt) -> list[ChatMessage]:
    """Return the messages that a model is sent: the instructions, and the prompt."""
    return [ChatMessageSystem(content=instructions), ChatMessageUser(content=prompt.text)]


def _survey(person: Participant | None) -> Survey | None:
    """Return survey answers, long ones cut: a log's summaries leave out what is over 1 kB."""
    if person is None:
        return None
    answers = {name: answer[:200] if isinstance(answer, str) else answer for name, answer in person.answers.items()}
    return Survey.model_validate(answers)


# ---- next messages


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

    def thought_before(conversation: Conversation, index: int) -> bool:
        first = index - 1 if after == "reaction" else _shown_before(conversation, index, max_words).first
        return any(message.thoughts for message in conversation.messages[first:index])

    items = [
        Item(conversation, index)
        for conversation in conversations
        for index, message in enumerate(conversation.messages[2:], start=2)
        if message.role == "user" and message.content.strip() and conversation.messages[index - 1].role == "assistant"
        if thought_before(conversation, index)
    ]
    if not items:
        raise UserError(f"after={after}: no user message follows a {after} in this data, so there is none to predict.")
    return items


def _shown_before(conversation: Conversation, index: int, max_words: int | None) -> Window:
    """Choose the messages shown before message `index`: all, or the last turns that fit, one at least."""
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
    """Make the sample of a message to be predicted; the reason on it is never shown.

    Args:
        conversation: The conversation.
        index: Position of the message, 0-based, 2 or more.
        instructions: The system message.
        question: What is asked in the end; `{marker}` and `{message}` name the last reply.
        arm: What the notes are.
        notes: All that may be shown in the conversation; those on messages before `index` are.
        max_words: Drop the oldest turns until at most this many words are shown; notes are not counted.
    """
    shown = _shown_before(conversation, index, max_words)
    prompt = conversation_prompt(conversation, shown, question, shown.last, notes)
    message, before = conversation.messages[index], conversation.messages[shown.first : index]
    thoughts = [thought for earlier in before for thought in earlier.thoughts]
    written = [thought.timestamp for thought in thoughts if thought.timestamp]
    notes_shown = [note for message_notes in notes[shown.first : index] for note in message_notes]
    metadata = NextMessageMetadata(
        user=conversation.user,
        conversation=conversation.id,
        message_index=index,
        position=conversation.position(index),
        kind="message",
        context="history",
        messages_shown=shown.shown,
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
        thoughts_before=len(thoughts),
        hindsight=max(written) > message.timestamp if message.timestamp and written else None,
        target_words=message.words,
        assistant_model=conversation.model,
        reply=conversation.messages[index - 1].content,
        arm=arm,
        marker=conversation_marker(conversation, notes),
        notes_shown=len(notes_shown),
        note_words=sum(len(note.split()) for note in notes_shown),
    )
    return Sample(
        id=message_id(conversation.id, index, "message"),
        input=prompt_messages(instructions, prompt),
        target=message.content.strip(),
        metadata=metadata.to_log(),
    )


# ---- relations of messages, topics of conversations


def relation_sample(
    conversation: Conversation, index: int, instructions: str, question: str, max_words: int | None = None
) -> Sample:
    """Make the sample of a user's message whose relation to the ones before it is labelled.

    Args:
        conversation: The conversation.
        index: Position of the message, 0-based.
        instructions: The system message.
        question: What is asked in the end; `{marker}` and `{message}` name the message in it.
        max_words: Drop the oldest turns until at most this many words are shown.
    """
    shown = window(conversation, index, "history", max_words)
    prompt = conversation_prompt(conversation, shown, question, index)
    before = sum(message.role == "user" for message in conversation.messages[:index])
    metadata = RelationMetadata(
        user=conversation.user,
        conversation=conversation.id,
        message_index=index,
        position=conversation.position(index),
        words=conversation.messages[index].words,
        first=before == 0,
        turn=before + 1,
        context="history",
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
    )
    return Sample(
        id=message_id(conversation.id, index, "relation"),
        input=prompt_messages(instructions, prompt),
        metadata=metadata.to_log(),
    )


def topic_sample(conversation: Conversation, instructions: str, question: str, max_words: int | None = None) -> Sample:
    """Make the sample of a conversation whose topic is labelled.

    Args:
        conversation: The conversation.
        instructions: The system message.
        question: What is asked in the end.
        max_words: Drop the latest messages until at most this many words are shown; the first always stays, for a
            conversation's beginning tells what it is about.
    """
    shown = opening(conversation, max_words)
    prompt = conversation_prompt(conversation, shown, question, shown.last)
    metadata = TopicMetadata(
        user=conversation.user,
        conversation=conversation.id,
        messages=len(conversation.messages),
        words=sum(message.words for message in conversation.messages),
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
    )
    return Sample(
        id=conversation_id(conversation.id), input=prompt_messages(instructions, prompt), metadata=metadata.to_log()
    )


# ---- thoughts


MESSAGE_IS: dict[Kind, str] = {"reason": "message", "reaction": "reply"}
"""What prompts call the message that carries a thought."""


@dataclass(frozen=True)
class AnnotatedThought:
    """A thought and the message it is on."""

    conversation: Conversation
    index: int
    """Position of its message, 0-based."""
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
        return thought_id(self.conversation.id, self.index, self.kind, self.number)

    @property
    def following(self) -> Message | None:
        """The next message of the user, if there is one."""
        return self.conversation.next_message(self.index, "user")


def select_thoughts(
    conversations: Sequence[Conversation],
    kind: Kind,
    types: Sequence[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    followed: bool = False,
) -> list[AnnotatedThought]:
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
    full = {conversation.id: conversation for conversation in conversations}
    offered = list(map(_until_last_user_message, conversations)) if followed else conversations
    return [
        AnnotatedThought(full[item.conversation.id], item.message_index, number)
        for item in select(offered, kind, types, users, per_user, seed)
        for number, thought in enumerate(item.message.thoughts, start=1)
        if not types or thought.label in types
    ]


def _until_last_user_message(conversation: Conversation) -> Conversation:
    last = max((n for n, message in enumerate(conversation.messages) if message.role == "user"), default=-1)
    return conversation.model_copy(update={"messages": conversation.messages[: last + 1]})


def show(noted: AnnotatedThought, context: ThoughtContext, max_words: int | None = None) -> Prompt:
    """Build the prompt that shows a thought.

    Args:
        noted: The thought.
        context: What it is shown with.
        max_words: Of the history, drop the oldest turns until at most this many words are left.
    """
    thought = noted.thought.content
    if context == "thought":
        return quote({noted.kind: thought})
    if context == "message":
        return quote({MESSAGE_IS[noted.kind]: noted.message.content, noted.kind: thought})
    shown = window(noted.conversation, noted.index, "history", max_words)
    *earlier, message = message_blocks(noted.conversation, shown)
    history = "".join([*earlier, message])
    asked = quote({f"{noted.kind} on m{noted.index:02}": thought}, history)
    # A thought is in the block of its message, as everywhere.
    return Prompt((*earlier, f"{message}\n{asked.text}"))


def thought_sample(noted: AnnotatedThought, instructions: str, prompt: Prompt, target: str) -> Sample:
    """Make the sample of a thought. Its metadata is short, so that a log's summaries keep it.

    Args:
        noted: The thought.
        instructions: The system message.
        prompt: What is asked about it.
        target: The sample's target, which no model sees.
    """
    metadata = ThoughtMetadata(
        user=noted.conversation.user,
        conversation=noted.conversation.id,
        message_index=noted.index,
        kind=noted.kind,
        thought_index=noted.number,
        type=noted.thought.label,
        position=noted.conversation.position(noted.index),
        target_words=noted.thought.words,
        block_ends=prompt.block_ends,
    )
    return Sample(id=noted.id, input=prompt_messages(instructions, prompt), target=target, metadata=metadata.to_log())
