"""What conversations are about."""

from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel, field_validator

from thoughttrace.core.errors import check_positive
from thoughttrace.datasets.samples import topic_sample
from thoughttrace.datasets.sampling import Item, draw
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

_QUESTION = "What is this chat about?"

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
    chosen = draw([Item(conversation, 0) for conversation in source.conversations], users, per_user, seed)
    require_log_folder(len(chosen))
    system = instructions("label_topic").replace("{topics}", listed())
    return Task(
        dataset=MemoryDataset(
            [topic_sample(item.conversation, system, _QUESTION, max_context_words) for item in chosen],
            name=source.name,
        ),
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
