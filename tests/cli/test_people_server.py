"""The server of the page: who may ask it, what it refuses, and how it ends."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from thoughttrace.cli.guess import _samples
from thoughttrace.cli.main import main
from thoughttrace.cli.people.guesses import GuessQuestions
from thoughttrace.cli.people.server import PageServer


@pytest.fixture
def server(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], tmp_path: Path
) -> Iterator[PageServer]:
    """A page on one user's three reasons and three reactions, for everybody."""
    data = str(write(make_conversation("user1")))
    questions = GuessQuestions(_samples(data, None, None, None, 0), tmp_path / "guesses.jsonl")
    with PageServer(questions, questions.file, None) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def ask(server: PageServer) -> Callable[..., tuple[int, str]]:
    """Send a request as the page does, or with other headers or at another path; its status and text."""

    def ask(what: str, body: object = None, path: str | None = None, **headers: str | None) -> tuple[int, str]:
        host = f"127.0.0.1:{server.server_port}"
        given = {"Host": host, "Origin": f"http://{host}", "Content_Type": "application/json"} | headers
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        connection.request(
            "GET" if body is None else "POST",
            path if path is not None else f"/{server.token}/{what}",
            None if body is None else body if isinstance(body, bytes) else json.dumps(body),
            {name.replace("_", "-"): value for name, value in given.items() if value is not None},
        )
        reply = connection.getresponse()
        return reply.status, reply.read().decode()

    return ask


