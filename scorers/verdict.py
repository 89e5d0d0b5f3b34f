"""What a judge is asked about an inference, and what it must reply."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from pydantic import BaseModel

from thoughttrace.datasets.conversation import Kind
from thoughttrace.datasets.render import block, marker
from thoughttrace.scorers.form import Form

_HERE = Path(__file__).resolve().parent


class Verdict(BaseModel):
    """A judge's reply."""

    rationale: str
    rating: Literal[1, 2, 3, 4, 5]


VERDICT = Form(
    "verdict",
    Verdict,
    'That was not one JSON object with a "rationale" and a "rating" of 1, 2, 3, 4 or 5. '
    "Reply again with that object and nothing else.",
)


@cache
def rubric(kind: Kind) -> str:
    """The rubric of a kind of thought: one anchor and example per rating."""
    return (_HERE / f"{kind}.md").read_text(encoding="utf-8").strip()


@cache
def rubric_hash(kind: Kind, judge_message: bool) -> str:
    """Names everything fixed that a judge is told: two ratings compare only where it is equal."""
    fixed = "\n".join((rubric(kind), str(judge_message), VERDICT.text))
    return hashlib.sha256(fixed.encode()).hexdigest()[:12]


def judge_prompt(kind: Kind, message: str | None, targets: Sequence[str], inference: str) -> list[ChatMessage]:
    """Ask for a verdict on an inference.

    Args:
        kind: The kind of thought.
        message: The annotated message, which resolves "it" and "this"; None if the judge shall not see it.
        targets: The true thoughts on that message.
        inference: What the evaluated model wrote.
    """
    mark = marker(message or "", *targets, inference)
    quoted = "message" if kind == "reason" else "reply"
    number = [f" {n}" for n in range(1, len(targets) + 1)] if len(targets) > 1 else [""]
    blocks = [
        *([block(mark, quoted, message)] if message is not None else []),
        *(block(mark, f"note{n}", target) for n, target in zip(number, targets, strict=True)),
        block(mark, "guess", inference),
    ]
    return [
        ChatMessageSystem(content=rubric(kind)),
        ChatMessageUser(content=f"{''.join(blocks)}[{mark} end]"),
    ]
