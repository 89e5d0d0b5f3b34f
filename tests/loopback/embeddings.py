"""OpenAI's embeddings, drawn by a hash of the text. A reply that says "floats" ignores the encoding asked for."""

import base64
import hashlib
import struct
from typing import Any

from .chat import error
from .shapes import Reply, Request, tokens

__all__ = ["PROVIDER", "error", "read", "vector", "write"]

PROVIDER = "embeddings"
SIZE = 8


def read(body: dict[str, Any]) -> dict[str, Any]:
    """The parts of a `Request` that stand in the body; a block for each text."""
    given = body["input"]
    return {
        "model": body["model"],
        "blocks": [given] if isinstance(given, str) else given,
        "schema": None,
        "stream": False,
    }


def vector(text: str) -> list[float]:
    """A vector that only this text has; twice as long as a unit vector."""
    drawn = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[:SIZE]]
    norm = sum(x * x for x in drawn) ** 0.5
    return [2 * x / norm for x in drawn]


def write(request: Request, reply: Reply) -> dict[str, Any]:
    """All vectors, the last first: their order is told by `index` alone."""
    encoded = request.body.get("encoding_format") == "base64" and reply.text != "floats"
    rows = [
        {"object": "embedding", "index": index, "embedding": _base64(vector(text)) if encoded else vector(text)}
        for index, text in enumerate(request.blocks)
    ]
    count = sum(map(tokens, request.blocks))
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": rows[::-1], "model": request.model, "usage": usage}


def _base64(numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
