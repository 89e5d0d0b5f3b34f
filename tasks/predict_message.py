"""Predict the user's next message, from the conversation alone or with thoughts between its messages."""

from inspect_ai import Task, task

from thoughttrace.core.record import PREDICT
from thoughttrace.models.prompt_cache import generate_cached
from thoughttrace.scorers.message_similarity import message_similarity
from thoughttrace.scorers.similarity import with_similarity
from thoughttrace.tasks._next_message import VIEWER, next_message_samples
from thoughttrace.tasks._options import DataOptions, JudgeOptions


@task
def predict_message(
    data: str = "sample",
    thoughts: str = "none",
    inferred: str | list[str] | None = None,
    after: str = "thought",
    quality: str | None = None,
    min_quality: float | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
    similarity: bool = False,
    judge_reply: bool = True,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
    judge_repeats: int = 1,
) -> Task:
    """Predict what the user writes next; a judge rates from 0 to 100 how near in meaning that is to what they wrote.

    Needs a judge: `--model-role grader=PROVIDER/MODEL`, another model than the one evaluated. Runs that differ in
    `thoughts` have the same samples, so that what thoughts add is a paired difference.

    Args:
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        thoughts: What stands below the messages of the history: `none`; the user's own `reasons`, `reactions`, or
            `both`; `shuffled`, other users' thoughts of the same kind and about the same length in the place of each;
            `inferred`, a model's inferences there. Nothing of the message to be predicted is shown, nor its reason.
        inferred: For `thoughts=inferred`: logs of `infer_reason` and `infer_reaction` with context `history` or
            `message`, or folders of them. Of several models the evaluated one's own count.
        after: Only messages before which the user wrote a `thought` on anything shown, or a `reaction` to the very
            reply before.
        quality: A Parquet file with the column `quality`, the informativeness of reactions (`thoughttrace annotate`
            of a log of `rate_thought` with `-T kind=reaction` on the same data). That of the reaction right before a
            message is kept in its metadata.
        min_quality: Only messages right after a reaction of this quality or more, 1–5; it selects.
        users: At most this many users, each with all their messages.
        per_user: At most this many messages of each user, chosen at random.
        seed: Of the order of users, the choice within them, and the thoughts of `shuffled`.
        max_context_words: Drop the oldest turns until at most this many words are shown, thoughts not counted.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
        similarity: Also score embedding similarity (extra `similarity`), a baseline to beat.
        judge_reply: Show the judge the reply before the message; a very small judge does better without it.
        allow_self_judging: Let the evaluated model judge itself; the report marks such numbers.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge on each sample, which tell how much a judge differs from itself.
    """
    judging = JudgeOptions(judge_reply, allow_self_judging, exclude_family, judge_repeats)
    judging.require_judge()
    options = DataOptions(data, None, users, per_user, seed, max_context_words, skip_bad)
    dataset, metadata = next_message_samples(thoughts, inferred, after, quality, min_quality, options)
    return Task(
        dataset=dataset,
        solver=judging.require_judge_then(generate_cached()),
        scorer=with_similarity(judging.scorer(message_similarity), similarity),
        version="1-A",
        metadata=metadata,
        viewer=VIEWER,
        headline_metric=PREDICT.score,
    )
