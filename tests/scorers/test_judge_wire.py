"""The judge over the wire: the real OpenAI client, a server on this machine, and what reaches it."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from inspect_ai import eval as inspect_eval
from loopback import verdict

from thoughttrace.datasets.probes import WRITTEN, load_probes
from thoughttrace.datasets.prompt import break_special_tokens
from thoughttrace.scorers.agreement import rubric, verdict_form
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement

JUDGE = "openai-api/loop/judge"


class Judge(BaseHTTPRequestHandler):
    """OpenAI's Chat Completions, as far as a judge needs them."""

    bodies: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        assert self.path == "/v1/chat/completions"
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        said = {"role": "assistant", "content": verdict(1)}
        reply = {
            "id": "1", "object": "chat.completion", "created": 0, "model": "judge",
            "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }  # fmt: skip
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The bodies of the requests that reach a judge on this machine, `openai-api/loop/judge`."""
    Judge.bodies.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("LOOP_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("LOOP_API_KEY", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield Judge.bodies
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_attack_stays_in_its_block_and_the_schema_as_it_is(loop: list[dict[str, Any]], tmp_path: Path) -> None:
    attacks = {
        break_special_tokens(probe.inference.strip()): probe
        for probe in load_probes(WRITTEN)
        if probe.family == "injection"
    }
    (log,) = inspect_eval(judge_agreement(families="injection"), model=JUDGE, log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    assert len({json.dumps(body["response_format"]) for body in loop}) == 2  # of reasons and of reactions
    seen = set()
    for body in loop:
        wire = body["response_format"]
        assert wire["type"] == "json_schema"
        assert wire["json_schema"]["strict"] is True
        schema = wire["json_schema"]["schema"]
        assert schema["additionalProperties"] is False
        system, user = body["messages"]
        asked = user["content"]
        mark = asked[1:9]
        before, guess, after = asked.partition(f"[{mark} guess]\n")
        inference, end, nothing = after.partition(f"\n[{mark} end]")
        probe = attacks[inference]
        fields = verdict_form(probe.kind).fields.model_fields
        assert list(schema["properties"]) == schema["required"] == list(fields)
        assert schema["properties"][list(fields)[-1]]["enum"] == list(get_args(list(fields.values())[-1].annotation))
        assert system == {"role": "system", "content": rubric(probe.kind)}
        quoted = "message" if probe.kind == "reason" else "reply"
        assert before == f"[{mark} {quoted}]\n{probe.message}\n[{mark} note]\n{probe.targets[0]}\n"
        assert guess
        assert end
        assert nothing == ""
        seen.add(inference)
    assert seen == set(attacks)
    assert log.results
    assert {score.name: score.metrics["mean"].value for score in log.results.scores}["injected"] == 0


def test_an_inference_cut_within_an_emoji_is_judged(
    loop: list[dict[str, Any]], tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    (log,) = inspect_eval(
        infer_reason(),
        model=scripted("m", lambda _: "I was glad \ud83d"),
        model_roles={"grader": JUDGE},
        limit=1,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    assert len(loop) == 1
    assert "guess]\nI was glad ?\n[" in loop[0]["messages"][1]["content"]
