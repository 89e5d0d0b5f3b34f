"""Rate how far an inference agrees with what the user thought, 1–5, by a judge."""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState
from pydantic import BaseModel

from thoughttrace.core.errors import UserError, check_choice, check_positive
from thoughttrace.core.reaction_verdict import (
    HALF_VERDICT,
    OPPOSITE_VERDICT,
    SAME_VERDICT,
    Cause,
    ReplyVerdict,
    reaction_rating,
)
from thoughttrace.core.record import INFER, JUDGE_SCALES, InferenceMetadata, JudgedScore, Kind
from thoughttrace.datasets.prompt import block, marker, numbered
from thoughttrace.scorers.answer import answer_of, confidence_of
from thoughttrace.scorers.given_text import GivenText, check_plain, read_given_text
from thoughttrace.scorers.judges import judges
from thoughttrace.scorers.panel import rate
from thoughttrace.scorers.structured_output import Form

_HERE = Path(__file__).resolve().parent


class Verdict(BaseModel):
    """A judge's reply on a reason, or by a rubric that a user gave."""

    rationale: str
    rating: Literal[1, 2, 3, 4, 5]


VERDICT = Form(
    "verdict",
    Verdict,
    'That was not one JSON object with a "rationale" and a "rating" of 1, 2, 3, 4 or 5. '
    "Reply again with that object and nothing else.",
)


class ReactionVerdict(BaseModel):
    """A judge's reply on a reaction, from which the rating follows.

    Asked for a rating, judges differ in what a right verdict with a wrong cause is worth; so they say only what they
    see, and `reaction_rating` says what it is worth.
    """

    rationale: str
    note_verdict: ReplyVerdict
    guess_verdict: ReplyVerdict
    cause: Cause

    @property
    def rating(self) -> int:
        """The rating, 1–5."""
        return reaction_rating(self.note_verdict, self.guess_verdict, self.cause)


REACTION_VERDICT = Form(
    "reaction_verdict",
    ReactionVerdict,
    'That was not one JSON object with a "rationale", a "note_verdict" and a "guess_verdict" (each pleased, mixed or '
    'displeased) and a "cause" (same, part, other, none or added). Reply again with that object and nothing else.',
)


def verdict_form(kind: Kind, given: str | None = None) -> Form[Any]:
    """Return the form of a judge's reply.

    Args:
        kind: The kind of thought.
        given: The text of a rubric that is used in place of ours; it always asks for a rating.
    """
    return VERDICT if given or kind == "reason" else REACTION_VERDICT


@cache
def rubric(kind: Kind) -> str:
    """Return the rubric of a kind of thought."""
    return (_HERE / f"{kind}.md").read_text(encoding="utf-8").strip()


_SCALE = re.compile(
    r"\b(?:rat(?:e|ed|ing)|scores?|scale)\b[^.\n]{0,60}?\b(\d+) ?(?:to|and|-|–) ?(\d+)\b", re.IGNORECASE
)


def read_rubric(path: str) -> GivenText:
    """Read a rubric that a user gives in place of ours.

    Args:
        path: Path of a text file in the form of `scorers/reason.md`.

    Raises:
        UserError: The file cannot be read, or its text does not fit the form that judges fill in.
    """
    given, where = read_given_text("rubric", path), f"rubric={path}"
    check_plain(where, given.text)
    if missing := [field for field in Verdict.model_fields if not re.search(rf"\b{field}\b", given.text)]:
        raise UserError(
            f"{where}: does not name the field {' and '.join(missing)}. A judge replies with one JSON object that has "
            'a "rationale" and then a "rating" of 1, 2, 3, 4 or 5; ask for these.'
        )
    scales = set(_SCALE.findall(given.text)) - {("1", "5")}
    if scales or not re.search(r"\b1\b.*\b5\b|\b5\b.*\b1\b", given.text, re.DOTALL):
        raise UserError(f"{where}: does not ask for a rating from 1 to 5, which is all that a judge can give.")
    return given


@cache
def rubric_hash(kind: Kind, judge_message: bool, given: str | None = None) -> str:
    """Hash everything fixed in a judge's prompt and in its rating: only ratings with equal hashes can be compared."""
    form = verdict_form(kind, given)
    table = json.dumps((SAME_VERDICT, HALF_VERDICT, OPPOSITE_VERDICT)) if form is REACTION_VERDICT else ""
    fixed = "\n".join((given or rubric(kind), str(judge_message), form.text, table))
    return hashlib.sha256(fixed.encode()).hexdigest()[:12]


