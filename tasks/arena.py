"""Compare a model's answers to open prompts with a baseline's, by judges that see both in both orders."""

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.solver import generate

from thoughttrace import __version__
from thoughttrace.core.record import ARENA, SAMPLE, RunMetadata
from thoughttrace.datasets.arena import read_prompts
from thoughttrace.scorers.judges import require_judge, require_judge_then
from thoughttrace.scorers.win import win
from thoughttrace.tasks._arena import arena_samples, count_unanswered, read_baseline
from thoughttrace.tasks._options import ScoreColumn, require_log_space, viewer

_VIEWER = viewer("Answers against a baseline's", ScoreColumn("Win", ARENA.score, scale=ARENA.scale), target=False)


@task
def arena(
    prompts: str = SAMPLE,
    baseline: str | None = None,
    categories: str | list[str] | None = None,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
) -> Task:
    """Answer open prompts; judges say whether an answer is better than the baseline's, in both orders.

    Without `baseline` the run only makes answers, and needs no judge: its log is what a later run takes as `baseline`.
    With one it needs a judge: `--model-role grader=PROVIDER/MODEL`, another model than the one evaluated. Runs with the
    same prompts, baseline and judges are compared prompt by prompt.

    Args:
        prompts: `sample`, 24 invented prompts of everyday assistance, or the path of a file in the form of
            Arena-Hard-Auto's `question.jsonl` (`uid`, `category`, `subcategory`, `prompt`).
        baseline: The answers to compare with: a log of an earlier run of this task, or a folder with one, or a file in
            the form of Arena-Hard-Auto's `model_answer/MODEL.jsonl` (`uid`, `model`, `messages`). Prompts that its
            model could not answer, as for lack of tokens, are left out and counted.
        categories: Only prompts of these categories.
        allow_self_judging: Let the evaluated model judge itself; the report marks such numbers.
        exclude_family: Leave out judges of the evaluated model's family.
    """
    if baseline is not None:
        require_judge(allow_self_judging, exclude_family)
    # Inspect parses `-T categories=5` to a number, and `a,b` to a list.
    several = categories if isinstance(categories, list | tuple) else [categories]
    selected = None if categories is None else [str(each) for each in several]
    asked = read_prompts(str(prompts), selected)
    against = None if baseline is None else read_baseline(str(baseline), asked)
    require_log_space(len(asked.questions))
    answer = generate()
    return Task(
        dataset=MemoryDataset(arena_samples(asked, against), name=asked.name),
        solver=require_judge_then(answer, allow_self_judging, exclude_family) if against else answer,
        scorer=win(allow_self_judging, exclude_family) if against else None,
        version="1-A",
        metadata=RunMetadata(
            data=asked.name,
            data_revision=asked.revision,
            data_content=asked.revision,
            # Nothing fixed stands beside the prompts.
            prompt_hash="",
            against=against.model if against else None,
            against_answers=against.checksum if against else None,
            without_comparison=count_unanswered(asked, against) if against else None,
            thoughttrace=__version__,
        ).to_log(),
        viewer=_VIEWER if against else None,
        headline_metric=ARENA.score if against else None,
    )
