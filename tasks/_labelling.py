"""Let the evaluated model fill in a form: about a thought, a message or a conversation."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel

from thoughttrace.datasets.samples import Noted
from thoughttrace.datasets.sources import Source
from thoughttrace.scorers.answer import NOT_ASKED, TOO_LONG, TRUNCATED, why_none
from thoughttrace.scorers.structured_output import Form, ask
from thoughttrace.tasks._options import dataset_of

FAULTS = (TRUNCATED, TOO_LONG, NOT_ASKED)
"""Why a form was not filled in though the model did not decline: no results."""


class Rating(BaseModel):
    """A rater's reply."""

    rationale: str
    rating: Literal[1, 2, 3, 4, 5]


RATING = Form(
    "rating",
    Rating,
    'That was not one JSON object with a "rationale" and a "rating" of 1, 2, 3, 4 or 5. '
    "Reply again with that object and nothing else.",
)


@solver
def give_rating() -> Solver:
    """Let the evaluated model fill in the rating form."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, RATING)

    return solve


async def fill(state: TaskState, form: Form[Any]) -> TaskState:
    """Ask the evaluated model to fill in a form, and once more if its reply does not.

    Args:
        state: The sample; its messages are the prompt.
        form: The form.

    Returns:
        The sample with the replies among its messages; its store has `filled` (the form's fields as a dictionary, or
        None) and `unfilled` (`refused`, `empty` or `unparsable`; where the model could not answer, one of `FAULTS`;
        or None).
    """
    asked = await ask(get_model(), [*state.messages], form)
    fault = why_none(asked.output)
    state.store.set("filled", asked.filled.model_dump() if asked.filled else None)
    state.store.set("unfilled", fault if asked.reason and fault in FAULTS else asked.reason)
    return append_replies(state, asked.replies, form)


def append_replies(state: TaskState, replies: list[str], form: Form[Any]) -> TaskState:
    """Append a model's replies to the sample's messages, where the viewer shows them.

    Args:
        state: The sample.
        replies: The replies: one, or two if the first did not fill in the form.
        form: The form.
    """
    first, *repaired = replies
    state.messages.append(ChatMessageAssistant(content=first))
    for reply in repaired:
        state.messages += [ChatMessageUser(content=form.repair), ChatMessageAssistant(content=reply)]
    state.output = ModelOutput.from_content(str(state.model), replies[-1])
    return state


def thought_dataset(
    thoughts: Sequence[Noted],
    source: Source,
    instructions: str,
    question: Callable[[Noted], str],
    target: Callable[[Noted], str],
) -> MemoryDataset:
    """Make a sample of each thought.

    Args:
        thoughts: The thoughts.
        source: The data they are from.
        instructions: The system message.
        question: A function from a thought to the question about it.
        target: A function from a thought to the sample's target, which no model sees.

    Raises:
        UserError: The log of so many samples cannot be written.
    """
    samples = [
        Sample(
            id=thought.id,
            input=[ChatMessageSystem(content=instructions), ChatMessageUser(content=question(thought))],
            target=target(thought),
            metadata=thought.metadata,
        )
        for thought in thoughts
    ]
    return dataset_of(samples, source)
