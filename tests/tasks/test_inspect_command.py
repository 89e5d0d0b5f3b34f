"""The tasks as people run them: through Inspect's own command, from any folder."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import list_eval_logs, read_eval_log

from thoughttrace.analysis.read.runs import read_runs

Inspect = Callable[..., subprocess.CompletedProcess[str]]
PROVIDER = """
import json
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, modelapi

@modelapi(name="canned")
def canned():
    class Canned(ModelAPI):
        async def generate(self, input, tools, tool_choice, config):
            judged = config.response_schema is not None
            said = {"note_verdict": "pleased", "guess_verdict": "pleased", "cause": "part"}
            text = json.dumps({"rationale": "same", "rating": 4, **said}) if judged else "guess"
            output = ModelOutput.from_content(self.model_name, text)
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            return output
    return Canned
"""


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    """A folder with an installed provider `canned/…`."""
    extra = tmp_path / "site"
    (extra / "canned-0.dist-info").mkdir(parents=True)
    (extra / "canned_provider.py").write_text(PROVIDER)
    (extra / "canned-0.dist-info/METADATA").write_text("Name: canned\nVersion: 0\n")
    (extra / "canned-0.dist-info/entry_points.txt").write_text("[inspect_ai]\ncanned = canned_provider\n")
    return extra


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"INSPECT_LOG_DIR": str(tmp_path / "logs"), "INSPECT_DISPLAY": "plain"}


@pytest.fixture
def inspect(inspect_command: Inspect, provider: Path, environment: dict[str, str]) -> Inspect:
    """Run Inspect's command, in a fork, with a provider `canned/…` installed beside it."""
    return lambda *arguments, cwd: inspect_command(*arguments, cwd=cwd, path=(provider,), **environment)


@pytest.fixture
def inspect_process(provider: Path, environment: dict[str, str]) -> Inspect:
    """The same in a process of its own, as people start it."""
    path = os.pathsep.join(filter(None, (str(provider), os.environ.get("PYTHONPATH"))))

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("inspect")), *arguments]
        variables = os.environ | environment | {"PYTHONPATH": path}
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)

    return run


JUDGED = ("--model", "canned/a", "--model-role", "grader=canned/b", "--limit", "2")


@pytest.mark.parametrize("by", ["file", "name"])
def test_a_task_runs_from_any_folder_on_a_relative_path(
    inspect: Inspect,
    inspect_process: Inspect,
    tmp_path: Path,
    root: Path,
    write: Callable[..., Path],
    make_conversation: Callable[..., dict[str, Any]],
    by: str,
) -> None:
    data = write(make_conversation())
    # Inspect finds a task file only below the folder it is called in; then it runs it from the file's own folder.
    folder, task = (root, "tasks/infer_reason.py") if by == "file" else (tmp_path, "thoughttrace/infer_reason")
    run = inspect_process if by == "file" else inspect
    done = run("eval", task, *JUDGED, "-T", f"data={os.path.relpath(data, folder)}", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (info,) = list_eval_logs(str(tmp_path / "logs"))
    log = read_eval_log(info)
    assert log.results
    assert log.results.scores[0].metrics["mean"].value == 4
    assert (log.eval.metadata or {})["data"] == "data.jsonl"


def test_inspect_lists_the_tasks(inspect: Inspect, root: Path) -> None:
    done = inspect("list", "tasks", "tasks", "--json", cwd=root)
    assert {task["name"] for task in json.loads(done.stdout)} == {
        "arena", "calibrate_judge", "choose_thought", "classify_thought", "cover_thought", "infer_reaction",
        "infer_reason", "judge_agreement", "label_topic", "predict_message", "predict_satisfaction", "rate_thought",
        "recall_note", "relate_messages", "rewrite_reply",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "canned/a"), "No judge: bind one with --model-role grader=PROVIDER/MODEL"),
        (
            ("--model", "canned/a", "--model-role", "grader=canned/a"),
            "The judge is the evaluated model itself (canned/a): bind another",
        ),
        ((*JUDGED, "-T", "data=gone.jsonl"), "gone.jsonl: no such file or folder"),
        ((*JUDGED, "-T", "context=all"), "context=all: must be one of message"),
        ((*JUDGED, "-T", "data=bad.jsonl"), "bad.jsonl, line 1: is not valid JSON"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_runs(
    inspect: Inspect, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "bad.jsonl").write_text("{")
    done = inspect("eval", "thoughttrace/infer_reason", *arguments, cwd=tmp_path)
    said = "".join((done.stdout + done.stderr).split())  # Inspect breaks lines, and long paths in them
    assert done.returncode == 1
    assert "".join(sentence.split()) in said
    assert "Traceback" not in said
    assert not list((tmp_path / "logs").glob("*.eval"))


def test_an_eval_set_runs_only_the_model_that_was_added(
    inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, judge = tmp_path / "set", ("--model-role", "grader=canned/judge", "--limit", "3", "--log-dir", "set")
    tasks = ("thoughttrace/infer_reason", "thoughttrace/infer_reaction")
    done = inspect("eval-set", *tasks, "--model", "canned/a", *judge, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    before = {file: file.read_bytes() for file in logs.glob("*.eval")}
    assert len(before) == 2
    done = inspect("eval-set", *tasks, "--model", "canned/a,canned/b", *judge, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = {file: file.read_bytes() for file in logs.glob("*.eval")}
    assert len(after) == 4
    assert before.items() <= after.items()
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    runs = read_runs([str(logs)])
    assert [(run.kind, run.model) for run in runs.counted] == [
        (kind, f"canned/{model}") for kind in ("reason", "reaction") for model in "ab"
    ]
    assert runs.left_out == []


def test_a_log_is_rescored_by_another_judge_and_rubric_as_the_readme_says(
    inspect: Inspect, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(root / "examples", tmp_path / "mine")
    prompted = ("-T", "prompt=mine/prompt_reason.md")
    done = inspect("eval", "thoughttrace/infer_reason", *JUDGED, *prompted, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = (tmp_path / "logs").glob("*.eval")
    words = "--scorer thoughttrace/agreement -S rubric=mine/rubric_reason.md --model-role grader=canned/later"
    words += " --action append --overwrite"
    done = inspect("score", str(log), *words.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = read_runs([str(log)]).counted
    assert [(run.judge, run.rubric_file[:16]) for run in runs] == [
        ("canned/b", ""),
        ("canned/later", "rubric_reason.md"),
    ]
    assert {run.prompt_file[:16] for run in runs} == {"prompt_reason.md"}
