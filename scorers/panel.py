"""Let a panel of judges rate an answer, and combine their votes into a score."""

import logging
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, Model
from inspect_ai.scorer import Score
from inspect_ai.solver import TaskState
from inspect_ai.util import LimitExceededError, warn_once

from thoughttrace.core.inspect_private import PrerequisiteError, TerminateSampleError
from thoughttrace.core.record import (
    COMPLAINT,
    ControlMetadata,
    JudgedScore,
    JudgeScale,
    RewriteVerdict,
    Unscored,
    Verdicts,
    Vote,
)
from thoughttrace.scorers.answer import why_none
from thoughttrace.scorers.expected_rating import ask_for_probabilities, expect, none_given
from thoughttrace.scorers.structured_output import Form, FormReply, ask

_ANSWERS = {Unscored.REFUSAL: "(refused)", Unscored.NO_RESPONSE: "(nothing)"}
"""The score's answer where a model gave none."""
_RULE = "The model gave no answer, which tells nothing: the lowest rating, without asking a judge."

JUDGE_REASONS = {
    Unscored.FORM_REFUSED: Unscored.JUDGE_REFUSED,
    Unscored.FORM_EMPTY: Unscored.JUDGE_EMPTY,
    Unscored.FORM_UNPARSABLE: Unscored.JUDGE_UNPARSABLE,
    Unscored.TRUNCATED: Unscored.JUDGE_TRUNCATED,
}
"""Why a form that a judge was asked to fill in is missing, by why a model's is."""

NOT_THE_JUDGES = (LimitExceededError, TerminateSampleError, PrerequisiteError)
"""What ends a sample or names a mistake in the command, and must not pass for a judge's failure."""

_logger = logging.getLogger(__name__)


async def vote(
    judge: Model,
    prompt: list[ChatMessage],
    form: Form[Any],
    rubric_hash: str,
    repeat: int = 0,
    judge_scale: JudgeScale = "sampled",
) -> Vote:
    """Ask one judge for its vote.

    Args:
        judge: The judge.
        prompt: The messages sent to it, such as from `judge_prompt`.
        form: The form of its reply, with a `rationale` and a `rating`; of a reaction and a rewrite, with verdicts too.
        rubric_hash: Identifies the rubric, such as from `agreement.rubric_hash`.
        repeat: Number of the vote among several on the same prompt, from 0.
        judge_scale: What the vote counts as.

    Raises:
        UserError: The expected rating counts, and the judge gives no log-probabilities.
    """
    expected = judge_scale == "expected"
    reply = await ask(judge, prompt, form, repeat, ask_for_probabilities(judge) if expected else GenerateConfig())
    verdict = reply.filled
    given = Vote(
        judge=str(judge),
        rating=verdict.rating if verdict else None,
        rationale=verdict.rationale if verdict else None,
        rubric_hash=rubric_hash,
        replies=reply.replies,
        reason=JUDGE_REASONS[reply.reason] if reply.reason else None,
    )
    said = verdict.model_dump(exclude={"rationale", "rating"}) if verdict else {}
    if said:
        kept = RewriteVerdict if COMPLAINT in said else Verdicts
        given = given.model_copy(update={"verdicts": kept(**said)})
    return _expected_vote(given, reply, judge) if expected and reply.filled else given


def _expected_vote(given: Vote, reply: FormReply[Any], judge: Model) -> Vote:
    """Return a vote with its expected rating, or with the reason why it has none.

    Raises:
        UserError: The judge gives no log-probabilities.
    """
    logprobs = reply.output.choices[0].logprobs
    if not logprobs or not any(token.top_logprobs for token in logprobs.content):
        raise none_given(judge)
    found = expect(reply.filled, reply.replies[-1], logprobs)
    if not found:
        return given.model_copy(update={"reason": Unscored.JUDGE_NO_PROBABILITIES})
    return given.model_copy(update={"expected": found.rating, "probabilities": found.probabilities})


async def rate(
    state: TaskState,
    answer: str,
    panel: Sequence[Model],
    prompt: list[ChatMessage],
    form: Form[Any],
    rubric_hash: str,
    repeats: int,
    lowest: int,
    judge_scale: JudgeScale = "sampled",
) -> Score:
    """Rate an answer by the rules that `agreement` states.

    Args:
        state: The sample.
        answer: The model's or the control's answer; empty if there is none.
        panel: The judges.
        prompt: The messages sent to each of them.
        form: The form of their replies, as for `vote`.
        rubric_hash: Identifies the rubric.
        repeats: Votes of each judge.
        lowest: The rating of an answer that says nothing.
        judge_scale: What the votes count as.

    Raises:
        UserError: The expected rating counts, and a judge gives no log-probabilities.
        Exception: What a judge's provider raised, if no judge gave a valid vote.
    """
    if not answer:
        return _score_no_answer(state, panel, rubric_hash, lowest, judge_scale)
    votes: list[Vote] = []
    errors: list[Exception] = []
    for judge in panel:
        for repeat in range(repeats):
            try:
                votes.append(await vote(judge, prompt, form, rubric_hash, repeat, judge_scale))
            except NOT_THE_JUDGES:
                raise
            except Exception as error:
                errors.append(error)
                votes.append(_failed_vote(judge, rubric_hash, error))
                warn_once(_logger, f"{judge} could not vote ({votes[-1].error}): such votes are missing.")
    if errors and all(vote.counted is None for vote in votes):
        raise errors[0]
    return _combine(answer, votes, rubric_hash, judge_scale)


