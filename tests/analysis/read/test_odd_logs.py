"""A log that says what no run of ours writes gives a sentence, or a run that holds; never a traceback."""

import copy
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog, read_eval_log, read_eval_log_sample_summaries, write_eval_log

from thoughttrace.analysis.chapters.example_samples import UNREADABLE
from thoughttrace.analysis.read.groupings import GROUPINGS
from thoughttrace.analysis.read.sample_rows import UnusableLogError
from thoughttrace.analysis.read.task_log import read_task_log
from thoughttrace.cli.main import main
from thoughttrace.core.cache_dir import cache_dir
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.thought_arms import read_inferences

NET = Path(__file__).parents[2] / "net/logs"
LOG = "infer/2026-11-25T10-24-16-00-00_infer-reason_YPX6NbzLb3PyG94SpY4PAV.eval"
ABSENT = "(absent)"
REMOVED = "Key removed from summary (> 1k)"

Content = dict[str, Any]
"""`header` and `summaries` of a log, as JSON."""


@pytest.fixture(scope="module")
def whole() -> Content:
    """The log, as it was written."""
    file = str(NET / LOG)
    header = read_eval_log(file, header_only=True).model_dump_json(exclude={"samples", "reductions"})
    summaries = [json.loads(summary.model_dump_json()) for summary in read_eval_log_sample_summaries(file)]
    return {"header": json.loads(header), "summaries": summaries}


