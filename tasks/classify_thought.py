"""Say which type a thought is, against the dataset's label, which is a language model's too."""

from functools import cache
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import create_model

from thoughttrace.core.errors import check_choice, check_positive
from thoughttrace.core.record import KINDS, THOUGHT_CONTEXTS, TYPES, Kind
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.samples import select_thoughts, show
from thoughttrace.datasets.sources import open_source
from thoughttrace.scorers.labels import type_match
from thoughttrace.scorers.structured_output import Form
from thoughttrace.tasks._inference import recite_control
from thoughttrace.tasks._labelling import fill, instructions, named, thought_samples, viewer
from thoughttrace.tasks._type_baseline import predict_types

_VIEWER = viewer("Types of thoughts", "type_match", "Same type", 0, 1)


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
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL file or a folder of them.
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
    which = check_choice("kind", kind, KINDS)
    beside = check_choice("context", context, THOUGHT_CONTEXTS)
    check_positive("max_context_words", max_context_words)
    source = open_source(str(data), skip_bad)
    wanted = [types] if isinstance(types, str) else types or TYPES[which]
    chosen = select_thoughts(source.conversations, which, wanted, users, per_user, seed)
    system = instructions(f"classify_{which}")
    dataset = thought_samples(
        chosen, system, lambda noted: show(noted, beside, max_context_words), lambda noted: noted.thought.label, source
    )
    if baseline:
        said = predict_types(select_thoughts(source.conversations, which, TYPES[which]), beside)
        for sample in dataset:
            sample.metadata = {**(sample.metadata or {}), "recited": said[str(sample.id)]}
    return Task(
        dataset=dataset,
        solver=recite_control() if baseline else name_type(which),
        scorer=type_match(),
        version="1-A",
        metadata={
            "kind": which,
            "context": beside,
            "baseline": baseline,
            "unknown_labels": {
                label: count
                for label, count in census(source.conversations).types[which].items()
                if label not in TYPES[which]
            },
            **named(source, system, type_form(which)),
        },
        viewer=_VIEWER,
        headline_metric="type_match",
    )


@cache
def type_form(kind: Kind) -> Form[Any]:
    """What the model fills in: a rationale, then one of the types of a kind."""
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
    """Let the evaluated model name a type, held to the form.

    Args:
        kind: Of the thoughts.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, type_form(kind))

    return solve
