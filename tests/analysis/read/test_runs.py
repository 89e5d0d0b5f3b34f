"""Which logs count, and what is said of the others."""

import os
from collections.abc import Callable
from pathlib import Path

import boto3
import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import Task, score, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import Model
from inspect_ai.scorer import includes
from moto.server import ThreadedMotoServer

from thoughttrace.analysis.read import task_log
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.main import main
from thoughttrace.core import record
from thoughttrace.core.cache_dir import cache_dir
from thoughttrace.core.errors import UserError
from thoughttrace.core.log_files import log_files
from thoughttrace.scorers.labels import rating, type_match
from thoughttrace.scorers.message_similarity import message_similarity
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.rate_thought import rate_thought

Run = Callable[..., EvalLog]


def test_the_newest_run_of_a_measurement_counts(
    run_task: Run, backdated: Callable[[EvalLog], EvalLog], tmp_path: Path
) -> None:
    older, newer = backdated(run_task(limit=3)), run_task(limit=4)
    other = run_task(kind="reaction", limit=3)
    found = read_runs([str(tmp_path / "logs")])
    assert [run.log for run in found.counted] == [Path(log.location).name for log in (newer, other)]
    assert found.left_out == [f"{Path(older.location).name}: superseded by the newer run {Path(newer.location).name}."]


def test_a_run_names_what_made_it(run_task: Run, tmp_path: Path) -> None:
    log = run_task(limit=3)
    (run,) = read_runs([log.location]).counted
    assert (run.model, run.judge, run.context, run.task_version) == ("scripted/m", "scripted/j", "history", "3-A")
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


def test_runs_of_an_older_task_version_are_left_out(run_task: Run, tmp_path: Path) -> None:
    new, old, letter = (read_eval_log(run_task(model=model, limit=3).location) for model in ("m1", "m2", "m3"))
    for log, version in ((new, "4-A"), (letter, "4-B")):
        log.eval.task_version = version
        write_eval_log(log, log.location)
    found = read_runs([str(tmp_path / "logs")])
    assert [run.model for run in found.counted] == ["scripted/m1", "scripted/m3"]
    assert found.left_out == [
        f"{Path(old.location).name}: is of version 3-A of infer_reason; its numbers do not compare with those of "
        "version 4 in the same report. Run it again, or report it in a folder of its own."
    ]
    assert len(read_runs([str(tmp_path / "logs")], which="every").counted) == 3


def test_a_log_is_parsed_once_and_never_stale(run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    read = task_log._read

    def count(file: str) -> object:
        parsed.append(file)
        return read(file)

    monkeypatch.setattr(task_log, "_read", count)
    path = Path(run_task(limit=6).location)
    (first,), (again,) = (read_runs([str(path)]).counted for _ in range(2))
    assert len(parsed) == 1
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert first == again
    # Another content of the same length, with the same times: only the file's end tells.
    times = path.stat()
    log = read_eval_log(str(path))
    assert log.samples
    assert log.samples[0].scores
    log.samples[0].scores["agreement"].value = 5 if log.samples[0].scores["agreement"].value != 5 else 1
    write_eval_log(log, str(path))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (changed,) = read_runs([str(path)]).counted
    assert len(parsed) == 2
    assert changed.rows["score"].iloc[0] == log.samples[0].scores["agreement"].value
    # A cache that was cut off, or cannot be written, costs time and nothing else.
    (kept,) = (cache_dir() / "logs").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert read_runs([str(path)]).counted == [changed]
    assert len(parsed) == 3
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(path))
    assert read_runs([str(path)]).counted == [changed]


