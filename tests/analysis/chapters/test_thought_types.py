"""The chapter on types of thoughts, from real runs of scripted models, against independent computations."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_recall_fscore_support
from statsmodels.stats.multitest import multipletests

from thoughttrace.analysis.chapters.thought_types import NO_TYPE, accuracies, by_type, chapter, confused, differences
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import BASELINE
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.core.record import TYPES
from thoughttrace.tasks.classify_thought import classify_thought

Classify = Callable[..., EvalLog]


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    """Nine users, types by a hash; the rarest reason's type occurs nowhere."""
    records = []
    for n in range(9):
        record = make_conversation(f"user{n}", turns=2 + n % 4)
        for message in record["messages"]:
            for thought in [*message.get("reasons", []), *message.get("reactions", [])]:
                known = TYPES["reason" if message["type"] == "user" else "reaction"]
                draw = hashlib.sha256(thought["content"].encode()).digest()[0]
                thought["label"] = known[min(draw % 8, len(known) - 2)]
        records.append(record)
    return str(write(*records))


@pytest.fixture
def classify(tmp_path: Path, scripted: Callable[..., Any], data: str) -> Classify:
    def classify(name: str = "m", right: int = 128, none: int = 16, epochs: int = 1, **arguments: Any) -> EvalLog:
        """A model that is right where a hash is under `right` of 256, and refuses where it is under `none`."""
        task = classify_thought(data=data, **arguments)
        labels = {sample.input[1].text: str(sample.target) for sample in task.dataset}
        kind = arguments.get("kind", "reason")
        asked: dict[str, int] = {}

        def script(messages: list[Any]) -> str:
            text = messages[1].text
            asked[text] = asked.get(text, -1) + (len(messages) == 2)
            draw = hashlib.sha256(f"{name}{text}{asked[text] % epochs}".encode()).digest()
            other = TYPES[kind][draw[2] % len(TYPES[kind])]
            named = labels[text] if draw[0] < right else other
            return "no idea" if draw[1] < none else json.dumps({"rationale": "because", "type": named})

        model = "none/none" if arguments.get("baseline") else scripted(name, script)
        (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path / "logs"), display="none", epochs=epochs)
        assert log.status == "success"
        return log

    return classify


@pytest.fixture
def found(tmp_path: Path) -> Callable[[], Runs]:
    return lambda: read_runs([str(tmp_path / "logs")])


def replies(log: EvalLog) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "id": sample.id,
                "user": sample.metadata["user"],
                "label": sample.target,
                "answer": (sample.scores or {})["type_match"].answer or "",
            }
            for sample in log.samples or []
        ]
    )


def test_figures_equal_independent_computations(classify: Classify, found: Callable[[], Runs]) -> None:
    own = replies(classify())
    (row,) = pd.DataFrame(accuracies(found().counted)).to_dict("records")
    assert (row["model"], row["kind"], row["context"]) == ("scripted/m", "reason", "thought")
    right = (own["label"] == own["answer"]).to_numpy(dtype=float)
    assert 0 < (own["answer"] == "").sum() == row["declined"]
    assert row["accuracy"] == pytest.approx(accuracy_score(own["label"], own["answer"]))
    expected = cluster_mean(right, own["user"].to_numpy(), bounds=(0, 1))
    assert (row["accuracy_lower"], row["accuracy_upper"]) == pytest.approx((expected.lower, expected.upper))
    present = sorted(set(own["label"]))
    assert len(present) == 6
    f1 = f1_score(own["label"], own["answer"], labels=present, average="macro", zero_division=0)
    assert row["macro_f1"] == pytest.approx(f1)
    assert row["kappa"] == pytest.approx(cohen_kappa_score(own["label"], own["answer"]))
    assert row["kappa_lower"] < row["kappa"] < row["kappa_upper"]
    assert row["majority"] == own["label"].value_counts(normalize=True).max()
    assert (row["n"], row["users"], row["samples"], row["coverage"]) == (len(own), 9, len(own), 1)


def test_each_type_and_each_confusion(classify: Classify, found: Callable[[], Runs]) -> None:
    own = replies(classify())
    logs = found().counted
    table = pd.DataFrame(by_type(logs)).set_index("type")
    assert list(table.index) == list(TYPES["reason"])
    precision, recall, f1, support = precision_recall_fscore_support(
        own["label"], own["answer"], labels=list(TYPES["reason"]), zero_division=0
    )
    assert list(table["n"]) == list(support)
    assert table["precision"].fillna(0).to_numpy() == pytest.approx(precision)
    assert table["recall"].fillna(0).to_numpy() == pytest.approx(recall)
    assert table["f1"].fillna(0).to_numpy() == pytest.approx(f1)
    assert math.isnan(table["recall"]["task_reorientation"])
    cells = pd.DataFrame(confused(logs))
    assert cells["n"].sum() == len(own)
    for cell in cells.to_dict("records"):
        answer = "" if cell["answer"] == NO_TYPE else cell["answer"]
        assert cell["n"] == ((own["label"] == cell["type"]) & (own["answer"] == answer)).sum()
    shares = cells.groupby("type")["share"].sum(min_count=1).dropna()
    assert shares.to_numpy() == pytest.approx([1] * 6)


