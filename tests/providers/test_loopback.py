"""The server itself: many slow connections at once, in a thread or in a process of its own."""

import json
import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from loopback import Loopback, Reply, spawn

MANY = 100
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url: str, path: str = "/v1/chat/completions") -> Any:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 41}]}).encode()
    asked = urllib.request.Request(f"{url}{path}", body, {"Content-Type": "application/json"})
    with DIRECT.open(asked, timeout=30) as answer:
        return json.load(answer)


def test_it_carries_many_slow_connections_at_once() -> None:
    with spawn(latency=0.5) as server, ThreadPoolExecutor(MANY) as pool:
        started = time.monotonic()
        replies = list(pool.map(ask, [server.url] * MANY))
        took = time.monotonic() - started
        stats = server.stats()
    assert {reply["usage"]["prompt_tokens"] for reply in replies} == {11}
    assert stats["requests"] == stats["by_model"]["m"] == MANY
    assert stats["most_in_flight"] > MANY / 2
    # One after the other they would take 50 seconds.
    assert took < 20


def test_a_process_answers_by_a_function_in_a_file(tmp_path: Any) -> None:
    script = tmp_path / "script.py"
    script.write_text("from loopback import Reply\ndef answer(request):\n    return Reply(request.text.upper())\n")
    with spawn(reply=f"{script}:answer") as server:
        assert ask(server.url)["choices"][0]["message"]["content"] == "X" * 41
    with pytest.raises(urllib.error.URLError):
        ask(server.url)


def test_a_script_that_fails_is_not_passed_over() -> None:
    def fail(request: Any) -> Reply:
        raise KeyError("a mistake in the script")

    with pytest.raises(KeyError, match="a mistake"), Loopback(fail) as server, pytest.raises(urllib.error.HTTPError):
        ask(server.url)
    with pytest.raises(LookupError, match="/v9/else"), Loopback() as server, pytest.raises(urllib.error.HTTPError):
        ask(server.url, "/v9/else")


def test_the_environment_leads_here_and_nowhere_else(loopback: Any) -> None:
    assert {loopback.url in os.environ[f"{name}_BASE_URL"] for name in ("OPENAI", "ANTHROPIC", "GOOGLE")} == {True}
    assert os.environ["OPENAI_API_KEY"] == "fake-key"
