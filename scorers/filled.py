"""Scores of a form that the evaluated model filled in: a rating as it stands, a type against the dataset's label."""

from typing import Any, get_args

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.scorers.ask import Unfilled

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
