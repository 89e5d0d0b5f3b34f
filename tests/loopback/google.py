"""Google's generateContent, of the Gemini Developer API."""

from typing import Any

from .shapes import Reply, Request, event, logprobs, pieces, texts, usage

PROVIDER = "google"
_STATUS = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    404: ("NOT_FOUND", "models/no-such-model is not found for API version v1beta."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}


def read(body: dict[str, Any]) -> dict[str, Any]:
    """The parts of a `Request` that stand in the body; the system's blocks first."""
    config = body.get("generationConfig") or {}
    system = (body.get("systemInstruction") or {}).get("parts")
    parts = [part for content in body.get("contents", []) for part in content.get("parts", [])]
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    return {"model": "", "blocks": texts(system) + texts(parts), "schema": schema, "stream": False}


def error(status: int, reply: Reply) -> dict[str, Any]:
    name, message = _STATUS.get(status, _STATUS[500])
    said = {"code": status, "message": reply.message or message, "status": reply.code or name}
    if reply.code == "API_KEY_INVALID":
        said["status"] = "INVALID_ARGUMENT"
        said["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reply.code}]
    return {"error": said}


def write(request: Request, reply: Reply) -> dict[str, Any]:
    """The whole response; a prompt that the filter stopped has no candidate."""
    used = usage(request, reply)
    counted: dict[str, Any] = {"promptTokenCount": used.input, "totalTokenCount": used.input + used.output}
    if used.cached:
        counted["cachedContentTokenCount"] = used.cached
    frame = {"usageMetadata": counted, "modelVersion": request.model, "responseId": "loop"}
    if reply.stop == "content_filter":
        counted["totalTokenCount"] = used.input
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}} | frame
    # Unlike OpenAI and Anthropic, Google leaves the thoughts out of the output's tokens.
    counted |= {"candidatesTokenCount": used.output - used.reasoning, "thoughtsTokenCount": used.reasoning}
    finish = {"stop": "STOP", "length": "MAX_TOKENS"}.get(reply.stop, "SAFETY")
    candidate: dict[str, Any] = {"index": 0, "finishReason": finish}
    if reply.text or finish != "SAFETY":
        candidate["content"] = {"role": "model", "parts": [{"text": reply.text}] if reply.text else []}
    config = request.body.get("generationConfig") or {}
    if config.get("responseLogprobs") and (given := logprobs(reply, config.get("logprobs", 0))):
        candidate["logprobsResult"] = {
            "chosenCandidates": [_candidate(token) for token in given],
            "topCandidates": [{"candidates": list(map(_candidate, token["top_logprobs"]))} for token in given],
        }
    return {"candidates": [candidate]} | frame


def _candidate(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token["token"], "logProbability": token["logprob"]}


def stream(request: Request, reply: Reply) -> list[bytes]:
    """The response as the events of a stream."""
    whole = write(request, reply)
    if "candidates" not in whole:
        return [event(whole)]
    first = {"modelVersion": request.model, "responseId": "loop"}
    (candidate,) = whole["candidates"]
    *before, last = [{"role": "model", "parts": [{"text": piece}]} for piece in pieces(reply.text or "") or [""]]
    chunks = [first | {"candidates": [{"index": 0, "content": part}]} for part in before]
    ended = {"content": last} if "content" in candidate else {}
    return [event(chunk) for chunk in [*chunks, whole | {"candidates": [candidate | ended]}]]
