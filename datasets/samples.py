"""The Inspect samples cut from conversations: one annotated message and kind is one sample."""

from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from thoughttrace.datasets.context import Context, window
from thoughttrace.datasets.conversation import Conversation, Participant
from thoughttrace.datasets.render import conversation_marker, render, render_profile


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
