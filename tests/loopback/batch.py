"""The server with the providers' batches: files and batches of OpenAI, message batches of Anthropic, batches of Gemini.

    with BatchLoopback(reply) as server: ...   # server.batches: how many requests each batch had, in order

A batch has ended when it is asked for the second time. A `Reply` with a status of 400 or more fails its request alone.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from aiohttp import web

from . import anthropic, chat, google, responses
from .server import Loopback
from .shapes import Reply, Request, default_text

_DAY = "2026-11-23T00:00:00Z"
_OPENAI = {"/v1/responses": responses, "/v1/chat/completions": chat}


@dataclass
class _Batch:
    """A batch and its results, one JSON object for each request."""

    results: list[dict[str, Any]]
    endpoint: str = ""
    asked: int = 0

    @property
    def ended(self) -> bool:
        return self.asked > 1


class BatchLoopback(Loopback):
    """The server, which also takes batches."""

    def __init__(self, reply: Callable[[Request], Reply] = lambda request: Reply()) -> None:
        super().__init__(reply)
        self.batches: list[int] = []
        self._files: dict[str, bytes] = {}
        self._kept: dict[str, _Batch] = {}

    async def _answer(self, protocol: ModuleType, asked: web.Request) -> web.StreamResponse:
        if asked.match_info.get("method") == "batchGenerateContent":
            body, model = await asked.json(), asked.match_info["model"]
            source = body["batch"]["inputConfig"]["fileName"]
            lines = [json.loads(line) for line in self._files[source].splitlines()]
            results = [
                {"key": line["key"]}
                | self._one(google, _camel(line["request"]), model, lambda said: {"response": said})
                for line in lines
            ]
            return self._google_batch(self._keep(_Batch(results), "google"))
        return await super()._answer(protocol, asked)

    async def _unknown(self, asked: web.Request) -> web.Response:
        path = f"{asked.method} {asked.path}"
        for pattern, handle in _ROUTES:
            if found := re.fullmatch(pattern, path):
                return await handle(self, asked, *found.groups())  # type: ignore[no-any-return]
        return await super()._unknown(asked)

    def _one(
        self, protocol: ModuleType, body: dict[str, Any], model: str, wrap: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Answer one request of a batch: its reply, wrapped, or the provider's error."""
        request = Request(protocol.PROVIDER, body=body, headers={}, time=time.monotonic(), **protocol.read(body))
        request.model = model or request.model
        self.requests.append(request)
        reply = self.reply(request)
        if reply.status >= 400:
            error: dict[str, Any] = protocol.error(reply.status, reply)
            if protocol in _OPENAI.values():
                return {"response": {"status_code": reply.status, "body": error}}
            return error if protocol is anthropic else {"error": {"code": reply.status, "message": str(error)}}
        if reply.text is None:
            reply.text = default_text(request)
        return wrap(protocol.write(request, reply))

    def _keep(self, batch: _Batch, name: str) -> str:
        name = f"{name}_{len(self._kept)}"
        self._kept[name] = batch
        self.batches.append(len(batch.results))
        return name

    async def _upload(self, asked: web.Request) -> web.Response:
        name = f"file-{len(self._files)}"
        parts = await asked.multipart()
        while (part := await parts.next()) is not None:
            content = await part.read()  # type: ignore[union-attr]
            if part.name == "file":  # type: ignore[union-attr]
                self._files[name] = bytes(content)
        said = {"id": name, "object": "file", "bytes": len(self._files[name]), "created_at": 1, "purpose": "batch"}
        return web.json_response(said | {"filename": "batch.jsonl", "status": "processed"})

    async def _openai_create(self, asked: web.Request) -> web.Response:
        body = await asked.json()
        lines = [json.loads(line) for line in self._files[body["input_file_id"]].splitlines()]
        protocol = _OPENAI[body["endpoint"]]

        def result(line: dict[str, Any]) -> dict[str, Any]:
            assert line["url"] == body["endpoint"]
            return self._one(protocol, line["body"], "", lambda said: {"response": {"status_code": 200, "body": said}})

        results = [{"custom_id": line["custom_id"], "error": None} | result(line) for line in lines]
        return self._openai_batch(self._keep(_Batch(results, body["endpoint"]), "openai"))

    def _openai_batch(self, name: str) -> web.Response:
        batch = self._kept[name]
        self._files[f"out-{name}"] = _lines(batch.results)
        count = len(batch.results)
        said = {"id": name, "object": "batch", "endpoint": batch.endpoint, "input_file_id": "file-0", "created_at": 1}
        said |= {"completion_window": "24h", "status": "completed" if batch.ended else "in_progress"}
        said |= {"output_file_id": f"out-{name}" if batch.ended else None}
        said |= {"request_counts": {"total": count, "completed": count if batch.ended else 0, "failed": 0}}
        return web.json_response(said)

    async def _anthropic_create(self, asked: web.Request) -> web.Response:
        results = [
            {"custom_id": one["custom_id"], "result": self._anthropic_result(one["params"])}
            for one in (await asked.json())["requests"]
        ]
        return self._anthropic_batch(self._keep(_Batch(results), "anthropic"))

    def _anthropic_result(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self._one(anthropic, params, "", lambda message: {"type": "succeeded", "message": message})
        return said if said.get("type") == "succeeded" else {"type": "errored", "error": said}

    def _anthropic_batch(self, name: str) -> web.Response:
        batch = self._kept[name]
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if batch.ended else "processing"] = len(batch.results)
        said: dict[str, Any] = {
            "id": name,
            "type": "message_batch",
            "created_at": _DAY,
            "expires_at": _DAY,
            "request_counts": counts,
        }
        said |= {"processing_status": "ended" if batch.ended else "in_progress"}
        said |= {"results_url": f"{self.url}/v1/messages/batches/{name}/results" if batch.ended else None}
        return web.json_response(said)

    async def _anthropic_results(self, asked: web.Request, name: str) -> web.Response:
        return web.Response(body=_lines(self._kept[name].results), content_type="application/x-jsonl")

    async def _google_upload(self, asked: web.Request) -> web.Response:
        return web.json_response({}, headers={"X-Goog-Upload-URL": f"{self.url}/google-upload"})

    async def _google_content(self, asked: web.Request) -> web.Response:
        name = f"files/f{len(self._files)}"
        self._files[name] = await asked.read()
        said = {"file": {"name": name, "sizeBytes": str(len(self._files[name])), "state": "ACTIVE"}}
        return web.json_response(said, headers={"X-Goog-Upload-Status": "final"})

    def _google_batch(self, name: str) -> web.Response:
        batch = self._kept[name]
        self._files[f"files/out-{name}"] = _lines(batch.results)
        state = "BATCH_STATE_SUCCEEDED" if batch.ended else "BATCH_STATE_RUNNING"
        metadata: dict[str, Any] = {"state": state, "createTime": _DAY}
        if batch.ended:
            metadata["output"] = {"responsesFile": f"files/out-{name}"}
        return web.json_response({"name": f"batches/{name}", "metadata": metadata})

    async def _file(self, asked: web.Request, name: str) -> web.Response:
        return web.Response(body=self._files[name])

    async def _status(self, asked: web.Request, name: str) -> web.Response:
        self._kept[name].asked += 1
        speak = {"openai": self._openai_batch, "anthropic": self._anthropic_batch, "google": self._google_batch}
        return speak[name.partition("_")[0]](name)


