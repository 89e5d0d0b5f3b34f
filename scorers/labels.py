"""Score the forms that the evaluated model filled in: ratings, types, choices, satisfaction, relations, topics."""

from typing import Any

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from thoughttrace.core.record import NO_LABEL, ControlMetadata, StatedScore, Unscored
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS, SUBTOPICS
from thoughttrace.scorers.structured_output import read_form

_BY_TYPE = [mean(), stderr(cluster="user"), grouped(mean(), "type", all=False)]
_SHARES = {"*": [mean(), stderr(cluster="user")]}


@scorer(metrics=_BY_TYPE)
def rating() -> Scorer:
    """Score the rating that the model gave, 1–5.

    A sample without one is unscored; the reason is `refused`, `empty`, `unparsable`, or why the model could not answer.
    """

    async def score(state: TaskState, target: Target) -> Score:
        form = read_form(state)
        if isinstance(form, Unscored):
            return Score.unscored(reason=form, explanation="The model gave no valid rating.")
        return Score(value=form["rating"], answer=str(form["rating"]), explanation=form["rationale"])

    return score


@scorer(metrics=_BY_TYPE)
def type_match() -> Scorer:
    """Score whether the model, or the baseline, named the dataset's type: 1 or 0; the answer is the type it named.

    A model that refuses, says nothing or names no type is wrong, and the score's reason says which: `refused`, `empty`
    or `unparsable`. Where the model could not answer the sample is unscored.
    """

    async def score(state: TaskState, target: Target) -> Score:
        baseline = state.metadata_as(ControlMetadata).recited
        if baseline is not None:
            return Score(value=int(baseline == target.text), answer=baseline)
        return _named(read_form(state), "type", target)

    return score


@scorer(metrics=_BY_TYPE)
def choice() -> Scorer:
    """Score whether the model chose the user's own note: 1 or 0; the answer is the letter it chose.

    A model that refuses, says nothing or names no letter is wrong, and the score's reason says which: `refused`,
    `empty` or `unparsable`. Where the model could not answer the sample is unscored.
    """

    async def score(state: TaskState, target: Target) -> Score:
        return _named(read_form(state), "choice", target)

    return score


@scorer(metrics=[*_BY_TYPE, grouped(mean(), "dissatisfied", all="groups", all_label="balanced_accuracy")])
def satisfaction() -> Scorer:
    """Score whether the model said rightly if the user was dissatisfied: 1 or 0; the answer is `yes` or `no`.

    The probability that it stated is in the score's metadata. A model that refuses, says nothing or fills in no form is
    wrong, and the score's reason says which: `refused`, `empty` or `unparsable`. Where the model could not answer the
    sample is unscored.
    """

    async def score(state: TaskState, target: Target) -> Score:
        form = read_form(state)
        scored = _named(form, "dissatisfied", target)
        if not isinstance(form, Unscored):
            scored.metadata = StatedScore(percent=form["probability"]).to_log()
        return scored

    return score


def _named(form: dict[str, Any] | Unscored, field: str, target: Target) -> Score:
    """Score what a form names: 1 where it is the target, else 0, also by rule where the model named nothing."""
    if not isinstance(form, Unscored):
        return Score(value=int(form[field] == target.text), answer=form[field], explanation=form["rationale"])
    if form in NO_LABEL:
        return Score(value=0, reason=form, answer="", explanation=f"The model named no {field}: wrong by rule.")
    return Score.unscored(reason=form, answer="", explanation="The model could not answer.")


@scorer(metrics=_SHARES)
def relation() -> Scorer:
    """Score the relation that the model named: 1 for it and 0 for the others.

    A sample without one is unscored; the reason is `refused`, `empty`, `unparsable`, or why the model could not answer.
    """

    async def score(state: TaskState, target: Target) -> Score:
        form = read_form(state)
        if isinstance(form, Unscored):
            return Score.unscored(reason=form, explanation="The model named no relation.")
        value = {name: int(name == form["relation"]) for name in RELATIONS}
        return Score(value=value, answer=form["relation"], explanation=form["rationale"])

    return score


@scorer(metrics=_SHARES)
def topic() -> Scorer:
    """Score the domains of the subtopics that the model named: 1 for each of them, 0 for the others.

    A sample without one is unscored; the reason is `refused`, `empty`, `unparsable`, or why the model could not answer.
    """

    async def score(state: TaskState, target: Target) -> Score:
        form = read_form(state)
        if isinstance(form, Unscored):
            return Score.unscored(reason=form, explanation="The model named no subtopic.")
        domains = {SUBTOPICS[subtopic] for subtopic in form["subtopics"]}
        value = {domain: int(domain in domains) for domain in DOMAINS}
        return Score(value=value, answer="; ".join(form["subtopics"]), explanation=form["rationale"])

    return score
