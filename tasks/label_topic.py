"""What conversations are about."""

from itertools import accumulate
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel, field_validator

from thoughttrace.core.errors import check_positive
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.prompt import conversation_marker, render
from thoughttrace.datasets.sampling import draw
from thoughttrace.datasets.sources import open_source
from thoughttrace.datasets.taxonomy import SUBTOPICS, listed
from thoughttrace.scorers.labels import topic
from thoughttrace.scorers.structured_output import Form
from thoughttrace.tasks._labelling import fill, instructions, label_viewer, named
from thoughttrace.tasks._log_folder import require_log_folder

_MOST = 3
_Subtopic: Any = Literal[tuple(SUBTOPICS)]


class Topics(BaseModel):
    """A labeller's reply."""

    rationale: str
    subtopics: list[_Subtopic]

    @field_validator("subtopics")
    @classmethod
    def once_each(cls, named: list[str]) -> list[str]:
        """One to three, each once; providers' structured output cannot hold a model to a number."""
        once = list(dict.fromkeys(named))
        if not 1 <= len(once) <= _MOST:
            raise ValueError("one to three subtopics")
        return once


FORM = Form(
    "topics",
    Topics,
    'That was not one JSON object with a "rationale" and "subtopics", a list of one to three names of the list above. '
    "Reply again with that object and nothing else.",
)

_VIEWER = label_viewer("Topics of conversations")


@task
def label_topic(
    data: str = "sample",
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
) -> Task:
    """Label what each conversation is about, with one to three subtopics; the evaluated model is the labeller.

    The seven domains are the paper's, the subtopics ours (`datasets/topics.yml`). There is no truth to compare with:
    the scores are the shares of the domains, and `thoughttrace annotate` makes columns of the labels.

    Args:
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL file or a folder of them.
        users: At most this many users, each with all their conversations.
        per_user: At most this many conversations of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the latest messages until at most this many words are shown; the first always stays,
            for a conversation's beginning tells what it is about.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    check_positive("max_context_words", max_context_words)
    source = open_source(str(data), skip_bad)
    chosen = [one for one, _ in draw([(one, 0) for one in source.conversations], users, per_user, seed)]
    require_log_folder(len(chosen))
    system = instructions("label_topic").replace("{topics}", listed())
    return Task(
        dataset=MemoryDataset([_sample(one, system, max_context_words) for one in chosen], name=source.name),
        solver=name_topics(),
        scorer=topic(),
        version="1-A",
        metadata={"max_context_words": max_context_words, **named(source, system, FORM)},
        viewer=_VIEWER,
    )


@solver
def name_topics() -> Solver:
    """Let the evaluated model name a conversation's subtopics, held to the form."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, FORM)

    return solve


def _sample(conversation: Conversation, system: str, max_words: int | None) -> Sample:
    lengths = [len(message.content.split()) for message in conversation.messages]
    shown = sum(max_words is None or words <= max_words for words in accumulate(lengths)) or 1
    mark = conversation_marker(conversation)
    text = f"{render(conversation, 0, shown - 1)}[{mark} end]\n\nWhat is this chat about?"
    return Sample(
        id=f"{conversation.id}/topic",
        input=[ChatMessageSystem(content=system), ChatMessageUser(content=text)],
        metadata={
            "user": conversation.user,
            "conversation": conversation.id,
            "messages": len(lengths),
            "words": sum(lengths),
            "messages_left_out": len(lengths) - shown,
        },
    )
