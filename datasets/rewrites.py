"""Find the replies that users were dissatisfied with, and make the samples in which a model writes them anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.dataset import Sample

from thoughttrace.core.errors import UserError, check_positive
from thoughttrace.core.record import DISSATISFIED, TYPES, ReplySelection, RewriteMetadata, Signal, message_id
from thoughttrace.datasets.conversation import Conversation, Thought
from thoughttrace.datasets.prompt import Prompt, conversation_marker, message_blocks, numbered, quote, window
from thoughttrace.datasets.samples import prompt_messages
from thoughttrace.datasets.sampling import Item


@dataclass(frozen=True)
class ReplyChoice:
    """Which replies are written anew; each field but the last is the task parameter of the same name.

    Raises:
        UserError: A type is unknown, a number is not positive, or there is no room between two.
    """

    selection: ReplySelection
    types: Sequence[str]
    min_words: int
    min_messages: int
    max_messages: int
    signal: Signal

    def __post_init__(self) -> None:
        for name in self.types:
            if name not in TYPES["reaction"]:
                raise UserError(f"types={name}: no such type of reaction; choose from {', '.join(TYPES['reaction'])}.")
        for parameter in ("min_words", "min_messages", "max_messages"):
            check_positive(parameter, getattr(self, parameter))
        if self.min_messages > self.max_messages:
            raise UserError(
                f"min_messages={self.min_messages}: is more than max_messages={self.max_messages}: none fits."
            )

    @property
    def any_message(self) -> bool:
        """Whether every reply that a user message follows is chosen, whatever was noted of it."""
        return self.selection == "own" and self.signal == "message"

    @property
    def text(self) -> str:
        """The choice, the words of notes and the messages of conversations; the same for all signals."""
        types = "" if {*self.types} == {*DISSATISFIED} else f"{', '.join(self.types)}; "
        return f"{self.selection}; {types}{self.min_words}+ words; {self.min_messages}–{self.max_messages} messages"

    def notes(self, item: Item) -> list[Thought]:
        """Return the notes against a reply: those of a chosen type that are long enough, in order."""
        return [t for t in item.message.thoughts if t.label in self.types and t.words >= self.min_words]

    def replies(self, conversations: Sequence[Conversation]) -> list[Item]:
        """Find the replies, in the order of the data.

        Args:
            conversations: Where to look.

        Raises:
            UserError: There is none.
        """
        items = [
            Item(conversation, index)
            for conversation in conversations
            if self.min_messages <= len(conversation.messages) <= self.max_messages
            for index in range(1, len(conversation.messages))
            if self._fits(Item(conversation, index))
        ]
        if not items:
            raise UserError(
                f"No reply in this data is one to rewrite ({self.text}). Choose other types, fewer words or longer "
                "conversations, or use other data."
            )
        return items

    def _fits(self, item: Item) -> bool:
        conversation, index = item
        turn = conversation.messages[index - 1 : index + 1]
        if [message.role for message in turn] != ["user", "assistant"] or not all(m.content.strip() for m in turn):
            return False
        if self.any_message:
            return bool(_next_text(item))
        return bool(self.notes(item)) and (self.selection == "own" or bool(_next_text(item)))


def _next_text(item: Item) -> str:
    """Return the user's next message after a reply; empty if there is none."""
    following = item.conversation.next_message(item.message_index, "user")
    return following.content.strip() if following else ""


def rewrite_sample(
    item: Item, choice: ReplyChoice, instructions: str, question: str, max_words: int | None = None
) -> Sample:
    """Make the sample in which a reply is written anew; its targets are the notes on the reply.

    Its prompt shows what the signal is and nothing of the others: neither notes nor later messages but for that.

    Args:
        item: The reply, one of those that the choice finds.
        choice: Which replies, and what is shown.
        instructions: The system message.
        question: What is asked in the end; `{marker}` and `{message}` name the reply in it.
        max_words: Drop the oldest turns until at most this many words are shown.
    """
    conversation, index = item
    shown = window(conversation, index, "history", max_words)
    # A note that has the chat's marker could forge its end. All notes, whatever is shown: so all prompts begin alike.
    private = tuple(tuple(note.content for note in message.thoughts) for message in conversation.messages)
    blocks = message_blocks(conversation, shown, others=private)
    mark = conversation_marker(conversation, private)
    notes = choice.notes(item)
    next_text = _next_text(item) if choice.signal == "message" else ""
    signal = _signal(choice.signal, [note.content for note in notes], next_text)
    quoted = f"{quote(signal, ''.join(blocks)).text}\n\n" if signal else ""
    asked = question.format(marker=mark, message=f"m{index:02}")
    prompt = Prompt((*blocks, f"[{mark} end]\n\n{quoted}{asked}"))
    reply = item.message
    metadata = RewriteMetadata(
        user=conversation.user,
        conversation=conversation.id,
        message_index=index,
        position=conversation.position(index),
        context="history",
        messages_shown=shown.shown,
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
        type=" + ".join(dict.fromkeys(note.label for note in notes)),
        hindsight=conversation.hindsight(index),
        target_words=sum(note.words for note in notes),
        request=conversation.messages[index - 1].content,
        reply=reply.content,
        reply_words=reply.words,
        assistant_model=conversation.model,
        next_message=next_text,
    )
    return Sample(
        id=message_id(conversation.id, index, "rewrite"),
        input=prompt_messages(instructions, prompt),
        target=[note.content.strip() for note in notes],
        metadata=metadata.to_log(),
    )


def _signal(signal: Signal, notes: Sequence[str], next_text: str) -> dict[str, str]:
    """Return the texts that a signal shows, by the labels they are shown under."""
    if signal == "message":
        return {"the person's next message": next_text}
    if signal == "none":
        return {}
    return numbered("the person's private note", notes)
