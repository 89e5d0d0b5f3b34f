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
    assert set(fetched) == {"qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}
    assert [command[1:4] for command in ran] == [["eval", "thoughttrace/infer_reason", "thoughttrace/infer_reaction"]]
    shown = "$ inspect eval thoughttrace/infer_reason thoughttrace/infer_reaction --model local/qwen2.5-coder-0.5b "
    assert shown in " ".join(done.output.split())


def test_it_runs_model_floor_ceiling_and_card_and_says_what_that_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo_module, "fetch_weights", lambda _: None)
    monkeypatch.setattr("subprocess.run", run)
    done = CliRunner().invoke(main, ["demo", "--log-dir", str(tmp_path)])
    with_chat, message_alone, floor, ceiling, card = ran
    assert "--model local/qwen2.5-coder-0.5b" in with_chat
    assert "-T context=" not in with_chat
    assert "--model local/qwen2.5-coder-0.5b" in message_alone
    assert "-T context=message" in message_alone
    assert "control=constant" in floor
    assert "control=target" in ceiling
    assert "eval thoughttrace/judge_agreement --model local/qwen2.5-coder-1.5b" in card
    assert all("--model-role grader=local/qwen2.5-coder-1.5b" in command for command in ran[:4])
    # Or it is the card of another judge.
    assert all("-T judge_message=false -T judge_scale=expected" in command for command in ran)
    assert "It says nothing about language models" in " ".join(done.output.split())
    assert done.exit_code == 1  # nothing was run: there are no logs
    assert "Traceback" not in done.output


def test_no_model_of_the_demo_judges_itself() -> None:
    assert demo_module.JUDGE != demo_module.MODEL
