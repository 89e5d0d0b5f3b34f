"""The evaluated model fills in a form, as a judge does: what the tasks that ask for a label or a rating share."""

from typing import Any

from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput, get_model
from inspect_ai.solver import TaskState

from thoughttrace.scorers.ask import ask
from thoughttrace.scorers.form import Form
from thoughttrace.scorers.inference import NOT_ASKED, TOO_LONG, TRUNCATED, why_none

FAULTS = (TRUNCATED, TOO_LONG, NOT_ASKED)
"""Why a form was not filled in though the model did not decline: no results."""


async def fill(state: TaskState, form: Form[Any]) -> TaskState:
    """Ask the evaluated model to fill in a form, and once more if its reply does not.

    Args:
        state: The sample; its messages are the prompt.
        form: What the reply must be.

    Returns:
        The sample with the replies among its messages; its store has `filled` (the form's fields as a dictionary, or
        None) and `unfilled` (`refused`, `empty` or `unparsable`; where the model could not answer, one of `FAULTS`;
        or None).
    """
    asked = await ask(get_model(), [*state.messages], form)
    fault = why_none(asked.output)
    state.store.set("filled", asked.filled.model_dump() if asked.filled else None)
    state.store.set("unfilled", fault if asked.reason and fault in FAULTS else asked.reason)
    return answered(state, asked.replies, form)


def answered(state: TaskState, replies: list[str], form: Form[Any]) -> TaskState:
    """Put a model's replies where the viewer shows them.

    Args:
        state: The sample.
        replies: One, or two where the first was no valid form.
        form: What was asked for.
    """
    first, *repaired = replies
    state.messages.append(ChatMessageAssistant(content=first))
    for reply in repaired:
        state.messages += [ChatMessageUser(content=form.repair), ChatMessageAssistant(content=reply)]
    state.output = ModelOutput.from_content(str(state.model), replies[-1])
    return state