def judge_prompt(
    kind: Kind, message: str | None, targets: Sequence[str], inference: str, given: str | None = None
) -> list[ChatMessage]:
    """Write the prompt that asks a judge for a verdict on an inference.

    Args:
        kind: The kind of thought.
        message: The annotated message, which resolves "it" and "this"; None to withhold it.
        targets: The true thoughts on that message.
        inference: The evaluated model's inference.
        given: The text of a rubric that is used in place of ours.
    """
    mark = marker(message or "", *targets, inference)
    quoted = "message" if kind == "reason" else "reply"
    blocks = [
        *([block(mark, quoted, message)] if message is not None else []),
        *(block(mark, label, target) for label, target in numbered("note", targets).items()),
        block(mark, "guess", inference),
    ]
    return [
        ChatMessageSystem(content=given or rubric(kind)),
        ChatMessageUser(content=f"{''.join(blocks)}[{mark} end]"),
    ]


# `grouped(ci())` would abort a run after it was paid for; the analysis computes the intervals.
@scorer(metrics=[mean(), stderr(cluster="user"), grouped(mean(), "type", all=False)])
def agreement(
    judge_message: bool = True,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
    judge_repeats: int = 1,
    rubric: str | None = None,
    judge_scale: str = "sampled",
) -> Scorer:
    """Rate the agreement of an inference with the user's thought(s), 1–5.

    Every model bound to the role `grader` votes, except the evaluated model itself; the score is the mean of the
    judges, each the mean of its valid votes. A judge whose reply is no valid verdict is asked once more. A judge that
    cannot be asked, after all of Inspect's retries, loses its vote; every vote says why it has no rating.

    A model that refuses or answers nothing gets the lowest rating, which means that its answer shows nothing of the
    thought, and no judge is asked; the score's reason is `refusal` or `no_response`. Without a valid vote the sample is
    unscored, never given a number; its reason is that of the votes, or `grader_failed` where they differ. A sample is
    unscored too where the model could not answer (`truncated`, `prompt_too_long`, `no_output`), a control has no text
    (`no_response`), or answers made elsewhere have none for it (`not_answered`).

    Args:
        judge_message: Show the judge the annotated message, which resolves "it" and "this". A very small judge
            mistakes it for the thought and is better off without it.
        allow_self_judging: Let the evaluated model vote on itself.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge, which show how much a judge differs from itself.
        rubric: Path of a text file with a rubric that is used in place of ours, such as `examples/rubric_reason.md`.
        judge_scale: What a vote counts as: the rating that the judge wrote (`sampled`), or its mean rating by the
            log-probabilities of the rating's tokens, after the same rationale (`expected`). Votes then record both, and
            one whose tokens do not tell it is missing.

    Raises:
        UserError: `judge_repeats` is not positive, there is no such `judge_scale`, or the rubric cannot be used. When a
            sample is scored: the expected rating counts, and a judge gives no log-probabilities.
        Exception: When a sample is scored: what a judge's provider raised, if no judge gave a valid vote. So a judge
            without access fails the sample, which can be run again, and does not leave a whole run unscored.
    """
    check_positive("judge_repeats", judge_repeats)
    scale = check_choice("judge_scale", judge_scale, JUDGE_SCALES)
    # Inspect parses `-T rubric=2026` to a number.
    given = read_rubric(str(rubric)) if rubric is not None else None
    text = given.text if given else None

    async def score(state: TaskState, target: Target) -> Score:
        inference, sample = answer_of(state), state.metadata_as(InferenceMetadata)
        prompt = judge_prompt(sample.kind, sample.message if judge_message else None, list(target), inference, text)
        panel = judges(allow_self_judging, exclude_family, sample.system, sample.person)
        fixed = rubric_hash(sample.kind, judge_message, text)
        form, lowest = verdict_form(sample.kind, text), int(INFER[sample.kind].scale[0])
        rated = await rate(state, inference, panel, prompt, form, fixed, judge_repeats, lowest, scale)
        if given and rated.metadata:
            rated.metadata |= JudgedScore.model_construct(rubric_file=given.file).to_log()
        if sample.asks_confidence:
            rated.metadata = (rated.metadata or {}) | confidence_of(state).to_log()
        return rated

    return score
