"""The chapter on confidence, from a real run of a scripted model, against scikit-learn."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score

from thoughttrace.analysis.chapters.comparison import compare
from thoughttrace.analysis.chapters.confidence import calibration, chapter, confidences, surest
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.tasks.infer_reason import infer_reason


def guess(messages: list[Any]) -> str:
    """A guess that names a number, and a confidence that is this number; one in ten states none."""
    draw = hashlib.sha256(messages[1].text.encode()).digest()
    percent = round(100 * draw[0] / 255)
    line = {0: "", 1: "\nConfidence: high"}.get(draw[1] % 20, f"\nConfidence: {percent} %")
    return f"I guess {percent}.{line}" if draw[1] != 7 else "Confidence: 3"


def judge(messages: list[Any]) -> str:
    """Rates the higher the number of the guess; one verdict in 20 cannot be read."""
    text = messages[1].text
    draw = hashlib.sha256(text.encode()).digest()
    number = int(text.rpartition("I guess ")[2].partition(".")[0])
    rating = min(5, max(1, round(1 + number / 40 + 2.5 * draw[0] / 255)))
    return "?" if draw[1] % 20 == 0 else json.dumps({"rationale": "so", "rating": rating})


@pytest.fixture(scope="module")
def folder(
    make_conversation: Callable[..., dict[str, Any]], scripted: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """The logs of one model on twelve users with ten reasons each: asked how sure it is, and not asked."""
    folder = tmp_path_factory.mktemp("confidence")
    records = [make_conversation(f"user{n}", turns=10) for n in range(12)]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    for asked in (True, False):
        (log,) = inspect_eval(
            infer_reason(data=str(data), confidence=asked),
            model=scripted("m", guess if asked else lambda _: "I guess 50."),
            model_roles={"grader": scripted("j", judge)},
            log_dir=str(folder / "logs"),
            display="none",
            limit=None if asked else 20,
        )
        assert log.status == "success"
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Runs:
    return read_runs([str(folder / "logs")])


@pytest.fixture(scope="module")
def stated(runs: Runs) -> pd.DataFrame:
    """What the guesses say themselves, and whether their rating is 4 or more."""
    (run,) = (run for run in runs.models if run.confidence)
    rows = run.rows.dropna(subset="score").assign(right=lambda rows: rows["score"] >= 4)
    said = rows["answer"].str.extract(r"I guess (\d+)\.$")[0].astype(float)
    assert (run.rows["no_confidence"] == "unreadable").sum() > 0 < (run.rows["no_confidence"] == "missing").sum()
    return rows.assign(said=said).dropna(subset="confidence")


def test_figures_are_those_of_scikit_learn(stated: pd.DataFrame, runs: Runs) -> None:
    assert (stated["said"].dropna() == stated["confidence"][stated["said"].notna()]).all()
    asked = [run for run in runs.models if run.confidence]
    (row,) = confidences(asked)
    right, probability, users = stated["right"], stated["confidence"] / 100, stated["user"]
    assert row.right == pytest.approx(right.mean())
    share = cluster_mean(right, users, bounds=(0, 1))
    assert (row.right_lower, row.right_upper) == pytest.approx((share.lower, share.upper))
    over = paired_difference(probability, right, users)
    assert (row.overstated, row.overstated_upper) == pytest.approx((over.estimate, over.upper))
    assert row.auroc == pytest.approx(roc_auc_score(right, probability))
    assert row.auroc_lower < row.auroc < row.auroc_upper
    true, mean = calibration_curve(right, probability, n_bins=10)
    rows = [bin_row for bin_row in calibration(asked) if bin_row.n]
    assert [bin_row.stated for bin_row in rows] == pytest.approx(list(mean))
    error = sum(bin_row.n * abs(a - b) for bin_row, a, b in zip(rows, true, mean, strict=True)) / len(stated)
    assert row.calibration_error == pytest.approx(error)
    assert (row.n, row.users, row.rated) == (len(stated), 12, int(asked[0].rows["score"].notna().sum()))
    missing, unreadable = (
        int((asked[0].rows.dropna(subset="score")["no_confidence"] == why).sum()) for why in ("missing", "unreadable")
    )
    assert sorted(row.without.split(", ")) == sorted([f"{missing} missing", f"{unreadable} unreadable"])
    assert row.n + missing + unreadable == row.rated


def test_the_surest_are_those_of_the_highest_confidence(stated: pd.DataFrame, runs: Runs) -> None:
    asked = [run for run in runs.models if run.confidence]
    # In 400 random orders of ties.
    orders = [
        stated.sample(frac=1, random_state=seed).sort_values("confidence", ascending=False, kind="stable")["right"]
        for seed in range(400)
    ]
    risks = [(1 - order.expanding().mean()).mean() for order in orders]
    (row,) = confidences(asked)
    assert row.risk == pytest.approx(np.mean(risks), abs=0.001)
    assert row.least_risk < row.risk < row.chance_risk
    coverages = surest(asked)
    assert [one.coverage for one in coverages] == [n / 10 for n in range(1, 11)]
    for one in coverages:
        taken = [order.head(round(one.coverage * len(order))).mean() for order in orders]
        assert one.right == pytest.approx(np.mean(taken), abs=0.02)
    assert coverages[-1].right == row.right


def test_the_chapter_has_tables_and_figures_of_the_runs_that_were_asked(runs: Runs) -> None:
    made = chapter(Evidence(runs))
    assert [section.name for section in made.filled] == [
        "confidence_models", "confidence_calibration", "confidence_coverage",
    ]  # fmt: skip
    assert [len(section.rows) for section in made.filled] == [1, 10, 10]
    assert [picture.name for section in made.filled for picture in section.pictures] == [
        "confidence_calibration", "confidence_coverage",
    ]  # fmt: skip
    assert made.filled[0].rows[0].model == "scripted/m (prompt " + next(
        f"{run.prompt_hash}, states its confidence)" for run in runs.models if run.confidence
    )
    assert chapter(Evidence(Runs([run for run in runs.models if not run.confidence]))).filled == []


def test_a_run_that_was_asked_is_another_measurement_and_compares_by_prompt_only(runs: Runs) -> None:
    assert len(runs.models) == 2
    assert compare(runs.models, "model")[0] == []
    (pair,) = compare(runs.models, "prompt")[0]
    assert 10 < pair.n <= 20


def test_a_model_that_states_no_confidence_has_a_row_that_says_so(runs: Runs) -> None:
    (asked,) = (run for run in runs.models if run.confidence)
    silent = replace(asked, rows=asked.rows.assign(confidence=np.nan, no_confidence="missing"))
    made = chapter(Evidence(Runs([silent])))
    (row,) = made.sections[0].rows
    assert (row.n, row.without) == (0, f"{row.rated} missing")
    assert "none stated" in made.sections[0].table.cells()[0]
    assert [picture for section in made.sections for picture in section.pictures] == []
