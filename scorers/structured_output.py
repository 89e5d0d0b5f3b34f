"""Ask a model to fill in a form, within bounds, once more if its reply does not, and keep the result for the scorer."""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from inspect_ai.model import (
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ResponseSchema,
    get_model_info,
)
from inspect_ai.solver import TaskState
from inspect_ai.util import json_schema
from pydantic import BaseModel

from thoughttrace.core.inspect_private import NO_CONTENT, active_generate_config, active_model
from thoughttrace.core.record import NO_ANSWER, Unscored
from thoughttrace.models.prompt_cache import only_system_marked
from thoughttrace.scorers.answer import refused, why_none

Fields = TypeVar("Fields", bound=BaseModel)

_OBJECT = re.compile(r"\A\s*(?:```(?:json)?\s*)?(\{.*\})\s*(?:```)?\s*\Z", re.DOTALL)
_FILLED, _UNFILLED = "filled", "unfilled"


@dataclass(frozen=True)
class Form(Generic[Fields]):
    """What a reply must be."""

    name: str
    fields: type[Fields]
    """The rationale comes first, so that the rest follows from it. Choices are a `Literal`: an enum survives every
    provider's structured output, `ge` and `le` do not."""
    repair: str
    """The request, sent once, that answers a reply which does not fill in the form."""

    @cached_property
    def config(self) -> GenerateConfig:
        """The generation config with which the provider enforces the form."""
        schema = ResponseSchema(name=self.name, json_schema=json_schema(self.fields), strict=True)
        return GenerateConfig(response_schema=schema)

    @cached_property
    def text(self) -> str:
        """Everything fixed in the form that a model reads, for the hash of its prompt."""
        return f"{self.repair}\n{self.config.model_dump_json(exclude_none=True)}"

    def parse(self, reply: str) -> Fields | None:
        """Read a reply, with or without a code fence around it; None if it does not fill in the form.

        Neither does one that names a key twice, of which JSON readers take the one or the other, or whose answer is
        `true` or `false`, which Python takes for 1 and 0.
        """
        json_object = _OBJECT.match(reply)
        if not json_object:
            return None
        try:
            # First: its reader bounds how deep an object may be nested.
            filled = self.fields.model_validate_json(json_object[1])
            values = json.loads(json_object[1], object_pairs_hook=_unique)
        except ValueError:
            return None
        return None if any(isinstance(values.get(name), bool) for name in self.fields.model_fields) else filled


@dataclass(frozen=True)
class FormReply(Generic[Fields]):
    """A model's reply to a form."""

    filled: Fields | None
    replies: list[str]
    """Raw, in order: one, or two where the first was no valid form."""
    reason: Unscored | None
    """Why `filled` is None: `FORM_REFUSED`, `FORM_EMPTY`, `FORM_UNPARSABLE`, or `TRUNCATED` where max_tokens cut it."""
    output: ModelOutput
    """The output that holds the last reply."""

    @property
    def unscored(self) -> Unscored | None:
        """Why the evaluated model has no label: `reason`, or what kept it from answering, such as `TRUNCATED`."""
        why = why_none(self.output)
        return why if self.reason and why not in NO_ANSWER else self.reason


async def ask(
    model: Model,
    prompt: list[ChatMessage],
    form: Form[Fields],
    repeat: int = 0,
    extra: GenerateConfig = GenerateConfig(),  # noqa: B008
) -> FormReply[Fields]:
    """Ask a model to fill in a form, within `bounds`, and once more if its reply does not.

    Args:
        model: The model.
        prompt: The messages sent to it.
        form: The form of its reply.
        repeat: Number of the repetition of the same prompt, from 0.
        extra: What else to ask for with the reply, as its log-probabilities.
    """
    wanted = form.config.merge(extra)
    # With Inspect's cache on, a repetition would read the first reply again.
    config = wanted.model_copy(update={"cache": False}) if repeat else wanted
    # Inspect passes a run's --attempt-timeout to the evaluated model alone; a judge would wait its SDK's 10 minutes.
    if model.config.attempt_timeout is None and (seconds := active_generate_config().attempt_timeout):
        config = config.model_copy(update={"attempt_timeout": seconds})
    bounded = config.merge(bounds(model, form))
    # Later prompts share only the instructions.
    prompt = only_system_marked(prompt, model)
    replies: list[str] = []
    messages, filled = prompt, None
    while filled is None and len(replies) < 2:
        output = await _generate(model, messages, bounded, config)
        replies.append(output.completion)
        filled = form.parse(output.completion)
        # Some providers refuse an empty assistant message, and a model would go on with one that was cut off.
        keep = output.completion.strip() and output.stop_reason != "max_tokens"
        messages = [*prompt, *([output.message] if keep else []), ChatMessageUser(content=form.repair)]
    return FormReply(filled, replies, None if filled else _why_unfilled(output), output)


