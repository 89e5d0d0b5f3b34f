"""Rate how near in meaning a predicted message is to the real one, 0–100, by a judge."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState
from pydantic import BaseModel

from thoughttrace.core.errors import check_positive
from thoughttrace.core.record import PREDICT, NextMessageMetadata
from thoughttrace.datasets.prompt import block, marker
from thoughttrace.scorers.answer import answer_of
from thoughttrace.scorers.judges import judges
from thoughttrace.scorers.panel import rate
from thoughttrace.scorers.structured_output import Form


class Nearness(BaseModel):
    """A judge's reply."""

    rationale: str
    # Steps of 5: every provider enforces an enum, and no judge can distinguish a 62 from a 63.
    rating: Literal[0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]


NEARNESS = Form(
    "nearness",
    Nearness,
    'That was not one JSON object with a "rationale" and a "rating" from 0 to 100 in steps of 5. '
    "Reply again with that object and nothing else.",
)


@cache
def message_rubric() -> str:
    """Return the rubric, with anchors at 0, 20, 50, 80 and 100."""
    return Path(__file__).with_suffix(".md").read_text(encoding="utf-8").strip()


@cache
def message_rubric_hash(judge_reply: bool) -> str:
    """Hash everything fixed in a judge's prompt: only ratings with equal hashes can be compared."""
    fixed = "\n".join((message_rubric(), str(judge_reply), NEARNESS.text))
    return hashlib.sha256(fixed.encode()).hexdigest()[:12]


def nearness_prompt(reply: str | None, message: str, prediction: str) -> list[ChatMessage]:
    """Write the prompt that asks a judge how near a prediction is to the message.

    Args:
        reply: The assistant's reply that the message answers; None to withhold it.
        message: The user's message.
        prediction: The evaluated model's prediction.
    """
    mark = marker(reply or "", message, prediction)
    blocks = [
        *([block(mark, "reply before", reply)] if reply is not None else []),
        block(mark, "message", message),
        block(mark, "prediction", prediction),
    ]
    return [
        ChatMessageSystem(content=message_rubric()),
        ChatMessageUser(content=f"{''.join(blocks)}[{mark} end]"),
    ]


@scorer(metrics=[mean(), stderr(cluster="user")])
def message_similarity(
    judge_reply: bool = True,
    allow_self_judging: bool = False,
    exclude_family: bool = False,
    judge_repeats: int = 1,
) -> Scorer:
    """Rate how near in meaning a predicted message is to the one the user sent, 0–100 in steps of 5.

    The rules for who votes, refusals and failed votes are those of `agreement`; the lowest rating is 0.

    Args:
        judge_reply: Show the judge the reply before the message, which resolves "it" and "the second one".
        allow_self_judging: Let the evaluated model vote on itself.
        exclude_family: Leave out judges of the evaluated model's family.
        judge_repeats: Votes of each judge, which show how much a judge differs from itself.

    Raises:
        UserError: `judge_repeats` is not positive.
        Exception: When a sample is scored: what a judge's provider raised, if no judge gave a valid vote.
    """
    check_positive("judge_repeats", judge_repeats)

    async def score(state: TaskState, target: Target) -> Score:
        prediction = answer_of(state)
        reply = state.metadata_as(NextMessageMetadata).reply if judge_reply else None
        prompt = nearness_prompt(reply, target.text, prediction)
        panel, fixed = judges(allow_self_judging, exclude_family), message_rubric_hash(judge_reply)
        return await rate(state, prediction, panel, prompt, NEARNESS, fixed, judge_repeats, int(PREDICT.scale[0]))

    return score
