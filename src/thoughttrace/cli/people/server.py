"""Serve the page to browsers on this machine, and keep every answer at once."""

import contextlib
import json
import secrets
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thoughttrace.cli.people.page import Questions, served_page
from thoughttrace.core.errors import UserError
from thoughttrace.core.terminal import Terminal

_HERE = ("127.0.0.1", "localhost")

_LONGEST = 100_000
"""Bytes of a request."""


class PageServer(ThreadingHTTPServer):
    """A server of one page, for browsers on this machine alone.

    The address holds a random token, which other users of the machine and other sites do not know. A request under
    another host's name, such as one that was made to point here, or from another site's page, is refused.

    Args:
        questions: What the page asks.
        file: Where answers are stored, as the page says it.
        name: The person's name; None where each chooses one.
    """

    daemon_threads = True  # a browser keeps connections open, which would hold up the end
    block_on_close = False

    def __init__(self, questions: Questions, file: Path, name: str | None) -> None:
        super().__init__((_HERE[0], 0), _Handler)
        self.questions, self.name = questions, name
        self.page, self.policy = served_page(questions, f"in {file} on this computer", name)
        self.token = secrets.token_urlsafe(16)
        self.kept = 0
        """Answers since the start, without those taken back."""
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{_HERE[0]}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing of a browser that closed its connection early; a fault of ours is still shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, what: str, asked: Any) -> Any:
        """Answer the page.

        Args:
            what: `state`, `content` or `save`.
            asked: What the page sent.

        Raises:
            UserError: A person's mistake, in words for that person.
            KeyError, TypeError, ValueError, IndexError: The page did not send this.
        """
        name = str(asked["name"]).strip()
        if self.name is not None and name != self.name:
            raise ValueError("another name than the one that was given")
        with self.lock:
            if what == "content":
                # Before it is sent: whoever closes the page at once has seen it.
                self.questions.mark_shown(name, self._number(asked))
                return self.questions.content(self._number(asked))
            if what == "save":
                self.questions.save(name, self._number(asked), asked["answer"])
                self.kept += 1 if asked["answer"] is not None else -1
            return self.questions.state(name)

    def _number(self, asked: Any) -> int:
        number = asked["number"]
        if not isinstance(number, int) or not 0 <= number < len(self.questions.places):
            raise ValueError("no such question")
        return number


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 60

    def do_GET(self) -> None:
        """Send the page."""
        if self._refused():
            return
        if self._path() != "":
            self._send(404, "text/plain", "Nothing is here.")
        else:
            self._send(200, "text/html", self.server.page)

    def do_POST(self) -> None:
        """Answer the page."""
        if self._refused():
            return
        origin, size = self.headers["Origin"], self.headers["Content-Length"] or ""
        if origin != f"http://{self.headers['Host']}" or self.headers.get_content_type() != "application/json":
            self._send(403, "text/plain", "Only the page that this server sent may ask.")
        elif self._path() not in {"state", "content", "save"} or not size.isdecimal() or int(size) > _LONGEST:
            self._send(400, "text/plain", "This is nothing that the page asks.")
        else:
            self._reply(self.rfile.read(int(size)))

    def _reply(self, body: bytes) -> None:
        try:
            said = self.server.answer(self._path(), json.loads(body))
            self._send(200, "application/json", json.dumps(said))
        except UserError as error:
            self._send(409, "text/plain", str(error))
        except (KeyError, TypeError, ValueError, IndexError, RecursionError):
            self._send(400, "text/plain", "This is nothing that the page asks.")

    def _path(self) -> str:
        return self.path.removeprefix(f"/{self.server.token}/")

    def _refused(self) -> bool:
        """Refuse a request that is not of this machine's own browser, or does not know the token."""
        try:
            host = urlsplit(f"//{self.headers['Host']}").hostname
        except ValueError:  # such as [::1, which is not closed
            host = None
        _, token, *_ = [*self.path.split("/"), "", ""]
        if host in _HERE and secrets.compare_digest(token.encode(), self.server.token.encode()):
            return False
        self._send(403, "text/plain", "Open the address as the command printed it.")
        return True

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": f"{self.server.policy}; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Name the server, and not the version of Python."""
        return "thoughttrace"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing: requests are not what the person at the terminal waits for."""


def serve(questions: Questions, file: Path, name: str | None, console: Terminal) -> int:
    """Serve the page until Ctrl-C.

    Args:
        questions: What the page asks.
        file: Where answers are stored, as the page says it.
        name: The person's name; None where each chooses one.
        console: Where the address is printed.

    Returns:
        How many answers were stored.
    """
    with PageServer(questions, file, name) as server:
        console.print(f"Open this address in a browser on this computer:\n\n  {server.address}\n", soft_wrap=True)
        who = f"It asks {name}" if name else "It asks each person for a name; several may open it"
        console.print(f"{who}. Every answer is stored at once. Ctrl-C ends it.", soft_wrap=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
        with server.lock:  # an answer may be on its way to the disk
            return server.kept
