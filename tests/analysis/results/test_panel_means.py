"""The means by each set of a panel's judges, which two systems are compared by."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.results.gather import gather
from thoughttrace.core.result import KindResult
from thoughttrace.protocols.protocol import read_protocol


def panel_run(root: Path) -> Run:
    """A run that three other models judged."""
    runs = read_runs([str(root / "tests/net/logs/panel")])
    return next(run for run in runs.models if run.kind == "reason" and len(run.other_judges) == 3)


def without_votes(run: Run, judge: str, replies: int) -> Run:
    """Take a judge's votes on the first replies away, as if it had returned junk."""
    recorded = [
        row | {judge: [None] * len(row[judge])} if number < replies and judge in row else row
        for number, row in enumerate(run.recorded_votes)
    ]
    return replace(run, rows=run.rows.assign(ratings=[json.dumps(row) for row in recorded]))


def kind_result(run: Run) -> KindResult:
    (found,) = gather(Evidence(Runs([run])), read_protocol("infer-v1"))
    assert found.reason
    return found.reason


def test_of_a_panel_there_is_a_mean_by_each_set_of_judges(root: Path) -> None:
    runs = read_runs([str(root / "tests/net/logs/panel")])
    found = {
        (result.system.name, kind): part
        for result in gather(Evidence(runs), read_protocol("infer-v1"))
        for kind, part in result.kinds.items()
    }
    panels = {3: 7, 1: 0}  # one model was judged by nobody but itself
    for run in runs.inferences:
        part = found[run.model if run.control else run.evaluated, run.kind]
        assert len(part.by_judges) == panels[len(run.judges)]
        assert part.self_judged == (len(run.judges) == 1)
        for panel in part.by_judges:
            ratings = run.ratings_of(panel.judges).dropna().mean(axis=1)
            assert panel.mean.value == pytest.approx(ratings.mean())
            assert panel.judges == sorted(panel.judges)
    assert len(found) == len(runs.inferences) == 14


def test_a_judge_whose_every_vote_was_lost_is_in_no_mean_by_judges(root: Path) -> None:
    run = panel_run(root)
    first, second, lost = run.other_judges
    part = kind_result(without_votes(run, lost, len(run.rows)))
    assert [panel.judges for panel in part.by_judges] == [[first], [second], [first, second]]
    judges = {judge.name: judge for judge in part.judges}
    assert judges[lost].votes_lost == judges[lost].votes_asked > 0
    assert f"{lost} {judges[lost].votes_lost} of {judges[lost].votes_asked} votes" in part.lost_votes
    assert not part.self_judged


def test_a_mean_by_judges_is_over_the_replies_that_all_of_them_rated(root: Path) -> None:
    """Where a rule rated, its rating stands for all; a sample's rating is the mean over its epochs."""
    run = panel_run(root)
    first, _, lossy = run.other_judges
    changed = without_votes(run, lossy, 3)
    of_samples: dict[str, list[float]] = {}
    for row, votes, by_rule in zip(run.rows.itertuples(), changed.recorded_votes, changed.rated_by_rule, strict=True):
        valid = [[vote for vote in votes.get(judge, []) if vote] for judge in (first, lossy)]
        rating = row.score if by_rule else fmean(map(fmean, valid)) if all(valid) else None
        if rating is not None:
            of_samples.setdefault(str(row.id), []).append(float(rating))  # type: ignore[arg-type]
    part = kind_result(changed)
    (panel,) = [panel for panel in part.by_judges if panel.judges == sorted((first, lossy))]
    assert (panel.replies, panel.samples) == (sum(map(len, of_samples.values())), len(of_samples))
    assert panel.replies < part.replies_rated
    assert panel.mean.value == pytest.approx(fmean(map(fmean, of_samples.values())))
