"""Infer why a user sent a message, from the conversation."""

from inspect_ai import Task, task

from thoughttrace.core.record import INFER
from thoughttrace.scorers.agreement import agreement
from thoughttrace.scorers.similarity import with_similarity
from thoughttrace.tasks._inference import VIEWER, inference_samples
from thoughttrace.tasks._options import AnswerOptions, DataOptions, JudgeOptions, as_text


@task
def infer_reason(
    data: str = "sample",
    context: str = "history",
    types: str | list[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    max_context_words: int | None = None,
    skip_bad: bool = False,
    subset: str | None = None,
    similarity: bool = False,
    judge_message: bool = True,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
    judge_repeats: int = 1,
    control: str | None = None,
    answers: str | None = None,
    system: str | None = None,
    partial_answers: bool = False,
    confidence: bool = False,
    prompt: str | None = None,
    rubric: str | None = None,
    judge_scale: str = "sampled",
) -> Task:
    """Infer why a user sent a message, in one sentence in the user's voice; a judge rates agreement 1–5.

    Needs a judge: `--model-role grader=PROVIDER/MODEL`, another model than the one evaluated.

    Args:
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        context: What the model sees: `message`, `history`, `lookahead`, or `profile` (which sends survey
            answers such as age and occupation to the model's provider). The default is what
            the paper is reported to have used: everything up to the message.
        types: Only reasons of these types.
        users: At most this many users, each with all their reasons.
        per_user: At most this many reasons of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        max_context_words: Drop the oldest turns until at most this many words are shown.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
        subset: Take exactly the samples of a protocol's subset, `full-v1` or `mini-v1`, by the manifest that
            `thoughttrace subset` made on this machine, or by the manifest of this path.
        similarity: Also score embedding similarity (extra `similarity`), a baseline to beat.
        judge_message: Show the judge the annotated message; a very small judge does better without it.
        allow_self_judging: Let the evaluated model judge itself; the report marks such numbers.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge on each sample, which tell how much a judge differs from itself.
        control: Score a control in the model's place: `constant`, `anyone`, `someone_else`, `typical` (extra
            `similarity`), `parrot` (floors), `target` (with `--model none/none`), or `reworded` (ceilings; by the
            evaluated model).
        answers: Score answers made elsewhere, with `--model none/none`: path of a JSONL, JSON, CSV or Parquet file with
            the fields `id` (of a sample) and `text`.
        system: With `answers`: the name of what gave them, which logs and reports show.
        partial_answers: With `answers`: count samples without an answer as missing, instead of stopping.
        confidence: Let the model say too how sure it is, in per cent, that its inference says what the user noted.
        prompt: Path of a text file with a prompt that is used in place of ours: the instructions, a line `---`, and the
            question with `{marker}` and `{message}`, such as `examples/prompt_reason.md`.
        rubric: Path of a text file with a rubric that is used in place of ours, such as `examples/rubric_reason.md`.
        judge_scale: What a vote counts as: the rating that the judge wrote (`sampled`), or its mean rating by the
            log-probabilities of the rating's tokens (`expected`), which needs a provider that gives them.
    """
    elsewhere = AnswerOptions(as_text(answers), as_text(system), partial_answers)
    judging = JudgeOptions(
        judge_message, allow_self_judging, exclude_family, judge_repeats, rubric, judge_scale, elsewhere.system
    )
    judging.require_judge()
    # Before the data: a rubric that cannot be used is known in no time.
    scorer = judging.scorer(agreement)
    options = DataOptions(data, types, users, per_user, seed, max_context_words, skip_bad, as_text(subset))
    dataset, metadata, answer = inference_samples("reason", context, control, prompt, confidence, options, elsewhere)
    return Task(
        dataset=dataset,
        solver=judging.require_judge_then(answer),
        scorer=with_similarity(scorer, similarity),
        version="3-A",
        metadata=metadata,
        viewer=VIEWER,
        headline_metric=INFER["reason"].score,
    )
