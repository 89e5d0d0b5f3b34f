"""A Hub on this machine: enough of its protocol for the real client, with the faults a script asks for."""

import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

REPOSITORY = "SCAI-JHU/ThoughtTrace"
_RESOLVE = re.compile("/datasets/(?P<repository>.+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")


@dataclass
class Hub:
    """The state of the Hub; a test changes it between requests.

    Args:
        content: The file's bytes at the commit that everybody sees.
        commits: The commit of each branch, tag and commit.
    """

    content: bytes
    commits: dict[str, str]
    repository: str = REPOSITORY
    name: str = "ThoughtTrace.jsonl"
    statuses: list[int] = field(default_factory=list)
    """Answers to the next questions about the file, one each, before the right one, which is 302."""
    always: tuple[int, str] | None = None
    """A status and the Hub's error code, for every question about the file."""
    cdn_statuses: list[int] = field(default_factory=list)
    checksum: str | None = None
    """A stated checksum that is not the content's."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each of the next downloads breaks off, its length announced in full."""
    always_cut: bool = False
    """Every download breaks off before its first byte."""
    short: int = 0
    """Bytes missing at the end of every download, its length announced accordingly."""
    requests: list[str] = field(default_factory=list)
    """`METHOD path [range]` of each request."""
    endpoint: str = ""
    cdn: str = ""

    @property
    def stated(self) -> str:
        return self.checksum or hashlib.sha256(self.content).hexdigest()

    def count(self, start: str) -> int:
        return sum(request.startswith(start) for request in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self) -> None:
        path = urlsplit(self.path).path
        # The client asks this for its user agent, at most once a day, not for the file.
        if path == "/api/agent-harnesses":
            return self.send(200, b"{}", {})
        asked = self.headers.get("Range")
        self.hub.requests.append(" ".join(part for part in (self.command, path, asked) if part))
        if path.startswith("/cdn/"):
            return self.send_file(asked)
        match = _RESOLVE.fullmatch(path)
        if not match or match["repository"] != self.hub.repository:
            return self.fail(404, "RepoNotFound")
        return self.resolve(unquote(match["revision"]), match["name"])

    def resolve(self, revision: str, name: str) -> None:
        hub = self.hub
        if hub.statuses and (status := hub.statuses.pop(0)) != 302:
            return self.fail(status, "")
        if hub.always:
            return self.fail(*hub.always)
        if revision not in hub.commits:
            return self.fail(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": hub.commits[revision]}
        if name != hub.name:
            return self.fail(404, "EntryNotFound", headers)
        headers |= {"X-Linked-Size": str(len(hub.content)), "X-Linked-Etag": f'"{hub.stated}"', "ETag": '"pointer"'}
        headers["Location"] = f"{hub.cdn}/cdn/{hub.stated}?Signature=secret"
        return self.send(302, b"", headers)

    def send_file(self, asked: str | None) -> None:
        hub = self.hub
        if hub.cdn_statuses:
            return self.fail(hub.cdn_statuses.pop(0), "")
        content = hub.content[: len(hub.content) - hub.short]
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{hub.stated}"'}
        if asked and start >= len(content):
            return self.fail(416, "", {"Content-Range": f"bytes */{len(content)}"})
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = 0 if hub.always_cut else hub.cuts.pop(0) if hub.cuts and self.command == "GET" else None
        return self.send(206 if asked else 200, content[start:], headers, cut)

    def fail(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        error = {"X-Error-Code": code, "X-Error-Message": f"scripted: {code}"} if code else {}
        self.send(status, b"", {**error, **(headers or {})})

    def send(self, status: int, body: bytes, headers: Mapping[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        self.close_connection = cut is not None


@contextmanager
def running_hub(content: bytes, commits: dict[str, str]) -> Iterator[Hub]:
    """Run a Hub and, on another port as another host, the place where it keeps large files."""
    hub = Hub(content, commits)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with _Served(handler) as hub.endpoint, _Served(handler) as hub.cdn:
        yield hub


class _Served:
    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        # Otherwise closing waits for the connections that the client keeps open.
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
