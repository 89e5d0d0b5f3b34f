"""Where things are kept, and files that are written whole or not at all."""

from pathlib import Path

import pytest

from thoughttrace.core.cache_dir import cache_dir, sha256, work_folder, write_whole


def test_the_folder_is_the_one_that_the_environment_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.setenv("THOUGHTTRACE_CACHE", "")
    assert cache_dir().name == "thoughttrace"


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with write_whole(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half() -> None:
        with write_whole(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with write_whole(path) as first, write_whole(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_to_work_in_is_gone_afterwards_and_what_a_kill_left_goes_too(tmp_path: Path) -> None:
    (tmp_path / ".work-left").mkdir()
    (tmp_path / ".work-left" / "part").touch()
    (tmp_path / "other").mkdir()
    with work_folder(tmp_path, ".work-") as first, work_folder(tmp_path, ".work-") as second:
        (first / "file").touch()
        assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name, "other"}
        assert (first / "file").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
