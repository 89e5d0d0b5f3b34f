"""Share what the two inference tasks have in common: samples, controls, metadata."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.viewer import (
    ScoreColorScale,
    TaskSamplesColumn,
    TaskSamplesSort,
    TaskSamplesView,
    ViewerConfig,
)

from thoughttrace import __version__
from thoughttrace.core.errors import check_choice, check_positive
from thoughttrace.core.record import CONTEXTS, CONTROLS, Kind
from thoughttrace.datasets.controls import recite
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.prompt import block, marker
from thoughttrace.datasets.samples import record_to_sample
from thoughttrace.datasets.sampling import select
from thoughttrace.datasets.sources import open_source
from thoughttrace.models.prompt_cache import CacheOrdered, generate_cached
from thoughttrace.tasks._log_folder import require_log_folder

REWORD = (Path(__file__).resolve().parent / "reword.md").read_text(encoding="utf-8").strip()


@solver
def recite_control() -> Solver:
    """Answer with what the task prepared in the sample's metadata (`recited`); no model is asked."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("control", state.metadata["recited"])
        state.messages.append(ChatMessageAssistant(content=state.metadata["recited"]))
        return state

    return solve


@solver
def reword_target() -> Solver:
    """Let the model say the target in other words: it is shown the target, and not the conversation."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.metadata["reworded"] = True
        note = state.target[0]
        mark = marker(note)
        state.messages = [ChatMessageUser(content=f"{REWORD}\n\n{block(mark, 'note', note)}[{mark} end]")]
        return await generate(state)

    return solve


_HERE = Path(__file__).resolve().parent
_INSTRUCTIONS = (_HERE / "infer.md").read_text(encoding="utf-8").strip()

VIEWER = ViewerConfig(
    # A conversation can hold anything; show it as text.
    trust_content=False,
    task_samples_view=TaskSamplesView(
        name="Agreement",
        columns=[
            TaskSamplesColumn(id="sampleId"),
            TaskSamplesColumn(id="target"),
            TaskSamplesColumn(id="answer"),
            TaskSamplesColumn.score("agreement"),
            TaskSamplesColumn.score("similarity"),
            TaskSamplesColumn(id="input", visible=False),
            TaskSamplesColumn(id="error"),
        ],
        sort=[TaskSamplesSort(column="sampleId")],
        score_labels={"agreement": "Agreement, 1–5", "similarity": "Similarity"},
        score_color_scales={"agreement": ScoreColorScale(palette="good-high", min=1, max=5)},
    ),
)


def thoughts(
    kind: Kind,
    data: str,
    context: str,
    types: str | Sequence[str] | None,
    users: int | None,
    per_user: int | None,
    seed: int,
    max_context_words: int | None,
    skip_bad: bool,
    control: str | None,
) -> tuple[MemoryDataset, dict[str, Any]]:
    """Cut the samples of one kind of thought; the arguments are the tasks' own.

    Returns:
        The samples, and the metadata that names their data and prompt.

    Raises:
        UserError: An argument or the data cannot be used.
    """
    dose = check_choice("context", context, CONTEXTS)
    answered_by = check_choice("control", control, CONTROLS) if control is not None else None
    check_positive("max_context_words", max_context_words)
    source = open_source(str(data), skip_bad)
    wanted = [types] if isinstance(types, str) else types
    items = select(source.conversations, kind, wanted, users, per_user, seed)
    require_log_folder(len(items))
    question = (_HERE / f"infer_{kind}.md").read_text(encoding="utf-8").strip()
    said = None
    if answered_by is not None and answered_by != "reworded":
        said = recite(answered_by, source.conversations, kind, seed)
    unknown = dict(census(source.conversations).unknown_labels)
    # Prompts repeat a conversation once a thought; each goes as soon as its own are cut.
    source.conversations.clear()
    items.reverse()
    samples = []
    while items:
        conversation, index = items.pop()
        sample = record_to_sample(conversation, index, _INSTRUCTIONS, question, dose, max_context_words)
        if said:
            sample.metadata = {**(sample.metadata or {}), "recited": said((conversation, index))}
        samples.append(sample)
    metadata = {
        "kind": kind,
        "control": answered_by,
        "context": dose,
        "survey_answers_sent": dose == "profile",  # to the evaluated model's provider
        "data": source.name,
        "data_revision": source.revision,
        "data_skipped": source.skipped,
        "unknown_labels": unknown,
        "prompt_hash": hashlib.sha256(f"{_INSTRUCTIONS}\n{question}".encode()).hexdigest()[:12],
        "thoughttrace": __version__,
    }
    return CacheOrdered(samples, name=source.name), metadata


def infer(control: str | None) -> Solver:
    """What answers a sample: the evaluated model, or a control.

    Args:
        control: The control's name; None for the model.
    """
    if control is None:
        return generate_cached()
    return reword_target() if control == "reworded" else recite_control()
