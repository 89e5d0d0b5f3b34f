"""OpenAI's Chat Completions, which many other providers speak too."""

from typing import Any

from .shapes import Reply, Request, Usage, event, logprobs, pieces, texts, usage

PROVIDER = "chat"
REFUSAL = "I'm sorry, I can't help with that."
_STATUS = {
    400: ("invalid_request_error", None, "Invalid request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: fake-key."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Please try again later."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "That model is currently overloaded with other requests."),
}
_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def read(body: dict[str, Any]) -> dict[str, Any]:
    """The parts of a `Request` that stand in the body; the system's blocks first."""
    messages = body.get("messages", [])
    first = [m for m in messages if m["role"] in ("system", "developer")]
    rest = [m for m in messages if m["role"] not in ("system", "developer")]
    wanted = body.get("response_format") or {}
    return {
        "model": body.get("model", ""),
        "blocks": [text for message in first + rest for text in texts(message.get("content"))],
        "schema": (wanted.get("json_schema") or {}).get("schema"),
        "stream": bool(body.get("stream")),
    }


def error(status: int, reply: Reply) -> dict[str, Any]:
    kind, code, message = _STATUS.get(status, _STATUS[500])
    if reply.code == "insufficient_quota":
        kind, message = "insufficient_quota", _QUOTA
    said = {"message": reply.message or message, "type": kind, "param": None, "code": reply.code or code}
    return {"error": said}


def write(request: Request, reply: Reply) -> dict[str, Any]:
    """The whole completion."""
    refused = reply.stop == "refusal"
    said: dict[str, Any] = {"role": "assistant", "content": None if refused else reply.text, "annotations": []}
    said["refusal"] = (reply.text or REFUSAL) if refused else None
    finish = "stop" if refused else reply.stop
    given = logprobs(reply, request.body.get("top_logprobs", 0)) if request.body.get("logprobs") else None
    choice = {"index": 0, "message": said, "logprobs": given and {"content": given}, "finish_reason": finish}
    return _frame(request, "chat.completion") | {"choices": [choice], "usage": _usage(usage(request, reply))}


def stream(request: Request, reply: Reply) -> list[bytes]:
    """The completion as the events of a stream."""
    whole = write(request, reply)
    frame = _frame(request, "chat.completion.chunk")
    message, finish = whole["choices"][0]["message"], whole["choices"][0]["finish_reason"]
    name = "refusal" if message["refusal"] else "content"
    deltas = [{"role": "assistant", name: ""}, *({name: piece} for piece in pieces(message[name] or ""))]
    events = [event(frame | {"choices": [_choice(delta, None)]}) for delta in deltas]
    events.append(event(frame | {"choices": [_choice({}, finish)]}))
    if (request.body.get("stream_options") or {}).get("include_usage"):
        events.append(event(frame | {"choices": [], "usage": whole["usage"]}))
    return [*events, event("[DONE]")]


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _frame(request: Request, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-loop", "object": kind, "created": 1767225600, "model": request.model}


def _usage(used: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }
