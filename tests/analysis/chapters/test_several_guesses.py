"""The chapter on several guesses, from a real run of a scripted model whose ratings are known."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval

from thoughttrace.analysis.chapters.several_guesses import best_of, chapter, spreads
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.tasks.infer_reason import infer_reason

TIMES: dict[str, list[int]] = {
    "user0": [1, 3, 5], "user1": [4, 4, 5], "user2": [2, 2, 2], "user3": [1, 1, 4], "user4": [1, 2, 0],
}  # fmt: skip
"""What each user's guesses are rated, one after the other; 0: the verdict cannot be read."""


@pytest.fixture(scope="module")
def runs(
    make_conversation: Callable[..., dict[str, Any]], scripted: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:  # fmt: skip
    """Two models on a reason of each user: one guesses three times, the other once."""
    folder = tmp_path_factory.mktemp("several")
    data = folder / "data.jsonl"
    records = [make_conversation(user, turns=1) for user in TIMES]
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")

    def run(model: str, epochs: int) -> None:
        left = {user: list(ratings) for user, ratings in TIMES.items()}

        def judge(messages: list[Any]) -> str:
            rating = int(messages[1].text.rpartition("guess ")[2][0])
            return json.dumps({"rationale": "so", "rating": rating}) if rating else "?"

        def guess(messages: list[Any]) -> str:
            user = next(user for user in TIMES if f"of {user}," in messages[1].text)
            return f"guess {left[user].pop(0)}"

        (log,) = inspect_eval(
            infer_reason(data=str(data)), model=scripted(model, guess), epochs=epochs,
            model_roles={"grader": scripted("j", judge)}, log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success"

    run("thrice", 3)
    run("once", 1)
    return read_runs([str(folder / "logs")])


COMPLETE = {user: ratings for user, ratings in TIMES.items() if 0 not in ratings}


def test_the_best_is_over_all_choices_of_so_many_guesses(runs: Runs) -> None:
    rows = best_of(runs.models)
    assert [(row.model, row.guesses) for row in rows] == [("scripted/thrice", number) for number in (1, 2, 3)]
    for row in rows:
        of_users = [fmean(map(max, combinations(ratings, row.guesses))) for ratings in COMPLETE.values()]
        interval = cluster_mean(of_users, list(COMPLETE), bounds=(1, 5))
        assert (row.best, row.lower, row.upper) == pytest.approx((interval.estimate, interval.lower, interval.upper))
        gain = paired_difference(of_users, [fmean(ratings) for ratings in COMPLETE.values()], list(COMPLETE))
        assert row.gain == pytest.approx(gain.estimate)
        assert (row.n, row.users) == (4, 4)
        if row.guesses > 1:
            assert row.gain_upper == pytest.approx(gain.upper)
        right = [fmean(max(c) >= 4 for c in combinations(ratings, row.guesses)) for ratings in COMPLETE.values()]
        assert row.right == pytest.approx(fmean(right))


def test_samples_with_more_guesses_than_others_count_with_all_of_them(runs: Runs) -> None:
    (run,) = (run for run in runs.models if run.epochs > 1)
    more = run.rows[run.rows["user"] == "user0"].head(1).assign(epoch=4, score=5.0)
    rows = best_of([replace(run, rows=pd.concat([run.rows, more], ignore_index=True))])
    assert [row.guesses for row in rows] == [1, 2, 3]
    of_user0 = [1, 3, 5, 5]
    best_of_two = [fmean(map(max, combinations(given, 2))) for given in (of_user0, *list(COMPLETE.values())[1:])]
    assert rows[1].best == pytest.approx(fmean(best_of_two))


def test_spreads_tell_what_is_sometimes_right_from_what_never_is(runs: Runs) -> None:
    (row,) = spreads(runs.models)
    assert (row.guesses, row.n) == (3, 4)
    assert row.within == pytest.approx(np.sqrt(fmean([4, 1 / 3, 0, 3])))
    assert row.between == pytest.approx(np.std([3, 13 / 3, 2, 2], ddof=1))
    assert (row.never, row.sometimes, row.always) == (1 / 4, 2 / 4, 1 / 4)
    assert row.distinct == pytest.approx(fmean([1, 2 / 3, 1 / 3, 2 / 3]))


def test_the_chapter_shows_only_runs_of_several_guesses(runs: Runs) -> None:
    made = chapter(Evidence(runs))
    assert [section.name for section in made.filled] == ["best_of", "guess_spread"]
    assert [picture.name for section in made.filled for picture in section.pictures] == ["best_of"]
    once = Runs([run for run in runs.models if run.epochs == 1])
    assert once.models
    assert chapter(Evidence(once)).filled == []
