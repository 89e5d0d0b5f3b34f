"""What a judge is asked, what it must reply, and how its reply is read."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, ResponseSchema
from inspect_ai.util import json_schema
from pydantic import BaseModel, ValidationError

from thoughttrace.datasets.conversation import Kind
from thoughttrace.datasets.render import block, marker

RATINGS = (1, 5)
"""The lowest and the highest rating."""

REPAIR = (
    'That was not one JSON object with a "rationale" and a "rating" of 1, 2, 3, 4 or 5. '
    "Reply again with that object and nothing else."
)

_HERE = Path(__file__).resolve().parent
_OBJECT = re.compile(r"\A\s*(?:```(?:json)?\s*)?(\{.*\})\s*(?:```)?\s*\Z", re.DOTALL)


class Verdict(BaseModel):
    """A judge's reply: the rationale first, so that the rating follows from it."""

    rationale: str
    # An enum survives every provider's structured output; ge/le does not.
    rating: Literal[1, 2, 3, 4, 5]


VERDICT_CONFIG = GenerateConfig(
    response_schema=ResponseSchema(name="verdict", json_schema=json_schema(Verdict), strict=True)
)


def rubric(kind: Kind) -> str:
    """The rubric of a kind of thought: one anchor and example per rating."""
    return (_HERE / f"{kind}.md").read_text(encoding="utf-8").strip()


def rubric_hash(kind: Kind, judge_message: bool) -> str:
    """Names everything fixed that a judge is told: two ratings compare only where it is equal."""
    fixed = "\n".join((rubric(kind), str(judge_message), REPAIR, VERDICT_CONFIG.model_dump_json(exclude_none=True)))
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


def parse_verdict(reply: str) -> Verdict | None:
    """Read a judge's reply, with or without a code fence around it; None if it is no valid verdict."""
    found = _OBJECT.match(reply)
    try:
        return Verdict.model_validate_json(found[1]) if found else None
    except ValidationError:
        return None
