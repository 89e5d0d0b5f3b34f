"""Lost votes: counts, bounds and corrected means equal a computation from what scripted judges were made to say."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import Model

from thoughttrace.analysis.chapters import judge_severity, lost_votes
from thoughttrace.analysis.chapters.headline import COLUMNS, headline
from thoughttrace.analysis.page.table import Table
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.tasks.infer_reason import infer_reason

EPOCHS, REPEATS = 2, 2
JUDGES = ("scripted/kind", "scripted/severe")


def rating(judge: str, number: int, repeat: int) -> int | None:
    """What a judge says of a guess by its number, None for no verdict."""
    if judge == "scripted/severe" and (number % 5 in {0, 1} or (number % 5 == 2 and repeat == 1)):
        return None
    if judge == "scripted/kind" and number % 9 == 0:
        return None
    merit = 2 + number % 3
    return merit + 1 if judge == "scripted/kind" else max(1, merit - repeat)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    make_conversation: Callable[..., dict[str, Any]],
    scripted: Callable[..., Model],
) -> Path:
    """Logs of two models, in epochs, judged twice by two judges; `lossy` has empty replies and loses many votes."""
    folder = tmp_path_factory.mktemp("lost")
    records = [make_conversation(f"user{n}", turns=2 + n % 3) for n in range(8)]
    data = folder / "data.jsonl"
    data.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")

    def judge(name: str, lossy: bool) -> Callable[[list[Any]], str]:
        asked: dict[int, int] = {}

        def rate(messages: list[Any]) -> str:
            number = int(messages[1].text.partition("guess ")[2].split()[0])
            if len(messages) == 2:  # not asked again after no verdict
                asked[number] = asked.get(number, -1) + 1
            said = (
                rating(name, number, asked[number])
                if lossy
                else rating(name, 45 * number + 3 + number % 2, asked[number])
            )
            return "no idea" if said is None else f'{{"rationale": "so", "rating": {said}}}'

        return rate

    for model in ("lossy", "steady"):
        numbers = iter(range(10_000))
        script = lambda _, numbers=numbers, model=model: (  # noqa: E731
            "" if (number := next(numbers)) % 7 == 6 and model == "lossy" else f"guess {number} so"
        )
        panel = [scripted(name.partition("/")[2], judge(name, model == "lossy")) for name in JUDGES]
        (log,) = inspect_eval(
            infer_reason(data=str(data), judge_repeats=REPEATS), model=scripted(model, script), epochs=EPOCHS,
            model_roles={"grader": panel}, log_dir=str(folder / "logs"), display="none", max_samples=1,
        )  # fmt: skip
        assert log.status == "success"
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Run]:
    return {run.evaluated: run for run in read_runs([str(folder / "logs")]).models}


@pytest.fixture(scope="module")
def truth(folder: Path) -> pd.DataFrame:
    """A row per planned vote on the replies of `lossy`, from the answers and what the judges were made to say."""
    rows = []
    for file in (folder / "logs").glob("*.eval"):
        log = read_eval_log(str(file))
        for sample in (log.samples or []) if log.eval.model == "scripted/lossy" else []:
            text = sample.output.completion
            for judge in JUDGES:
                for repeat in range(REPEATS):
                    said = rating(judge, int(text.split()[1]), repeat) if text else 1
                    rows.append((sample.id, sample.epoch, sample.metadata["user"], judge, repeat, said, not text))
    columns = ["id", "epoch", "user", "judge", "repeat", "rating", "by_rule"]
    return pd.DataFrame(rows, columns=columns).astype({"rating": float})


def score(votes: pd.DataFrame) -> pd.Series:
    """The scores of samples: means of epochs, of judges, of repeats."""
    replies = votes.groupby(["id", "epoch", "judge"])["rating"].mean().groupby(["id", "epoch"]).mean()
    return replies.groupby("id").mean()


def test_the_bounds_are_the_headline_with_every_lost_vote_a_1_or_a_5(runs: dict[str, Run], truth: pd.DataFrame) -> None:
    (row,) = headline([runs["scripted/lossy"]])
    assert row.mean == pytest.approx(score(truth).mean())
    for end in (1, 5):
        expected = score(truth.fillna({"rating": end})).mean()
        assert getattr(row, f"mean_if_missing_{end}") == pytest.approx(expected, abs=1e-12)
    assert row.mean_if_missing_1 < row.mean - 0.2
    planned = truth[~truth["by_rule"]]
    assert (row.votes, row.votes_lost) == (len(planned), planned["rating"].isna().sum())
    (steady,) = headline([runs["scripted/steady"]])
    assert steady.votes_lost == 0
    assert (steady.mean_if_missing_1, steady.mean_if_missing_5) == pytest.approx((steady.mean, steady.mean))


def test_replies_are_counted_in_one_unit_that_the_columns_name(runs: dict[str, Run], truth: pd.DataFrame) -> None:
    (row,) = headline([runs["scripted/lossy"]])
    replies = truth.groupby(["id", "epoch"])
    rated = replies["rating"].count() > 0
    assert (row.replies, row.replies_rated, row.n) == (len(rated), rated.sum(), truth["id"].nunique())
    assert row.replies_rated < row.replies
    assert row.coverage == rated.mean()
    assert row.refused_or_empty == replies["by_rule"].first().sum() > 0
    nearest = [row.rated_1, row.rated_2, row.rated_3, row.rated_4, row.rated_5]
    assert sum(filter(None, nearest)) == row.replies_rated
    table = Table([row], COLUMNS)
    cells = dict(zip((column.title for column in table.filled_columns), table.cells()[0], strict=True))
    assert cells["Replies rated"] == f"{row.replies_rated} of {row.replies}"
    assert cells["Votes lost"] == f"{row.votes_lost} of {row.votes}"
    assert cells["Replies missing"] == f"{row.replies - row.replies_rated} judge_unparsable"


def test_replies_that_are_not_in_the_log_count_in_the_bounds(runs: dict[str, Run], truth: pd.DataFrame) -> None:
    """A whole sample, one epoch of another; and where logs were joined, a sample that was planned for one epoch."""
    run = runs["scripted/lossy"]
    first, second, third = truth["id"].unique()[:3]
    for planned in ({}, {sample: 1 if sample == third else EPOCHS for sample in truth["id"].unique()}):
        lost = (run.rows["id"] == first) | (run.rows["id"].isin([second, third]) & (run.rows["epoch"] == 2))
        cut = replace(run, rows=run.rows[~lost], absent=[first], planned_epochs=planned)
        cut = replace(cut, planned_replies=sum(planned.values())) if planned else cut
        (row,) = headline([cut])
        gone = (truth["id"] == first) | ((truth["epoch"] == 2) & truth["id"].isin([second] + [third] * (not planned)))
        kept = truth[(truth["epoch"] == 1) | (truth["id"] != third)] if planned else truth
        for end in (1, 5):
            filled = kept.assign(rating=kept["rating"].mask(gone, np.nan).fillna(end))
            assert getattr(row, f"mean_if_missing_{end}") == pytest.approx(score(filled).mean(), abs=1e-12)
        gone = gone[kept.index]
        by_rule = kept["by_rule"] & ~gone
        assert row.votes == (~by_rule).sum()
        assert row.votes_lost == (~by_rule & (kept["rating"].isna() | gone)).sum()


def test_lost_votes_by_judge(runs: dict[str, Run], truth: pd.DataFrame) -> None:
    rows = {row.judge: row for row in lost_votes.lost_votes([runs["scripted/lossy"]])}
    planned = truth[~truth["by_rule"]]
    for judge, votes in planned.groupby("judge"):
        row, lost = rows[str(judge)], votes["rating"].isna().sum()
        assert (row.asked, row.lost, row.share) == (len(votes), lost, lost / len(votes))
    steady = runs["scripted/steady"]
    assert [row.lost for row in lost_votes.lost_votes([steady])] == [0, 0]
    assert lost_votes.unequal([steady]) == []
    of_judges, of_models = lost_votes.unequal([*runs.values()])
    kind, severe = (f"{100 * rows[judge].share:.1f} %" for judge in ("scripted/kind", "scripted/severe"))
    of_lossy = f"On reasons, the judges lost unequal shares of their votes on scripted/lossy ({kind} to {severe}):"
    assert of_lossy in of_judges
    assert f"by scripted/kind (0.0 % to {kind}), scripted/severe (0.0 % to {severe}):" in of_models


def test_the_means_without_the_loss(runs: dict[str, Run], truth: pd.DataFrame) -> None:
    run = runs["scripted/lossy"]
    (row,) = lost_votes.means([*runs.values()])
    of_judges = truth.groupby(["id", "epoch", "user", "judge", "by_rule"])["rating"].mean().unstack("judge")
    both = of_judges.dropna()
    replies = both.mean(axis=1)
    samples = replies.groupby(["id", "user"]).mean().reset_index()
    expected = cluster_mean(samples[0], samples["user"], bounds=(1, 5))
    assert (row.complete, row.complete_lower, row.complete_upper, row.complete_n) == pytest.approx(
        (expected.estimate, expected.lower, expected.upper, len(samples))
    )
    # Of two judges, the mean difference where both rated (and no rule), every sample once, is how far they are apart.
    apart = both[~both.index.get_level_values("by_rule")]
    of_sample = of_judges.dropna(how="all").groupby("id").size().loc[apart.index.get_level_values("id")]
    half = np.average(apart["scripted/kind"] - apart["scripted/severe"], weights=1 / of_sample.to_numpy()) / 2
    less = of_judges.assign(**{JUDGES[0]: of_judges[JUDGES[0]] - half, JUDGES[1]: of_judges[JUDGES[1]] + half})
    replies = less.mean(axis=1).where(~less.index.get_level_values("by_rule"), 1)
    assert row.centred == pytest.approx(replies.groupby("id").mean().mean())
    assert row.centred_lower < row.centred < row.centred_upper
    assert row.mean == pytest.approx(run.scored["score"].mean())
    assert row.mean - row.centred > 0.1


def test_the_differences_without_the_loss(runs: dict[str, Run]) -> None:
    lossy, steady = runs["scripted/lossy"], runs["scripted/steady"]
    (row,) = lost_votes.pairs([lossy, steady])
    a, b = lossy.scored["score"], steady.scored["score"]
    both = a.index.intersection(b.index)
    expected = paired_difference(a[both], b[both], lossy.scored["user"][both])
    assert (row.difference, row.lower, row.upper, row.n) == pytest.approx(
        (expected.estimate, expected.lower, expected.upper, len(both))
    )
    complete = lossy.votes.notna().all(axis=1) | lossy.rated_by_rule
    samples = lossy.rows[complete].groupby("id")["score"].mean()
    assert row.complete == pytest.approx((samples - b).dropna().mean())
    assert row.complete_n == len(samples)
    assert row.centred_lower < row.centred < row.centred_upper
    assert lost_votes.pairs([steady, replace(steady, model="other", evaluated="scripted/other")]) == []


def test_a_chapter_stands_where_votes_were_lost(runs: dict[str, Run], folder: Path) -> None:
    found = read_runs([str(folder / "logs")])
    chapter = lost_votes.chapter(Evidence(found))
    assert [section.name for section in chapter.filled] == ["lost_votes", "lost_votes_means", "lost_votes_pairs"]
    assert chapter.warnings
    found.counted[:] = [runs["scripted/steady"]]
    assert lost_votes.chapter(Evidence(found)).filled == []


def test_a_judge_without_any_vote_leaves_no_mean_less_severity(runs: dict[str, Run]) -> None:
    run = runs["scripted/lossy"]
    silent = run.rows["ratings"].str.replace(r'"scripted/severe": \[[^\]]*\]', '"scripted/severe": [null]', regex=True)
    (row,) = lost_votes.means([replace(run, rows=run.rows.assign(ratings=silent))])
    assert (np.isnan(row.centred), row.centred_note) == (True, "no vote of scripted/severe")


def test_a_models_vote_on_itself_has_no_part_in_severity(runs: dict[str, Run]) -> None:
    itself = replace(runs["scripted/lossy"], evaluated="scripted/kind")
    assert set(judge_severity.votes_of_others([itself])["judge"]) == {"scripted/severe"}
    assert set(judge_severity.votes_of_others([runs["scripted/lossy"]])["judge"]) == set(JUDGES)
