"""The chapter on dissatisfied users, from real runs of scripted models, against scikit-learn."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log, write_eval_log
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, recall_score, roc_auc_score

from thoughttrace.analysis.chapters.predict_satisfaction import calibration, chapter, predictions
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import TYPES
from thoughttrace.tasks.predict_satisfaction import predict_satisfaction


@pytest.fixture(scope="module")
def data(make_conversation: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve users with ten reactions each, whose types go by a hash."""
    records = [make_conversation(f"user{n}", turns=10) for n in range(12)]
    for record in records:
        for message in record["messages"]:
            for thought in message.get("reactions", []):
                draw = hashlib.sha256(thought["content"].encode()).digest()[0]
                thought["label"] = TYPES["reaction"][draw % 5 if draw < 160 else 0]
    path = tmp_path_factory.mktemp("data") / "data.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("satisfaction")


@pytest.fixture(scope="module")
def replies(data: str, folder: Path, scripted: Callable[..., Any]) -> pd.DataFrame:
    """What a model said that knows something: its probability leans to the truth, and it sometimes says nothing."""
    task = predict_satisfaction(data=data)
    truth = {sample.input[1].text: sample.target == "yes" for sample in task.dataset}

    def script(messages: list[Any]) -> str:
        text = messages[1].text
        draw = hashlib.sha256(text.encode()).digest()
        percent = (60 * draw[0] // 255) + 40 * truth[text]
        said = "yes" if percent > 50 else "no"
        return "?" if draw[1] < 12 else json.dumps({"rationale": "x", "dissatisfied": said, "probability": percent})

    (log,) = inspect_eval(task, model=scripted("m", script), log_dir=str(folder), display="none")
    assert log.status == "success"
    scores = [(sample, (sample.scores or {})["satisfaction"]) for sample in log.samples or []]
    return pd.DataFrame(
        [
            {
                "user": sample.metadata["user"],
                "truth": sample.target == "yes",
                "said": {"yes": 1, "no": 0}.get(score.answer or "", -1),
                "percent": (score.metadata or {}).get("percent"),
            }
            for sample, score in scores
        ]
    )


@pytest.fixture(scope="module")
def runs(replies: pd.DataFrame, folder: Path) -> Runs:
    return read_runs([str(folder)])


def test_figures_are_those_of_scikit_learn(replies: pd.DataFrame, runs: Runs) -> None:
    (row,) = predictions(runs.counted)
    wrong = replies["said"].where(replies["said"] >= 0, 1 - replies["truth"].astype(int))
    assert 0 < row.declined == (replies["said"] < 0).sum()
    assert row.balanced_accuracy == pytest.approx(balanced_accuracy_score(replies["truth"], wrong))
    assert row.recall_dissatisfied == pytest.approx(recall_score(replies["truth"], wrong))
    assert row.recall_satisfied == pytest.approx(recall_score(~replies["truth"], 1 - wrong))
    assert row.balanced_accuracy_lower < row.balanced_accuracy < row.balanced_accuracy_upper
    stated = replies.dropna(subset="percent")
    truth, probability, users = stated["truth"], stated["percent"] / 100, stated["user"]
    assert row.auroc == pytest.approx(roc_auc_score(truth, probability))
    assert row.auroc_lower < row.auroc < row.auroc_upper
    assert row.brier == pytest.approx(brier_score_loss(truth, probability))
    brier = cluster_mean((probability - truth) ** 2, users, bounds=(0, 1))
    assert (row.brier_lower, row.brier_upper) == pytest.approx((brier.lower, brier.upper))
    share = pd.Series(truth.mean(), index=truth.index)
    assert row.brier_of_share == pytest.approx(brier_score_loss(truth, share))
    over = paired_difference(probability, truth, users)
    assert (row.overstated, row.overstated_lower) == pytest.approx((over.estimate, over.lower))
    assert (row.n, row.users, row.samples, row.coverage, row.missing) == (120, 12, 120, 1, "")
    assert row.dissatisfied == replies["truth"].mean()
    assert row.contradictions == 0


def test_the_bins_are_those_of_scikit_learn(replies: pd.DataFrame, runs: Runs) -> None:
    stated = replies.dropna(subset="percent")
    true, mean = calibration_curve(stated["truth"], stated["percent"] / 100, n_bins=10)
    rows = [row for row in calibration(runs.counted) if row.n]
    assert [row.stated for row in rows] == pytest.approx(list(mean))
    assert sum(row.n for row in rows) == len(stated)
    large = [(row.mean, share) for row, share in zip(rows, true, strict=True) if not row.note]
    assert len(large) >= 3
    assert all(ours == pytest.approx(share) for ours, share in large)
    assert {row.note.partition(":")[0] for row in rows} <= {"", "too small"}
    (row,) = predictions(runs.counted)
    sizes = [bin_row.n for bin_row in rows]
    error = sum(n * abs(a - b) for n, a, b in zip(sizes, true, mean, strict=True)) / sum(sizes)
    assert row.calibration_error == pytest.approx(error)


def test_the_chapter_has_tables_and_figures(runs: Runs) -> None:
    made = chapter(Evidence(runs))
    models, bins = made.filled
    assert [section.name for section in made.filled] == ["satisfaction_models", "satisfaction_calibration"]
    assert [len(section.rows) for section in (models, bins)] == [1, 10]
    assert [picture.name for section in made.filled for picture in section.pictures] == [
        "satisfaction", "satisfaction_calibration",
    ]  # fmt: skip
    assert "one is enough" in made.intro
    assert chapter(Evidence(Runs())).filled == []


def test_a_log_without_scores_has_no_number_and_a_hostile_one_is_named(
    runs: Runs, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    log = read_eval_log(str(next(folder.glob("*.eval"))))
    scores = [(sample.scores or {})["satisfaction"] for sample in log.samples or []]
    scores[0].metadata = {"percent": 180}
    write_eval_log(log, str(tmp_path / "hostile.eval"))
    with pytest.raises(UserError, match=r"percent: .*\(is 180\)"):
        read_runs([str(tmp_path / "hostile.eval")])
    for sample in log.samples or []:
        sample.scores = {}
    write_eval_log(log, str(tmp_path / "unscored.eval"))
    made = chapter(Evidence(read_runs([str(tmp_path / "unscored.eval")])))
    (row,) = made.sections[0].rows
    assert (row.n, row.coverage, row.missing) == (0, 0, "120 not scored")
    assert row.auroc_note == row.balanced_accuracy_note == "none scored"
