"""People's ratings, joined to runs whose every inference is known."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog
from statsmodels.stats.inter_rater import cohens_kappa

from thoughttrace.analysis.human import confusion, confusion_rows, human, human_rows, labels, left_out
from thoughttrace.analysis.read.human_ratings import Rating, append, inference_hash, inferences, read_ratings
from thoughttrace.analysis.runs import Run, read_runs
from thoughttrace.analysis.stats.ppi import corrected_mean, labels_needed
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError

Runner = Callable[..., EvalLog]


def given(run: Run, rater: str, part: slice, seed: int = 0) -> list[Rating]:
    """Ratings by hand of some samples of a run: near the judge's, most of the time."""
    rng = np.random.default_rng(seed)
    rows = inferences(run).iloc[part]
    return [
        Rating(
            rater=rater, kind=run.kind, id=row["id"], model=run.model, epoch=row["epoch"], inference=row["inference"],
            rating=int(np.clip(row["agreement"] + rng.integers(-1, 2), 1, 5)),  # type: ignore[arg-type]
            time="2026-01-01T00:00:00Z",
        )
        for _, row in rows.iterrows()
    ]  # fmt: skip


@pytest.fixture
def run(run_task: Runner, tmp_path: Path) -> Run:
    run_task(model="a")
    return read_runs([str(tmp_path / "logs")]).counted[0]


@pytest.fixture
def two_raters(run: Run, tmp_path: Path) -> pd.DataFrame:
    """Two files: ann rated 30 inferences, bob 20, of which 10 are the same."""
    append(tmp_path / "ann.jsonl", given(run, "ann", slice(0, 30)))
    append(tmp_path / "bob.jsonl", given(run, "bob", slice(20, 40), seed=1))
    return read_ratings([tmp_path / "ann.jsonl", tmp_path / "bob.jsonl"])


