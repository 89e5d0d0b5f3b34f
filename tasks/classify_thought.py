"""Classify a thought, and compare with the dataset's label, which is a language model's too."""

from functools import cache
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import create_model

from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import CLASSIFY, KINDS, THOUGHT_CONTEXTS, TYPES, Kind, RunMetadata
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.samples import select_thoughts, show
from thoughttrace.scorers.labels import type_match
from thoughttrace.scorers.structured_output import Form
from thoughttrace.tasks._inference import recite_control
from thoughttrace.tasks._labelling import fill, thought_dataset
from thoughttrace.tasks._options import DataOptions, ScoreColumn, prompt_hash, provenance, read_prompt, recite, viewer
from thoughttrace.tasks._type_baseline import predict_types

_VIEWER = viewer("Types of thoughts", ScoreColumn("Same type", CLASSIFY.score, scale=CLASSIFY.scale))


@task
def classify_thought(
    kind: str = "reason",
    data: str = "sample",
    context: str = "thought",
    types: str | list[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
    baseline: bool = False,
) -> Task:
    """Say which of the dataset's types a thought is, and compare with its label, itself a language model's.

    Thoughts whose label is none of the known types are no samples; the log counts them.

    Args:
        kind: `reason` (7 types) or `reaction` (5).
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        context: What the model sees: `thought` (alone), `message` (the message it is on too) or `history`
            (everything up to that message too).
        types: Only thoughts of these types; the model still chooses among all.
        users: At most this many users, each with all their thoughts.
        per_user: The thoughts on at most this many messages of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Of the history, drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
        baseline: Score a classifier in the model's place (with `--model none/none`): logistic regression on sentence
            embeddings, fitted without the thoughts of the user it is asked about. Needs the extra `shift`.
    """
    thought_kind = check_choice("kind", kind, KINDS)
    shown = check_choice("context", context, THOUGHT_CONTEXTS)
    options = DataOptions(data, types, users, per_user, seed, max_context_words, skip_bad)
    source = options.open()
    known_types = TYPES[thought_kind]
    thoughts = select_thoughts(
        source.conversations, thought_kind, options.selected_types or known_types, users, per_user, seed
    )
    instructions, form = read_prompt(f"classify_{thought_kind}"), type_form(thought_kind)
    dataset = thought_dataset(
        thoughts,
        source,
        instructions,
        question=lambda thought: show(thought, shown, max_context_words),
        target=lambda thought: thought.thought.label,
    )
    if baseline:
        predicted = predict_types(select_thoughts(source.conversations, thought_kind, known_types), shown)
        for sample in dataset:
            recite(sample, predicted[str(sample.id)])
    labels = census(source.conversations).types[thought_kind]
    return Task(
        dataset=dataset,
        solver=recite_control() if baseline else name_type(thought_kind),
        scorer=type_match(),
        version="1-A",
        metadata=RunMetadata(
            kind=thought_kind,
            context=shown,
            baseline=baseline,
            unknown_labels={label: count for label, count in labels.items() if label not in known_types},
            prompt_hash=prompt_hash(instructions, form.text),
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=CLASSIFY.score,
    )


@cache
def type_form(kind: Kind) -> Form[Any]:
    """Make the form of a kind of thought: a rationale, then one of the kind's types."""
    one_of: Any = Literal[TYPES[kind]]
    fields = create_model("Label", rationale=(str, ...), type=(one_of, ...))
    return Form(
        "label",
        fields,
        f'That was not one JSON object with a "rationale" and a "type" that is one of {", ".join(TYPES[kind])}. '
        "Reply again with that object and nothing else.",
    )


@solver
def name_type(kind: Kind) -> Solver:
    """Let the evaluated model fill in the form of a kind of thought.

    Args:
        kind: The kind.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, type_form(kind))

    return solve
