"""Rate how far an inference agrees with what the user thought, 1–5, by a judge."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState
from pydantic import BaseModel

from thoughttrace.core.errors import check_positive
from thoughttrace.core.record import InferenceMetadata, Kind
from thoughttrace.datasets.prompt import block, marker
from thoughttrace.scorers.answer import answer_of
from thoughttrace.scorers.judges import judges
from thoughttrace.scorers.panel import rate
from thoughttrace.scorers.structured_output import Form

_HERE = Path(__file__).resolve().parent


class Verdict(BaseModel):
    """A judge's reply."""

    rationale: str
    rating: Literal[1, 2, 3, 4, 5]


VERDICT = Form(
    "verdict",
    Verdict,
    'That was not one JSON object with a "rationale" and a "rating" of 1, 2, 3, 4 or 5. '
    "Reply again with that object and nothing else.",
)


@cache
def rubric(kind: Kind) -> str:
    """Return the rubric of a kind of thought, with one anchor and example per rating."""
    return (_HERE / f"{kind}.md").read_text(encoding="utf-8").strip()


@cache
def rubric_hash(kind: Kind, judge_message: bool) -> str:
    """Hash everything fixed in a judge's prompt: only ratings with equal hashes can be compared."""
    fixed = "\n".join((rubric(kind), str(judge_message), VERDICT.text))
    return hashlib.sha256(fixed.encode()).hexdigest()[:12]


def judge_prompt(kind: Kind, message: str | None, targets: Sequence[str], inference: str) -> list[ChatMessage]:
    """Write the prompt that asks a judge for a verdict on an inference.

    Args:
        kind: The kind of thought.
        message: The annotated message, which resolves "it" and "this"; None to withhold it.
        targets: The true thoughts on that message.
        inference: The evaluated model's inference.
    """
    mark = marker(message or "", *targets, inference)
    quoted = "message" if kind == "reason" else "reply"
    numbers = [f" {n}" for n in range(1, len(targets) + 1)] if len(targets) > 1 else [""]
    blocks = [
        *([block(mark, quoted, message)] if message is not None else []),
        *(block(mark, f"note{n}", target) for n, target in zip(numbers, targets, strict=True)),
        block(mark, "guess", inference),
    ]
    return [
        ChatMessageSystem(content=rubric(kind)),
        ChatMessageUser(content=f"{''.join(blocks)}[{mark} end]"),
    ]


# `grouped(ci())` would abort a run after it was paid for; the analysis computes the intervals.
@scorer(metrics=[mean(), stderr(cluster="user"), grouped(mean(), "type", all=False)])
def agreement(
    judge_message: bool = True,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
    judge_repeats: int = 1,
) -> Scorer:
    """Rate the agreement of an inference with the user's thought(s), 1–5.

    Every model bound to the role `grader` votes, except the evaluated model itself; the score is the mean of the
    judges, each the mean of its valid votes. A judge whose reply is no valid verdict is asked once more. A judge that
    cannot be asked, after all of Inspect's retries, loses its vote; every vote says why it has no rating.

    A model that refuses or answers nothing gets the lowest rating, which means that its answer shows nothing of the
    thought, and no judge is asked; the score's reason is `refusal` or `no_response`. Without a valid vote the sample is
    unscored, never given a number; its reason is that of the votes, or `grader_failed` where they differ. A sample is
    unscored too where the model could not answer (`truncated`, `prompt_too_long`, `no_output`), or a control has no
    text (`no_response`).

    Args:
        judge_message: Show the judge the annotated message, which resolves "it" and "this". A very small judge
            mistakes it for the thought and is better off without it.
        allow_self_judging: Let the evaluated model vote on itself.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge, which show how much a judge differs from itself.

    Raises:
        UserError: `judge_repeats` is not positive.
        Exception: When a sample is scored: what a judge's provider raised, if no judge gave a valid vote. So a judge
            without access fails the sample, which can be run again, and does not leave a whole run unscored.
    """
    check_positive("judge_repeats", judge_repeats)

    async def score(state: TaskState, target: Target) -> Score:
        inference, sample = answer_of(state), state.metadata_as(InferenceMetadata)
        prompt = judge_prompt(sample.kind, sample.message if judge_message else None, list(target), inference)
        panel, fixed = judges(allow_self_judging, exclude_family), rubric_hash(sample.kind, judge_message)
        return await rate(state, inference, panel, prompt, VERDICT, fixed, judge_repeats)

    return score
