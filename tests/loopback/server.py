"""The server: one thread with its own event loop, so that a hundred slow connections cost next to nothing."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from types import ModuleType, TracebackType
from typing import Any, Self

from aiohttp import web

from . import anthropic, chat, embeddings, google, responses
from .shapes import Reply, Request, default_text, tokens

_PATHS = {"/v1/responses": responses, "/v1/chat/completions": chat, "/v1/messages": anthropic}
_PATHS["/v1/embeddings"] = embeddings
_COUNTS = {"/v1/responses/input_tokens": (responses, "input_tokens")}
_COUNTS["/v1/messages/count_tokens"] = (anthropic, "input_tokens")


def _default(request: Request) -> Reply:
    return Reply()


class Loopback:
    """The server; a context manager that starts and stops it.

    Args:
        reply: What to answer to a request; called in the server's thread. May be exchanged while it runs.

    Raises:
        Exception: On leaving, the first one that `reply` raised (its client got status 400).
    """

    def __init__(self, reply: Callable[[Request], Reply] = _default) -> None:
        self.reply = reply
        self.requests: list[Request] = []
        """The requests that `reply` answered, in the order they came."""
        self.probes: list[dict[str, Any]] = []
        """The bodies of Inspect's own question to OpenAI's reasoning models, asked once per model of a run."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.errors: list[Exception] = []
        self.url = ""
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="loopback", daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead all providers here; `openai-api/loop/NAME` is Chat Completions too."""
        base = {"OPENAI": "/v1", "LOOP": "/v1", "ANTHROPIC": "", "GOOGLE": ""}
        keys = {f"{name}_API_KEY": "fake-key" for name in base}
        unset = ("ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_USE_ADC")
        proxy = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        urls = {f"{name}_BASE_URL": f"{self.url}{path}" for name, path in base.items()}
        return keys | urls | proxy | dict.fromkeys(unset, "")

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if not self.errors:
            return
        if error is None:
            raise self.errors[0]
        error.add_note(f"The server: {self.errors[0]!r}")

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes([web.post(path, self._handler(module)) for path, module in _PATHS.items()])
        app.add_routes([web.post(path, _counter(*what)) for path, what in _COUNTS.items()])
        app.add_routes([web.post("/{version:v1[a-z0-9]*}/models/{model}:countTokens", _counter(google, "totalTokens"))])
        app.add_routes([web.post("/{version:v1[a-z0-9]*}/models/{model}:{method}", self._handler(google))])
        app.add_routes([web.get("/stats", self._stats), web.route("*", "/{path:.*}", self._unknown)])
        # A client that gave up is no longer in flight.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    def _handler(self, protocol: ModuleType) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(asked: web.Request) -> web.StreamResponse:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                return await self._answer(protocol, asked)
            finally:
                self.in_flight -= 1

        return handle

    async def _answer(self, protocol: ModuleType, asked: web.Request) -> web.StreamResponse:
        body = json.loads(await asked.read())
        headers = {name.lower(): value for name, value in asked.headers.items()}
        request = Request(protocol.PROVIDER, body=body, headers=headers, time=time.monotonic(), **protocol.read(body))
        if protocol is google:
            request.model = asked.match_info["model"]
            request.stream = asked.match_info["method"] == "streamGenerateContent"
        if protocol is responses and responses.is_probe(body):
            self.probes.append(body)
            return web.json_response(responses.write(request, Reply("hello, world")))
        self.requests.append(request)
        try:
            reply = self.reply(request)
        except Exception as error:
            self.errors.append(error)
            reply = Reply(status=400, message=f"the script failed: {error!r}")
        if reply.text is None:
            reply.text = default_text(request) if reply.stop in ("stop", "length") else ""
        await asyncio.sleep(reply.latency)
        return await _send(protocol, asked, request, reply)

    async def _unknown(self, asked: web.Request) -> web.Response:
        self.errors.append(LookupError(f"{asked.method} {asked.raw_path}: the server does not speak that."))
        return web.json_response({"error": {"message": "no such path"}}, status=404)

    async def _stats(self, asked: web.Request) -> web.Response:
        models: dict[str, int] = {}
        for request in self.requests:
            models[request.model] = models.get(request.model, 0) + 1
        said = {"requests": len(self.requests), "in_flight": self.in_flight, "most_in_flight": self.most_in_flight}
        return web.json_response(said | {"by_model": models})


def _counter(protocol: ModuleType, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def count(asked: web.Request) -> web.StreamResponse:
        return web.json_response({name: sum(map(tokens, protocol.read(await asked.json())["blocks"]))})

    return count


async def _send(protocol: ModuleType, asked: web.Request, request: Request, reply: Reply) -> web.StreamResponse:
    filtered = reply.stop == "content_filter" and protocol is anthropic
    if filtered:
        # Anthropic's filter answers with an error, not with a message.
        reply.status, reply.message = 400, "Output blocked by content filtering policy"
    streamed = request.stream and reply.status < 400 and reply.body is None
    content_type = "text/event-stream" if streamed else "application/json"
    if streamed:
        parts = protocol.stream(request, reply)
    elif reply.body is not None:
        parts, content_type = [reply.body], reply.content_type
    else:
        whole = protocol.error(reply.status, reply) if reply.status >= 400 else protocol.write(request, reply)
        parts = [json.dumps(whole).encode()]
    if reply.drip and len(parts) == 1:
        parts = _tenths(parts[0])
    headers = {"Content-Type": content_type, "x-request-id": "req_loop", "request-id": "req_loop", **reply.headers}
    response = web.StreamResponse(status=reply.status, headers=headers)
    if not streamed:
        response.content_length = sum(map(len, parts))
    await response.prepare(asked)
    for number, part in enumerate(parts):
        if reply.cut and number >= len(parts) // 2:
            await response.write(part[: len(part) // 2])
            if asked.transport:
                asked.transport.abort()
            return response
        await response.write(part)
        if reply.drip:
            await asyncio.sleep(reply.drip)
    await response.write_eof()
    return response


def _tenths(whole: bytes) -> list[bytes]:
    size = max(1, len(whole) // 10 + 1)
    return [whole[start : start + size] for start in range(0, len(whole), size)]
