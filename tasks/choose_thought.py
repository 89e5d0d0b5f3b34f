"""Choose which of several notes is the user's on a message: an outcome that needs no judge."""

from functools import cache
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import create_model

from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.record import CHOOSE, CONTEXTS, KINDS, LETTERS, ChoiceMetadata, Context, Kind, RunMetadata
from thoughttrace.datasets.choices import choice_sample, with_options
from thoughttrace.datasets.controls import CONSTANTS
from thoughttrace.datasets.samples import select_thoughts
from thoughttrace.models.prompt_cache import CacheOrdered
from thoughttrace.scorers.labels import choice
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

_DEFAULT_CONTEXT: dict[Kind, Context] = {"reason": "history", "reaction": "lookahead"}
"""Those of `infer_reason` and `infer_reaction`."""

_QUESTIONS: dict[Kind, str] = {
    "reason": "Message [{marker} {message} user] is the one in question. Which of these notes says why the person "
    "sent it?",
    "reaction": "Reply [{marker} {message} assistant] is the one in question. Which of these notes says what the "
    "person thought of it?",
}

_VIEWER = viewer("The user's own note", ScoreColumn("Chosen", CHOOSE.score, scale=CHOOSE.scale))


@task
def choose_thought(
    kind: str = "reason",
    data: str = "sample",
    context: str | None = None,
    types: str | list[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
) -> Task:
    """Say which of four notes is the user's own on a message; needs no judge.

    The others are a note of the same user on another message, a note of another user of the same type, and a sentence
    that fits nearly every message. Where one of these cannot be found, the sample has fewer options; a thought beside
    which none can stand is no sample, and the log counts them.

    Args:
        kind: `reason` or `reaction`.
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        context: What the model sees: `message`, `history`, `lookahead`, or `profile` (which sends survey answers such
            as age and occupation to the model's provider). By default `history` for reasons and `lookahead` for
            reactions, as the inference tasks.
        types: Only thoughts of these types.
        users: At most this many users, each with all their thoughts.
        per_user: The thoughts on at most this many messages of each user, chosen at random.
        seed: Of the order of users, the choice within them, the other notes and the order of the notes.
        max_context_words: Drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    thought_kind = check_choice("kind", kind, KINDS)
    shown = check_choice("context", _DEFAULT_CONTEXT[thought_kind] if context is None else context, CONTEXTS)
    options = DataOptions(data, types, users, per_user, seed, max_context_words, skip_bad)
    source = options.open()
    thoughts = select_thoughts(source.conversations, thought_kind, options.selected_types, users, per_user, seed)
    chosen = with_options(thoughts, source.conversations, thought_kind, seed)
    if not chosen:
        raise UserError(f"No {thought_kind} in this data has another note to stand beside it. Use data of more users.")
    instructions, question = read_prompt(CHOOSE.name), _QUESTIONS[thought_kind]
    samples = [choice_sample(noted, notes, instructions, question, shown, max_context_words) for noted, notes in chosen]
    return Task(
        dataset=dataset_of(samples, source, CacheOrdered),
        solver=choose_note(),
        scorer=choice(),
        version="1-A",
        metadata=RunMetadata(
            kind=thought_kind,
            context=shown,
            max_context_words=max_context_words,
            survey_answers_sent=shown == "profile",
            options_seed=seed,
            without_options=len(thoughts) - len(chosen),
            prompt_hash=prompt_hash(instructions, question, CONSTANTS[thought_kind], choice_form(len(LETTERS)).text),
            **provenance(source),
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=CHOOSE.score,
    )


@cache
def choice_form(options: int) -> Form[Any]:
    """Make the form of a sample with so many options: a rationale, then a letter."""
    letters = LETTERS[:options]
    one_of: Any = Literal[tuple(letters)]
    return Form(
        "choice",
        create_model("Choice", rationale=(str, ...), choice=(one_of, ...)),
        f'That was not one JSON object with a "rationale" and a "choice" that is one of {", ".join(letters)}. '
        "Reply again with that object and nothing else.",
    )


@solver
def choose_note() -> Solver:
    """Let the evaluated model fill in the form of its sample."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return await fill(state, choice_form(len(state.metadata_as(ChoiceMetadata).options)))

    return solve
