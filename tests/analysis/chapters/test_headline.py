"""Known ratings through the whole pipeline: every figure equals an independent computation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from inspect_ai.log import EvalLog
from scipy import special, stats

from thoughttrace.analysis.chapters.comparison import compare
from thoughttrace.analysis.chapters.headline import chapter, headline
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.core.cutoffs import Cutoff, Cutoffs
from thoughttrace.core.record import Kind
from thoughttrace.datasets.load import load_conversations
from thoughttrace.scorers.agreement import VERDICT, judge_prompt

MODELS = ("m1", "m2")


def expected(data: Path, model: str, judged: Callable[[list[Any]], str], kind: Kind = "reason") -> pd.DataFrame:
    """What the judge rates, worked out from the data without a log; NaN where it gives no verdict."""
    rows = []
    for talk in load_conversations(data).conversations:
        for _, message in talk.annotated(kind):
            targets = [thought.content for thought in message.thoughts]
            verdict = VERDICT.parse(judged(judge_prompt(kind, message.content, targets, f"guess of {model}")))
            rows.append((talk.user, verdict.rating if verdict else np.nan))
    return pd.DataFrame(rows, columns=["user", "rating"])


def test_every_figure_of_the_headline(
    run_task: Callable[..., EvalLog], tmp_path: Path, judged: Callable[[list[Any]], str]
) -> None:
    for model in MODELS:
        assert run_task(model=model).status == "success"
    table = pd.DataFrame(headline(read_runs([str(tmp_path / "logs")]).models))
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
        place = (mean - 1) / 4  # on the scale, whose logit the limits are symmetric on
        ends = special.expit(special.logit(place) + np.array([-1, 1]) * reach / 4 / (place * (1 - place)))
        assert [row["lower"], row["upper"]] == pytest.approx(1 + 4 * ends, abs=1e-9)
        assert (row["n"], row["users"], row["samples"]) == (len(scored), scored["user"].nunique(), len(truth))
        assert row["coverage"] == pytest.approx(len(scored) / len(truth), abs=1e-12)
        for end in (1, 5):
            assert row[f"mean_if_missing_{end}"] == pytest.approx(truth["rating"].fillna(end).mean(), abs=1e-9)
        counts = scored["rating"].value_counts()
        assert [row[f"rated_{r}"] for r in range(1, 6)] == [counts.get(r, 0) for r in range(1, 6)]


def cr2(values: pd.Series, users: pd.Series) -> tuple[float, float, float]:
    """Mean, standard error and degrees of freedom from statsmodels' residuals, by hand."""
    fit = sm.OLS(values, np.ones(len(values))).fit()
    sums = fit.resid.groupby(users).agg(["sum", "size"])
    leverage = sums["size"] / len(values)
    b = leverage**2 / (1 - leverage)
    error = np.sqrt((sums["sum"] ** 2 / (1 - leverage)).sum()) / len(values)
    return fit.params.iloc[0], error, 1 / ((leverage**2).sum() + b.sum() ** 2 - (b**2).sum())


def test_every_figure_of_the_comparisons(
    run_task: Callable[..., EvalLog], tmp_path: Path, judged: Callable[[list[Any]], str]
) -> None:
    models = ("m1", "m2", "m3")
    for kind in ("reason", "reaction"):
        for model in models:
            assert run_task(kind=kind, model=model).status == "success"
    table = pd.DataFrame(compare(read_runs([str(tmp_path / "logs")]).models)[0])
    assert len(table) == 6
    for name, pairs in table.groupby("kind", sort=False):
        truth = {f"scripted/{m}": expected(tmp_path / "data.jsonl", m, judged, cast(Kind, name)) for m in models}
        found = []
        for _, row in pairs.iterrows():
            a, b = truth[row["a"]], truth[row["b"]]
            both = a["rating"].notna() & b["rating"].notna()
            assert 0 < both.sum() < len(a)
            difference = (a["rating"] - b["rating"])[both]
            mean, error, df = cr2(difference, a["user"][both])
            reach = stats.t.ppf(0.975, df) * error
            assert (row["n"], row["users"]) == (both.sum(), a["user"][both].nunique())
            assert row["difference"] == pytest.approx(mean, abs=1e-9)
            assert (row["lower"], row["upper"]) == pytest.approx((mean - reach, mean + reach), abs=1e-9)
            assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(mean) / error, df), abs=1e-9)
            assert (row["wins"], row["ties"], row["losses"]) == (
                (difference > 0).sum(), (difference == 0).sum(), (difference < 0).sum()
            )  # fmt: skip
            assert row["d"] == pytest.approx(difference.mean() / difference.std(ddof=1), abs=1e-9)
            found.append(row["p_value"])
        # Holm by its definition: the k-th smallest of m times m - k + 1, never falling, at most 1.
        order = np.argsort(found)
        holm = np.minimum(np.maximum.accumulate(np.array(found)[order] * (3 - np.arange(3))), 1)
        assert list(pairs["p_holm"].to_numpy()[order]) == pytest.approx(list(holm), abs=1e-9)


def test_epochs_enter_as_the_mean_of_a_sample(run_task: Callable[..., EvalLog], tmp_path: Path) -> None:
    ratings = iter(range(10_000))
    run_task(judge=lambda _: f'{{"rationale": "x", "rating": {1 + next(ratings) % 5}}}', epochs=3, limit=6)
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    assert (len(run.samples), run.planned) == (6, 6)
    assert run.samples["score"].sum() * 3 == pytest.approx(sum(1 + n % 5 for n in range(18)))
    (row,) = headline([run])
    assert row.var_epochs == pytest.approx(run.rows.groupby("id")["score"].var(ddof=1).mean())


def test_the_cutoff_stands_beside_each_model_and_a_late_one_is_a_warning(
    run_task: Callable[..., EvalLog], tmp_path: Path
) -> None:
    for model in MODELS:
        run_task(model=model)
    runs = read_runs([str(tmp_path / "logs")])
    table = Cutoffs({"scripted/m1": Cutoff.model_validate({"cutoff": "2026-05", "source": "us"})})
    made = chapter(Evidence(runs, cutoffs=table))
    assert [(row.model, row.cutoff) for row in made.filled[0].rows if not row.published] == [
        ("scripted/m1", "2026-05-31 (training), on or after the release"),
        ("scripted/m2", "unknown"),
    ]
    (sentence,) = [sentence for sentence in made.warnings if "by heart" in sentence]
    assert sentence.startswith("scripted/m1 may have read these notes")
    assert not [sentence for sentence in chapter(Evidence(runs)).warnings if "by heart" in sentence]