@pytest.fixture
def changed(whole: Content, tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write the log with another value in one place, such as `summaries 0 metadata position`."""

    def write(place: str, value: Any) -> Path:
        content = copy.deepcopy(whole)
        part: Any = content
        *way, last = [int(step) if step.isdecimal() else step for step in place.split(" ")]
        for step in way:
            part = part[step]
        if value == ABSENT:
            del part[last]
        else:
            part[last] = value
        path = tmp_path / "changed.eval"
        with zipfile.ZipFile(path, "w") as log:
            for name, text in content.items():
                log.writestr(f"{name}.json", json.dumps(text))
        return path

    return write


def outcome(path: Path) -> str:
    """What is said of a log; nothing if it is read, and its rows can be grouped and counted."""
    try:
        runs = read_task_log(str(path))
    except UnusableLogError as error:
        return str(error)
    assert runs
    for run in runs:
        assert len(run.votes) == len(run.vote_counts) == len(run.rows)
        assert 0 <= run.rows["score"].count() / run.planned_replies <= 1
        for group in GROUPINGS.values():
            group(run.samples)
    return ""


HEADER, SAMPLE = "header eval", "summaries 0"
METADATA, SCORE = f"{SAMPLE} metadata", f"{SAMPLE} scores agreement"
RATINGS = f"{SCORE} metadata ratings"
JUDGE = "anthropic/claude-opus-4-6"


# Place, value, and what the sentence must hold; nothing where the log is read.
ODD: list[tuple[str, Any, str]] = [
    (f"{METADATA} position", 9, "position"),
    (f"{METADATA} position", -0.1, "position"),
    (f"{METADATA} position", "x", "position"),
    (f"{METADATA} position", float("nan"), "position"),
    (f"{METADATA} position", ABSENT, ""),  # older versions did not write it
    (f"{METADATA} message_index", "m01", "message_index"),
    (f"{METADATA} message_index", -1, "message_index"),
    (f"{METADATA} message_index", True, "message_index"),
    (f"{METADATA} message_index", ABSENT, "message_index"),
    (f"{METADATA} hindsight", "yes", "hindsight"),
    (f"{METADATA} hindsight", 1, "hindsight"),
    (f"{METADATA} type", ABSENT, ""),
    (f"{METADATA} type", ["task_motivation"], "type"),
    (f"{METADATA} kind", "message", "kind"),
    (f"{METADATA} user", ABSENT, "user"),
    (f"{METADATA} user", 804, "user"),
    (f"{METADATA} user", "", "user"),
    (f"{METADATA} conversation", None, "conversation"),
    (f"{METADATA} assistant_model", ["A"], "assistant_model"),
    (f"{METADATA} thoughts", "two", "thoughts"),
    (f"{METADATA} target_words", "many", "target_words"),
    (f"{METADATA} target_words", 10**30, "target_words"),
    (f"{METADATA} survey", "Female, 29", "survey"),
    (f"{METADATA} survey", REMOVED, ""),
    (f"{METADATA} survey age", "x", "age"),
    (f"{METADATA} survey frequency", 99999999999999999999, ""),  # a user's slip, not the log's fault
    (f"{METADATA} survey gender", 7, "gender"),
    (METADATA, {}, "user"),
    (METADATA, "x", "metadata"),
    (f"{SCORE} value", 7, "7"),
    (f"{SCORE} value", 0.5, "0.5"),
    (f"{SCORE} value", True, "value"),
    (f"{SCORE} value", "4", "value"),
    (f"{SCORE} value", [4], "value"),
    (f"{SCORE} value", {"rating": 4}, "value"),
    (f"{SCORE} value", float("inf"), "value"),
    (f"{SCORE} value", float("nan"), ""),
    (f"{SCORE} value", None, "value"),
    (f"{SCORE} answer", 5, "answer"),
    (f"{SCORE} answer", None, ""),
    (f"{SCORE} reason", "of another scorer", ""),
    (f"{SCORE} metadata", None, "ratings"),
    (f"{SCORE} metadata", {}, "ratings"),
    (f"{SCORE} metadata prompt_hash", 5, "hash"),
    (f"{SCORE} metadata votes", "none", "votes"),
    (f"{SCORE} metadata votes", REMOVED, ""),
    (RATINGS, ABSENT, "ratings"),
    (RATINGS, None, "ratings"),
    (RATINGS, {}, "ratings"),
    (RATINGS, 4, "ratings"),
    (RATINGS, "abc", "ratings"),
    (RATINGS, [4], "ratings"),
    (f"{RATINGS} {JUDGE}", 4, "ratings"),
    (f"{RATINGS} {JUDGE}", ["4"], "ratings"),
    (f"{RATINGS} {JUDGE}", [7], "7"),
    (f"{RATINGS} {JUDGE}", [0], "0"),
    (f"{RATINGS} {JUDGE}", [3.5], "ratings"),
    (f"{RATINGS} {JUDGE}", [True], "ratings"),
    (f"{RATINGS} {JUDGE}", [float("inf")], "ratings"),
    (f"{RATINGS} ", [4], "ratings"),  # a judge without a name
    (f"{SAMPLE} scores similarity value", "near", "similarity"),
    (f"{SAMPLE} scores similarity value", 2, "similarity"),
    (f"{SAMPLE} scores", None, ""),
    (f"{SAMPLE} scores", [], "scores"),
    (f"{SAMPLE} epoch", 7, "epoch"),
    (f"{SAMPLE} epoch", 0, "epoch"),
    (f"{SAMPLE} epoch", "x", "epoch"),
    (f"{SAMPLE} id", 5, ""),
    (f"{SAMPLE} target", 5, "target"),
    (f"{SAMPLE} model_usage", {"m": "much"}, "model_usage"),
    (SAMPLE, 5, "cannot be read"),
    ("summaries", {}, "cannot be read"),
    (f"{HEADER} metadata", None, ""),
    (f"{HEADER} metadata control", ["target"], "control"),
    (f"{HEADER} metadata kind", "message", "kind"),
    (f"{HEADER} metadata data_revision", 5, "data_revision"),
    (f"{HEADER} metadata max_context_words", "many", "max_context_words"),
    (f"{HEADER} metadata judge_message", "perhaps", "judge_message"),
    (f"{HEADER} task_args max_context_words", -3, "max_context_words"),
    (f"{HEADER} task", "infer_reason", ""),  # inspect eval tasks/infer_reason.py
    (f"{HEADER} task", "evil/infer_reason", "is of another task (evil/infer_reason)"),
    (f"{HEADER} created", "today", "created"),
    (f"{HEADER} config epochs", -1, "epochs"),
    (f"{HEADER} config epochs", 10**9, "epochs"),
    (f"{HEADER} config epochs", "x", "epochs"),
    (f"{HEADER} dataset sample_ids", None, ""),
    (f"{HEADER} dataset sample_ids", ["a", "a"], "names the sample a twice"),
    (f"{HEADER} model_roles", None, ""),
    ("header results", None, ""),
    ("header results total_samples", 10**9, "1,000,000,000"),
    ("header results total_samples", -1, "total_samples"),
    ("header status", "done", "status"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "says"), ODD)
def test_an_odd_value_gives_a_sentence_or_a_run(
    changed: Callable[[str, Any], Path], place: str, value: Any, says: str
) -> None:
    said = outcome(changed(place, value))
    assert (says in said) if says else not said, said
    assert "\n" not in said


def test_inferences_to_be_shown_are_read_as_strictly(changed: Callable[[str, Any], Path]) -> None:
    path = changed(f"{METADATA} message_index", "m01")
    with pytest.raises(UserError, match=r"changed\.eval: a log cannot be read \(ValidationError\)"):
        read_inferences([str(path)], "sha256:be1128862e01", None)


@pytest.fixture
def log(tmp_path: Path) -> EvalLog:
    """The log with its samples, to be written elsewhere."""
    log = read_eval_log(str(NET / LOG))
    log.location = str(tmp_path / "log.eval")
    return log


def damage(path: Path, sample: str) -> None:
    """Damage what a log holds of a sample; its header and summaries stay whole."""
    with zipfile.ZipFile(path) as log:
        member = log.getinfo(f"samples/{sample}_epoch_1.json")
    content = bytearray(path.read_bytes())
    begin = member.header_offset + 30 + len(member.filename.encode())
    content[begin + 10 : begin + member.compress_size] = bytes(member.compress_size - 10)
    path.write_bytes(content)


def test_the_votes_of_a_panel_too_large_for_the_summaries_are_read(log: EvalLog) -> None:
    assert log.samples
    first, second, *_ = log.samples
    for sample in (first, second):
        assert sample.scores
        sample.scores["agreement"].metadata |= {"ratings": {JUDGE: [1, None, *[4] * 400], "openai/gpt-5.4": [5]}}
    write_eval_log(log, log.location)
    summary = read_eval_log_sample_summaries(log.location)[0]
    assert summary.scores
    assert (summary.scores["agreement"].metadata or {})["ratings"] == REMOVED
    damage(Path(log.location), str(second.id))
    (run,) = read_task_log(log.location)
    rows = run.rows.set_index("id")
    place = rows.index.get_loc(first.id)
    assert run.votes[JUDGE].iloc[place] == pytest.approx((1 + 4 * 400) / 401)
    assert run.vote_counts.iloc[place].to_dict() == {JUDGE: 401, "openai/gpt-5.4": 1}
    assert run.missing == "1 cannot be read"
    assert rows["score"].isna()[second.id]


def test_a_log_that_only_a_rule_or_nobody_scored_is_named(log: EvalLog) -> None:
    for sample in log.samples or ():
        assert sample.scores
        score = sample.scores["agreement"]
        score.value, score.reason, score.metadata = float("nan"), "truncated", None
    write_eval_log(log, log.location)
    with pytest.raises(UnusableLogError, match=r"^holds no rating of a judge \(23 truncated\); run it again"):
        read_task_log(log.location)


def test_what_older_versions_let_pass_is_reported(log: EvalLog, tmp_path: Path) -> None:
    """A slip in a survey and an id with a control character, both in the data; and a disk that lost every text."""
    assert log.samples
    first, *others = log.samples
    first.id = f"{first.id}\0"
    first.metadata["survey"]["frequency"] = 99999999999999999999
    log.eval.dataset.sample_ids = [str(sample.id) for sample in log.samples]
    write_eval_log(log, log.location)
    for sample in others:
        damage(Path(log.location), str(sample.id))
    done = CliRunner().invoke(main, ["report", log.location, "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    shown = (tmp_path / "report/example_samples.csv").read_text(encoding="utf-8")
    assert shown.count(UNREADABLE) == shown.count("/reason") > 0
    (headline,) = pd.read_csv(tmp_path / "report/headline.csv").query("not published").to_dict("records")
    assert (headline["n"], headline["samples"]) == (23, 23)


def test_a_cache_of_other_columns_is_not_believed(log: EvalLog) -> None:
    write_eval_log(log, log.location)
    (run,) = read_task_log(log.location)
    (kept,) = (cache_dir() / "logs").iterdir()
    rows = pd.read_parquet(kept)
    for other in (rows.drop(columns="answer"), rows.rename(columns={"user": "person"}), rows.astype({"score": str})):
        other.to_parquet(kept)
        assert read_task_log(log.location) == [run]
        pd.testing.assert_frame_equal(read_task_log(log.location)[0].rows, run.rows)


def test_a_cache_that_cannot_be_written_costs_time_only(log: EvalLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("Python int too large to convert to C long")

    write_eval_log(log, log.location)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    assert len(read_task_log(log.location)) == 1
