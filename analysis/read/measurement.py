"""Define what a run measures: what must be equal in two logs that are joined, or that are compared."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from thoughttrace.analysis.read.task_log import Run

Aspect = Literal[
    "task", "kind", "model", "effort", "generation", "solver", "context", "context_words", "arm", "selection", "prompt",
    "confidence", "judge", "judge_message", "judge_scale", "rubric", "probes", "data", "version",
    "answers",
]  # fmt: skip
"""One thing that a measurement depends on."""

ASPECTS: dict[Aspect, Callable[[Run], str]] = {
    "task": lambda run: run.task,
    "kind": lambda run: run.kind or "",
    "model": lambda run: run.model,
    "effort": lambda run: run.effort,
    "generation": lambda run: run.generation,
    "solver": lambda run: run.solver,
    "context": lambda run: run.context,
    "context_words": lambda run: run.context_words,
    "arm": lambda run: run.arm,
    "selection": lambda run: run.selection,
    "judge": lambda run: run.judge_described,
    "version": lambda run: str(run.version),
    "prompt": lambda run: run.prompt_hash,
    "confidence": lambda run: "asked" if run.confidence else "",
    "rubric": lambda run: run.rubric_hash,
    "probes": lambda run: run.probes_hash,
    "judge_message": lambda run: "" if run.judge_message else "without the message",
    "judge_scale": lambda run: run.judge_scale,
    "data": lambda run: run.data_revision,
    "answers": lambda run: run.answers_file,
}
"""What a measurement depends on. Which samples a run has is no part of it: runs are joined sample by sample."""

SYSTEM: tuple[Aspect, ...] = ("model", "effort", "generation", "answers")
"""The aspects that make up what is evaluated: a model, and how it is asked to generate; or answers made elsewhere."""

ASPECT_NAMES: dict[Aspect, str] = {
    "effort": "reasoning effort",
    "generation": "generation config",
    "context_words": "words of context",
    "judge_message": "what the judge sees",
    "judge_scale": "judge scale",
    "data": "data revision",
    "version": "task version",
}
"""The aspects that sentences call by another name."""


def measurement(run: Run, *free: Aspect) -> tuple[str, ...]:
    """Return what a run measures: its value of every aspect.

    Args:
        run: The run.
        free: The aspects that are left out. Without those of `SYSTEM` it is what must be equal for the numbers of two
            models to compare.
    """
    return tuple(value(run) for aspect, value in ASPECTS.items() if aspect not in free)


_TEXTS: dict[Aspect, Callable[[Run], str]] = {
    "effort": lambda run: f"effort {run.effort or 'default'}",
    "generation": lambda run: run.generation or "default generation",
    "solver": lambda run: f"solver {run.solver or 'of the task'}",
    "context_words": lambda run: f"{run.context_words} words of context" if run.context_words else "the whole context",
    "prompt": lambda run: f"prompt {run.prompt}",
    "confidence": lambda run: "states its confidence" if run.confidence else "states no confidence",
    "judge_message": lambda run: "judge sees the message" if run.judge_message else "judge does not see the message",
    "judge_scale": lambda run: f"{run.judge_scale} ratings",
    "rubric": lambda run: f"rubric {run.rubric}",
    "data": lambda run: f"{run.data}, revision {run.data_revision}",
    "answers": lambda run: f"answers {run.answers_file}" if run.answers_file else "asked in the run",
    "judge": lambda run: "; ".join(f"judge {name}: {run.judge_configs[name]}" for name in run.configured_judges),
}
"""How a run is told from others of the same model; context, judges and arms have columns of their own."""


def distinguish(runs: Sequence[Run]) -> list[Run]:
    """Name in each run in what it differs from the other runs of the same task, kind and model.

    Args:
        runs: The runs of one report.
    """
    models: dict[tuple[str, str | None, str], list[Run]] = {}
    for run in runs:
        models.setdefault((run.task, run.kind, run.model), []).append(run)
    texts = {
        key: [text for text in _TEXTS.values() if len({text(run) for run in members}) > 1]
        for key, members in models.items()
    }
    return [
        replace(run, distinction=", ".join(filter(None, (text(run) for text in texts[run.task, run.kind, run.model]))))
        for run in runs
    ]
