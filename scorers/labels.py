"""Labels that the evaluated model gave where there is no truth: the scores are their shares."""

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.datasets.relations import RELATIONS
from thoughttrace.datasets.topics import DOMAINS, SUBTOPICS
from thoughttrace.scorers.filled import left

_SHARES = {"*": [mean(), stderr(cluster="user")]}


@scorer(metrics=_SHARES)
def relation() -> Scorer:
    """Score the relation that the model named: 1 for it and 0 for the others.

    A sample without one is unscored; the reason is `refused`, `empty`, `unparsable`, or why the model could not answer.
    """

    async def score(state: TaskState, target: Target) -> Score:
        filled, why = left(state)
        if filled is None:
            return Score.unscored(reason=why, explanation="The model named no relation.")
        named = filled["relation"]
        value = {name: int(name == named) for name in RELATIONS}
        return Score(value=value, answer=named, explanation=filled["rationale"])

    return score


@scorer(metrics=_SHARES)
def topic() -> Scorer:
    """Score the domains of the subtopics that the model named: 1 for each of them, 0 for the others.

    A sample without one is unscored; the reason is `refused`, `empty`, `unparsable`, or why the model could not answer.
    """

    async def score(state: TaskState, target: Target) -> Score:
        filled, why = left(state)
        if filled is None:
            return Score.unscored(reason=why, explanation="The model named no subtopic.")
        named = filled["subtopics"]
        value = {domain: int(domain in {SUBTOPICS[one] for one in named}) for domain in DOMAINS}
        return Score(value=value, answer="; ".join(named), explanation=filled["rationale"])

    return score
