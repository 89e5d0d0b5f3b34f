"""How much of a thought a message says: of its own reason, or of the reaction before it."""

from inspect_ai import Task, task

from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import KINDS
from thoughttrace.datasets.samples import Noted, quote, select_thoughts
from thoughttrace.datasets.sources import open_source
from thoughttrace.scorers.labels import rating
from thoughttrace.tasks._labelling import RATING, give_rating, instructions, named, thought_samples, viewer

_VIEWER = viewer("What messages say of thoughts", "rating", "Said, 1–5", 1, 5)


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
        data: `sample`, `hub`, `hub@REVISION`, or the path of a JSONL file or a folder of them.
        types: Only thoughts of these types.
        users: At most this many users, each with all their thoughts.
        per_user: The thoughts on at most this many messages of each user, chosen at random.
        seed: Of the order of users and the choice within them.
        skip_bad: Leave out lines of the data that cannot be used, and name them in the log.
    """
    which = check_choice("kind", kind, KINDS)
    source = open_source(str(data), skip_bad)
    wanted = [types] if isinstance(types, str) else types
    chosen = select_thoughts(source.conversations, which, wanted, users, per_user, seed, followed=which == "reaction")
    system = instructions(f"cover_{which}")
    return Task(
        dataset=thought_samples(chosen, system, _question, lambda noted: noted.thought.content.strip(), source),
        solver=give_rating(),
        scorer=rating(),
        version="1-A",
        metadata={"kind": which, **named(source, system, RATING)},
        viewer=_VIEWER,
        headline_metric="rating",
    )


def _question(noted: Noted) -> str:
    """The note, and the message that may say it."""
    if noted.kind == "reason":
        return quote({"note": noted.thought.content, "message": noted.message.content})
    following = noted.following
    return quote({"note": noted.thought.content, "next message": following.content if following else ""})
