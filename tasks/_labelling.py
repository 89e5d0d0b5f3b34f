"""Share what the tasks have in common in which the evaluated model fills in a form."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesSort, TaskSamplesView, ViewerConfig
from pydantic import BaseModel

from thoughttrace import __version__
from thoughttrace.datasets.samples import Noted
from thoughttrace.datasets.sources import Source
from thoughttrace.scorers.structured_output import Form, ask, keep_form
from thoughttrace.tasks._log_folder import require_log_folder


async def fill(state: TaskState, form: Form[Any]) -> TaskState:
    """Ask the evaluated model to fill in a form, and once more if its reply does not.

    Args:
        state: The sample; its messages are the prompt.
        form: What the reply must be.

    Returns:
        The sample with the replies among its messages, and the form where `read_form` finds it.
    """
    reply = await ask(get_model(), [*state.messages], form)
    keep_form(state, reply.filled.model_dump() if reply.filled else None, reply.unscored)
    return answered(state, reply.replies, form)


def answered(state: TaskState, replies: list[str], form: Form[Any]) -> TaskState:
    """Put a model's replies where the viewer shows them.

    Args:
        state: The sample.
        replies: One, or two where the first was no valid form.
        form: What was asked for.
    """
    first, *repaired = replies
    state.messages.append(ChatMessageAssistant(content=first))
    for reply in repaired:
        state.messages += [ChatMessageUser(content=form.repair), ChatMessageAssistant(content=reply)]
    state.output = ModelOutput.from_content(str(state.model), replies[-1])
    return state


def label_viewer(title: str) -> ViewerConfig:
    """The label of each sample, without the columns for a target or a score.

    Args:
        title: Of the list of samples.
    """
    return ViewerConfig(
        # A conversation can hold anything; show it as text.
        trust_content=False,
        task_samples_view=TaskSamplesView(
            name=title,
            columns=[
                TaskSamplesColumn(id="sampleId"),
                TaskSamplesColumn(id="answer"),
                TaskSamplesColumn(id="input", visible=False),
                TaskSamplesColumn(id="error"),
            ],
            sort=[TaskSamplesSort(column="sampleId")],
        ),
    )


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
    """Let the evaluated model rate, held to the rating form."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, RATING)

    return solve


def instructions(name: str) -> str:
    """A prompt beside the tasks.

    Args:
        name: Of its file, without the ending.
    """
    return (Path(__file__).resolve().parent / f"{name}.md").read_text(encoding="utf-8").strip()


def thought_samples(
    chosen: Sequence[Noted],
    system: str,
    question: Callable[[Noted], str],
    target: Callable[[Noted], str],
    source: Source,
) -> MemoryDataset:
    """Cut a sample of each thought.

    Args:
        chosen: The thoughts.
        system: The system message.
        question: What is asked about a thought.
        target: The sample's target, which no model sees.
        source: Where they are from.

    Raises:
        UserError: Their log could not be written.
    """
    require_log_folder(len(chosen))
    samples = [
        Sample(
            id=noted.id,
            input=[ChatMessageSystem(content=system), ChatMessageUser(content=question(noted))],
            target=target(noted),
            metadata=noted.metadata,
        )
        for noted in chosen
    ]
    return MemoryDataset(samples, name=source.name)


def named(source: Source, system: str, form: Form[Any]) -> dict[str, Any]:
    """What a log says of its data and prompt.

    Args:
        source: Where the thoughts are from.
        system: The system message.
        form: What the model fills in.
    """
    return {
        "data": source.name,
        "data_revision": source.revision,
        "data_skipped": source.skipped,
        "prompt_hash": hashlib.sha256(f"{system}\n{form.text}".encode()).hexdigest()[:12],
        "thoughttrace": __version__,
    }


def viewer(title: str, score: str, label: str, lowest: int, highest: int) -> ViewerConfig:
    """How the viewer shows such a task.

    Args:
        title: Of the list of samples.
        score: The score's name.
        label: What its column is called.
        lowest: End of the scale.
        highest: The other end.
    """
    return ViewerConfig(
        # A thought can hold anything; show it as text.
        trust_content=False,
        task_samples_view=TaskSamplesView(
            name=title,
            columns=[
                TaskSamplesColumn(id="sampleId"),
                TaskSamplesColumn(id="target"),
                TaskSamplesColumn(id="answer"),
                TaskSamplesColumn.score(score),
                TaskSamplesColumn(id="input", visible=False),
                TaskSamplesColumn(id="error"),
            ],
            sort=[TaskSamplesSort(column="sampleId")],
            score_labels={score: label},
            score_color_scales={score: ScoreColorScale(palette="good-high", min=lowest, max=highest)},
        ),
    )