def test_pairs_differ_in_one_thing_and_are_adjusted(classify: Classify, found: Callable[[], Runs]) -> None:
    a, b = replies(classify("a", right=220)), replies(classify("b", right=60))
    classify("b", right=60, context="message")
    classify("c", kind="reaction")
    pairs = pd.DataFrame(differences(found().counted))
    assert sorted((row["by"], row["a"], row["b"]) for row in pairs.to_dict("records")) == [
        ("context", "message", "thought"),
        ("model", "scripted/a", "scripted/b"),
    ]
    row = pairs[pairs["by"] == "model"].iloc[0]
    both = a.merge(b, on="id").sort_values("id")
    x, y = ((both[f"label_{side}"] == both[f"answer_{side}"]).to_numpy(dtype=float) for side in "xy")
    expected = paired_difference(x, y, both["user_x"].to_numpy())
    assert row[["difference", "lower", "upper", "p_value"]].to_list() == pytest.approx(
        [expected.estimate, expected.lower, expected.upper, expected.p_value]
    )
    assert (row["only_a"], row["only_b"]) == ((x > y).sum(), (x < y).sum())
    assert row["context"] == "thought"
    assert pairs["p_holm"].to_numpy() == pytest.approx(multipletests(pairs["p_value"], method="holm")[1])


def test_the_baseline_is_compared_with_the_models(classify: Classify, found: Callable[[], Runs]) -> None:
    pytest.importorskip("onnxruntime")
    classify()
    classify(baseline=True)
    logs = found().counted
    assert [run.model for run in logs] == [BASELINE, "scripted/m"]
    (pair,) = differences(logs)  # though the baseline was given no prompt
    assert (pair.a, pair.b) == (BASELINE, "scripted/m")


def test_epochs_are_replies_of_one_thought(classify: Classify, found: Callable[[], Runs]) -> None:
    log = classify(epochs=2)
    classify("other")
    logs = found().counted
    row = accuracies(logs)[0]
    own = replies(log)
    assert (row.n, row.samples) == (len(own), len(own)) == (2 * own["id"].nunique(), len(own))
    assert differences(logs)[0].n == own["id"].nunique()


def test_the_newest_counts_and_a_broken_log_is_named(
    classify: Classify, found: Callable[[], Runs], backdated: Callable[[EvalLog], EvalLog], tmp_path: Path
) -> None:
    older, newer = backdated(classify(right=0)), classify(right=256, none=0)
    log = read_eval_log(newer.location)
    log.status = "error"
    write_eval_log(log, str(tmp_path / "logs/stopped.eval"))
    runs = found()
    (row,) = accuracies(runs.counted)
    assert row.accuracy == 1
    assert (row.accuracy_upper, row.accuracy_note) == (1, "")
    assert f"{Path(older.location).name}: superseded" in "\n".join(runs.left_out)
    assert "stopped.eval: did not finish" in "\n".join(runs.left_out)
    chapter(Evidence(runs))
    assert len(runs.left_out) == 2


def cells(section: Section) -> list[dict[str, str]]:
    """The cells by the titles of their columns."""
    titles = [column.title for column in section.table.filled_columns]
    return [dict(zip(titles, row, strict=True)) for row in section.table.cells()]


def test_the_chapter_has_tables_and_a_figure_per_kind(classify: Classify, found: Callable[[], Runs]) -> None:
    for name in "abcde":
        classify(name, none=256 if name == "e" else 16)
    classify("a", kind="reaction")
    made = chapter(Evidence(found()))
    models, pairs, types, reasons, reactions = made.filled
    assert [section.name for section in made.filled] == [
        "thought_types_models", "thought_types_pairs", "thought_types_by_type",
        "thought_types_confusion_reason", "thought_types_confusion_reaction",
    ]  # fmt: skip
    assert "language model's" in made.intro
    assert "language model's" in models.note
    shown = cells(models)
    assert [row["Kind"] for row in shown] == ["reason"] * 5 + ["reaction"]
    silent = next(row for row in shown if row["Model"] == "scripted/e")
    assert (silent["Accuracy"], silent["Kappa"], silent["Coverage"]) == ("0.0 %", "0.00", "100 %")
    assert silent["Named no type"] == silent["n"]
    assert [len(section.rows) for section in (pairs, types, reasons, reactions)] == [10, 5 * 7 + 5, 5 * 7 * 8, 5 * 6]
    assert {row["Named by the model"] for row in cells(reactions)} == {
        NO_TYPE, *(name.replace("_", " ") for name in TYPES["reaction"])
    }  # fmt: skip
    figure, other = reasons.pictures[0].figure, reactions.pictures[0].figure
    assert len([axes for axes in figure.axes if axes.get_visible()]) == 4
    assert "scripted/e" not in "".join(axes.get_title("left") for axes in figure.axes)
    assert "The figure shows the 4 runs with the highest kappa, of 5" in reasons.note
    counts = {str(row.n) for row in reactions.rows if row.n}
    assert counts <= {text.get_text() for text in other.axes[0].texts}
