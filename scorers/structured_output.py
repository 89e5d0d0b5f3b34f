"""Ask a model to fill in a form, and once more if its reply does not."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, TypeVar

from inspect_ai._util.constants import NO_CONTENT
from inspect_ai.model import ChatMessage, ChatMessageUser, GenerateConfig, Model, ModelOutput, ResponseSchema
from inspect_ai.model._generate_config import active_generate_config
from inspect_ai.util import json_schema
from pydantic import BaseModel, ValidationError

from thoughttrace.models.prompt_cache import only_system_marked
from thoughttrace.scorers.answer import refused

Fields = TypeVar("Fields", bound=BaseModel)

_OBJECT = re.compile(r"\A\s*(?:```(?:json)?\s*)?(\{.*\})\s*(?:```)?\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Form(Generic[Fields]):
    """What a reply must be."""

    name: str
    fields: type[Fields]
    """The rationale comes first, so that the rest follows from it. Choices are a `Literal`: an enum survives every
    provider's structured output, `ge` and `le` do not."""
    repair: str
    """What is said, once, to a reply that is none."""

    @cached_property
    def config(self) -> GenerateConfig:
        """What generation is configured with, so that the provider holds the reply to the form."""
        schema = ResponseSchema(name=self.name, json_schema=json_schema(self.fields), strict=True)
        return GenerateConfig(response_schema=schema)

    @cached_property
    def text(self) -> str:
        """Everything fixed that the form tells a model, for a hash of its prompt."""
        return f"{self.repair}\n{self.config.model_dump_json(exclude_none=True)}"

    def parse(self, reply: str) -> Fields | None:
        """Read a reply, with or without a code fence around it; None if it does not fill in the form."""
        found = _OBJECT.match(reply)
        try:
            return self.fields.model_validate_json(found[1]) if found else None
        except ValidationError:
            return None


Unfilled = Literal["refused", "empty", "unparsable"]
"""Why a form was not filled in."""


@dataclass(frozen=True)
class Asked(Generic[Fields]):
    """What came back."""

    filled: Fields | None
    replies: list[str]
    """Raw, in order: one, or two where the first was no valid form."""
    reason: Unfilled | None
    """Why `filled` is None, else None."""
    output: ModelOutput
    """Of the last reply."""


async def ask(model: Model, prompt: list[ChatMessage], form: Form[Fields], repeat: int = 0) -> Asked[Fields]:
    """Ask a model to fill in a form, and once more if its reply does not.

    Args:
        model: The model.
        prompt: What it is asked.
        form: What its reply must be.
        repeat: Which of several times the same is asked, from 0.
    """
    # With Inspect's cache on, a second answer must not be the first one read again.
    config = form.config.model_copy(update={"cache": False}) if repeat else form.config
    # Inspect hands a run's --attempt-timeout to the evaluated model alone; a judge would hang for its SDK's 10 minutes.
    if model.config.attempt_timeout is None and (seconds := active_generate_config().attempt_timeout):
        config = config.model_copy(update={"attempt_timeout": seconds})
    # The instructions are all that a later prompt shares.
    prompt = only_system_marked(prompt, model)
    replies: list[str] = []
    messages, filled, reason = prompt, None, None
    while filled is None and len(replies) < 2:
        output = await model.generate(messages, config=config)
        replies.append(output.completion)
        filled = form.parse(output.completion)
        reason = None if filled else _why_none(output)
        # Some providers refuse an empty assistant message.
        said = [output.message] if output.completion.strip() else []
        messages = [*prompt, *said, ChatMessageUser(content=form.repair)]
    return Asked(filled, replies, reason, output)


def _why_none(output: ModelOutput) -> Unfilled:
    if refused(output):
        return "refused"
    return "unparsable" if output.completion.replace(NO_CONTENT, "").strip() else "empty"
