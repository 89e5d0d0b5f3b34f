"""What the two inference tasks share: their samples, and what a log says about where they came from."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai.dataset import MemoryDataset
from inspect_ai.solver import Solver
from inspect_ai.viewer import (
    ScoreColorScale,
    TaskSamplesColumn,
    TaskSamplesSort,
    TaskSamplesView,
    ViewerConfig,
)

from thoughttrace import __version__
from thoughttrace.datasets.census import census
from thoughttrace.datasets.context import parse_context
from thoughttrace.datasets.controls import parse_control, recite
from thoughttrace.datasets.conversation import Kind
from thoughttrace.datasets.errors import UserError
from thoughttrace.datasets.prompt_cache import CacheOrdered
from thoughttrace.datasets.samples import record_to_sample
from thoughttrace.datasets.select import select
from thoughttrace.datasets.sources import open_source
from thoughttrace.tasks.cached import generate_cached
from thoughttrace.tasks.controls import recite_control, reword_target
from thoughttrace.tasks.log_folder import require_log_folder

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
    dose = parse_context(context)
    if max_context_words is not None and max_context_words < 1:
        raise UserError(f"max_context_words={max_context_words}: must be 1 or more.")
    source = open_source(str(data), skip_bad)
    wanted = [types] if isinstance(types, str) else types
    items = select(source.conversations, kind, wanted, users, per_user, seed)
    require_log_folder(len(items))
    question = (_HERE / f"infer_{kind}.md").read_text(encoding="utf-8").strip()
    said = None
    if control is not None and control != "reworded":
        said = recite(parse_control(control), source.conversations, kind, seed)
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
        "control": parse_control(control) if control is not None else None,
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
