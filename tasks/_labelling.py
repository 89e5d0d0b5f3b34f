"""Let the evaluated model fill in a form: about a thought, a message or a conversation."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import BaseModel

from thoughttrace.core.record import JudgeScale
from thoughttrace.datasets.prompt import Prompt
from thoughttrace.datasets.samples import AnnotatedThought, thought_sample
from thoughttrace.datasets.sources import Source
from thoughttrace.scorers.panel import vote
from thoughttrace.scorers.probe import keep_vote
from thoughttrace.scorers.structured_output import Form, ask, keep_form
from thoughttrace.tasks._options import dataset_of


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
        The sample with the replies among its messages, and the form where `read_form` finds it.
    """
    reply = await ask(get_model(), [*state.messages], form)
    keep_form(state, reply.filled.model_dump() if reply.filled else None, reply.unscored)
    return _append_replies(state, reply.replies, form)


async def vote_as_judge(
    state: TaskState, form: Form[Any], rubric_hash: str, judge_scale: JudgeScale = "sampled"
) -> TaskState:
    """Let the evaluated model vote, with the same schema, parsing and repair as a judge.

    Args:
        state: The sample; its messages are a judge's prompt.
        form: The form of a judge's reply.
        rubric_hash: Identifies the rubric in the prompt, such as from `agreement.rubric_hash`.
        judge_scale: What the vote counts as.

    Returns:
        The sample with the replies among its messages, and the vote where `kept_vote` finds it.
    """
    cast_vote = await vote(get_model(), [*state.messages], form, rubric_hash, judge_scale=judge_scale)
    keep_vote(state, cast_vote)
    return _append_replies(state, cast_vote.replies, form)


def _append_replies(state: TaskState, replies: list[str], form: Form[Any]) -> TaskState:
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
    thoughts: Sequence[AnnotatedThought],
    source: Source,
    instructions: str,
    question: Callable[[AnnotatedThought], Prompt],
    target: Callable[[AnnotatedThought], str],
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
    samples = [thought_sample(thought, instructions, question(thought), target(thought)) for thought in thoughts]
    return dataset_of(samples, source)
