"""Which runs are compared, which are refused, and how ranks show ties."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog

from thoughttrace.analysis.chapters.comparison import By, PairRow, compare, ranking, require
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError

SETTING = {
    "task": "infer_reason", "kind": "reason", "judge": "j", "context": "history", "task_version": "1-A",
    "prompt_hash": "p", "prompt_file": "", "confidence": False, "rubric_hash": "r", "data": "d", "data_revision": "v",
    "data_content": "unknown", "subset": "", "subset_sha256": "", "subset_samples": 0,
    "package_version": "0", "inspect_version": "0",
    "epochs": 1, "planned": 60, "file": "x.eval", "baseline": False, "arm": "",
    "stands_for": "", "selection": "", "probes_hash": "", "probe_rubrics": {}, "judge_message": True,
    "probe_rubric_file": "", "answers_file": "", "person": False, "commit": "", "against": "",
    "effort": "", "generation": "", "solver": "", "context_words": "", "judge_configs": {}, "status": "success",
    "planned_replies": 60, "absent": [], "contributions": (), "judge_scale": "sampled",
}  # fmt: skip


def frame(rows: list[PairRow]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def make(model: str, ratings: np.ndarray, **other: object) -> Run:
    """A run of 60 samples by 12 users."""
    rows = pd.DataFrame({
        "id": [f"s{n}" for n in range(len(ratings))], "user": [f"u{n % 12}" for n in range(len(ratings))],
        "score": ratings, "epoch": 1, "reason": None,
        "ratings": [json.dumps({judge: [r] for judge in str(other.get("judge", "j")).split(", ")}) for r in ratings],
    })  # fmt: skip
    named = {"model": model, "evaluated": model, "control": ""}
    return Run(**{**SETTING, **named, "date": "2026-01-01", "rows": rows} | other)  # type: ignore[arg-type]


@pytest.fixture
def ratings() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 4, 60).astype(float)


def test_only_samples_that_both_scored_are_paired(ratings: np.ndarray) -> None:
    holes = ratings.copy()
    holes[:5] = np.nan
    a, b = make("a", ratings + 1), make("b", holes)
    b = replace(b, rows=b.rows.iloc[::-1].iloc[:-2])
    pairs, refused = compare([a, b])
    table = frame(pairs)
    assert table["n"].item() == 55
    assert table["difference"].item() == pytest.approx(1)
    assert (table["wins"].item(), table["ties"].item(), table["losses"].item()) == (55, 0, 0)
    assert refused == []


def test_ties_of_panel_means_are_those_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(5)
    epochs = 3
    votes = rng.integers(1, 4, size=(2, epochs, 60, 3, 2))  # of two models: epochs, samples, judges, repeats

    def panel(model: str, ratings: np.ndarray) -> Run:
        rows = [
            make(model, of_epoch.mean(axis=2).mean(axis=1)).rows.assign(epoch=epoch, similarity=np.nan)
            for epoch, of_epoch in enumerate(ratings, start=1)
        ]
        return replace(make(model, np.zeros(60)), rows=pd.concat(rows, ignore_index=True), epochs=epochs)

    (row,) = compare([panel("a", votes[0]), panel("b", votes[1])])[0]
    exact = votes[0].sum(axis=(0, 2, 3)) - votes[1].sum(axis=(0, 2, 3))  # in whole numbers
    wins = [int((exact > 0).sum()), int((exact == 0).sum()), int((exact < 0).sum())]
    assert [row.wins, row.ties, row.losses] == wins
    (same,) = compare([panel("a", votes[0]), panel("b", votes[0, ..., ::-1, :])])[0]
    assert (same.wins, same.ties, same.losses) == (0, 60, 0)
    assert np.isnan(same.d)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"judge": "k"}, "judge differs, and no judge rated both"),
        ({"prompt_hash": "q"}, "prompt differs"),
        ({"rubric_hash": "s"}, "rubric differs"),
        ({"judge_scale": "expected"}, "judge scale differs"),
        ({"data_revision": "w"}, "data revision differs"),
        ({"task_version": "2-A"}, "task version differs"),
        ({"context": "message", "judge": "k"}, "context and judge differ"),
    ],
)
def test_what_does_not_compare_is_refused_and_can_be_forced(
    ratings: np.ndarray, other: dict[str, str], named: str
) -> None:
    noise = np.random.default_rng(1).integers(0, 2, 60)
    runs = [make("a", ratings), make("b", ratings + noise, **other)]
    with pytest.raises(UserError, match=rf"Nothing to compare by model\. 1 pair not compared: {named}.*--force"):
        require(runs, "model", False)
    table = frame(require(runs, "model", True)[0])
    assert table["note"].item().startswith(f"forced: {named.partition(',')[0]}")
    assert table["n"].item() == 60


def test_an_interface_change_of_a_task_does_not_matter(ratings: np.ndarray) -> None:
    pairs, refused = compare([make("a", ratings), make("b", ratings + 1, task_version="1-B")])
    table = frame(pairs)
    assert (len(table), refused) == (1, [])


@pytest.mark.parametrize(("by", "field"), [("context", "context"), ("judge", "judge"), ("prompt", "prompt_hash")])
def test_other_things_than_models_compare(ratings: np.ndarray, by: By, field: str) -> None:
    runs = [make("a", ratings, **{field: name}) for name in ("x", "y")]
    table = frame(compare(runs, by)[0])
    assert (table["a"].item(), table["b"].item(), table["by"].item()) == ("x", "y", by)
    assert table["note"].item() == "no spread between users: no interval"


def test_nothing_in_common_is_said(ratings: np.ndarray) -> None:
    b = make("b", ratings)
    b = replace(b, rows=b.rows.assign(id="other"))
    with pytest.raises(UserError, match="1 pair not compared: no scored sample in common"):
        require([make("a", ratings), b], "model", False)
    with pytest.raises(UserError, match="There is only one run of each kind"):
        require([b, make("a", ratings, kind="reaction")], "model", True)


def test_ranks_show_ties_as_ties(ratings: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    runs = [
        make(name, ratings + shift + rng.normal(0, 0.3, 60))
        for name, shift in (("worst", 0), ("good", 1), ("also good", 1.01), ("best", 2))
    ]
    ranks = pd.DataFrame(ranking(compare(runs)[0])).set_index("name")[["best_rank", "worst_rank"]]
    assert list(ranks.index[[0, 3]]) == ["best", "worst"]
    assert ranks.loc["best"].tolist() == [1, 1]
    assert ranks.loc["good"].tolist() == ranks.loc["also good"].tolist() == [2, 3]
    assert ranks.loc["worst"].tolist() == [4, 4]


def test_the_family_of_holm_is_all_pairs_of_a_kind(ratings: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    runs = [make(name, ratings + rng.normal(shift, 1, 60)) for name, shift in (("a", 0), ("b", 0.3), ("c", 0.4))]
    alone = frame(compare(runs[:2])[0])
    table = frame(compare(runs)[0])
    assert alone["p_holm"].item() == alone["p_value"].item()
    assert (table["p_holm"] >= table["p_value"]).all()
    assert table["p_holm"].min() == pytest.approx(3 * table["p_value"].min())


def test_the_command_compares_logs(
    run_task: Callable[..., EvalLog], backdated: Callable[[EvalLog], EvalLog], tmp_path: Path
) -> None:
    for model in ("m1", "m2"):
        backdated(run_task(model=model, limit=12))
    run_task(model="m1", limit=12)
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "logs"), "-o", str(tmp_path / "pairs.csv")])
    assert done.exit_code == 0, done.output
    assert "Wins·ties·losses" in done.output
    assert "superseded by the newer run" in done.output
    assert pd.read_csv(tmp_path / "pairs.csv")["n"].item() <= 12
    by_date = CliRunner().invoke(main, ["compare", str(tmp_path / "logs"), "--by", "date"])
    assert by_date.exit_code == 0, by_date.output
    assert "2 pairs not compared: model differs." in by_date.output
    alone = CliRunner().invoke(main, ["compare", str(tmp_path / "logs"), "--by", "context"])
    assert alone.exit_code == 1
    assert "Error: Nothing to compare by context." in alone.output