def _failed_vote(judge: Model, rubric_hash: str, error: Exception) -> Vote:
    """Return the vote of a judge whose provider raised an error."""
    return Vote(
        judge=str(judge),
        rating=None,
        rationale=None,
        rubric_hash=rubric_hash,
        replies=[],
        reason=Unscored.JUDGE_FAILED,
        error=name_error(error),
    )


def name_error(error: Exception) -> str:
    """Return the kind of a provider's error and its status code, such as `RateLimitError 429`.

    Nothing of the error's text is kept, which can quote a key; it is in the sample's events.

    Args:
        error: What the provider raised, after all retries.
    """
    attempt = getattr(error, "last_attempt", None)  # of tenacity's RetryError
    cause = attempt.exception() if attempt else error
    status = getattr(cause, "status_code", None) or getattr(cause, "code", None)
    return type(cause).__name__ + (f" {status}" if isinstance(status, int) else "")


def _score_no_answer(
    state: TaskState, panel: Sequence[Model], rubric_hash: str, lowest: int, judge_scale: JudgeScale
) -> Score:
    """Score a sample whose model or control gave no answer to judge."""
    control = state.metadata_as(ControlMetadata)
    reason = why_none(state.output) if control.recited is None else Unscored.NO_RESPONSE
    if control.system is not None and not state.output.choices:
        reason = Unscored.NOT_ANSWERED
    if control.recited is not None or control.reworded or reason not in _ANSWERS:
        return Score.unscored(reason=reason, answer="")
    # Without the judges' names, the run of a model that never answers would name none.
    metadata = _metadata({str(judge): [] for judge in panel}, rubric_hash, judge_scale)
    return Score(value=lowest, reason=reason, answer=_ANSWERS[reason], explanation=_RULE, metadata=metadata)


def _metadata(by_judge: dict[str, list[Vote]], rubric_hash: str, judge_scale: JudgeScale) -> dict[str, Any]:
    """Return the metadata of a score."""
    # A log's summaries leave out what is over 1 kB, as votes can be: so the ratings are stored apart from them.
    ratings = {judge: [vote.rating for vote in votes] for judge, votes in by_judge.items()}
    all_votes = [vote for votes in by_judge.values() for vote in votes]
    judged = JudgedScore(ratings=ratings, rubric_hash=rubric_hash, votes=all_votes)
    given: dict[str, Any] = {}
    if judge_scale == "expected":
        given["expected"] = {judge: [vote.counted for vote in votes] for judge, votes in by_judge.items()}
    if any(vote.verdicts for vote in all_votes):
        given["verdicts"] = {judge: [vote.verdicts for vote in votes] for judge, votes in by_judge.items()}
    return judged.model_copy(update=given).to_log()


def _combine(answer: str, votes: list[Vote], rubric_hash: str, judge_scale: JudgeScale) -> Score:
    """Score an answer by the mean over judges, each the mean of its valid votes."""
    by_judge: dict[str, list[Vote]] = {}
    for vote in votes:
        by_judge.setdefault(vote.judge, []).append(vote)
    metadata = _metadata(by_judge, rubric_hash, judge_scale)
    counted = [[vote.counted for vote in given if vote.counted is not None] for given in by_judge.values()]
    means = [_mean(ratings) for ratings in counted if ratings]
    if not means:
        reasons = {vote.reason for vote in votes}
        return Score.unscored(
            reason=reasons.pop() if len(reasons) == 1 else Unscored.NO_VALID_VOTE,
            answer=answer,
            explanation="No judge gave a valid verdict; their replies are in the metadata.",
            metadata=metadata,
        )
    valid_votes = [vote for vote in votes if vote.counted is not None]
    rationales = [f"{vote.judge}: {vote.rationale}" for vote in valid_votes]
    return Score(
        value=_mean(means),
        answer=answer,
        explanation=valid_votes[0].rationale if len(valid_votes) == 1 else "\n".join(rationales),
        metadata=metadata,
    )


def _mean(values: Sequence[float]) -> float:
    """Return the mean; of one value the value itself, so that a single rating stays a whole number."""
    return values[0] if len(values) == 1 else fmean(values)
