"""People's ratings, joined to runs whose every inference is known."""

from collections.abc import Callable
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
import pytest
from inspect_ai.log import EvalLog
from statsmodels.stats.inter_rater import cohens_kappa

from thoughttrace.analysis.chapters import raters
from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.chapters.human_ratings import chapter, confusion, human, join, needed, unmatched
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.human_ratings import Rating, append, inferences, read_ratings
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.ppi import corrected_mean, human_ratings_needed
from thoughttrace.core.errors import UserError

Runner = Callable[..., EvalLog]


def given(run: Run, rater: str, part: slice, seed: int = 0) -> list[Rating]:
    """Ratings by hand of some samples of a run: near the judge's, most of the time."""
    rng = np.random.default_rng(seed)
    rows = inferences(run).iloc[part]
    return [
        Rating(
            rater=rater, kind=kind_of(run), id=row["id"], model=run.model, epoch=row["epoch"],
            inference=row["inference"],
            rating=int(np.clip(row["score"] + rng.integers(-1, 2), 1, 5)),  # type: ignore[arg-type]
            time="2026-01-01T00:00:00Z",
        )
        for _, row in rows.iterrows()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def log(run_in_module: Runner) -> EvalLog:
    return run_in_module(model="a")


@pytest.fixture
def run(log: EvalLog) -> Run:
    return read_runs([log.location]).counted[0]


@pytest.fixture
def two_raters(run: Run, tmp_path: Path) -> pd.DataFrame:
    """Two files: ann rated 30 inferences, bob 20, of which 10 are the same."""
    append(tmp_path / "ann.jsonl", given(run, "ann", slice(0, 30)))
    append(tmp_path / "bob.jsonl", given(run, "bob", slice(20, 40), seed=1))
    return read_ratings([tmp_path / "ann.jsonl", tmp_path / "bob.jsonl"])


def test_alpha_and_kappa_are_those_of_other_packages(run: Run, two_raters: pd.DataFrame) -> None:
    joined = join([run], two_raters)
    (row,) = human([run], joined)
    assert (row.ratings, row.raters, row.rated) == (50, 2, 40)
    pairs = joined[["human", "score"]].to_numpy().T
    expected = krippendorff.alpha(pairs, value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert row.alpha == pytest.approx(expected, rel=1e-9)
    assert row.alpha_lower < row.alpha < row.alpha_upper
    counts = pd.DataFrame(confusion([run], joined))[[f"judged_{n}" for n in range(1, 6)]].to_numpy()
    assert counts.sum() == 50
    assert row.kappa == pytest.approx(cohens_kappa(counts, wt="quadratic").kappa, rel=1e-9)
    wide = joined.pivot_table(index="id", columns="rater", values="human").to_numpy().T
    humans = krippendorff.alpha(wide, value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert row.alpha_humans == pytest.approx(humans, rel=1e-9)
    assert row.alpha_humans_n == 10


def test_the_mean_is_corrected_by_the_mean_of_the_raters(run: Run, two_raters: pd.DataFrame) -> None:
    (row,) = human([run], join([run], two_raters))
    people = two_raters.groupby("id")["rating"].mean().reindex(run.scored.index)
    found = corrected_mean(run.scored["score"], people, run.scored["user"])
    assert (row.mean, row.lower, row.upper) == (found.estimate, found.lower, found.upper)
    assert (row.n, row.users) == (len(run.scored), run.scored["user"].nunique())
    assert row.judge_mean == run.scored["score"].mean()
    assert row.human_mean == people.mean()


def cells(section: Section) -> list[dict[str, str]]:
    """The cells by the titles of their columns."""
    titles = [column.title for column in section.table.filled_columns]
    return [dict(zip(titles, row, strict=True)) for row in section.table.cells()]


def test_rows_are_what_people_read(run: Run, two_raters: pd.DataFrame) -> None:
    people, _, confused = chapter(Evidence(Runs([run]), ratings=two_raters)).filled
    (row,), (shown,) = people.rows, cells(people)
    assert shown["Human ratings"] == "50"
    assert shown["Corrected mean"] == f"{row.mean:.2f}"
    assert shown["Alpha, human–judge"].startswith(f"{row.alpha:.2f} (".replace("-", "−"))
    assert people.note.endswith("jackknife of users.")
    assert [row["Human"] for row in cells(confused)] == ["1", "2", "3", "4", "5"]
    assert list(cells(confused)[0])[-5:] == ["Judge 1", "Judge 2", "Judge 3", "Judge 4", "Judge 5"]


def test_one_rater_has_nobody_to_agree_with(run: Run, tmp_path: Path) -> None:
    append(tmp_path / "r.jsonl", given(run, "ann", slice(0, 5)))
    section = chapter(Evidence(Runs([run]), ratings=read_ratings([tmp_path / "r.jsonl"]))).filled[0]
    assert np.isnan(section.rows[0].alpha_humans)
    assert "Alpha, humans" not in cells(section)[0]


def test_a_rating_counts_for_every_model_that_wrote_the_same(run_task: Runner, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run_task(model="a", folder=folder)
    runs = [read_runs([str(tmp_path / folder)]).counted[0] for folder in ("one", "two")]
    append(tmp_path / "r.jsonl", given(runs[0], "ann", slice(0, 7)))
    joined = join(runs, read_ratings([tmp_path / "r.jsonl"]))
    assert joined.groupby("run").size().tolist() == [7, 7]


def test_ratings_of_another_inference_are_counted(run: Run, tmp_path: Path) -> None:
    other = [rating.model_copy(update={"inference": "0" * 12}) for rating in given(run, "ann", slice(0, 3))]
    append(tmp_path / "r.jsonl", other)
    with pytest.raises(UserError, match="None of the 3 human ratings"):
        join([run], read_ratings([tmp_path / "r.jsonl"]))
    append(tmp_path / "r.jsonl", given(run, "ann", slice(3, 5)))
    ratings = read_ratings([tmp_path / "r.jsonl"])
    missing = "3 of 5 human ratings are of inferences that these runs do not hold."
    assert unmatched(ratings, join([run], ratings)) == missing
    assert chapter(Evidence(Runs([run]), ratings=ratings)).filled[0].note.endswith(f"jackknife of users. {missing}")
    assert human([run], join([run], ratings.iloc[:0])) == []


def test_the_ratings_needed_are_those_of_the_pilot(run: Run, two_raters: pd.DataFrame) -> None:
    rows = needed([run], join([run], two_raters))
    people = two_raters.groupby("id")["rating"].mean().reindex(run.scored.index)
    assert [row.half_width for row in rows] == [0.2, 0.15, 0.1, 0.05]
    for row in rows:
        if row.samples is None:
            assert "ot even human ratings of all" in row.note
        else:
            expected = human_ratings_needed(run.scored["score"], people, run.scored["user"], row.half_width)
            assert (row.samples, row.note) == (expected, "")


def test_the_chapter_s_tables_hold_every_digit(run: Run, two_raters: pd.DataFrame, tmp_path: Path) -> None:
    made = chapter(Evidence(Runs([run]), ratings=two_raters))
    assert [section.name for section in made.filled] == [
        "human_ratings", "human_ratings_needed", "human_ratings_confusion",
    ]  # fmt: skip
    for section in made.filled:
        section.table.to_csv(tmp_path / f"{section.name}.csv")
    (expected,) = human([run], join([run], two_raters))
    table = pd.read_csv(tmp_path / "human_ratings.csv").iloc[0]
    assert (table["mean"], table["alpha"]) == pytest.approx((expected.mean, expected.alpha), rel=1e-9)
    counts = pd.read_csv(tmp_path / "human_ratings_confusion.csv")
    assert counts[[f"judged_{n}" for n in range(1, 6)]].to_numpy().sum() == 50


def test_without_ratings_there_is_no_chapter(run: Run) -> None:
    made = chapter(Evidence(Runs([run])))
    assert (made.filled, made.intro) == ([], "")


def test_the_people_who_rated_go_by_name_only_where_texts_may_be_quoted(run: Run, two_raters: pd.DataFrame) -> None:
    def names(texts: bool) -> list[str]:
        (_, section) = raters.chapter(Evidence(Runs([run]), two_raters, texts=texts)).sections
        return [row.rater for row in section.rows]

    assert names(texts=True) == ["ann", "bob"]
    assert names(texts=False) == ["rater 1", "rater 2"]
    of_other_data = two_raters.assign(id="elsewhere")
    assert raters.chapter(Evidence(Runs([run]), of_other_data)).filled == []
