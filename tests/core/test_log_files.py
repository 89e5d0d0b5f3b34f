"""Finding logs: in folders of any name, through links, and where a folder is named like a log."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.core.errors import UserError
from thoughttrace.core.log_files import log_files
from thoughttrace.datasets.thought_arms import read_inferences


@pytest.fixture
def log(root: Path) -> Path:
    """A log of `infer_reason`."""
    return next((root / "tests/net/logs").rglob("*_infer-reason_*.eval"))


def copied(folder: Path, log: Path) -> None:
    folder.mkdir()
    shutil.copy(log, folder)


def linked(folder: Path, log: Path) -> None:
    folder.mkdir()
    (folder / log.name).symlink_to(log)


def linked_folder(folder: Path, log: Path) -> None:
    copied(folder.with_name("real#1"), log)
    folder.mkdir()
    (folder / "link").symlink_to(folder.with_name("real#1"))
    (folder / "loop").symlink_to(folder)


ODD_NAMES = ("run#1", "a?b", "a%20b", "a%23b", "a[1]", "a*b", "ü é", "x.eval", "x.json")
FOLDERS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    **{name: (name, copied) for name in ODD_NAMES},
    "a linked log": ("logs", linked),
    "a linked folder": ("logs", linked_folder),
}


@pytest.mark.parametrize(("name", "make"), FOLDERS.values(), ids=FOLDERS)
def test_a_log_is_found_and_read_wherever_it_is(
    name: str, make: Callable[[Path, Path], None], log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / name, log)
    runs = read_runs([str(tmp_path / name)])
    assert (len(runs.counted), runs.left_out) == (1, [])
    monkeypatch.chdir(tmp_path)
    assert [Path(file).name for file in log_files([name])] == [log.name]


def test_a_log_that_is_linked_beside_itself_is_found_once(log: Path, tmp_path: Path) -> None:
    copied(tmp_path / "logs", log)
    (tmp_path / "logs/latest.eval").symlink_to(tmp_path / "logs" / log.name)
    assert len(log_files([str(tmp_path / "logs")])) == 1


def test_the_newest_comes_first_and_other_files_are_no_logs(tmp_path: Path) -> None:
    names = ["b.eval", "2026-01-01T00-00-00_x.json", "a.eval"]
    for age, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    for name in ("package.json", "logs.txt", "x.eval.bak"):
        (tmp_path / name).touch()
    assert [Path(file).name for file in log_files([str(tmp_path)])] == names


def test_a_link_that_leads_nowhere_is_named(log: Path, tmp_path: Path) -> None:
    copied(tmp_path / "logs", log)
    (tmp_path / "logs/gone.eval").symlink_to(tmp_path / "nowhere")
    (sentence,) = read_runs([str(tmp_path / "logs")]).left_out
    assert sentence.startswith("gone.eval: cannot be read")


def test_inferences_are_found_in_such_a_folder_too(log: Path, tmp_path: Path) -> None:
    copied(tmp_path / "run#1", log)
    # It is found and read: of other data than here.
    with pytest.raises(UserError, match="is of another revision of the data"):
        read_inferences([str(tmp_path / "run#1")], "sha256:other", None)
