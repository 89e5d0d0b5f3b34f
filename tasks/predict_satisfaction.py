"""Predict whether a user was dissatisfied with a reply, and how sure: an outcome that needs no judge."""

from typing import Annotated, Literal

from inspect_ai import Task, task
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import AfterValidator, BaseModel

from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.record import SATISFACTION, TYPES, Context, RunMetadata
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.satisfaction import replies_with_known_reactions, satisfaction_sample
from thoughttrace.models.prompt_cache import CacheOrdered
from thoughttrace.scorers.labels import satisfaction
from thoughttrace.scorers.structured_output import Form
from thoughttrace.tasks._labelling import fill
from thoughttrace.tasks._options import (
    DataOptions,
    ScoreColumn,
    dataset_of,
    prompt_hash,
    provenance,
    read_prompt,
    viewer,
)

_CONTEXTS: tuple[Context, ...] = ("history", "lookahead")

_QUESTION = "Reply [{marker} {message} assistant] is the one in question. Was the person dissatisfied with it?"

_VIEWER = viewer("Dissatisfied", ScoreColumn("Right", SATISFACTION.score, scale=SATISFACTION.scale))


def _per_cent(value: int) -> int:
    # As `ge` and `le` the range would stand in the schema, which some providers refuse.
    if not 0 <= value <= 100:
        raise ValueError("is no percentage")
    return value


class Prediction(BaseModel):
    """A model's reply."""

    rationale: str
    dissatisfied: Literal["yes", "no"]
    probability: Annotated[int, AfterValidator(_per_cent)]


FORM = Form(
    "prediction",
    Prediction,
    'That was not one JSON object with a "rationale", a "dissatisfied" that is yes or no, and a "probability" that is '
    "a whole number from 0 to 100. Reply again with that object and nothing else.",
)


@task
def predict_satisfaction(
    data: str = "sample",
    context: str = "history",
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
) -> Task:
    """Say whether the user was dissatisfied with a reply, and how probable that is, from 0 to 100 %; needs no judge.

    The truth is the type of the user's reaction in the data, itself a language model's: dissatisfied are
    `content_relevance`, `presentation_style` and `scope_fit`; `explicit_affirmation` and `partial_satisfaction` are
    not. Of several reactions to one reply, one that is dissatisfied is enough. Replies with a reaction of no known
    type, and none that is dissatisfied, are no samples; the log counts such types.

    Args:
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        context: What the model sees: `history` (everything up to the reply) or `lookahead` (the user's next message
            too).
        users: At most this many users, each with all their replies.
        per_user: At most this many replies of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    shown = check_choice("context", context, _CONTEXTS)
    options = DataOptions(data, None, users, per_user, seed, max_context_words, skip_bad)
    source = options.open()
    replies = options.draw(replies_with_known_reactions(source.conversations))
    if not replies:
        raise UserError("No reply in this data has a reaction of a known type.")
    instructions = read_prompt(SATISFACTION.name)
    samples = [satisfaction_sample(reply, instructions, _QUESTION, shown, max_context_words) for reply in replies]
    labels = census(source.conversations).types["reaction"]
    return Task(
        dataset=dataset_of(samples, source, CacheOrdered),
        solver=predict(),
        scorer=satisfaction(),
        version="1-A",
        metadata=RunMetadata(
            context=shown,
            max_context_words=max_context_words,
            unknown_labels={label: count for label, count in labels.items() if label not in TYPES["reaction"]},
            prompt_hash=prompt_hash(instructions, _QUESTION, FORM.text),
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=SATISFACTION.score,
    )


@solver
def predict() -> Solver:
    """Let the evaluated model fill in the form."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, FORM)

    return solve
