"""Find the replies that a user reacted to, and tell by the types of the reactions whether they were dissatisfied."""

from collections.abc import Sequence

from inspect_ai.dataset import Sample

from thoughttrace.core.record import DISSATISFIED, TYPES, Context, SatisfactionMetadata, message_id
from thoughttrace.datasets.conversation import Conversation, Message
from thoughttrace.datasets.prompt import conversation_prompt, window
from thoughttrace.datasets.samples import prompt_messages
from thoughttrace.datasets.sampling import Item

YES, NO = "yes", "no"
"""The answers to whether the user was dissatisfied."""


def replies_with_known_reactions(conversations: Sequence[Conversation]) -> list[Item]:
    """Find the replies to which the user reacted and of which it is known whether they were dissatisfied.

    Args:
        conversations: Where to look.
    """
    return [
        Item(conversation, index)
        for conversation in conversations
        for index, message in conversation.annotated("reaction")
        if dissatisfied(message) is not None
    ]


def dissatisfied(reply: Message) -> bool | None:
    """Return whether a user was dissatisfied with a reply.

    They were if any of their reactions is of one of the types `DISSATISFIED`, whatever the others are.

    Args:
        reply: The reply, with a reaction.

    Returns:
        Whether they were; None if that is not known, for a reaction is of no known type and none says that they were.
    """
    types = {thought.label for thought in reply.thoughts}
    if types & {*DISSATISFIED}:
        return True
    return False if types <= {*TYPES["reaction"]} else None


def satisfaction_sample(
    item: Item, instructions: str, question: str, context: Context, max_words: int | None = None
) -> Sample:
    """Make the sample of a reply.

    Args:
        item: The reply, one of those that `replies_with_known_reactions` finds.
        instructions: The system message.
        question: What is asked in the end; `{marker}` and `{message}` name the reply in it.
        context: How much of the conversation is shown.
        max_words: Drop the oldest turns until at most this many words are shown.
    """
    conversation, index = item
    shown = window(conversation, index, context, max_words)
    prompt = conversation_prompt(conversation, shown, question, index)
    truth = bool(dissatisfied(item.message))
    metadata = SatisfactionMetadata(
        user=conversation.user,
        conversation=conversation.id,
        message_index=index,
        position=conversation.position(index),
        context=context,
        messages_shown=shown.shown,
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
        type=" + ".join(dict.fromkeys(thought.label for thought in item.message.thoughts)),
        dissatisfied=truth,
    )
    return Sample(
        id=message_id(conversation.id, index, "satisfaction"),
        input=prompt_messages(instructions, prompt),
        target=YES if truth else NO,
        metadata=metadata.to_log(),
    )
