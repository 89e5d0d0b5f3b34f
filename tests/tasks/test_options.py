"""What all tasks share: a log that cannot be written stops a run before anything is generated."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import list_eval_logs

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.sources import Source
from thoughttrace.tasks._options import BYTES_PER_SAMPLE, DataOptions, dataset_of
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.predict_message import predict_message
from thoughttrace.tasks.rate_thought import rate_thought

Inspect = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inspect(inspect_command: Inspect, tmp_path: Path) -> Inspect:
    def run(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        line = (
            f"{command} thoughttrace/infer_reason --model none/none --model-role grader=mockllm/model --display plain"
        )
        words = [*line.split(), "-T", "control=parrot", *options, "--log-dir", str(folder)]
        return inspect_command(*words, cwd=tmp_path)

    return run


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system with some options; it is unmounted after the test."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here (needs root)")
        return folder

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


def make_dataset(samples: int) -> MemoryDataset:
    return dataset_of([Sample(input="x")] * samples, Source([], [], "sample", "sha256:0"))


def with_options(**options: str | None) -> click.Context:
    context = click.Context(click.Command("eval"))
    context.params = options
    return context


def test_a_file_in_place_of_the_log_folder_is_one_sentence_of_the_command(inspect: Inspect, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = inspect("eval", tmp_path / "taken/logs")
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "no log can be written there (Not a directory). Choose another folder; nothing was generated." in output
    assert "Traceback" not in output


def test_a_disk_too_full_for_the_log_is_one_sentence_of_the_command(
    inspect: Inspect, mount: Callable[[str], Path]
) -> None:
    disk = mount("size=64k")
    done = inspect("eval-set", disk / "logs")
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    sentence = r"the disk has 0\.1 MB free, and the log may need \d\.\d MB\. Free some space or choose another folder"
    assert re.search(sentence, output)
    assert "Traceback" not in output
    assert not list_eval_logs(str(disk))


@pytest.mark.parametrize(("limit", "samples"), [("2", 2), ("90-91", 2), (None, 100)])
def test_the_space_needed_is_that_of_the_samples_that_will_run(
    tmp_path: Path, limit: str | None, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10 * BYTES_PER_SAMPLE
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(free, 0, free))
    with with_options(log_dir=str(tmp_path / "a/b"), limit=limit):
        if samples <= 10:
            assert len(make_dataset(100)) == 100
        else:
            with pytest.raises(UserError, match=r"the disk has 0\.2 MB free, and the log may need 2\.0 MB"):
                make_dataset(100)


@pytest.mark.parametrize("name", [".", "logs"])
def test_a_folder_that_cannot_be_written_is_reported(mount: Callable[[str], Path], name: str) -> None:
    folder = mount("ro,size=64k") / name
    with (
        with_options(log_dir=str(folder)),
        pytest.raises(UserError, match=r"no log can be written there \(Read-only file system\)"),
    ):
        make_dataset(1)


@pytest.mark.parametrize("options", [{}, {"log_dir": "s3://bucket/logs"}])
def test_what_cannot_be_checked_is_left_to_inspect(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: pytest.fail("nothing to look at"))
    with with_options(**options):
        make_dataset(10)
    make_dataset(10)  # outside of any command


def test_the_default_log_folder_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").write_text("a file")
    with with_options(log_dir=None, limit="1"), pytest.raises(UserError, match=r"--log-dir \./logs: no log can be"):
        make_dataset(10)


def test_options_refuse_what_no_task_can_use() -> None:
    with pytest.raises(UserError, match="max_context_words=0: must be 1 or more"):
        DataOptions(max_context_words=0)
    assert DataOptions(types="style_expectation").selected_types == ["style_expectation"]
    assert DataOptions(types=["a", "b"]).selected_types == ["a", "b"]
    assert DataOptions().selected_types is None


@pytest.mark.parametrize(
    ("task", "option", "sentence"),
    [
        (infer_reason, {"users": "abc"}, "users=abc: must be a whole number, 1 or more"),
        (infer_reason, {"per_user": "x"}, "per_user=x: must be a whole number, 1 or more"),
        (infer_reason, {"judge_repeats": "x"}, "judge_repeats=x: must be a whole number, 1 or more"),
        (infer_reaction, {"judge_repeats": 2.5}, "judge_repeats=2.5: must be a whole number, 1 or more"),
        (predict_message, {"judge_repeats": 2.5}, "judge_repeats=2.5: must be a whole number, 1 or more"),
        (infer_reason, {"max_context_words": "abc"}, "max_context_words=abc: must be a whole number, 1 or more"),
        (infer_reason, {"types": 5}, "types=5: no such type of reason; choose from task_motivation"),
        (classify_thought, {"types": [5, "x"]}, "types=5: no such type of reason"),
        (label_topic, {"users": 1.5}, "users=1.5: must be a whole number, 1 or more"),
        (judge_agreement, {"per_family": "x"}, "per_family=x: must be a whole number, 0 or more"),
        (predict_message, {"quality": "q.parquet", "min_quality": "x"}, "min_quality=x: must be a number from 1 to 5"),
        (rate_thought, {"data": ""}, "No data is named"),
        (rate_thought, {"data": None}, "No data is named"),
        (rate_thought, {"data": "~nosuchuser/x.jsonl"}, "there is no such user here"),
        (rate_thought, {"data": "x" * 5_000}, "File name too long"),
    ],
)
def test_an_argument_of_another_kind_is_a_sentence(task: Any, option: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        task(**option)
    assert sentence in str(refused.value)
