"""What a request asks and what a reply says, whatever the protocol."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Stop = Literal["stop", "length", "refusal", "content_filter"]


@dataclass
class Request:
    """What reached the server.

    Args:
        provider: The protocol: `responses`, `chat`, `anthropic` or `google`.
        model: The model's name as sent.
        body: The JSON sent.
        headers: The HTTP headers, names in lower case.
        blocks: The prompt's text blocks in order, the system's first.
        schema: The JSON schema that the reply must conform to, if one is asked for.
        stream: Whether the reply is to be streamed.
        time: When it arrived, monotonic seconds.
    """

    provider: str
    model: str
    body: dict[str, Any]
    headers: dict[str, str]
    blocks: list[str]
    schema: dict[str, Any] | None
    stream: bool
    time: float

    @property
    def text(self) -> str:
        """All text of the prompt."""
        return "\n".join(self.blocks)


@dataclass
class Reply:
    """What the server answers; what is not said is made up as a provider would.

    Args:
        text: What the model says; None for `default_text`, "" for an empty reply.
        stop: `refusal` is the model's own, `content_filter` the provider's, each in the provider's way.
        input_tokens: All tokens of the prompt, those read from or written to the cache too.
        cached_tokens: Those read from the cache.
        cache_write_tokens: Those written to it (Anthropic and OpenAI).
        output_tokens: All tokens written, the reasoning too.
        reasoning_tokens: Those of the reasoning.
        latency: Seconds before the first byte.
        status: The HTTP status; from 400 on the provider's error body.
        code: The error's code or type instead of the usual one, as `insufficient_quota`.
        message: The error's message instead of the usual one.
        headers: Headers besides, as Retry-After.
        body: Raw bytes sent in place of the provider's JSON.
        content_type: Of `body`.
        cut: Reset the connection after half of the reply.
        drip: Seconds between pieces; a reply that is not streamed is sent in ten.
        late_error: The type of an error sent within the stream, after status 200 (Anthropic).
        tokens: Each token with the probabilities of what could stand in its place; sent where the
            request asks for log-probabilities. None where the provider gives none.
    """

    text: str | None = None
    stop: Stop = "stop"
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    latency: float = 0.0
    status: int = 200
    code: str | None = None
    message: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "text/html; charset=utf-8"
    cut: bool = False
    drip: float = 0.0
    late_error: str | None = None
    tokens: Sequence[tuple[bytes, Mapping[bytes, float]]] | None = None


@dataclass
class Usage:
    """Tokens of a reply, every number known."""

    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int


def tokens(text: str) -> int:
    """A rough count that needs no tokenizer."""
    return math.ceil(len(text) / 4)


def logprobs(reply: Reply, top: int) -> list[dict[str, Any]] | None:
    """The log-probabilities of a reply's tokens as OpenAI writes them, each with the likeliest alternatives."""

    def one(text: bytes, p: float) -> dict[str, Any]:
        return {"token": text.decode(errors="replace"), "bytes": list(text), "logprob": math.log(p)}

    return None if reply.tokens is None else [
        one(text, others.get(text, 1e-9))
        | {"top_logprobs": [one(*other) for other in sorted(others.items(), key=lambda each: -each[1])[:top]]}
        for text, others in reply.tokens
    ]  # fmt: skip


def usage(request: Request, reply: Reply) -> Usage:
    """Count what a reply does not say of its tokens."""
    reasoning = reply.reasoning_tokens or 0
    counted = sum(map(tokens, request.blocks)) if reply.input_tokens is None else reply.input_tokens
    said = tokens(reply.text or "") + reasoning if reply.output_tokens is None else reply.output_tokens
    return Usage(counted, reply.cached_tokens or 0, reply.cache_write_tokens or 0, said, reasoning)


def default_text(request: Request) -> str:
    """A sentence, or JSON that conforms to the schema of the request."""
    if request.schema is None:
        return "I wanted to get this done and was not sure that it would work."
    return json.dumps(conform(request.schema))


def conform(schema: dict[str, Any]) -> Any:
    """The simplest value that conforms to a schema: of an enum the middle, of a string a word."""
    if "enum" in schema:
        return schema["enum"][len(schema["enum"]) // 2]
    if options := schema.get("anyOf"):
        return conform(options[0])
    kind = str(schema.get("type", "object")).lower()
    if kind == "object":
        return {name: conform(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [conform(schema["items"])]
    return {"integer": 1, "number": 1.0, "boolean": True, "null": None}.get(kind, "because")


def texts(content: Any) -> list[str]:
    """The text blocks of a message's content: a string, or a list of parts that hold a `text`."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else [content] if content else []
    return [part if isinstance(part, str) else str(part.get("text") or part.get("refusal") or "") for part in parts]


def pieces(text: str, size: int = 24) -> list[str]:
    """A text in the pieces that a stream brings it in."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def event(data: dict[str, Any] | str, name: str = "") -> bytes:
    """One server-sent event."""
    said = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {said}\n\n".encode()


_REACTIONS = {
    1: ("pleased", "displeased", "other"),
    2: ("pleased", "pleased", "other"),
    3: ("mixed", "pleased", "same"),
    4: ("pleased", "pleased", "part"),
    5: ("displeased", "displeased", "same"),
}


def verdict(rating: int, rationale: str = "because") -> str:
    """A judge's reply that gives this rating by either form: of the one of reactions it follows from three choices."""
    said = dict(zip(("note_verdict", "guess_verdict", "cause"), _REACTIONS[rating], strict=True))
    return json.dumps({"rationale": rationale, "rating": rating, **said})
