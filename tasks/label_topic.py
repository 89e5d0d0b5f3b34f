"""Label what conversations are about."""

from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel, field_validator

from thoughttrace.core.record import TOPIC, RunMetadata
from thoughttrace.datasets.samples import topic_sample
from thoughttrace.datasets.sampling import Item
from thoughttrace.datasets.taxonomy import SUBTOPICS, listed
from thoughttrace.scorers.labels import topic
from thoughttrace.scorers.structured_output import Form
from thoughttrace.tasks._labelling import fill
from thoughttrace.tasks._options import DataOptions, dataset_of, prompt_hash, provenance, read_prompt, viewer

_Subtopic: Any = Literal[tuple(SUBTOPICS)]


class Topics(BaseModel):
    """A labeller's reply."""

    rationale: str
    subtopics: list[_Subtopic]

    @field_validator("subtopics")
    @classmethod
    def once_each(cls, subtopics: list[str]) -> list[str]:
        """Drop repeated subtopics, and refuse none: structured output can ask for neither."""
        if not subtopics:
            raise ValueError("at least one subtopic")
        return list(dict.fromkeys(subtopics))


FORM = Form(
    "topics",
    Topics,
    'That was not one JSON object with a "rationale" and "subtopics", a list of names of the list above. '
    "Reply again with that object and nothing else.",
)

_QUESTION = "What is this chat about?"

_VIEWER = viewer("Topics of conversations", target=False)


@task
def label_topic(
    data: str = "sample",
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
) -> Task:
    """Label what each conversation is about, with all subtopics that apply; the evaluated model is the labeller.

    The seven domains are the paper's, the subtopics ours (`datasets/topics.yml`). There is no truth to compare with:
    the scores are the shares of the domains, and `thoughttrace annotate` makes columns of the labels.

    Args:
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        users: At most this many users, each with all their conversations.
        per_user: At most this many conversations of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the latest messages until at most this many words are shown; the first always stays,
            for a conversation's beginning tells what it is about.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    options = DataOptions(data, None, users, per_user, seed, max_context_words, skip_bad)
    source = options.open()
    conversations = options.draw([Item(conversation, 0) for conversation in source.conversations])
    instructions = read_prompt(TOPIC.name).replace("{topics}", listed())
    samples = [topic_sample(item.conversation, instructions, _QUESTION, max_context_words) for item in conversations]
    return Task(
        dataset=dataset_of(samples, source),
        solver=name_topics(),
        scorer=topic(),
        version="2-A",
        metadata=RunMetadata(
            max_context_words=max_context_words,
            prompt_hash=prompt_hash(instructions, FORM.text),
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
    )


@solver
def name_topics() -> Solver:
    """Let the evaluated model fill in the form."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, FORM)

    return solve
