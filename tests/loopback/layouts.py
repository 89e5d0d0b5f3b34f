"""A model and a judge of every provider, and where things stand in the requests that Inspect makes for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .shapes import Request


@dataclass
class Provider:
    """A provider's model and judge, and how its requests are laid out."""

    model: str
    judge: str
    protocol: str
    system: Callable[[dict[str, Any]], Any]
    roles: Callable[[dict[str, Any]], list[str]]
    sampling: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body


PROVIDERS = {
    "responses": Provider(
        "openai/gpt-5.4",
        "openai/gpt-5-mini",
        "responses",
        lambda body: body["input"][0],
        lambda body: [item["role"] for item in body["input"]],
    ),
    "chat": Provider(
        "openai/gpt-4o",
        "openai/gpt-4.1",
        "chat",
        lambda body: body["messages"][0],
        lambda body: [message["role"] for message in body["messages"]],
    ),
    "compatible": Provider(
        "openai-api/loop/some",
        "openai-api/loop/other",
        "chat",
        lambda body: body["messages"][0],
        lambda body: [message["role"] for message in body["messages"]],
    ),
    "anthropic": Provider(
        "anthropic/claude-sonnet-4-6",
        "anthropic/claude-opus-4-6",
        "anthropic",
        lambda body: body["system"],
        lambda body: ["system", *(message["role"] for message in body["messages"])],
    ),
    "google": Provider(
        "google/gemini-3.1-pro-preview",
        "google/gemini-2.5-flash",
        "google",
        lambda body: body["systemInstruction"],
        lambda body: ["system", *(content["role"] for content in body["contents"])],
        lambda body: body.get("generationConfig", {}),
    ),
}


def schema_of(request: Request, name: str = "verdict") -> dict[str, Any]:
    """The schema of a form as the provider wants it, looked at where it stands.

    Args:
        request: What reached the server.
        name: Of the form.
    """
    body = request.body
    if request.provider == "responses":
        wanted = body["text"]["format"]
    elif request.provider == "chat":
        assert body["response_format"]["type"] == "json_schema"
        wanted = body["response_format"]["json_schema"]
    elif request.provider == "anthropic":
        assert body["output_format"]["type"] == "json_schema"
        assert "structured-outputs" in request.headers["anthropic-beta"]
        return body["output_format"]["schema"]  # type: ignore[no-any-return]
    else:
        assert body["generationConfig"]["responseMimeType"] == "application/json"
        return body["generationConfig"]["responseJsonSchema"]  # type: ignore[no-any-return]
    assert wanted["strict"] is True
    assert wanted["name"] == name
    return wanted["schema"]  # type: ignore[no-any-return]
