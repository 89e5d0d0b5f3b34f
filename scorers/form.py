"""A form that a model fills in: named fields, held to by the provider where it can, and checked after the reply."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from inspect_ai.model import GenerateConfig, ResponseSchema
from inspect_ai.util import json_schema
from pydantic import BaseModel, ValidationError

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
