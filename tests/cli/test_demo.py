"""The demo: it shows the command, runs it, and says where it fails."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from thoughttrace.cli import demo as demo_module
from thoughttrace.cli.main import main


def test_it_shows_what_it_runs_and_says_where_it_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fetched: list[str] = []
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(demo_module, "fetch_weights", fetched.append)
    monkeypatch.setattr("subprocess.run", run)
    done = CliRunner().invoke(main, ["demo", "--log-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "Inspect ended with exit code 3" in done.output
    assert set(fetched) == {"smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}
    assert [command[1:4] for command in ran] == [["eval", "thoughttrace/infer_reason", "thoughttrace/infer_reaction"]]
    shown = "$ inspect eval thoughttrace/infer_reason thoughttrace/infer_reaction --model local/smollm2-135m,"
    assert shown in " ".join(done.output.split())


def test_no_model_of_the_demo_judges_itself() -> None:
    assert demo_module.JUDGE not in demo_module.MODELS