_ROUTES: list[tuple[str, Any]] = [
    ("POST /v1/files", BatchLoopback._upload),
    ("POST /v1/batches", BatchLoopback._openai_create),
    ("POST /v1/messages/batches", BatchLoopback._anthropic_create),
    (r"GET /v1/messages/batches/(\w+)/results", BatchLoopback._anthropic_results),
    (r"POST /upload/v1\w*/files", BatchLoopback._google_upload),
    ("POST /google-upload", BatchLoopback._google_content),
    (r"GET /v1\w*/(?:messages/)?batches/(\w+)", BatchLoopback._status),
    (r"GET /v1/files/([\w-]+)/content", BatchLoopback._file),
    (r"GET /(?:download/)?v1\w*/(files/[\w-]+):download", BatchLoopback._file),
]


def _lines(results: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(result) + "\n" for result in results).encode()


def _camel(request: dict[str, Any]) -> dict[str, Any]:
    """A request as the other paths write it: a batch's file may say `system_instruction` for `systemInstruction`."""

    def name(key: str) -> str:
        first, *others = key.split("_")
        return first + "".join(other.capitalize() for other in others)

    config = request.get("generation_config") or request.get("generationConfig") or {}
    said = {name(key): value for key, value in request.items()}
    return said | {"generationConfig": {name(key): value for key, value in config.items()}}
