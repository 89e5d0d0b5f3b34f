"""Rate how informative a thought is: what it adds to the message it is on."""

from inspect_ai import Task, task

from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import KINDS, RATE, RunMetadata
from thoughttrace.datasets.samples import select_thoughts, show
from thoughttrace.scorers.labels import rating
from thoughttrace.tasks._labelling import RATING, give_rating, thought_dataset
from thoughttrace.tasks._options import DataOptions, ScoreColumn, prompt_hash, provenance, read_prompt, viewer

_VIEWER = viewer("How informative thoughts are", ScoreColumn("Informative, 1–5", RATE.score, scale=RATE.scale))


@task
def rate_thought(
    kind: str = "reason",
    data: str = "sample",
    types: str | list[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> Task:
    """Rate how informative a thought is, 1–5, given the message it is on; the evaluated model is the rater.

    The paper is reported to predict next messages only from thoughts that a model rates 4 or 5.

    Args:
        kind: `reason` or `reaction`.
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL or Parquet file or a folder of them.
        types: Only thoughts of these types.
        users: At most this many users, each with all their thoughts.
        per_user: The thoughts on at most this many messages of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    thought_kind = check_choice("kind", kind, KINDS)
    options = DataOptions(data, types, users, per_user, seed, None, skip_bad)
    source = options.open()
    thoughts = select_thoughts(source.conversations, thought_kind, options.selected_types, users, per_user, seed)
    instructions = read_prompt(RATE.name)
    return Task(
        dataset=thought_dataset(
            thoughts,
            source,
            instructions,
            question=lambda thought: show(thought, "message"),
            target=lambda thought: thought.thought.content.strip(),
        ),
        solver=give_rating(),
        scorer=rating(),
        version="1-A",
        metadata=RunMetadata(
            kind=thought_kind, prompt_hash=prompt_hash(instructions, RATING.text), **provenance(source)
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=RATE.score,
    )
