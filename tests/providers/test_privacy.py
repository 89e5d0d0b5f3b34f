"""What leaves this machine, and what logs and reports must not hold: keys, home folders, other people's answers."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zipfile_zstd  # noqa: F401  lets zipfile read logs
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from loopback import Reply

from thoughttrace.cli.main import main
from thoughttrace.tasks.infer_reason import infer_reason

KEYS = {name: f"sk-{name.lower()}-canary-0123456789" for name in ("OPENAI", "ANTHROPIC", "GOOGLE", "LOOP", "ARGUMENT")}
SURVEY = ("JobCanary", "PurposeCanary", "SummaryCanary", "ExpectationCanary", "38")


@pytest.fixture
def record(make_conversation: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    told = {"age": "38", "occupation": "JobCanary", "purposes": "PurposeCanary"}
    texts = {"task_summary": "SummaryCanary", "task_expectation": "ExpectationCanary"}
    return make_conversation() | texts | {"survey_answers": [told]}


@pytest.fixture(autouse=True)
def canary_keys(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE", "LOOP"):
        monkeypatch.setenv(f"{name}_API_KEY", KEYS[name])


def everything_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file's text, that of the members of logs too."""
    for file in filter(Path.is_file, folder.rglob("*")):
        yield file.name, file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".eval":
            with zipfile.ZipFile(file) as log:
                yield from ((f"{file.name}/{name}", log.read(name).decode()) for name in log.namelist())


def test_neither_keys_nor_the_home_folder_are_in_logs_output_or_report(
    tmp_path: Path, loopback: Any, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "HomeCanary"
    home.mkdir()
    (home / "mine.jsonl").write_text(json.dumps(record) + "\n{bad\n")
    judges = "anthropic/claude-sonnet-4-6,google/gemini-2.5-pro,openai-api/loop/judge"
    line = (
        "eval-set thoughttrace/infer_reason -T data=~/mine.jsonl -T skip_bad=true -T context=profile --log-dir logs "
        f"--model openai/gpt-5.4 -M api_key={KEYS['ARGUMENT']} --model-role grader={judges} --display plain"
    )
    environment = os.environ | {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    command = [str(Path(sys.executable).with_name("inspect")), *line.split()]
    ran = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    monkeypatch.chdir(home)
    reported = CliRunner().invoke(main, ["report", "logs"])
    assert reported.exit_code == 0, reported.output
    sent = {value for request in loopback.requests for value in request.headers.values()}
    assert all(any(key in value for value in sent) for name, key in KEYS.items() if name != "OPENAI"), "keys unused"

    texts = [
        ("output", ran.stdout + ran.stderr + reported.output),
        *everything_in(home / "logs"),
        *everything_in(home / "report"),
    ]
    canaries = [*KEYS.values(), "HomeCanary"]
    assert [(name, word) for name, text in texts for word in canaries if word in text] == []
    (log,) = (home / "logs").glob("*.eval")
    assert (read_eval_log(log, header_only=True).eval.metadata or {})["survey_answers_sent"] is True


@pytest.mark.parametrize(("context", "told"), [("history", False), ("lookahead", False), ("profile", True)])
def test_survey_and_task_description_leave_with_context_profile_only(
    tmp_path: Path, loopback: Any, write: Callable[..., Path], record: dict[str, Any], context: str, told: bool
) -> None:
    task = infer_reason(data=str(write(record)), context=context)
    judge = {"grader": "anthropic/claude-sonnet-4-6"}
    (log,) = inspect_eval(task, model="openai/gpt-5.4", model_roles=judge, log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    sent = {True: "", False: ""}
    for request in loopback.requests:
        sent[request.provider == "anthropic"] += json.dumps(request.body)
    assert [word in sent[False] for word in SURVEY] == [told] * len(SURVEY)
    assert not [word for word in SURVEY if word in sent[True]], "the judge never needs them"
    assert (log.eval.metadata or {})["survey_answers_sent"] is told


def test_a_key_that_a_server_quotes_in_an_error_reaches_no_report(
    tmp_path: Path, loopback: Any, write: Callable[..., Path], record: dict[str, Any]
) -> None:
    data, logs = str(write(record)), tmp_path / "logs"
    judge = {"grader": "openai-api/loop/judge"}
    inspect_eval(infer_reason(data=data), model="openai/a", model_roles=judge, log_dir=str(logs), display="none")

    def quote(request: Any) -> Reply:
        fails = request.model == "b" and "question 1" in request.text
        return Reply(status=401, message=f"Wrong key: {request.headers['authorization']}") if fails else Reply()

    loopback.reply = quote
    for fail_on_error in (True, False):
        inspect_eval(
            infer_reason(data=data),
            model="openai/b",
            model_roles=judge,
            log_dir=str(logs),
            display="none",
            fail_on_error=fail_on_error,
        )
    done = CliRunner().invoke(main, ["report", str(logs), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    texts = [("output", done.output), *everything_in(tmp_path / "report")]
    assert "openai/b" in texts[0][1]
    assert [name for name, text in texts if KEYS["OPENAI"] in text] == []
