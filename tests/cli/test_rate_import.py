"""`thoughttrace rate --import`, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalLog

from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.main import main

Runner = Callable[..., EvalLog]
Records = list[dict[str, Any]]


def rate(*words: str) -> Result:
    return CliRunner().invoke(main, ["rate", *words])


def rows(folder: Path) -> Records:
    (run,) = read_runs([str(folder)]).counted
    ids = run.scored.index[:3]
    return [{"kind": "reason", "id": id_, "model": run.model, "rater": "ann", "rating": 4} for id_ in ids]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_ratings_made_elsewhere_are_added(run_task: Runner, tmp_path: Path, form: str) -> None:
    run_task(limit=8)
    given, file, output = rows(tmp_path / "logs"), tmp_path / f"others.{form}", tmp_path / "r.jsonl"
    if form == "csv":
        lines = [",".join(given[0]), *(",".join(map(str, row.values())) for row in given)]
    else:
        lines = [json.dumps(row) for row in given]
    file.write_text("\n".join(lines) + "\n")
    done = rate(str(tmp_path / "logs"), "-o", str(output), "--import", str(file))
    assert done.exit_code == 0, done.output
    assert f"3 ratings imported into {output}" in done.output
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == [row["id"] for row in given]
    again = rate(str(tmp_path / "logs"), "-o", str(output), "--import", str(file))
    assert again.exit_code == 1
    assert again.output.count("ann has already rated this inference (in the ratings file)") == 3
    assert len(output.read_text().splitlines()) == 3


def test_what_cannot_be_imported_is_told_by_line_and_nothing_is(run_task: Runner, tmp_path: Path) -> None:
    run_task(limit=8)
    good = rows(tmp_path / "logs")[0]
    wrong: list[dict[str, Any] | str] = [
        good, good | {"rating": 6}, good | {"id": "nobody/m00/reason"}, good, good | {"model": "x/y"}, "{",
        {"kind": "reason"}, good | {"rater": "bob", "epoch": 2}, good | {"rater": "bob", "rating": "4.0"},
    ]  # fmt: skip
    file = tmp_path / "others.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in wrong))
    done = rate(str(tmp_path / "logs"), "-o", str(tmp_path / "r.jsonl"), "--import", str(file))
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    for sentence in (
        "line 2: the rating '6' is not 1, 2, 3, 4 or 5.",
        "line 3: the logs hold no rated reason sample 'nobody/m00/reason'.",
        "line 4: ann has already rated this inference (line 1).",
        "line 5: the logs hold no inference by 'x/y' for this sample, only by scripted/m.",
        "line 6: not a JSON object.",
        "line 7: id, model, rater, rating missing (required: kind, id, model, rater, rating).",
        "line 8: the logs hold no epoch '2' of this sample.",
        "line 9: the rating '4.0' is not",
    ):
        assert sentence in done.output
    assert "line 1:" not in done.output
    assert not (tmp_path / "r.jsonl").exists()


def test_mistakes_are_one_sentence(run_task: Runner, tmp_path: Path) -> None:
    logs = str(tmp_path / "logs")
    run_task(limit=2)
    for words, sentence in {
        (logs,): "--rater is required: pass your name or a pseudonym.",
        (logs, "--rater", "ann"): "rating needs an interactive terminal",
        (logs, "--import", str(tmp_path / "absent.csv")): "absent.csv: cannot be read",
        (str(tmp_path / "nowhere"), "--import", "x.csv"): "no such log file or folder",
    }.items():
        done = rate(*words)
        assert done.exit_code == 1
        assert sentence in done.output


@pytest.mark.parametrize("content", [b'{"precious": "one line, no newline"}', bytes(range(256)).replace(b"\n", b"")])
def test_a_file_of_something_else_is_not_written_to(run_task: Runner, tmp_path: Path, content: bytes) -> None:
    run_task(limit=2)
    file, precious = tmp_path / "others.jsonl", tmp_path / "precious.json"
    file.write_text(json.dumps(rows(tmp_path / "logs")[0]))
    precious.write_bytes(content)
    done = rate(str(tmp_path / "logs"), "-o", str(precious), "--import", str(file))
    assert done.exit_code == 1
    assert "precious.json, line 1: not a rating" in done.output
    assert precious.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("deep.jsonl", "[" * 100_000, "line 1: not a JSON object."),
        ("wide.csv", "kind,id,model,rater,rating\nreason," + "x" * 200_000, "wide.csv, line 2: not readable as CSV"),
        ("odd.csv", "kind,id\nreason,\0", "line 2:"),
    ],
)
def test_a_file_that_no_reader_takes_is_one_sentence(
    run_task: Runner, tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    run_task(limit=2)
    (tmp_path / name).write_text(content)
    done = rate(str(tmp_path / "logs"), "-o", str(tmp_path / "r.jsonl"), "--import", str(tmp_path / name))
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert sentence in done.output


def test_a_line_of_json_may_hold_what_other_programs_take_for_a_line_break(run_task: Runner, tmp_path: Path) -> None:
    run_task(limit=2)
    row = rows(tmp_path / "logs")[0] | {"rater": "ann\u2028lee\x85\x0b"}
    (tmp_path / "others.jsonl").write_text(json.dumps(row, ensure_ascii=False).replace("\\u000b", ""), encoding="utf-8")
    done = rate(str(tmp_path / "logs"), "-o", str(tmp_path / "r.jsonl"), "--import", str(tmp_path / "others.jsonl"))
    assert done.exit_code == 0, done.output
    assert "1 ratings imported" in done.output
