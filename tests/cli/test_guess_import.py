"""`thoughttrace guess --import`: what people guessed on a page of their own, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from thoughttrace.cli.main import main

Import = Callable[..., Result]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "guesses.jsonl"


@pytest.fixture
def import_lines(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], output: Path, tmp_path: Path
) -> Import:
    """Import lines as guesses at the notes of one user."""
    data = write(make_conversation("user1"))

    def run(*lines: object) -> Result:
        (tmp_path / "bob.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        command = ["guess", str(data), "-o", str(output), "--import", str(tmp_path / "bob.jsonl")]
        return CliRunner().invoke(main, command)

    return run


def guess(message: int, **other: object) -> dict[str, object]:
    kind = "reaction" if message % 2 else "reason"
    return {
        "id": f"user1_task1_conversation1/m{message:02}/{kind}", "text": "I  was\nbored", "person": "bob",
        "context": "history", "time": "2026-01-02T03:04:05.678Z",
    } | other  # fmt: skip


def test_guesses_are_added_as_the_command_itself_would_have_stored_them(import_lines: Import, output: Path) -> None:
    output.write_text(json.dumps(guess(0, person="ann")) + "\n", encoding="utf-8")
    done = import_lines(guess(0), guess(1))
    assert done.exit_code == 0, done.output
    assert done.output == f"2 guesses imported into {output}\n"
    _, first, second = (json.loads(line) for line in output.read_text(encoding="utf-8").splitlines())
    assert first == guess(0) | {"text": "I was bored", "time": "2026-01-02T03:04:05+00:00"}
    assert second["id"].endswith("m01/reaction")


def test_a_time_that_is_in_no_year_counts_as_none(import_lines: Import, output: Path) -> None:
    done = import_lines(guess(0, time="0001-01-01T00:00:00+14:00"))
    assert done.exit_code == 0, done.output
    assert json.loads(output.read_text(encoding="utf-8"))["time"] > "2026"


def test_a_wrong_line_is_named_and_then_nothing_is_added(import_lines: Import, output: Path, tmp_path: Path) -> None:
    output.write_text(before := json.dumps(guess(2)) + "\n", encoding="utf-8")
    done = import_lines(
        guess(0), guess(0), guess(0, id="user9_task1_conversation1/m00/reason"), guess(1, text=" "),
        guess(1, person="none/none"), guess(1, context="all"), "x", guess(2), guess(2, person="cyd"),
    )  # fmt: skip
    assert done.exit_code == 1
    first, *faults = done.output.splitlines()
    assert first == f"Error: {tmp_path / 'bob.jsonl'}: nothing was imported. Fix these lines first:"
    assert [fault.strip() for fault in faults] == [
        "line 2: bob has already guessed user1_task1_conversation1/m00/reason (line 1).",
        "line 3: the data hold no annotated message 'user9_task1_conversation1/m00/reason'.",
        "line 4: text missing (required: id, text, person, context).",
        "line 5: person=none/none: is no name of what gives answers; choose one that reports can show.",
        "line 6: the context 'all' is not message, history, lookahead, profile.",
        "line 7: not a JSON object.",
        f"line 8: bob has already guessed user1_task1_conversation1/m02/reason (in {output}).",
    ]
    assert output.read_text(encoding="utf-8") == before
