"""People beside each other: every figure from the ratings that were given, by hand or by another package."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from loopback import verdict

from thoughttrace.analysis.chapters import headline, methods, people
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, pooled_mean
from thoughttrace.tasks.infer_reason import infer_reason

USERS = 8
IDS = [f"user{user}_task1_conversation1/m{2 * turn:02}/reason" for user in range(USERS) for turn in range(3)]
RATINGS = pd.DataFrame(
    {
        "ann": [1 + (place * 7 + place // 3) % 5 for place in range(24)],
        "bob": [np.nan if place > 19 else 1 + (place * 7 + place // 3 + place % 2) % 5 for place in range(24)],
        "cyd": [np.nan if place < 18 else 5 for place in range(24)],
    },
    IDS,
)
"""What each person's guess at each sample is rated; NaN where there is none."""


@pytest.fixture(scope="module")
def runs(
    make_conversation: Callable[..., dict[str, Any]],
    scripted: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """Three people who share a file, ann once more from an older file, and a system that is nobody."""
    folder = tmp_path_factory.mktemp("guessed")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(make_conversation(f"user{n}")) + "\n" for n in range(USERS)), encoding="utf-8")

    def judge(messages: list[Any]) -> str:
        return verdict(int(messages[1].text.rpartition("rated ")[2][0]))

    def score(file: Path, lines: list[dict[str, Any]], system: str) -> None:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        (log,) = inspect_eval(
            infer_reason(data=str(data), answers=str(file), system=system, partial_answers=True), model="none/none",
            model_roles={"grader": scripted("j", judge)}, log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success", log.error

    guessed = {"context": "history", "time": "2026-01-01T00:00:00+00:00"}
    shared = [
        {"id": sample, "text": f"rated {rating:.0f}", "person": person, **guessed}
        for person, ratings in RATINGS.items()
        for sample, rating in ratings.dropna().items()
    ]
    score(folder / "older.jsonl", [line | {"text": "rated 1"} for line in shared if line["person"] == "ann"], "ann")
    for person in RATINGS:
        score(folder / "shared.jsonl", shared, str(person))
    nobody = [{"id": sample, "text": "rated 3"} for sample in IDS]
    score(folder / "nobody.jsonl", nobody, "nobody")
    return read_runs([str(folder / "logs")])


def users(ratings: pd.DataFrame) -> list[str]:
    return [sample.partition("_")[0] for sample in ratings.index]


def test_a_log_says_who_is_a_person_and_tables_say_it_too(runs: Runs) -> None:
    assert {(run.evaluated, run.person) for run in runs.models} == {
        ("ann", True), ("bob", True), ("cyd", True), ("nobody", False)
    }  # fmt: skip
    names = [run.name.partition(" (answers")[0] for run in runs.models]
    assert sorted(names) == ["ann (person)", "ann (person)", "bob (person)", "cyd (person)", "nobody"]
    (section, *_) = headline.chapter(Evidence(runs)).sections
    cutoffs = {row.model.partition(" (answers")[0]: row.cutoff for row in section.rows}
    assert (cutoffs["ann (person)"], cutoffs["nobody"]) == ("", "unknown")
    said = methods.methods(runs)
    assert "cyd (person) guessed by hand, shown what a model is shown in the same context" in said
    assert "nobody answered elsewhere" in said


def test_every_person_counts_the_same_in_the_mean_of_people(runs: Runs) -> None:
    everything, shared = headline.pooled_people(runs.models)
    assert everything.model == "mean of 3 people"
    assert everything.mean == pytest.approx(RATINGS.mean().mean())
    expected = pooled_mean(RATINGS.to_numpy(), users(RATINGS), bounds=(1, 5))
    assert (everything.lower, everything.upper) == pytest.approx((expected.lower, expected.upper))
    assert (everything.n, everything.users, everything.judge) == (24, USERS, "scripted/j")
    assert shared.model == "mean of 3 people, on the samples all have"
    assert shared.n == 2
    assert shared.mean == pytest.approx(RATINGS.dropna().mean().mean())
    assert headline.pooled_people([run for run in runs.models if run.evaluated in {"ann", "nobody"}]) == []


def test_agreement_is_of_the_ratings_of_the_same_samples(runs: Runs) -> None:
    (row,) = people.agreement(runs.models)
    known = krippendorff.alpha(RATINGS.T.to_numpy(), value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert row.alpha == pytest.approx(known)
    assert row.lower < row.alpha < row.upper
    assert (row.people, row.n, row.users) == (3, 24, USERS)
    # By all: the two samples at places 18 and 19, both of user6, which cyd's 5 is the best of.
    assert (row.best_n, row.best, row.best_note) == (2, 5, "only one user: no interval")
    assert row.shared_mean == pytest.approx(RATINGS.dropna().to_numpy().mean())


def test_each_person_stands_beside_the_others(runs: Runs) -> None:
    rows = {row.model.partition(" (answers")[0]: row for row in people.differences(runs.models)}
    assert [*rows] == sorted(rows, key=lambda name: -rows[name].difference)
    for name in RATINGS:
        above = (RATINGS[name] - RATINGS.drop(columns=name).mean(axis=1)).dropna()
        expected = cluster_mean(above, users(above.to_frame()))
        row = rows[f"{name} (person)"]
        assert (row.difference, row.lower, row.upper) == pytest.approx(
            (expected.estimate, expected.lower, expected.upper)
        )
        assert (row.n, row.guessed) == (len(above), RATINGS[name].count())
        assert row.mean == pytest.approx(RATINGS[name].mean())


def test_of_one_person_there_is_no_chapter(runs: Runs) -> None:
    alone = Runs([run for run in runs.models if run.evaluated == "bob"])
    assert people.chapter(Evidence(alone)).filled == []
    assert len(people.chapter(Evidence(runs)).filled) == 2
