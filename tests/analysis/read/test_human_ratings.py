"""Ratings files: what is read, what is refused, and which inference a rating is of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import EvalLog

from thoughttrace.analysis.read.human_ratings import Rating, append, inference_hash, inferences, read_ratings
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.errors import UserError

Runner = Callable[..., EvalLog]


@pytest.fixture
def run(run_task: Runner, tmp_path: Path) -> Run:
    run_task(model="a")
    return read_runs([str(tmp_path / "logs")]).counted[0]


def ratings_of(run: Run, number: int) -> list[Rating]:
    """Ratings of the first inferences of a run."""
    assert run.kind
    return [
        Rating(rater="ann", kind=run.kind, id=row["id"], model=run.model, epoch=row["epoch"], rating=3,
               inference=row["inference"], time="2026-01-01T00:00:00Z")
        for row in inferences(run).head(number).to_dict("records")
    ]  # fmt: skip


def made_up(number: int) -> list[Rating]:
    """Ratings of no run, which is slow to make."""
    return [
        Rating(rater="ann", kind="reason", id=f"{place}", model="a", epoch=1, rating=3, inference="0" * 12, time="2026")
        for place in range(number)
    ]


def test_the_latest_rating_counts_and_may_be_taken_back(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    first, second = ratings_of(run, 2)
    append(file, [first.model_copy(update={"rating": 1}), first.model_copy(update={"rating": 4}), second])
    append(file, [second.model_copy(update={"rating": None})])
    assert read_ratings([file])["rating"].tolist() == [4]


def test_a_line_cut_by_a_kill_costs_no_rating_before_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    first, second, third = ratings_of(run, 3)
    append(file, [first, second])
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert len(read_ratings([file])) == 1
    append(file, [third])
    assert read_ratings([file])["id"].tolist() == [first.id, third.id]
    assert len(file.read_text().splitlines()) == 2


def test_wherever_a_kill_cuts_a_line_the_ratings_before_it_stay(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    first, second = made_up(2)
    append(file, [first.model_copy(update={"rater": "bob"}), second.model_copy(update={"rater": "Zoë 日本"})])
    whole = file.read_bytes()
    before = whole[: whole.index(b"\n") + 1]
    for cut in range(len(before), len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert read_ratings([file])["rater"].tolist() == ["bob"], whole[:cut]
    append(file, [])
    assert file.read_bytes() == before


def test_a_new_file_is_its_owners_alone_and_one_that_is_shared_stays_so(tmp_path: Path) -> None:
    new, shared = tmp_path / "new.jsonl", tmp_path / "shared.jsonl"
    shared.touch()
    shared.chmod(0o664)
    for file in (new, shared):
        append(file, made_up(1))
    assert [file.stat().st_mode & 0o777 for file in (new, shared)] == [0o600, 0o664]


@pytest.mark.parametrize("end", ["", "\r", "\r\n", "\n"])
def test_a_last_line_counts_however_it_ends(tmp_path: Path, end: str) -> None:
    """Editors and other programs leave the last line without a line break: it was passed over, then deleted."""
    file = tmp_path / "r.jsonl"
    first, second, third = made_up(3)
    lines = [rating.model_dump_json() for rating in (first, second)]
    file.write_bytes(("\n".join(lines) + end).encode())
    assert read_ratings([file])["id"].tolist() == [first.id, second.id]
    append(file, [])
    append(file, [third])
    assert read_ratings([file])["id"].tolist() == [first.id, second.id, third.id]


@pytest.mark.parametrize(
    "content",
    [
        b'{"precious": "one line, no newline"}',
        b'{"precious": "one li',
        b"\x00\xff\x17 random bytes",
        b"words",
        b'{"rater": "ann", "other": "fie',
        b'{"rater": "ann"}{"rater": "bob"',
        b'{"rater": "ann"}\r{"rater": "bob"}\r',
        b'{"rater": nothing',
        b'{"rater": ' + b"[" * 5000,
    ],
)
def test_a_file_that_holds_no_ratings_is_refused_and_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "precious.json"
    file.write_bytes(content)
    for use in (lambda: read_ratings([file]), lambda: append(file, [])):
        with pytest.raises(UserError, match=r"precious\.json, line 1: not a rating"):
            use()
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "why"),
    [("{", "Invalid JSON"), ('{"rater": "a"}', "kind: Field required"), ("", "Invalid JSON")],
)
def test_a_line_that_is_no_rating_is_named(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "r.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=f"r.jsonl, line 1: not a rating .*{why}"):
        read_ratings([tmp_path / "r.jsonl"])
    with pytest.raises(UserError, match="cannot be read"):
        read_ratings([tmp_path / "absent.jsonl"])


def test_a_rating_is_one_to_five(run: Run, tmp_path: Path) -> None:
    record: dict[str, Any] = ratings_of(run, 1)[0].model_dump() | {"rating": 6}
    (tmp_path / "r.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(UserError, match="line 1: not a rating"):
        read_ratings([tmp_path / "r.jsonl"])


@pytest.mark.parametrize("model", ["b" * 1500, "b " * 700 + "b", "b..."])
def test_inferences_that_a_summary_cuts_are_read_whole(run_task: Runner, tmp_path: Path, model: str) -> None:
    run_task(model=model, limit=2)  # its inferences name it
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    assert set(inferences(run)["inference"]) == {inference_hash(f"guess of {model}")}


def test_spaces_and_line_breaks_do_not_make_another_inference() -> None:
    assert inference_hash("so  it\nis ") == inference_hash("so it is") != inference_hash("so is it")
