"""Let a panel of judges rate what a model wrote, and combine their votes into a score."""

import logging
from collections.abc import Sequence
from statistics import fmean
from typing import Any, get_args

from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.exception import TerminateSampleError
from inspect_ai._util.logger import warn_once
from inspect_ai.model import ChatMessage, Model
from inspect_ai.scorer import Score
from inspect_ai.solver import TaskState
from inspect_ai.util import LimitExceededError

from thoughttrace.core.record import Unscored
from thoughttrace.scorers.answer import why_none
from thoughttrace.scorers.structured_output import Form, ask

Vote = dict[str, Any]
"""`judge`, `rating` (None if there is none), `rationale`, `prompt_hash`, `replies` (raw, in order), and `reason`: why
there is no rating (`judge_refused`, `judge_empty`, `judge_unparsable`, or `judge_failed`, then with the `error`), else
None."""


async def vote(judge: Model, prompt: list[ChatMessage], form: Form[Any], prompt_hash: str, repeat: int = 0) -> Vote:
    """Ask one judge.

    Args:
        judge: The judge.
        prompt: What it is asked, such as from `judge_prompt`.
        form: What it must reply; its fields are `rationale` and `rating`.
        prompt_hash: Names the rubric, such as from `rubric_hash`.
        repeat: Which of several votes on the same prompt this is, from 0.
    """
    asked = await ask(judge, prompt, form, repeat)
    return {
        "judge": str(judge),
        "rating": asked.filled.rating if asked.filled else None,
        "rationale": asked.filled.rationale if asked.filled else None,
        "prompt_hash": prompt_hash,
        "replies": asked.replies,
        "reason": f"judge_{asked.reason}" if asked.reason else None,
    }


def failed_vote(judge: Model, prompt_hash: str, error: Exception) -> Vote:
    """The vote of a judge that could not be asked.

    Args:
        judge: The judge.
        prompt_hash: Names the rubric, from `rubric_hash`.
        error: What its provider raised, after all retries. Of its text, which can quote a key, nothing is kept: it
            stands in the sample's events.
    """
    attempt = getattr(error, "last_attempt", None)  # of tenacity's RetryError
    cause = attempt.exception() if attempt else error
    status = getattr(cause, "status_code", None) or getattr(cause, "code", None)
    said = type(cause).__name__ + (f" {status}" if isinstance(status, int) else "")
    return {
        "judge": str(judge),
        "rating": None,
        "rationale": None,
        "prompt_hash": prompt_hash,
        "replies": [],
        "reason": "judge_failed",
        "error": said,
    }


_SAID = {Unscored.REFUSAL: "(refused)", Unscored.NO_RESPONSE: "(nothing)"}
"""What stands as the answer of a model that gave none."""
_RULE = "The model gave no answer, which tells nothing: the lowest rating, without asking a judge."
_NOT_THE_JUDGES = (LimitExceededError, TerminateSampleError, PrerequisiteError)
"""What ends a sample or names a mistake in the command, and must not pass for a judge's failure."""

_logger = logging.getLogger(__name__)


async def rate(
    state: TaskState,
    answer: str,
    panel: Sequence[Model],
    prompt: list[ChatMessage],
    form: Form[Any],
    prompt_hash: str,
    repeats: int,
) -> Score:
    """Rate an answer; `agreement` says by what rules.

    Args:
        state: The sample; its metadata has `recited` or `reworded` where a control answered.
        answer: What the model wrote; empty if it wrote nothing.
        panel: The judges.
        prompt: What they are asked.
        form: What they must reply; its fields are `rationale` and `rating`, which lists the ratings, lowest first.
        prompt_hash: Names the rubric.
        repeats: Votes of each judge.

    Raises:
        Exception: What a judge's provider raised, if no judge gave a valid vote.
    """
    if not answer:
        return _without_answer(state, panel, form, prompt_hash)
    votes, errors = [], []
    for judge in panel:
        for repeat in range(repeats):
            try:
                votes.append(await vote(judge, prompt, form, prompt_hash, repeat))
            except _NOT_THE_JUDGES:
                raise
            except Exception as error:
                errors.append(error)
                votes.append(failed_vote(judge, prompt_hash, error))
                warn_once(_logger, f"{judge} could not vote ({votes[-1]['error']}): such votes are missing.")
    if errors and all(one["rating"] is None for one in votes):
        raise errors[0]
    return _score(answer, votes)


def _without_answer(state: TaskState, panel: Sequence[Model], form: Form[Any], prompt_hash: str) -> Score:
    """The score of a sample whose model or control left nothing to judge."""
    is_control = not {"recited", "reworded"}.isdisjoint(state.metadata)
    reason = Unscored.NO_RESPONSE if "recited" in state.metadata else why_none(state.output)
    if is_control or reason not in _SAID:
        return Score.unscored(reason=reason, answer="")
    # Who would have judged it, so that the run of a model that never answers still names its judges.
    metadata = {"ratings": {str(judge): [] for judge in panel}, "prompt_hash": prompt_hash, "votes": []}
    lowest = get_args(form.fields.model_fields["rating"].annotation)[0]
    return Score(value=lowest, reason=reason, answer=_SAID[reason], explanation=_RULE, metadata=metadata)


def _score(answer: str, votes: Sequence[Vote]) -> Score:
    # A log's summaries leave out what is over 1 kB, as votes can be: the ratings stand by themselves too.
    metadata = {
        "ratings": _by_judge(votes),
        "prompt_hash": votes[0]["prompt_hash"],
        "votes": list(votes),
    }
    ratings = [rating for own in _by_judge(votes).values() if (rating := _mean(own)) is not None]
    if not ratings:
        reasons = {one["reason"] for one in votes}
        return Score.unscored(
            reason=reasons.pop() if len(reasons) == 1 else "grader_failed",
            answer=answer,
            explanation="No judge gave a valid verdict; their replies are in the metadata.",
            metadata=metadata,
        )
    valid = [vote for vote in votes if vote["rating"] is not None]
    rationales = [f"{vote['judge']}: {vote['rationale']}" for vote in valid]
    return Score(
        value=ratings[0] if len(ratings) == 1 else fmean(ratings),
        answer=answer,
        explanation=valid[0]["rationale"] if len(valid) == 1 else "\n".join(rationales),
        metadata=metadata,
    )


def _by_judge(votes: Sequence[Vote]) -> dict[str, list[int | None]]:
    """Each judge's ratings, in order; None where a vote was no verdict."""
    ratings: dict[str, list[int | None]] = {}
    for one in votes:
        ratings.setdefault(one["judge"], []).append(one["rating"])
    return ratings


def _mean(ratings: Sequence[int | None]) -> float | None:
    """The mean of the valid ratings of one judge; a whole number where there is one rating."""
    valid = [rating for rating in ratings if rating is not None]
    return (valid[0] if len(valid) == 1 else fmean(valid)) if valid else None
