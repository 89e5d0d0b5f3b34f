"""A protocol as people run it: its run-config through Inspect's command, judges over their protocols, then the check."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
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
    paths["protocol"].write_text(text.replace(read_protocol("infer-v1").data.revision, f'"{revision}"'))
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
    with Loopback(answers) as server:
        # Some samples first, the others later: one interrupted after the first kind would look the same.
        first = inspect_command(*run, "--limit", "3", cwd=root, INSPECT_DISPLAY="plain", **server.environment)
        assert first.returncode == 0, first.stdout + first.stderr
        assert "--limit leaves" in first.stdout + first.stderr
        asked = {request.model for request in server.requests if request.schema is not None}
    # The judge of the model's own family is left out; the others vote.
    assert asked == {"claude-opus-4-6", "gemini-3.1-pro-preview"}
    check = ["check", str(logs), "--protocol", str(files("protocol")), "--manifest", str(files("manifest"))]
    some = CliRunner().invoke(main, check, env={"COLUMNS": "200"})
    assert some.exit_code == 1
    assert "does not follow ThoughtTrace-Infer v1: samples missing." in some.output
    with Loopback(answers) as server:
        done = inspect_command(*run, cwd=root, INSPECT_DISPLAY="plain", **server.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    whole = CliRunner().invoke(main, check, env={"COLUMNS": "200"})
    assert whole.exit_code == 0, whole.output
    assert "openai/gpt-5.6-luna follows ThoughtTrace-Infer v1 (mini-v1)." in whole.output
    assert not re.search("✗", whole.output)
