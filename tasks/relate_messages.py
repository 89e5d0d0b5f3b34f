"""Label how each message of a user relates to the ones before it."""

from typing import Literal

from inspect_ai import Task, task
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel

from thoughttrace.core.record import RELATE, RelationMetadata, RunMetadata
from thoughttrace.datasets.samples import relation_sample
from thoughttrace.datasets.sampling import Item
from thoughttrace.datasets.taxonomy import FIRST
from thoughttrace.models.prompt_cache import CacheOrdered
from thoughttrace.scorers.labels import relation
from thoughttrace.scorers.structured_output import Form, keep_form
from thoughttrace.tasks._labelling import fill
from thoughttrace.tasks._options import DataOptions, dataset_of, prompt_hash, provenance, read_prompt, viewer


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

_QUESTION = "How does the message [{marker} {message} user] relate to what came before?"

_VIEWER = viewer("Relations of messages", target=False)


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
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        users: At most this many users, each with all their messages.
        per_user: At most this many messages of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    options = DataOptions(data, None, users, per_user, seed, max_context_words, skip_bad)
    source = options.open()
    messages = options.draw(
        [
            Item(conversation, index)
            for conversation in source.conversations
            for index, message in enumerate(conversation.messages)
            if message.role == "user"
        ]
    )
    instructions = read_prompt(RELATE.name)
    samples = [relation_sample(*item, instructions, _QUESTION, max_context_words) for item in messages]
    return Task(
        dataset=dataset_of(samples, source, CacheOrdered),
        solver=name_relation(),
        scorer=relation(),
        version="1-A",
        metadata=RunMetadata(
            max_context_words=max_context_words,
            prompt_hash=prompt_hash(instructions, FORM.text),
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
    )


@solver
def name_relation() -> Solver:
    """Let the evaluated model fill in the form, unless the message is the user's first."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.metadata_as(RelationMetadata).first:
            keep_form(state, {"rationale": "The user's first message.", "relation": FIRST})
            return state
        return await fill(state, FORM)

    return solve
