"""Anthropic's Messages."""

from typing import Any

from .shapes import Reply, Request, event, pieces, texts, usage

PROVIDER = "anthropic"
_STATUS = {
    400: ("invalid_request_error", "Invalid request."),
    401: ("authentication_error", "invalid x-api-key"),
    404: ("not_found_error", "model: no-such-model"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    529: ("overloaded_error", "Overloaded"),
}


def read(body: dict[str, Any]) -> dict[str, Any]:
    """The parts of a `Request` that stand in the body; the system's blocks first."""
    wanted = body.get("output_format") or (body.get("output_config") or {}).get("format") or {}
    blocks = [text for message in body.get("messages", []) for text in texts(message["content"])]
    return {
        "model": body.get("model", ""),
        "blocks": texts(body.get("system")) + blocks,
        "schema": wanted.get("schema"),
        "stream": bool(body.get("stream")),
    }


def error(status: int, reply: Reply) -> dict[str, Any]:
    kind, message = _STATUS.get(status, _STATUS[500])
    said = {"type": reply.code or kind, "message": reply.message or message}
    return {"type": "error", "error": said, "request_id": "req_loop"}


def write(request: Request, reply: Reply) -> dict[str, Any]:
    """The whole message."""
    used = usage(request, reply)
    content: list[dict[str, Any]] = []
    if request.body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        content.append({"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmVk"})
    if reply.text:
        content.append({"type": "text", "text": reply.text, "citations": None})
    reason = {"stop": "end_turn", "length": "max_tokens"}.get(reply.stop, "refusal")
    return {
        "id": "msg_loop",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            # Unlike OpenAI and Google, Anthropic leaves the cached tokens out of the input's.
            "input_tokens": used.input - used.cached - used.cache_write,
            "cache_read_input_tokens": used.cached,
            "cache_creation_input_tokens": used.cache_write,
            "cache_creation": {"ephemeral_5m_input_tokens": used.cache_write, "ephemeral_1h_input_tokens": 0},
            "output_tokens": used.output,
            "output_tokens_details": {"thinking_tokens": used.reasoning},
            "service_tier": "standard",
        },
    }


def stream(request: Request, reply: Reply) -> list[bytes]:
    """The message as the events of a stream."""
    whole = write(request, reply)
    began = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": began}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        name = block["type"]
        start = block | ({"text": ""} if name == "text" else {"thinking": "", "signature": ""})
        deltas = [{"type": f"{name}_delta", name: piece} for piece in pieces(block[name])]
        if name == "thinking":
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    if reply.late_error:
        said = {"type": reply.late_error, "message": reply.message or "Overloaded"}
        events.append({"type": "error", "error": said})
        return [event(one, one["type"]) for one in events]
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ended, "usage": whole["usage"]}, {"type": "message_stop"}]
    return [event(one, one["type"]) for one in events]
