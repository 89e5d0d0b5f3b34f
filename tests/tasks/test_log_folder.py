"""A log that cannot be written is said before anything is generated."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from inspect_ai.log import list_eval_logs

from thoughttrace.core.errors import UserError
from thoughttrace.tasks._log_folder import BYTES_PER_SAMPLE, require_log_folder

Inspect = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inspect(tmp_path: Path) -> Inspect:
    def run(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        line = (
            f"{command} thoughttrace/infer_reason --model none/none --model-role grader=mockllm/model --display plain"
        )
        words = [Path(sys.executable).with_name("inspect"), *line.split(), "-T", "control=parrot", *options]
        words += ["--log-dir", str(folder)]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def with_options(**options: str | None) -> click.Context:
    context = click.Context(click.Command("eval"))
    context.params = options
    return context


def test_a_file_in_the_folder_s_place_is_one_sentence_of_the_command(inspect: Inspect, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = inspect("eval", tmp_path / "taken/logs")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "taken is a file, not a folder; choose another. Nothing was generated." in said.replace("- ", "-")
    assert "Traceback" not in said


def test_a_disk_without_room_for_the_log_is_one_sentence_of_the_command(inspect: Inspect, tiny_disk: Path) -> None:
    done = inspect("eval-set", tiny_disk / "logs")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "its disk has 0.1 MB left, and the log of 52 samples takes up to 1.0 MB; make room" in said
    assert "Traceback" not in said
    assert not list_eval_logs(str(tiny_disk))


@pytest.mark.parametrize(("limit", "samples"), [("2", 2), ("1-2", 10**12), (None, 10**12)])
def test_the_room_needed_is_that_of_the_samples_that_will_run(tmp_path: Path, limit: str | None, samples: int) -> None:
    with with_options(log_dir=str(tmp_path / "a/b"), limit=limit):
        if samples * BYTES_PER_SAMPLE < shutil.disk_usage(tmp_path).free:
            require_log_folder(10**12)
        else:
            with pytest.raises(UserError, match=r"its disk has [\d,.]+ MB left, and the log of 1,000,000,000,000 samp"):
                require_log_folder(10**12)
    assert not (tmp_path / "a").exists()


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("root may write everywhere")
        with with_options(log_dir=str(tmp_path / "logs")), pytest.raises(UserError, match="cannot be written; choose"):
            require_log_folder(1)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("options", [{}, {"log_dir": "s3://bucket/logs"}, {"log_dir": None, "limit": "1"}])
def test_what_cannot_be_known_is_left_to_inspect(options: dict[str, Any]) -> None:
    with with_options(**options):
        require_log_folder(10)
    require_log_folder(10**15)  # outside of any command
