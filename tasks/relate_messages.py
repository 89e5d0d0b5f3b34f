"""How each message of a user relates to the ones before it."""

from typing import Literal

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel

from thoughttrace.core.errors import check_positive
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.prompt import conversation_marker, render, window
from thoughttrace.datasets.sampling import draw
from thoughttrace.datasets.sources import open_source
from thoughttrace.datasets.taxonomy import FIRST
from thoughttrace.models.prompt_cache import CacheOrdered
from thoughttrace.scorers.labels import relation
from thoughttrace.scorers.structured_output import Form, keep_form
from thoughttrace.tasks._labelling import fill, instructions, label_viewer, named
from thoughttrace.tasks._log_folder import require_log_folder


class Related(BaseModel):
    """A labeller's reply."""

    rationale: str
    relation: Literal["extend", "re_attempt", "variation", "new_request"]


FORM = Form(
    "relation",
    Related,
    'That was not one JSON object with a "rationale" and a "relation" that is one of extend, re_attempt, variation, '
    "new_request. Reply again with that object and nothing else.",
)

_VIEWER = label_viewer("Relations of messages")


@task
def relate_messages(
    data: str = "sample",
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
) -> Task:
    """Label how each message of a user relates to the ones before it; the evaluated model is the labeller.

    The message extends what was asked before, attempts it again, varies it, or requests something new. A
    conversation's first message by its user is `first`, and no model is asked. There is no truth to compare with: the
    scores are the shares of the relations, and `thoughttrace annotate` makes columns of the labels.

    Args:
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL file or a folder of them.
        users: At most this many users, each with all their messages.
        per_user: At most this many messages of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    check_positive("max_context_words", max_context_words)
    source = open_source(str(data), skip_bad)
    items = [
        (conversation, index)
        for conversation in source.conversations
        for index, message in enumerate(conversation.messages)
        if message.role == "user"
    ]
    items = draw(items, users, per_user, seed)
    require_log_folder(len(items))
    system = instructions("relate_messages")
    return Task(
        dataset=CacheOrdered([_sample(*item, system, max_context_words) for item in items], name=source.name),
        solver=name_relation(),
        scorer=relation(),
        version="1-A",
        metadata={"max_context_words": max_context_words, **named(source, system, FORM)},
        viewer=_VIEWER,
    )


@solver
def name_relation() -> Solver:
    """Let the evaluated model name a message's relation, held to the form, where it is not the first."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.metadata["first"]:
            keep_form(state, {"rationale": "The user's first message.", "relation": FIRST})
            return state
        return await fill(state, FORM)

    return solve


def _sample(conversation: Conversation, index: int, system: str, max_words: int | None) -> Sample:
    messages = conversation.messages
    shown = window(conversation, index, "history", max_words)
    mark = conversation_marker(conversation)
    text = f"{render(conversation, shown.first, shown.last)}[{mark} end]\n\n"
    return Sample(
        id=f"{conversation.id}/m{index:02}/relation",
        input=[
            ChatMessageSystem(content=system),
            ChatMessageUser(
                content=f"{text}How does the message [{mark} m{index:02} user] relate to what came before?"
            ),
        ],
        metadata={
            "user": conversation.user,
            "conversation": conversation.id,
            "message_index": index,
            "position": round(index / max(1, len(messages) - 1), 4),
            "words": len(messages[index].content.split()),
            "first": all(message.role != "user" for message in messages[:index]),
            "context": "history",
            "messages_left_out": shown.left_out,
        },
    )