async def _generate(
    model: Model, messages: list[ChatMessage], bounded: GenerateConfig, config: GenerateConfig
) -> ModelOutput:
    """Generate within bounds, or without where the server refuses them.

    A gateway may not know `maxLength`, and some servers refuse a max_tokens that their context does not leave.
    """
    try:
        output = await model.generate(messages, config=bounded)
    except Exception as error:
        if bounded == config or not _ABOUT_BOUNDS.search(getattr(error, "provider_message", None) or ""):
            raise
        return await model.generate(messages, config=config)
    if bounded != config and output.stop_reason == "model_length":
        return await model.generate(messages, config=config)
    return output


# ---- bounds

MAX_TOKENS = 4_096
"""Of a reply to a form: many times a verdict of 100, with room for some thinking, and half of a small context."""
MAX_TOKENS_REASONING = 16_384
"""Of a model that reasons: every provider counts the reasoning in it."""
MAX_TOKENS_HIGH_EFFORT = 32_768
MAX_STRING = 500
"""Characters of a rationale, which is asked for in at most 20 words."""

_HIGH = ("high", "xhigh", "max")
_ABOUT_BOUNDS = re.compile(r"max_\w*tokens|maxlength|schema|grammar", re.IGNORECASE)
"""What a server names that refuses a bound."""


def bounds(model: Model, form: Form[Any]) -> GenerateConfig:
    """Bound a reply to a form, where neither the user nor the provider does: a small model may never end it.

    The bounds are no part of a measurement: they stop what is no reply, and leave the others as they are.

    Args:
        model: The model. A max_tokens of its own, or of the run for the evaluated model, is kept, and so is the
            default of its provider in Inspect (Anthropic, Groq, Hugging Face, `local/…` and others).
        form: The form.
    """
    own = model.config.merge(active_generate_config()) if model == active_model() else model.config
    bounds = GenerateConfig()
    if own.max_tokens is None and model.api.max_tokens_for_config(own) is None and model.api.max_tokens() is None:
        bounds.max_tokens = _max_tokens(model, own)
    if _honours_lengths(model.api, own):
        bounds.extra_body = {"response_format": _bounded_format(form), **(own.extra_body or {})}
    return bounds


def _max_tokens(model: Model, own: GenerateConfig) -> int:
    efforts = {own.reasoning_effort, own.effort} - {None, "none"}
    if efforts & {*_HIGH}:
        return MAX_TOKENS_HIGH_EFFORT
    info = get_model_info(model)
    reasons = efforts or own.reasoning_tokens or (info and info.reasoning)
    return (own.reasoning_tokens or 0) + (MAX_TOKENS_REASONING if reasons else MAX_TOKENS)


def _honours_lengths(api: ModelAPI, own: GenerateConfig) -> bool:
    """Return whether a model is behind a server of the user's own, as llama.cpp, Ollama, LM Studio and vLLM are.

    Their grammars keep to `maxLength`. Hosted providers may refuse it, so Inspect leaves it out for all that speak
    OpenAI's protocol; one that leaves nothing out, as `local/…`, sets it itself.
    """
    if not getattr(api, "schema_exclude_fields", None) or api.uses_responses_api([], own):  # type: ignore[attr-defined]
        return False
    host = urlsplit(str(api.base_url)).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))


def _bounded_format(form: Form[Any]) -> dict[str, Any]:
    """Return the `response_format` of OpenAI's protocol, with the length of every free text bounded."""
    wanted = form.config.response_schema
    assert wanted is not None
    schema = wanted.json_schema.model_dump(exclude_none=True)
    for field in schema["properties"].values():
        if field.get("type") == "string" and "enum" not in field:
            field["maxLength"] = MAX_STRING
    return {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": schema, "strict": wanted.strict}}


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values.

    Raises:
        ValueError: A key stands twice.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def keep_form(state: TaskState, filled: Mapping[str, Any] | None, reason: Unscored | None = None) -> None:
    """Keep a form in the sample's store, where `read_form` finds it, also when the log is scored again.

    Args:
        state: The sample.
        filled: The form's fields; None if it is not filled in.
        reason: Why it is not filled in.
    """
    state.store.set(_FILLED, filled)
    state.store.set(_UNFILLED, reason)


def read_form(state: TaskState) -> dict[str, Any] | Unscored:
    """Read the form that `keep_form` kept.

    Returns:
        The form's fields; or why it is not filled in, which is `NO_OUTPUT` where a limit ended the sample before its
        solver was done.
    """
    filled: dict[str, Any] | None = state.store.get(_FILLED)
    return filled if filled is not None else Unscored(state.store.get(_UNFILLED) or Unscored.NO_OUTPUT)


def _why_unfilled(output: ModelOutput) -> Unscored:
    if refused(output):
        return Unscored.FORM_REFUSED
    if output.stop_reason == "max_tokens":
        return Unscored.TRUNCATED
    written = output.completion.replace(NO_CONTENT, "").strip()
    return Unscored.FORM_UNPARSABLE if written else Unscored.FORM_EMPTY