def test_only_the_page_itself_and_who_knows_its_address_may_ask(
    server: PageServer, ask: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    port = server.server_port
    guess = {"name": "ann", "number": 0, "answer": "so"}
    assert ask("")[0] == 200
    refused: list[tuple[str | None, dict[str, str | None]]] = [
        ("/save", {}), ("//save", {}), (f"/{server.token[:-1]}/save", {}), (f"/x/{server.token}/save", {}),
        (None, {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}),
        (None, {"Host": f"evil.example:{port}"}),
        (None, {"Origin": "http://evil.example"}), (None, {"Origin": "null"}), (None, {"Origin": None}),
        (None, {"Origin": f"http://localhost:{port}"}), (None, {"Content_Type": "text/plain"}),
    ]  # fmt: skip
    for path, headers in refused:
        assert ask("save", guess, path, **headers)[0] == 403, (path, headers)
    for path, headers in refused[:6]:
        assert ask("", None, path and path.removesuffix("save"), **headers)[0] == 403, (path, headers)
    assert not (tmp_path / "guesses.jsonl").exists()
    # Through a tunnel it has another port, and may be called localhost.
    assert ask("save", guess, Host="localhost:9", Origin="http://localhost:9")[0] == 200
    assert len(server.token) >= 20
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("save", {"name": "ann", "number": 6, "answer": "so"}, 400),
        ("save", {"name": "ann", "number": -1, "answer": "so"}, 400),
        ("save", {"name": "ann", "number": "0", "answer": "so"}, 400),
        ("save", {"name": "ann"}, 400),
        ("save", b"{", 400),
        ("save", b"[" * 90_000, 400),
        ("save", b'"' + b"x" * 200_000 + b'"', 400),
        ("save", {"name": "none/none", "number": 0, "answer": "so"}, 409),
        ("save", {"name": " ", "number": 0, "answer": "so"}, 409),
        ("save", {"name": "ann", "number": 0, "answer": " \n"}, 409),
        ("save", {"name": "ann", "number": 0, "answer": 5}, 409),
        ("save", {"name": "ann", "number": 0, "answer": "x" * 2001}, 409),
        ("erase", {"name": "ann"}, 400),
        ("other", None, 404),
    ],
)
def test_what_is_no_answer_is_refused_and_nothing_is_kept(
    what: str, body: object, status: int, ask: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert ask(what, body)[0] == status
    assert not (tmp_path / "guesses.jsonl").exists()


def test_a_second_window_adds_no_second_guess_and_none_at_what_was_read_past(
    ask: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert ask("save", {"name": "ann", "number": 2, "answer": "of m02"}) == (
        200, json.dumps({"answered": [2], "read_to": {"0": 2}})
    )  # fmt: skip
    for number in (2, 1):
        status, said = ask("save", {"name": "ann", "number": number, "answer": "again"})
        assert (status, said.partition(",")[0]) == (409, "Your guess at this message is stored")
    assert ask("save", {"name": "bob", "number": 1, "answer": "of m01"})[0] == 200
    kept = [json.loads(line) for line in (tmp_path / "guesses.jsonl").read_text().splitlines()]
    assert [(line["person"], line["text"]) for line in kept] == [("ann", "of m02"), ("bob", "of m01")]
    assert json.loads(ask("state", {"name": "ann"})[1])["answered"] == [2]


def test_what_was_shown_is_known_to_the_next_server_too(
    server: PageServer, ask: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert ask("content", {"name": "ann", "number": 3})[0] == 200
    assert ask("content", {"number": 3})[0] == 400
    assert ask("content", {"name": "none/none", "number": 3})[0] == 409
    assert ask("save", {"name": "ann", "number": 2, "answer": "after m03"})[0] == 409
    # Its port, and with it what the browser remembers, is another one at each start.
    again = GuessQuestions(server.questions.samples, tmp_path / "guesses.jsonl")  # type: ignore[attr-defined]
    assert again.state("ann") == {"answered": [], "read_to": {0: 3}}
    assert again.state("bob") == {"answered": [], "read_to": {}}
    assert ask("save", {"name": "ann", "number": 3, "answer": "of m03"})[0] == 200


def test_what_is_no_browsers_request_prints_nothing(
    server: PageServer, ask: Callable[..., tuple[int, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask("", Host="[::1")[0] == 403
    hasty = socket.create_connection(server.server_address)  # type: ignore[arg-type]
    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    hasty.sendall(b"GET / HT")
    time.sleep(0.1)
    hasty.close()  # a reset, in the middle of a line
    time.sleep(0.2)
    assert capfd.readouterr().err == ""
    assert ask("")[0] == 200


def test_the_command_serves_one_person_and_ends_with_ctrl_c(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    data = write(make_conversation("user1"))
    command = [sys.executable, "-m", "thoughttrace", "guess", str(data), "--browser", "--name", "ann", "--limit", "1"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout
    address = next(line.strip() for line in process.stdout if "http://" in line)
    host, _, token = address.removeprefix("http://").strip("/").partition("/")
    connection = HTTPConnection(host, timeout=20)

    def save(name: str) -> int:
        body = json.dumps({"name": name, "number": 0, "answer": "I was bored"})
        headers = {"Origin": f"http://{host}", "Content-Type": "application/json"}
        connection.request("POST", f"/{token}/save", body, headers)
        reply = connection.getresponse()
        reply.read()
        return reply.status

    assert [save("bob"), save("ann")] == [400, 200]
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.endswith("1 guesses stored in guesses.jsonl\n")
    assert json.loads((tmp_path / "guesses.jsonl").read_text())["person"] == "ann"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "--name is required"),
        (["--browser", "--page", "p.html"], "--browser and --page do not go together: choose one."),
        (["--page", "guesses.jsonl"], "--page guesses.jsonl: name a file that ends in .html."),
        (["--page", "absent.txt/p.html"], "--page absent.txt/p.html: cannot be written"),
        (["--import", "absent.jsonl"], "absent.jsonl: cannot be read"),
        (["--browser", "--name", "none/none"], "is no name of what gives answers"),
    ],
)
def test_mistakes_are_one_sentence(
    options: list[str],
    sentence: str,
    write: Callable[..., Path],
    make_conversation: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = str(write(make_conversation("user1")))
    monkeypatch.chdir(tmp_path)
    for name in ("guesses.jsonl", "absent.txt"):
        (tmp_path / name).write_text("")
    done = CliRunner().invoke(main, ["guess", data, *options])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert sentence in done.output
    assert (tmp_path / "guesses.jsonl").read_text() == ""
