"""A protocol as people run it: its run-config by Inspect's command, judges over the wire, then the check."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai.log import list_eval_logs, read_eval_log
from loopback import Loopback, Reply, Request, verdict

from thoughttrace.cli.main import main
from thoughttrace.protocols.manifest import read_manifest
from thoughttrace.protocols.protocol import read_protocol


def answers(request: Request) -> Reply:
    return Reply("I wanted it done." if request.schema is None else verdict(4))


@pytest.fixture
def files(tmp_path: Path, write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], root: Path,
          monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:  # fmt: skip
    """Data, its manifest, and the protocol for this data in place of the release, which cannot be reached from here."""
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    paths = {"data": write(*(make_conversation(f"user{n}", turns=2) for n in range(4)))}
    paths["manifest"] = tmp_path / "mini.json"
    made = CliRunner().invoke(main, ["subset", str(paths["data"]), "mini-v1", "-o", str(paths["manifest"])])
    assert made.exit_code == 0, made.output
    text = (root / "protocols/infer-v1.yml").read_text(encoding="utf-8")
    revision = read_manifest(paths["manifest"]).data_revision
    paths["protocol"] = tmp_path / "here.yml"
    here = text.replace(read_protocol("infer-v1").data.revision, f'"{revision}"')
    named = here.replace("name: infer-v1", "name: here-v1").replace("title: ThoughtTrace-Infer", "title: Here")
    paths["protocol"].write_text(named)
    return lambda name: paths[name]


def test_the_run_config_runs_and_its_logs_follow_the_protocol(
    inspect_command: Callable[..., subprocess.CompletedProcess[str]],
    files: Callable[[str], Path],
    root: Path,
    tmp_path: Path,
) -> None:
    logs = tmp_path / "logs"
    here = ["-T", f"data={files('data')}", "-T", f"subset={files('manifest')}", "--log-dir", str(logs)]
    run = ["eval", "--run-config", "protocols/infer-v1-mini.yaml", "--model", "openai/gpt-5.6-luna", *here]
    check = ["check", str(logs), "--protocol", str(files("protocol")), "--manifest", str(files("manifest"))]

    def command(server: Loopback, *words: str) -> subprocess.CompletedProcess[str]:
        return inspect_command(*words, cwd=root, INSPECT_DISPLAY="plain", **server.environment)

    with Loopback(answers) as server:
        first = command(server, *run, "--limit", "3")
        assert first.returncode == 0, first.stdout + first.stderr
        assert "--limit leaves" in first.stdout
        # The judge of the model's own family is left out; the others vote.
        assert {request.model for request in server.requests if request.schema} == {
            "claude-opus-4-6", "gemini-3.1-pro-preview",
        }  # fmt: skip
        some = CliRunner().invoke(main, check)
        assert some.exit_code == 1
        assert "does not follow Here v1: samples missing." in some.output
        # The whole run fails at one user, and is resumed.
        server.reply = lambda request: Reply(status=400) if "of user3" in request.text else answers(request)
        command(server, *run)
        interrupted = [log.name for log in list_eval_logs(str(logs)) if read_eval_log(log, True).status != "success"]
        assert len(interrupted) == 2
        named = CliRunner().invoke(main, check)
        assert len(re.findall("Left out: .* did not finish", named.output)) == 2
        server.reply = answers
        done = command(server, "eval-retry", *interrupted, "--log-dir", str(logs))
        assert done.returncode == 0, done.stdout + done.stderr
    whole = CliRunner().invoke(main, check)
    assert whole.exit_code == 0, whole.output
    assert "openai/gpt-5.6-luna follows Here v1 (mini-v1)." in whole.output
    assert "✗" not in whole.output
