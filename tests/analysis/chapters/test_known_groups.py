"""Controls whose order is known: whether each judge rates them so."""

import re
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from inspect_ai.log import EvalLog

from thoughttrace.analysis.chapters.known_groups import KnownGroupsRow, chapter, known_groups
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Run, read_task_log


@pytest.fixture(scope="module")
def run(run_in_module: Callable[..., EvalLog]) -> Run:
    (run,) = read_task_log(run_in_module(limit=4).location)
    return run


def control(run: Run, name: str, ratings: list[int], judge: str = "scripted/j") -> Run:
    """A control to whose samples one judge gave these ratings."""
    rows = run.rows.head(len(ratings)).assign(
        user=["a", "b", "c", "d"][: len(ratings)],
        score=[float(rating) for rating in ratings],
        ratings=[f'{{"{judge}": [{rating}]}}' for rating in ratings],
    )
    return replace(run, model=f"control {name}", control=name, judge=judge, rows=rows)


def test_the_order_of_the_means(run: Run) -> None:
    runs = [
        control(run, "anyone", [1, 1, 2, 1]),
        control(run, "target", [5, 5, 5, 5]),
        control(run, "constant", [2, 2, 2, 1]),
        control(run, "reworded", [5, 4, 4]),
        control(run, "parrot", [5, 5, 5, 5]),  # its place is not known
    ]
    # The fourth sample has no rating of `reworded`.
    assert known_groups(runs) == [
        KnownGroupsRow(
            judge="scripted/j",
            kind="reason",
            means="target 5.00 · reworded 4.33 · anyone 1.33 · constant 2.00",
            in_order="yes",
            broken="",
            n=3,
        )
    ]


def test_what_is_not_in_order_is_named(run: Run) -> None:
    runs = [
        control(run, "target", [5, 5]),
        control(run, "reworded", [5, 5]),  # as good as the note: not broken
        control(run, "someone_else", [2, 3]),
        control(run, "typical", [3, 3]),  # in the place of someone_else
        control(run, "constant", [1, 1]),  # in the place of anyone
        control(run, "anyone", [3, 3]),
    ]
    (row,) = known_groups(runs)
    assert row.in_order == "not clear"
    # Two users, differences −1 and 0: t = 1 with one degree of freedom.
    assert set(row.broken.split("; ")) == {
        "someone_else 2.50 < anyone 3.00 (p = 0.500)", "typical 3.00 = anyone 3.00",
    }  # fmt: skip


def test_a_pair_the_other_way_round_beyond_chance_is_not_in_order(run: Run) -> None:
    (row,) = known_groups([control(run, "target", [1, 1, 1, 2]), control(run, "anyone", [4, 4, 4, 4])])
    assert row.in_order == "no"
    assert re.fullmatch(r"target 1\.25 < anyone 4\.00 \(p = 0\.00\d\)", row.broken), row.broken


def test_controls_without_a_sample_in_common_have_no_order(run: Run) -> None:
    target, anyone = control(run, "target", [5, 5]), control(run, "anyone", [2, 2])
    assert known_groups([target, replace(anyone, rows=anyone.rows.assign(id=["x", "y"]))]) == []


def test_each_judge_rubric_and_kind_has_its_own_row(run: Run) -> None:
    both = control(run, "target", [5, 5])
    votes = pd.Series(['{"a": [5], "b": [1]}', '{"a": [5], "b": [1]}'])
    both = replace(both, judge="a, b", rows=both.rows.assign(ratings=votes, score=3.0))
    floor = control(run, "anyone", [2, 2], judge="a")
    other = replace(control(run, "anyone", [1, 1], judge="b"), rubric_hash="another")
    assert [(row.judge, row.means) for row in known_groups([both, floor, other])] == [
        ("a", "target 5.00 · anyone 2.00")
    ]
    (section,) = chapter(Evidence(Runs([both, floor, other]))).sections
    assert section.table.cells() == [["a", "reason", "yes", "target 5.00 · anyone 2.00", "2"]]
    assert chapter(Evidence(Runs([both, other]))).filled == []
