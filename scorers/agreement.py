"""Agreement: how far an inference says what the user thought, 1–5, rated by a judge."""

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.datasets.errors import UserError
from thoughttrace.scorers.grader import judges
from thoughttrace.scorers.inference import inference_of
from thoughttrace.scorers.panel import rate
from thoughttrace.scorers.verdict import VERDICT, judge_prompt, rubric_hash


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
        inference, kind = inference_of(state), state.metadata["kind"]
        message = state.metadata["message"] if judge_message else None
        prompt = judge_prompt(kind, message, list(target), inference)
        panel = judges(allow_self_judging, exclude_family)
        return await rate(state, inference, panel, prompt, VERDICT, rubric_hash(kind, judge_message), judge_repeats)

    return score
