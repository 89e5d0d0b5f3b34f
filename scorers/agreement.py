"""Agreement: how far an inference says what the user thought, 1–5, rated by a judge."""

import logging
from collections.abc import Sequence
from statistics import fmean

from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.exception import TerminateSampleError
from inspect_ai._util.logger import warn_once
from inspect_ai.model import Model
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState
from inspect_ai.util import LimitExceededError

from thoughttrace.datasets.errors import UserError
from thoughttrace.scorers.grader import judges
from thoughttrace.scorers.inference import NO_RESPONSE, REFUSAL, inference_of, why_none
from thoughttrace.scorers.verdict import RATINGS, judge_prompt, rubric_hash
from thoughttrace.scorers.vote import Vote, failed_vote, vote

_SAID = {REFUSAL: "(refused)", NO_RESPONSE: "(nothing)"}
"""What stands as the answer of a model that gave none."""
_RULE = "The model gave no answer, so it tells nothing of the thought: the lowest rating, without asking a judge."
_NOT_THE_JUDGES = (LimitExceededError, TerminateSampleError, PrerequisiteError)
"""What ends a sample or names a mistake in the command, and must not pass for a judge's failure."""

_logger = logging.getLogger(__name__)


# `grouped(ci())` would abort a run after it was paid for; intervals are the analysis' work.
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

    A model that refuses or says nothing gets the lowest rating, which means that it tells nothing of the thought, and
    no judge is asked; the score's reason is `refusal` or `no_response`. Without a valid vote the sample is unscored,
    never given a number; its reason is that of the votes, or `grader_failed` where they differ. Nor is a sample scored
    where the model could not answer (`truncated`, `prompt_too_long`), or a control has nothing to say (`no_response`).

    Args:
        judge_message: Show the judge the annotated message, which resolves "it" and "this". A very small judge
            mistakes it for the thought and is better off without it.
        allow_self_judging: Let the evaluated model vote on itself.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge, to see how much a judge differs from itself.

    Raises:
        UserError: `judge_repeats` is not positive.
        Exception: When a sample is scored: what a judge's provider raised, if no judge gave a valid vote. So a judge
            without access fails the sample, which can be run again, and does not leave a whole run unscored.
    """
    if judge_repeats < 1:
        raise UserError(f"judge_repeats={judge_repeats}: must be 1 or more.")

    async def score(state: TaskState, target: Target) -> Score:
        inference = inference_of(state)
        kind = state.metadata["kind"]
        prompt_hash = rubric_hash(kind, judge_message)
        panel = judges(allow_self_judging, exclude_family)
        if not inference:
            return _without_inference(state, panel, prompt_hash)
        message = state.metadata["message"] if judge_message else None
        prompt = judge_prompt(kind, message, list(target), inference)
        votes, errors = [], []
        for judge in panel:
            for repeat in range(judge_repeats):
                try:
                    votes.append(await vote(judge, prompt, prompt_hash, repeat))
                except _NOT_THE_JUDGES:
                    raise
                except Exception as error:
                    errors.append(error)
                    votes.append(failed_vote(judge, prompt_hash, error))
                    warn_once(_logger, f"{judge} could not vote ({votes[-1]['error']}): such votes are missing.")
        if errors and all(one["rating"] is None for one in votes):
            raise errors[0]
        return _score(inference, votes)

    return score


def _without_inference(state: TaskState, panel: Sequence[Model], prompt_hash: str) -> Score:
    """The score of a sample whose model or control left nothing to judge."""
    is_control = not {"recited", "reworded"}.isdisjoint(state.metadata)
    reason = NO_RESPONSE if "recited" in state.metadata else why_none(state.output)
    if is_control or reason not in _SAID:
        return Score.unscored(reason=reason, answer="")
    # Who would have judged it, so that the run of a model that never answers still names its judges.
    metadata = {"ratings": {str(judge): [] for judge in panel}, "prompt_hash": prompt_hash, "votes": []}
    return Score(value=RATINGS[0], reason=reason, answer=_SAID[reason], explanation=_RULE, metadata=metadata)


def _score(inference: str, votes: Sequence[Vote]) -> Score:
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
            answer=inference,
            explanation="No judge gave a valid verdict; their replies are in the metadata.",
            metadata=metadata,
        )
    valid = [vote for vote in votes if vote["rating"] is not None]
    rationales = [f"{vote['judge']}: {vote['rationale']}" for vote in valid]
    return Score(
        value=ratings[0] if len(ratings) == 1 else fmean(ratings),
        answer=inference,
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
