"""OpenAI's Responses."""

from typing import Any

from .chat import REFUSAL, error
from .shapes import Reply, Request, event, logprobs, pieces, texts, usage

__all__ = ["PROVIDER", "error", "is_probe", "read", "stream", "write"]

PROVIDER = "responses"


def is_probe(body: dict[str, Any]) -> bool:
    """Whether this is Inspect asking, once per model, whether the account may see summaries of the reasoning."""
    return body.get("input") == "Please say 'hello, world'"


def read(body: dict[str, Any]) -> dict[str, Any]:
    """The parts of a `Request` that stand in the body; the system's blocks first."""
    items = body.get("input", [])
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    first = [item for item in items if item.get("role") in ("system", "developer")]
    rest = [item for item in items if item.get("role") not in ("system", "developer")]
    wanted = (body.get("text") or {}).get("format") or {}
    blocks = [text for item in first + rest for text in texts(item.get("content"))]
    return {
        "model": body.get("model", ""),
        "blocks": texts(body.get("instructions")) + blocks,
        "schema": wanted.get("schema"),
        "stream": bool(body.get("stream")),
    }


def write(request: Request, reply: Reply) -> dict[str, Any]:
    """The whole response."""
    used = usage(request, reply)
    if reply.stop == "refusal":
        part: dict[str, Any] = {"type": "refusal", "refusal": reply.text or REFUSAL}
    else:
        wanted = "message.output_text.logprobs" in request.body.get("include", [])
        given = logprobs(reply, request.body.get("top_logprobs", 0)) if wanted else None
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": given or []}
    cut_off = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.stop)
    status = "incomplete" if cut_off else "completed"
    output: list[dict[str, Any]] = []
    if used.reasoning:
        output.append({"type": "reasoning", "id": "rs_loop", "summary": [], "encrypted_content": "c2VjcmV0"})
    output.append({"type": "message", "id": "msg_loop", "role": "assistant", "status": status, "content": [part]})
    return _frame(request, status) | {
        "incomplete_details": {"reason": cut_off} if cut_off else None,
        "output": output,
        "usage": {
            "input_tokens": used.input,
            "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": used.reasoning},
            "total_tokens": used.input + used.output,
        },
    }


def stream(request: Request, reply: Reply) -> list[bytes]:
    """The response as the events of a stream."""
    whole = write(request, reply)
    item = whole["output"][-1]
    part = item["content"][0]
    name = "refusal" if part["type"] == "refusal" else "output_text"
    where = {"item_id": item["id"], "output_index": len(whole["output"]) - 1, "content_index": 0}
    text = part.get("text") or part.get("refusal") or ""
    empty = {"type": part["type"], "refusal": ""} if name == "refusal" else part | {"text": ""}
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": _frame(request, "in_progress")},
        {"type": "response.output_item.added", "output_index": where["output_index"], "item": item | {"content": []}},
        {"type": "response.content_part.added", **where, "part": empty},
        *({"type": f"response.{name}.delta", **where, "delta": piece, "logprobs": []} for piece in pieces(text)),
        {"type": "response.content_part.done", **where, "part": part},
        {"type": "response.output_item.done", "output_index": where["output_index"], "item": item},
        {"type": f"response.{whole['status']}", "response": whole},
    ]
    return [event(one | {"sequence_number": number}, one["type"]) for number, one in enumerate(said)]


def _frame(request: Request, status: str) -> dict[str, Any]:
    return {
        "id": "resp_loop",
        "object": "response",
        "created_at": 1767225600,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": request.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