def test_alpha_and_kappa_are_those_of_other_packages(run: Run, two_raters: pd.DataFrame) -> None:
    joined = labels([run], two_raters)
    row = human([run], joined).iloc[0]
    assert (row["labels"], row["raters"], row["rated"]) == (50, 2, 40)
    pairs = joined[["human", "agreement"]].to_numpy().T
    expected = krippendorff.alpha(pairs, value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert row["alpha"] == pytest.approx(expected, rel=1e-9)
    assert row["alpha_lower"] < row["alpha"] < row["alpha_upper"]
    counts = confusion(joined)[[f"judged_{n}" for n in range(1, 6)]].to_numpy()
    assert counts.sum() == 50
    assert row["kappa"] == pytest.approx(cohens_kappa(counts, wt="quadratic").kappa, rel=1e-9)
    wide = joined.pivot_table(index="id", columns="rater", values="human").to_numpy().T
    humans = krippendorff.alpha(wide, value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert row["alpha_humans"] == pytest.approx(humans, rel=1e-9)


def test_the_mean_is_corrected_by_the_mean_of_the_raters(run: Run, two_raters: pd.DataFrame) -> None:
    row = human([run], labels([run], two_raters)).iloc[0]
    people = two_raters.groupby("id")["rating"].mean().reindex(run.scored.index)
    found = corrected_mean(run.scored["agreement"], people, run.scored["user"])
    assert (row["mean"], row["lower"], row["upper"]) == (found.estimate, found.lower, found.upper)
    assert (row["n"], row["users"]) == (len(run.scored), run.scored["user"].nunique())
    assert row["judge_mean"] == run.scored["agreement"].mean()
    assert row["human_mean"] == people.mean()


def test_rows_are_what_people_read(run: Run, two_raters: pd.DataFrame) -> None:
    joined = labels([run], two_raters)
    table = human([run], joined)
    (row,) = human_rows(table)
    assert row["Human ratings"] == "50"
    assert row["Corrected mean"] == f"{table.iloc[0]['mean']:.2f}"
    assert row["Alpha, human–judge"].startswith(f"{table.iloc[0]['alpha']:.2f} (")
    counted = confusion_rows(confusion(joined))
    assert [row["Human"] for row in counted] == ["1", "2", "3", "4", "5"]
    assert list(counted[0])[-5:] == ["Judge 1", "Judge 2", "Judge 3", "Judge 4", "Judge 5"]


def test_one_rater_has_nobody_to_agree_with(run: Run, tmp_path: Path) -> None:
    append(tmp_path / "r.jsonl", given(run, "ann", slice(0, 5)))
    table = human([run], labels([run], read_ratings([tmp_path / "r.jsonl"])))
    assert np.isnan(table.iloc[0]["alpha_humans"])
    assert human_rows(table)[0]["Alpha, humans"] == ""


def test_a_rating_counts_for_every_model_that_wrote_the_same(run_task: Runner, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run_task(model="a", folder=folder)
    runs = [read_runs([str(tmp_path / folder)]).counted[0] for folder in ("one", "two")]
    append(tmp_path / "r.jsonl", given(runs[0], "ann", slice(0, 7)))
    joined = labels(runs, read_ratings([tmp_path / "r.jsonl"]))
    assert joined.groupby("run").size().tolist() == [7, 7]


def test_ratings_of_another_inference_are_told(run: Run, tmp_path: Path) -> None:
    other = [rating.model_copy(update={"inference": "0" * 12}) for rating in given(run, "ann", slice(0, 3))]
    append(tmp_path / "r.jsonl", other)
    with pytest.raises(UserError, match="None of the 3 human ratings"):
        labels([run], read_ratings([tmp_path / "r.jsonl"]))
    append(tmp_path / "r.jsonl", given(run, "ann", slice(3, 5)))
    ratings = read_ratings([tmp_path / "r.jsonl"])
    assert left_out(ratings, labels([run], ratings)) == [
        "3 of 5 human ratings are of inferences that are in none of these runs."
    ]
    assert human([run], labels([run], ratings.iloc[:0])).empty


def test_the_latest_rating_counts_and_may_be_taken_back(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    first, second = given(run, "ann", slice(0, 2))
    append(file, [first.model_copy(update={"rating": 1}), first.model_copy(update={"rating": 4}), second])
    append(file, [second.model_copy(update={"rating": None})])
    assert read_ratings([file])["rating"].tolist() == [4]


def test_a_line_cut_by_a_kill_costs_no_rating_before_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    first, second, third = given(run, "ann", slice(0, 3))
    append(file, [first, second])
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert len(read_ratings([file])) == 1
    append(file, [third])
    assert read_ratings([file])["id"].tolist() == [first.id, third.id]
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("line", "why"),
    [("{", "Invalid JSON"), ('{"rater": "a"}', "kind: Field required"), ("", "Invalid JSON")],
)
def test_a_line_that_is_no_rating_is_named(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "r.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=f"r.jsonl, line 1: is no rating .*{why}"):
        read_ratings([tmp_path / "r.jsonl"])
    with pytest.raises(UserError, match="cannot be read"):
        read_ratings([tmp_path / "absent.jsonl"])


def test_a_rating_is_one_to_five(run: Run, tmp_path: Path) -> None:
    record: dict[str, Any] = given(run, "ann", slice(0, 1))[0].model_dump() | {"rating": 6}
    (tmp_path / "r.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(UserError, match="line 1: is no rating"):
        read_ratings([tmp_path / "r.jsonl"])


@pytest.mark.parametrize("model", ["b" * 1500, "b " * 700 + "b", "b..."])
def test_inferences_that_a_summary_cuts_are_read_whole(run_task: Runner, tmp_path: Path, model: str) -> None:
    run_task(model=model, limit=2)  # its inferences name it
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    assert set(inferences(run)["inference"]) == {inference_hash(f"guess of {model}")}


def test_spaces_and_line_breaks_do_not_make_another_inference() -> None:
    assert inference_hash("so  it\nis ") == inference_hash("so it is") != inference_hash("so is it")


def test_the_report_holds_what_people_say(run: Run, two_raters: pd.DataFrame, tmp_path: Path) -> None:
    files = [word for name in ("ann", "bob") for word in ("--ratings", str(tmp_path / f"{name}.jsonl"))]
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report"), *files])
    assert done.exit_code == 0, done.output
    expected = human([run], labels([run], two_raters)).iloc[0]
    table = pd.read_csv(tmp_path / "report/human.csv").squeeze()
    assert (table["mean"], table["alpha"]) == pytest.approx((expected["mean"], expected["alpha"]), rel=1e-9)
    page = (tmp_path / "report/index.html").read_text()
    assert '<h2 id="people">Human ratings</h2>' in page
    assert f"<td>{expected['mean']:.2f}</td>" in re.sub(r"<td[^>]*>", "<td>", page)
    counts = pd.read_csv(tmp_path / "report/confusion.csv")
    assert counts[[f"judged_{n}" for n in range(1, 6)]].to_numpy().sum() == 50
    needed = pd.read_csv(tmp_path / "report/needed.csv").set_index("half_width")
    people = two_raters.groupby("id")["rating"].mean().reindex(run.scored.index)
    for half_width, row in needed.iterrows():
        if pd.notna(row["samples"]):
            told = labels_needed(run.scored["agreement"], people, run.scored["user"], float(str(half_width)))
            assert row["samples"] == told
        else:
            assert "Not even human ratings of all" in row["note"]


def test_without_ratings_the_report_has_no_such_section(run: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert 'id="people"' not in (tmp_path / "report/index.html").read_text()
