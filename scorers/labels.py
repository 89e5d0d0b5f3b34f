"""Score the forms that the evaluated model filled in: ratings, types, relations, topics."""

from typing import Any, get_args

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS, SUBTOPICS
from thoughttrace.scorers.structured_output import Unfilled

_RULE = "The model named no type, which is not the dataset's: wrong by rule."


@scorer(metrics=[mean(), stderr(cluster="user"), grouped(mean(), "type", all=False)])
def rating() -> Scorer:
    """Score the rating that the model gave, 1–5.

    A sample without one is unscored; the reason is `refused`, `empty`, `unparsable`, or why the model could not answer.
    """

    async def score(state: TaskState, target: Target) -> Score:
        filled, why = left(state)
        if filled is None:
            return Score.unscored(reason=why, explanation="The model gave no valid rating.")
        return Score(value=filled["rating"], answer=str(filled["rating"]), explanation=filled["rationale"])

    return score


@scorer(metrics=[mean(), stderr(cluster="user"), grouped(mean(), "type", all=False)])
def type_match() -> Scorer:
    """Score whether the model, or the baseline, named the dataset's type: 1 or 0; the answer is the type it named.

    A model that refuses, says nothing or names no type is wrong, and the score's reason says which: `refused`, `empty`
    or `unparsable`. Where the model could not answer the sample is unscored.
    """

    async def score(state: TaskState, target: Target) -> Score:
        if "recited" in state.metadata:
            return Score(value=int(state.metadata["recited"] == target.text), answer=state.metadata["recited"])
        filled, why = left(state)
        if filled is None and why in get_args(Unfilled):
            return Score(value=0, reason=why, answer="", explanation=_RULE)
        if filled is None:
            return Score.unscored(reason=why, answer="", explanation="The model could not answer.")
        return Score(value=int(filled["type"] == target.text), answer=filled["type"], explanation=filled["rationale"])

    return score


def left(state: TaskState) -> tuple[dict[str, Any] | None, str]:
    """The form that the solver left in the store, or None and why it is not filled in."""
    return state.store.get("filled"), state.store.get("unfilled") or "not_asked"


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
