"""Groups of samples: who is in which, and what is said of those that are too small."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inspect_ai.log import EvalLog

from thoughttrace.analysis.chapters.breakdown import breakdown
from thoughttrace.analysis.read.groupings import GROUPINGS
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.stats.groups import STAGES, stage
from thoughttrace.analysis.stats.intervals import cluster_mean

Run = Callable[..., EvalLog]


@pytest.mark.parametrize(
    ("messages", "at", "expected"),
    [
        (8, [0, 2, 4, 6], list(STAGES)),  # the median conversation: one reason in each stage
        (8, [1, 3, 5, 7], list(STAGES)),
        (2, [0, 1], ["Early", "Late"]),
        (4, [0, 1, 2, 3], list(STAGES)),
    ],
)
def test_stage_is_the_nearest_of_the_four_positions(messages: int, at: list[int], expected: list[str]) -> None:
    positions = pd.Series(at) / (messages - 1)
    assert list(stage(positions)) == expected


def test_every_group_equals_its_own_computation(run_task: Run, tmp_path: Path) -> None:
    run_task()
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    table = pd.DataFrame(breakdown([run]))
    assert set(table["by"]) == {*GROUPINGS, "context"}
    turn = table[(table["by"] == "turn") & (table["group"] == "1 of the conversation")].squeeze()
    members = run.samples[run.samples["message_index"] == 0]
    scored = members.dropna(subset="score")
    expected = cluster_mean(scored["score"], scored["user"], bounds=(1, 5))
    assert (turn["mean"], turn["lower"], turn["upper"]) == (expected.estimate, expected.lower, expected.upper)
    assert (turn["n"], turn["users"], turn["samples"]) == (len(scored), 9, len(members))
    assert turn["coverage"] == len(scored) / len(members) < 1
    # Each grouping but the types, of which a message can carry several, splits the whole run.
    sizes = table.groupby("by")["samples"].sum()
    assert set(sizes) == {len(run.samples)}


def test_small_groups_are_shown_as_too_small(run_task: Run, tmp_path: Path) -> None:
    run_task(limit=6)
    table = pd.DataFrame(breakdown(read_runs([str(tmp_path / "logs")]).counted))
    assert (table["n"] > 0).any()
    assert table["mean"].isna().all()
    assert set(table["note"]) == {"too small: under 10 scored samples or 5 users"}


def test_missing_values_are_a_group() -> None:
    samples = pd.DataFrame({
        "type": ["task_motivation + content_expectation", "task_motivation"], "position": [0, 1],
        "message_index": [0, 20], "assistant_model": ["A", ""], "hindsight": [None, True], "target_words": [5, 60],
        "age": [np.nan, 37], "gender": [None, "Female"], "education": ["None", "Graduate"], "frequency": [5.0, np.nan],
    })  # fmt: skip
    groups = {by: [str(g) for g in group(samples).explode()] for by, group in GROUPINGS.items()}
    assert groups == {
        "type": ["task_motivation", "content_expectation", "task_motivation"],
        "stage": ["Early", "Late"],
        "turn": ["1 of the conversation", "9 or more of the conversation"],
        "assistant model": ["A", "unknown"],
        "hindsight": ["unknown", "written after the next message"],
        "target length": ["1–5 words", "41 or more words"],
        "age": ["unknown", "35–44 years"],
        "gender": ["unknown", "Female"],
        "education": ["unknown", "Graduate"],
        "AI use, 1 to 5": ["5", "unknown"],
    }
