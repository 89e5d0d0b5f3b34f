"""Agreement: how far an inference says what the user thought, 1–5, rated by a judge."""

from collections.abc import Sequence
from statistics import fmean

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.datasets.errors import UserError
from thoughttrace.scorers.grader import judges
from thoughttrace.scorers.inference import inference_of
from thoughttrace.scorers.verdict import judge_prompt, rubric_hash
from thoughttrace.scorers.vote import Vote, vote


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
    judges, each the mean of its valid votes. A judge whose reply is no valid verdict is asked once more. Without any
    valid vote the sample is unscored (`grader_failed`), never given a number. An empty inference is unscored too
    (`no_response`, or `refusal` where the provider's filter stopped it).

    Args:
        judge_message: Show the judge the annotated message, which resolves "it" and "this". A very small judge
            mistakes it for the thought and is better off without it.
        allow_self_judging: Let the evaluated model vote on itself.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge, to see how much a judge differs from itself.

    Raises:
        UserError: `judge_repeats` is not positive.
    """
    if judge_repeats < 1:
        raise UserError(f"judge_repeats={judge_repeats}: must be 1 or more.")

    async def score(state: TaskState, target: Target) -> Score:
        inference = inference_of(state)
        if not inference:
            filtered = state.output.stop_reason == "content_filter"
            return Score.unscored(reason="refusal" if filtered else "no_response", answer="")
        kind = state.metadata["kind"]
        message = state.metadata["message"] if judge_message else None
        prompt = judge_prompt(kind, message, list(target), inference)
        prompt_hash = rubric_hash(kind, judge_message)
        votes = [
            await vote(judge, prompt, prompt_hash, repeat)
            for judge in judges(allow_self_judging, exclude_family)
            for repeat in range(judge_repeats)
        ]
        return _score(inference, votes)

    return score


def _score(inference: str, votes: Sequence[Vote]) -> Score:
    # A log's summaries leave out what is over 1 kB, as votes can be: the ratings stand by themselves too.
    metadata = {
        "ratings": _by_judge(votes),
        "prompt_hash": votes[0]["prompt_hash"],
        "votes": list(votes),
    }
    ratings = [rating for own in _by_judge(votes).values() if (rating := _mean(own)) is not None]
    if not ratings:
        return Score.unscored(
            reason="grader_failed",
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
