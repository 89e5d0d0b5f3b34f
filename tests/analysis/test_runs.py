"""Which logs count, and what is said of the others."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.scorer import includes

from thoughttrace.analysis.runs import read_runs
from thoughttrace.datasets.errors import UserError

Run = Callable[..., EvalLog]


def test_the_newest_run_of_a_measurement_counts(run_task: Run, tmp_path: Path) -> None:
    older, newer = run_task(limit=3), run_task(limit=4)
    other = run_task(kind="reaction", limit=3)
    found = read_runs([str(tmp_path / "logs")])
    assert [run.log for run in found.counted] == [Path(log.location).name for log in (newer, other)]
    assert found.left_out == [f"{Path(older.location).name}: superseded by the newer run {Path(newer.location).name}."]


def test_a_run_names_what_made_it(run_task: Run, tmp_path: Path) -> None:
    log = run_task(limit=3)
    (run,) = read_runs([log.location]).counted
    assert (run.model, run.judge, run.context, run.task_version) == ("scripted/m", "scripted/j", "history", "1-A")
    assert (run.data, run.kind, run.self_judged) == ("data.jsonl", "reason", False)
    assert len(run.prompt_hash) == len(run.rubric_hash) == 12
    assert run.date[:2] == "20"


def test_what_cannot_count_is_named_and_the_rest_is_read(run_task: Run, tmp_path: Path) -> None:
    good = Path(run_task(limit=3).location)

    def fail(_: object) -> str:
        raise RuntimeError("the judge is down")

    failed = Path(run_task(limit=3, judge=fail).location)
    cut = good.with_name(f"0-{good.name}")
    cut.write_bytes(good.read_bytes()[:-300])
    empty = good.with_name(f"1-{good.name}")
    empty.write_bytes(b"")

    @task
    def something_else() -> Task:
        return Task(dataset=[Sample(input="x", target="y")], scorer=includes())

    (log,) = inspect_eval(something_else(), model="none/none", log_dir=str(good.parent), display="none")
    unscored = Path(run_task(limit=3, score=False).location)
    found = read_runs([str(good.parent)])
    assert [run.log for run in found.counted] == [good.name]
    said = dict(sentence.split(": ", 1) for sentence in found.left_out)
    assert said.pop(failed.name) == "did not finish (status error); resume it with inspect eval-retry."
    assert said.pop(cut.name).startswith("cannot be read (")
    assert said.pop(empty.name).startswith("cannot be read (")
    assert said.pop(Path(log.location).name).startswith("is of another task (")
    assert said.pop(unscored.name) == "holds no agreement scores; score it with inspect score."
    assert said == {}


def test_a_failed_sample_is_not_covered(run_task: Run, tmp_path: Path) -> None:
    calls = iter(range(100))

    def sometimes(_: object) -> str:
        if next(calls) == 1:
            raise RuntimeError("once")
        return '{"rationale": "x", "rating": 2}'

    log = run_task(limit=4, judge=sometimes, fail_on_error=False, max_samples=1)
    assert log.status == "success"
    (run,) = read_runs([log.location]).counted
    assert (run.planned, int(run.samples["agreement"].count())) == (4, 3)
    assert list(run.samples.loc[run.samples["agreement"].isna(), "reason"]) == ["error"]


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda path: None, "no such log file or folder"),
    (lambda path: path.mkdir(), "No finished inference run in"),
])  # fmt: skip
def test_no_logs_are_said(tmp_path: Path, make: Callable[[Path], None], sentence: str) -> None:
    make(tmp_path / "logs")
    with pytest.raises(UserError, match=sentence):
        read_runs([str(tmp_path / "logs")])
