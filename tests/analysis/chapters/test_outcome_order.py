"""Whether outcomes order models as the ratings do: real logs, whose runs are then given known scores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog

from thoughttrace.analysis.chapters.outcome_order import chapter, orders
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.record import CHOOSE, SATISFACTION
from thoughttrace.tasks.choose_thought import choose_thought
from thoughttrace.tasks.predict_satisfaction import predict_satisfaction


@pytest.fixture(scope="module")
def logged(run_in_module: Callable[..., EvalLog], scripted: Callable[..., Any]) -> list[Run]:
    """A run of each task on the same data: ratings of reactions, chosen notes, stated probabilities."""
    folder = Path(run_in_module("reaction").location).parent
    replies = {
        choose_thought: '{"rationale": "x", "choice": "A"}',
        predict_satisfaction: '{"rationale": "x", "dissatisfied": "no", "probability": 20}',
    }
    data = str(folder.parent / "data.jsonl")
    for task, reply in replies.items():
        made = task(data=data, kind="reaction") if task is choose_thought else task(data=data)
        model = scripted("m", lambda _, reply=reply: reply)
        (log,) = inspect_eval(made, model=model, log_dir=str(folder), display="none")
        assert log.status == "success"
    return read_runs([str(folder)]).counted


def with_scores(run: Run, scores: dict[str, float]) -> list[Run]:
    """The run as of several models, all of whose replies have the same score; of probabilities, that AUROC."""
    models = []
    for model, score in scores.items():
        rows = run.rows.assign(score=score)
        if run.task == SATISFACTION.name:
            # Half of the replies dissatisfied; that share of these above all others, the rest below.
            truth = np.arange(len(rows)) % 2 == 0
            above = np.cumsum(truth) <= score * truth.sum()
            rows = rows.assign(dissatisfied=truth, percent=np.where(truth, np.where(above, 90, 10), 50))
        models.append(replace(run, model=model, rows=rows))
    return models


def test_the_order_is_compared_over_the_models_that_have_both(logged: list[Run]) -> None:
    rated, chosen, stated = logged
    assert (chosen.task, stated.task) == (CHOOSE.name, SATISFACTION.name)
    runs = [
        *with_scores(rated, {"a": 2.0, "b": 3.0, "c": 4.0, "d": 5.0}),
        *with_scores(chosen, {"a": 0.2, "b": 0.3, "c": 0.4, "x": 0.1}),
        *with_scores(stated, {"a": 0.9, "b": 0.7, "c": 0.2, "d": 0.5}),
    ]
    first, second = orders(Runs(runs))
    assert (first.kind, first.outcome, first.models, first.tau) == ("reaction", "own note chosen", 3, 1)
    assert first.p_value == pytest.approx(2 / 6)  # of 6 orders, the same and the opposite
    # a > b > d > c by AUROC: of 6 pairs one is in the order of the ratings.
    assert (second.outcome, second.models) == ("dissatisfied or not", 4)
    assert second.tau == pytest.approx((1 - 5) / 6)
    made = chapter(Evidence(Runs(runs)))
    assert "puts 3 models in the same order as the ratings of reactions (Kendall's tau +1.00)" in made.intro
    assert "not like the ratings of reactions (Kendall's tau −0.67)" in made.intro
    assert len(made.filled) == 1


def test_nothing_is_said_of_two_models_other_kinds_or_other_data(logged: list[Run]) -> None:
    rated, chosen, _ = logged
    scores = {"a": 2.0, "b": 3.0, "c": 4.0}
    own = {"a": 0.2, "b": 0.3, "c": 0.4}
    ratings = with_scores(rated, scores)
    assert len(orders(Runs([*ratings, *with_scores(chosen, own)]))) == 1
    for other in (
        with_scores(chosen, own)[:2],
        with_scores(replace(chosen, kind="reason"), own),
        with_scores(replace(chosen, data_revision="other"), own),
        with_scores(chosen, dict.fromkeys(own, 0.5)),
    ):
        assert orders(Runs([*ratings, *other])) == []
    made = chapter(Evidence(Runs(ratings)))
    assert (made.intro, made.filled) == ("", [])