def test_logs_may_be_on_s3(run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(run_task(limit=4).location)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        store = boto3.client("s3")
        store.create_bucket(Bucket="thoughts")
        store.upload_file(str(path), "thoughts", f"runs/{path.name}")
        store.put_object(Bucket="thoughts", Key=f"runs/0-{path.name}", Body=path.read_bytes()[:-200])
        done = CliRunner().invoke(main, ["report", "s3://thoughts/runs", "-o", str(tmp_path / "report")])
        assert done.exit_code == 0, done.output
        assert f"Left out: 0-{path.name}: cannot be read (" in done.output.replace("\n", "")
        (remote,), (local,) = (read_runs([at]).counted for at in ("s3://thoughts/runs", str(path)))
        pd.testing.assert_frame_equal(remote.rows.drop(columns="file"), local.rows.drop(columns="file"))
        assert set(remote.rows["file"]) == {f"s3://thoughts/runs/{path.name}"}
        missing = CliRunner().invoke(main, ["report", "s3://nowhere/runs"])
        assert missing.exit_code == 1
        assert "Error: No finished run in s3://nowhere/runs. There is no log file there." in missing.output
    finally:
        server.stop()


def test_a_failed_sample_is_not_covered(run_task: Run, tmp_path: Path) -> None:
    calls = iter(range(100))

    def sometimes(_: object) -> str:
        if next(calls) == 1:
            raise RuntimeError("once")
        return '{"rationale": "x", "rating": 2}'

    log = run_task(limit=4, judge=sometimes, fail_on_error=False, max_samples=1)
    assert log.status == "success"
    (run,) = read_runs([log.location]).counted
    assert (run.planned, int(run.samples["score"].count())) == (4, 3)
    assert list(run.samples.loc[run.samples["score"].isna(), "reason"]) == ["error"]


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda path: None, "no such log file or folder"),
    (lambda path: path.mkdir(), r"No finished run in .*logs\. There is no log file there\."),
])  # fmt: skip
def test_no_logs_are_said(tmp_path: Path, make: Callable[[Path], None], sentence: str) -> None:
    make(tmp_path / "logs")
    with pytest.raises(UserError, match=sentence):
        read_runs([str(tmp_path / "logs")])


def test_every_task_s_logs_are_cached(label: Callable[..., object], tmp_path: Path) -> None:
    """Only the logs of inferences were: the others were opened up to six times a report."""
    label()
    first = read_runs([str(tmp_path / "labels")])
    assert {run.task for run in first.counted} == {
        record.RELATE.name, record.TOPIC.name, record.CLASSIFY.name, record.COVER.name, record.RATE.name,
    }  # fmt: skip
    assert len(list((cache_dir() / "logs").iterdir())) == 5
    opened: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_log, "_read", opened.append)
        again = read_runs([str(tmp_path / "labels")])
    assert opened == []
    assert again.counted == first.counted


@pytest.mark.parametrize("source", ["runs.py", "task_log.py", "costs.py"])
def test_another_reader_reads_anew(source: str) -> None:
    """The key left out modules of the reader, so figures of an older version stayed in the cache."""
    assert source in {path.name for path in task_log._SOURCES}
    assert {"record.py", "prices.py", "prices.yml"} <= {path.name for path in task_log._SOURCES}


def test_rescored_logs_of_every_scorer_are_read(
    label: Callable[..., object], predict: Callable[..., Path], scripted: Callable[..., Model], tmp_path: Path
) -> None:
    """Only the rescored logs of inferences were: message_similarity1, rating1 and type_match1 were ignored."""
    predict("m", "none", tmp_path / "labels", lambda _: '{"rationale": "x", "rating": 20}')
    label(rate_thought, classify_thought)
    second = scripted("k", lambda _: '{"rationale": "y", "rating": 80}')
    scorers = {"predict_message": message_similarity(), "rate_thought": rating(), "classify_thought": type_match()}
    for file in log_files([str(tmp_path / "labels")]):
        log = read_eval_log(file)
        scorer = scorers[log.eval.task.rpartition("/")[2]]
        write_eval_log(score(log, scorer, action="append", model_roles={"grader": second}), file)
    runs = read_runs([str(tmp_path / "labels")])
    assert [(run.judge, *set(run.rows["score_name"]), *set(run.rows["score"])) for run in runs.of(record.PREDICT)] == [
        ("scripted/j", "message_similarity", 20.0),
        ("scripted/k", "message_similarity1", 80.0),
    ]
    # Without a judge the later score is of the same measurement, and counts.
    unjudged = runs.of(record.RATE, record.CLASSIFY)
    assert [part.score_name for run in unjudged for part in run.contributions] == ["type_match1", "rating1"]
    assert sum("is superseded by the newer" in sentence for sentence in runs.left_out) == 2
