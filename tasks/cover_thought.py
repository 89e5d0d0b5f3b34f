"""Rate how much of a thought a message says: of its own reason, or of the reaction before it."""

from inspect_ai import Task, task

from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import COVER, KINDS, RunMetadata
from thoughttrace.datasets.prompt import Prompt, quote
from thoughttrace.datasets.samples import AnnotatedThought, select_thoughts
from thoughttrace.scorers.labels import rating
from thoughttrace.tasks._labelling import RATING, give_rating, thought_dataset
from thoughttrace.tasks._options import DataOptions, ScoreColumn, prompt_hash, provenance, read_prompt, viewer

_VIEWER = viewer("What messages say of thoughts", ScoreColumn("Said, 1–5", COVER.score, scale=COVER.scale))


@task
def cover_thought(
    kind: str = "reason",
    data: str = "sample",
    types: str | list[str] | None = None,
    users: int | None = None,
    per_user: int | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> Task:
    """Rate how much of a thought a message already says, 1–5; the evaluated model is the rater.

    Args:
        kind: `reason`: how much of a reason the message itself says that was sent for it. `reaction`: how much of a
            reaction the user's next message says; a reaction that no message follows is no sample.
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
    followed = thought_kind == "reaction"
    thoughts = select_thoughts(
        source.conversations, thought_kind, options.selected_types, users, per_user, seed, followed
    )
    instructions = read_prompt(f"cover_{thought_kind}")
    return Task(
        dataset=thought_dataset(
            thoughts, source, instructions, question=_question, target=lambda thought: thought.thought.content.strip()
        ),
        solver=give_rating(),
        scorer=rating(),
        version="1-A",
        metadata=RunMetadata(
            kind=thought_kind, prompt_hash=prompt_hash(instructions, RATING.text), **provenance(source)
        ).to_log(),
        viewer=_VIEWER,
        headline_metric=COVER.score,
    )


def _question(noted: AnnotatedThought) -> Prompt:
    """Quote the thought, and the message that may say it."""
    if noted.kind == "reason":
        return quote({"note": noted.thought.content, "message": noted.message.content})
    following = noted.following
    return quote({"note": noted.thought.content, "next message": following.content if following else ""})
