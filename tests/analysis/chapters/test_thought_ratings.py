"""Ratings of thoughts, from real runs of scripted raters, against independent computations."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from statsmodels.regression.linear_model import OLS

from thoughttrace.analysis.chapters.thought_ratings import groups, means
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.core.record import TASKS as SPECS
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.rate_thought import rate_thought

TASKS = {"cover_thought": cover_thought, "rate_thought": rate_thought}


def reply(messages: list[Any]) -> str:
    """A rating by a hash of the question; of eight replies one is none."""
    draw = hashlib.sha256(messages[1].text.encode()).digest()
    return "no idea" if draw[1] % 8 == 0 else f'{{"rationale": "because", "rating": {1 + draw[0] % 5}}}'


@pytest.fixture
def rate(
    tmp_path: Path, scripted: Callable[..., Any], write: Callable[..., Path], make_conversation: Callable[..., Any]
) -> Callable[..., tuple[EvalLog, list[Run]]]:
    data = str(write(*(make_conversation(f"user{n}", turns=2 + n % 4) for n in range(12))))

    def rate(task: str, **arguments: Any) -> tuple[EvalLog, list[Run]]:
        (log,) = inspect_eval(
            TASKS[task](data=data, **arguments),
            model=scripted("rater", reply), log_dir=str(tmp_path / "logs"), display="none",
        )  # fmt: skip
        return log, read_runs([str(tmp_path / "logs")]).of(SPECS[task])

    return rate


def ratings(log: EvalLog) -> pd.DataFrame:
    rows = [
        {"user": sample.metadata["user"], "rating": (sample.scores or {})["rating"].value, **sample.metadata}
        for sample in log.samples or []
        if (sample.scores or {})["rating"].answer
    ]
    return pd.DataFrame(rows).astype({"rating": float})


@pytest.mark.parametrize("kind", ["reason", "reaction"])
@pytest.mark.parametrize("task", TASKS)
def test_means_equal_independent_computations(task: str, kind: str, rate: Callable[..., Any]) -> None:
    log, found = rate(task, kind=kind)
    own = ratings(log)
    assert log.samples
    planned = len(log.samples)
    assert 0 < len(own) < planned == (42 - (12 if (task, kind) == ("cover_thought", "reaction") else 0))
    (row,) = pd.DataFrame(means(found)).to_dict("records")
    assert (row["kind"], row["model"]) == (kind, "scripted/rater")
    assert row["mean"] == pytest.approx(own["rating"].mean())
    assert row["high"] == pytest.approx((own["rating"] >= 4).mean())
    assert [row[f"rated_{n}"] for n in range(1, 6)] == [(own["rating"] == n).sum() for n in range(1, 6)]
    assert (row["n"], row["users"], row["samples"]) == (len(own), own["user"].nunique(), planned)
    assert row["coverage"] == len(own) / planned
    assert row["missing"] == f"{planned - len(own)} unparsable"
    # CR2 is a little wider than statsmodels' CR1 with the same t; both are there for the same variance.
    codes = pd.factorize(own["user"])[0]
    fitted = OLS(own["rating"], np.ones(len(own))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    again = cluster_mean(own["rating"], own["user"], bounds=(1, 5))
    assert (row["lower"], row["upper"]) == pytest.approx((again.lower, again.upper))
    assert again.standard_error == pytest.approx(float(fitted.bse.iloc[0]), rel=0.1)


def test_groups_are_by_type_stage_and_words_of_the_thought(rate: Callable[..., Any]) -> None:
    log, found = rate("cover_thought")
    own = ratings(log)
    table = pd.DataFrame(groups(found))
    assert table.groupby("by", sort=False)["n"].sum().to_dict() == dict.fromkeys(
        ("type", "stage", "target length"), len(own)
    )
    early = table[table["group"] == "Early"].iloc[0]
    first = own[own["position"] < 1 / 6]
    assert (early["n"], early["users"]) == (len(first), first["user"].nunique())
    assert early["mean"] == pytest.approx(first["rating"].mean())
    assert early["high"] == pytest.approx((first["rating"] >= 4).mean())
    small = table[table["n"] < 10]
    assert len(small)
    assert small["mean"].isna().all()
    assert small["note"].str.startswith("too small").all()


def test_a_user_s_ratings_are_not_independent(rate: Callable[..., Any]) -> None:
    _, found = rate("rate_thought", users=1)
    (row,) = pd.DataFrame(means(found)).to_dict("records")
    assert np.isnan(row["lower"])
    assert row["note"] == "only one user: no interval"
