"""The chapter on chosen notes, from real runs of scripted models, against independent computations."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from sklearn.metrics import accuracy_score

from thoughttrace.analysis.chapters.choose_thought import accuracies, by_option, chapter
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.core.record import OPTIONS
from thoughttrace.tasks.choose_thought import choose_thought


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chosen")


@pytest.fixture(scope="module")
def replies(scripted: Callable[..., Any], folder: Path, short_sample: Path) -> pd.DataFrame:
    """What two models chose on the short sample: one right in about 60 %, one that always says A."""

    def run(name: str, kind: str) -> list[dict[str, Any]]:
        task = choose_thought(kind=kind, data=str(short_sample))
        own = {sample.input[1].text: str(sample.target) for sample in task.dataset}

        def script(messages: list[Any]) -> str:
            text = messages[1].text
            draw = hashlib.sha256(text.encode()).digest()
            letter = "A" if name == "always" else own[text] if draw[0] < 140 else "ABC"[draw[1] % 3]
            return "no idea" if name == "knows" and draw[2] < 16 else json.dumps({"rationale": "x", "choice": letter})

        (log,) = inspect_eval(task, model=scripted(name, script), log_dir=str(folder), display="none")
        assert log.status == "success"
        return [
            {
                "model": f"scripted/{name}",
                "kind": kind,
                "user": sample.metadata["user"],
                "own": sample.target,
                "answer": (sample.scores or {})["choice"].answer,
                "options": sample.metadata["options"],
            }
            for sample in log.samples or []
        ]

    return pd.DataFrame([*run("knows", "reaction"), *run("always", "reaction"), *run("knows", "reason")])


@pytest.fixture(scope="module")
def runs(replies: pd.DataFrame, folder: Path) -> Runs:
    return read_runs([str(folder)])


def test_accuracy_equals_independent_computations(replies: pd.DataFrame, runs: Runs) -> None:
    rows = {(row.model, row.kind): row for row in accuracies(runs.counted)}
    assert len(rows) == 3
    for (model, kind), own in replies.groupby(["model", "kind"]):
        row = rows[model, kind]
        right = (own["own"] == own["answer"]).to_numpy(dtype=float)
        assert row.accuracy == pytest.approx(accuracy_score(own["own"], own["answer"]))
        interval = cluster_mean(right, own["user"].to_numpy(), bounds=(0, 1))
        assert (row.accuracy_lower, row.accuracy_upper) == pytest.approx((interval.lower, interval.upper))
        chance = 1 / own["options"].map(len).to_numpy()
        assert row.chance == pytest.approx(chance.mean())
        assert row.p_value == pytest.approx(paired_difference(right, chance, own["user"].to_numpy()).p_value)
        assert row.declined == (own["answer"] == "").sum()
        letters = [(own["answer"] == letter).sum() for letter in "ABCD"]
        assert [row.chosen_a, row.chosen_b, row.chosen_c, row.chosen_d] == letters
        assert (row.n, row.coverage, row.missing) == (len(own), 1, "")
    always = rows["scripted/always", "reaction"]
    # 57 samples of four notes, 14 or 15 with the own one at A, and one of three.
    assert always.accuracy in {14 / 58, 15 / 58, 16 / 58}
    assert always.chance == pytest.approx((57 / 4 + 1 / 3) / 58)
    assert always.p_value > 0.2
    assert rows["scripted/knows", "reaction"].p_value < 0.01


def test_what_is_chosen_adds_up(replies: pd.DataFrame, runs: Runs) -> None:
    table = pd.DataFrame(by_option(runs.counted))
    own = replies[(replies["model"] == "scripted/knows") & (replies["kind"] == "reaction")]
    mine = table[(table["model"] == "scripted/knows") & (table["kind"] == "reaction")].set_index("option")
    assert list(mine.index) == list(OPTIONS)
    for option in OPTIONS:
        offered = own[own["options"].map(lambda names, option=option: option in names)]
        chose = [
            bool(letter) and names["ABCD".index(letter)] == option
            for names, letter in zip(offered["options"], offered["answer"], strict=True)
        ]
        assert mine["mean"][option] == pytest.approx(sum(chose) / len(offered))
        assert mine["n"][option] == len(offered)
    assert list(mine["n"]) == [58, 57, 58, 58]
    total = (mine["mean"] * mine["n"]).sum() + (own["answer"] == "").sum()
    assert total == pytest.approx(58)


def test_the_chapter_has_tables_and_a_panel_per_kind(runs: Runs) -> None:
    made = chapter(Evidence(runs))
    models, options = made.filled
    assert [section.name for section in made.filled] == ["chosen_notes_models", "chosen_notes_options"]
    assert [len(section.rows) for section in (models, options)] == [3, 12]
    (picture,) = models.pictures
    panels = {axes.get_title("left"): axes for axes in picture.figure.axes}
    assert panels.keys() == {"reasons", "reactions"}
    (line,) = (line for line in panels["reasons"].lines if line.get_linestyle() == ":")
    assert set(line.get_xdata()) == {25}  # type: ignore[arg-type]
    assert chapter(Evidence(Runs())).filled == []


def test_runs_with_other_options_are_not_joined(scripted: Callable[..., Any], tmp_path: Path) -> None:
    for seed in (0, 1):
        task = choose_thought(seed=seed, users=2)
        model = scripted("m", lambda _: '{"rationale": "x", "choice": "A"}')
        inspect_eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert [run.selection for run in read_runs([str(tmp_path)]).counted] == [
        "options drawn with seed 0", "options drawn with seed 1",
    ]  # fmt: skip
