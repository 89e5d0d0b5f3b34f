"""Verdict and cause: every share equals one counted by hand from what a scripted judge says of each note."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from loopback import verdict
from sklearn.metrics import balanced_accuracy_score

from thoughttrace.analysis.chapters.reaction_verdicts import VerdictRow, verdicts
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.reaction_verdict import CAUSES, REPLY_VERDICTS
from thoughttrace.tasks.infer_reaction import infer_reaction

USERS = 8
TURNS = 6


def said(user: int, turn: int) -> tuple[str, str, str]:
    """What the judge says: all three verdicts of notes, with guesses that are right in some."""
    note = REPLY_VERDICTS[(user + turn) % 3]
    guess = note if (user * turn) % 4 else REPLY_VERDICTS[turn % 3]
    return note, guess, CAUSES[(2 * user + turn) % 5]


@pytest.fixture(scope="module")
def row(runs: list[Run]) -> VerdictRow:
    (found,) = verdicts(runs)
    return found


@pytest.fixture(scope="module")
def runs(
    make_conversation: Callable[..., dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
    scripted: Callable[..., Any],
) -> list[Run]:
    folder = tmp_path_factory.mktemp("verdicts")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(make_conversation(f"user{n}", turns=TURNS)) + "\n" for n in range(USERS)))

    def judge(messages: list[Any]) -> str:
        ((user, turn),) = re.findall(r"reaction  secret user(\d+) 1 (\d+)", messages[1].text)
        user, turn = int(user), int(turn)
        if (user, turn) == (0, 0):
            return "no idea"
        names = ("rationale", "note_verdict", "guess_verdict", "cause")
        return json.dumps(dict(zip(names, ("", *said(user, turn)), strict=True)))

    (log,) = inspect_eval(
        infer_reaction(data=str(data)), model=scripted("m", lambda _: "guess"),
        model_roles={"grader": scripted("j", judge)}, log_dir=str(folder / "logs"), display="none",
    )  # fmt: skip
    assert log.status == "success"
    return read_runs([str(folder / "logs")]).counted


ALL = [(user, said(user, turn)) for user in range(USERS) for turn in range(TURNS) if (user, turn) != (0, 0)]


def test_verdicts_are_told_as_counted_by_hand(row: VerdictRow) -> None:
    notes, guesses = ([each[place] for _, each in ALL] for place in (0, 1))
    assert row.balanced == pytest.approx(balanced_accuracy_score(notes, guesses))
    assert 1 / 3 < row.balanced_lower < row.balanced < row.balanced_upper < 1
    for verdict_ in REPLY_VERDICTS:
        right = [note == guess for note, guess in zip(notes, guesses, strict=True) if note == verdict_]
        assert getattr(row, f"told_{verdict_}") == pytest.approx(sum(right) / len(right))
    assert (row.votes, row.users) == (len(ALL), USERS)
    assert row.notes_pleased == pytest.approx(notes.count("pleased") / len(notes))


def test_causes_are_told_as_counted_by_hand(row: VerdictRow) -> None:
    causes = [cause for _, (_, _, cause) in ALL]
    named = [cause for cause in causes if cause in ("same", "part", "other")]
    assert row.notes_with_cause == pytest.approx(len(named) / len(causes))
    assert row.cause == pytest.approx((named.count("same") + named.count("part")) / len(named))
    assert row.cause_same == pytest.approx(named.count("same") / len(named))
    assert row.cause_lower < row.cause < row.cause_upper


def test_a_sample_that_was_never_scored_has_no_verdict(runs: list[Run], row: VerdictRow) -> None:
    (run,) = runs
    unscored = run.rows.assign(verdicts=run.rows["verdicts"].where(run.rows.index > 3))
    (found,) = verdicts([replace(run, rows=unscored)])
    assert row.votes - 4 <= found.votes < row.votes


def test_ratings_without_verdicts_have_no_row(
    run_infer: Callable[..., Any], write: Any, make_conversation: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    run_infer(write(make_conversation("user1")), tmp_path / "logs", judge=lambda _: verdict(3))
    assert verdicts(read_runs([str(tmp_path / "logs")]).counted) == []
