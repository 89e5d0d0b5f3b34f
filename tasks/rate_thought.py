"""How informative a thought is: what it tells that the message it is on does not."""

from inspect_ai import Task, task

from thoughttrace.core.errors import check_choice
from thoughttrace.core.record import KINDS
from thoughttrace.datasets.samples import select_thoughts, show
from thoughttrace.datasets.sources import open_source
from thoughttrace.scorers.labels import rating
from thoughttrace.tasks._labelling import RATING, give_rating, instructions, named, thought_samples, viewer

_VIEWER = viewer("How informative thoughts are", "rating", "Informative, 1–5", 1, 5)


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
    chosen = select_thoughts(source.conversations, which, wanted, users, per_user, seed)
    system = instructions("rate_thought")
    return Task(
        dataset=thought_samples(
            chosen, system, lambda noted: show(noted, "message"), lambda noted: noted.thought.content.strip(), source
        ),
        solver=give_rating(),
        scorer=rating(),
        version="1-A",
        metadata={"kind": which, **named(source, system, RATING)},
        viewer=_VIEWER,
        headline_metric="rating",
    )
