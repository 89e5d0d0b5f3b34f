"""Known ratings through the whole pipeline: every figure equals an independent computation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from inspect_ai.log import EvalLog
from scipy import stats

from thoughttrace.analysis.report import write_report
from thoughttrace.analysis.runs import read_runs
from thoughttrace.datasets.load import load_conversations
from thoughttrace.scorers.verdict import judge_prompt, parse_verdict

MODELS = ("m1", "m2")


def expected(data: Path, model: str, judged: Callable[[list[Any]], str]) -> pd.DataFrame:
    """What the judge rates, worked out from the data without a log; NaN where it gives no verdict."""
    rows = []
    for talk in load_conversations(data).conversations:
        for _, message in talk.annotated("reason"):
            targets = [thought.content for thought in message.thoughts]
            verdict = parse_verdict(judged(judge_prompt("reason", message.content, targets, f"guess of {model}")))
            rows.append((talk.user, verdict.rating if verdict else np.nan))
    return pd.DataFrame(rows, columns=["user", "rating"])


def test_every_figure_of_the_headline(
    run_task: Callable[..., EvalLog], tmp_path: Path, judged: Callable[[list[Any]], str]
) -> None:
    for model in MODELS:
        assert run_task(model=model).status == "success"
    table = write_report(read_runs([str(tmp_path / "logs")]), tmp_path / "report")
    assert list(table["model"]) == ["scripted/m1", "scripted/m2"]
    for (_, row), model in zip(table.iterrows(), MODELS, strict=True):
        truth = expected(tmp_path / "data.jsonl", model, judged)
        scored = truth.dropna()
        assert 0 < len(scored) < len(truth)
        # statsmodels gives the estimate and the cluster sums by the same algebra only for CR1; CR2's adjustment
        # is a weight 1 / (1 - n_g / N) on each squared cluster sum, taken here by hand from its residuals.
        fit = sm.OLS(scored["rating"], np.ones(len(scored))).fit()
        sums = fit.resid.groupby(scored["user"]).agg(["sum", "size"])
        leverage = sums["size"] / len(scored)
        error = np.sqrt((sums["sum"] ** 2 / (1 - leverage)).sum()) / len(scored)
        cross = np.outer(b := leverage**2 / (1 - leverage), b)
        df = 1 / ((leverage**2).sum() + cross.sum() - np.trace(cross))
        reach = stats.t.ppf(0.975, df) * error
        mean = fit.params.iloc[0]
        assert row["mean"] == pytest.approx(mean, abs=1e-9)
        assert row["lower"] == pytest.approx(max(1, mean - reach), abs=1e-9)
        assert row["upper"] == pytest.approx(min(5, mean + reach), abs=1e-9)
        assert (row["n"], row["users"], row["samples"]) == (len(scored), scored["user"].nunique(), len(truth))
        assert row["coverage"] == pytest.approx(len(scored) / len(truth), abs=1e-12)
        for end in (1, 5):
            assert row[f"mean_if_missing_{end}"] == pytest.approx(truth["rating"].fillna(end).mean(), abs=1e-9)
        counts = scored["rating"].value_counts()
        assert [row[f"rated_{r}"] for r in range(1, 6)] == [counts.get(r, 0) for r in range(1, 6)]


def test_epochs_enter_as_the_mean_of_a_sample(run_task: Callable[..., EvalLog], tmp_path: Path) -> None:
    ratings = iter(range(10_000))
    run_task(judge=lambda _: f'{{"rationale": "x", "rating": {1 + next(ratings) % 5}}}', epochs=3, limit=6)
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    assert (len(run.samples), run.planned) == (6, 6)
    assert run.samples["agreement"].sum() * 3 == pytest.approx(sum(1 + n % 5 for n in range(18)))
