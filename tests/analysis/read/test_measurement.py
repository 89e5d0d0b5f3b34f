"""Which logs are joined, which stand apart, and what the page says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import Model
from inspect_ai.solver import chain_of_thought, generate

from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.cli.main import main
from thoughttrace.tasks.infer_reason import infer_reason

Evaluate = Callable[..., EvalLog]


@pytest.fixture
def data(tmp_path: Path, make_conversation: Callable[..., dict[str, Any]]) -> str:
    """Five users with 20 reasons, the odd ones of another type."""
    records = [make_conversation(f"user{n}", turns=4) for n in range(5)]
    for record in records:
        for message in record["messages"][::4]:
            message["reasons"][0]["label"] = "style_expectation"
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.fixture
def evaluate(data: str, tmp_path: Path, scripted: Callable[..., Model]) -> Evaluate:
    """Run `infer_reason` on a day of its own, with one rating for all samples."""

    def evaluate(
        day: int,
        rating: int,
        arguments: dict[str, Any] | None = None,
        judge: Any = None,
        **options: Any,
    ) -> EvalLog:
        verdict = json.dumps({"rationale": "x", "rating": rating})
        grader = scripted("j", judge or (lambda _: verdict))
        (log,) = inspect_eval(
            infer_reason(data=data, **(arguments or {})), model=scripted("m", lambda _: "I guess"),
            model_roles={"grader": grader}, log_dir=str(tmp_path / "logs"), display="none", **options,
        )  # fmt: skip
        log = read_eval_log(log.location)
        log.eval.created = f"2026-01-{day:02}T00:00:00+00:00"
        write_eval_log(log, log.location)
        return log

    return evaluate


def read(tmp_path: Path, **options: Any) -> Runs:
    return read_runs([str(tmp_path / "logs")], **options)


def counted(run: Run) -> list[tuple[int, int]]:
    """Of each log, how many replies count and how many it has."""
    return [(part.counted, part.replies) for part in run.contributions]


def test_halves_are_joined(evaluate: Evaluate, tmp_path: Path) -> None:
    evaluate(1, 2, limit=(0, 12))
    evaluate(2, 4, limit=(12, 20))
    (run,) = read(tmp_path).counted
    assert (run.planned, len(run.scored), run.scored["score"].mean()) == (20, 20, (12 * 2 + 8 * 4) / 20)
    assert counted(run) == [(12, 12), (8, 8)]
    assert run.missing == ""


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_smoke_run_never_hides_a_larger_one(evaluate: Evaluate, tmp_path: Path, order: tuple[int, int]) -> None:
    full, smoke = order
    evaluate(full, 2)
    evaluate(smoke, 5, limit=3)
    runs = read(tmp_path)
    (run,) = runs.counted
    newest = [2] * 17 + [5] * 3 if smoke > full else [2] * 20
    assert sorted(run.scored["score"]) == newest
    assert len(runs.left_out) == (0 if smoke > full else 1)
    (only,) = read(tmp_path, which="newest").counted
    assert len(only.scored) == (3 if smoke > full else 20)


def test_a_type_filter_and_a_choice_of_users_choose_samples_only(evaluate: Evaluate, tmp_path: Path) -> None:
    evaluate(1, 2)
    evaluate(2, 4, {"types": "style_expectation"})
    evaluate(3, 5, {"users": 1})
    (run,) = read(tmp_path).counted
    scores = run.scored["score"].value_counts().to_dict()
    assert scores == {2.0: 8, 4.0: 8, 5.0: 4}
    assert counted(run) == [(8, 20), (8, 10), (4, 4)]


def test_a_retry_fills_what_was_lost(evaluate: Evaluate, tmp_path: Path) -> None:
    def loses_half(messages: list[Any]) -> str:
        lost = any(question in messages[1].text for question in ("question 1", "question 2"))
        return "no idea" if lost else '{"rationale": "x", "rating": 1}'

    evaluate(1, 0, judge=loses_half)
    (before,) = read(tmp_path).counted
    lost = before.planned - len(before.scored)
    assert lost == 10
    evaluate(2, 3, limit=12)
    (run,) = read(tmp_path).counted
    assert len(run.scored) > len(before.scored)
    # A reply without a rating does not displace a rating.
    evaluate(3, 0, judge=lambda _: "no idea")
    (again,) = read(tmp_path).counted
    pd.testing.assert_series_equal(again.scored["score"], run.scored["score"])


def test_epochs_add_up(evaluate: Evaluate, tmp_path: Path) -> None:
    evaluate(1, 2, limit=8)
    evaluate(2, 4, limit=4, epochs=2)
    (run,) = read(tmp_path).counted
    assert (run.epochs, run.planned, run.planned_replies, len(run.rows)) == (2, 8, 12, 12)
    assert run.scored["score"].value_counts().to_dict() == {4.0: 4, 2.0: 4}


APART: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "effort": ({}, {"reasoning_effort": "high"}, "effort high", "effort default"),
    "tokens": ({}, {"reasoning_tokens": 8_000}, "effort 8,000 tokens", "effort default"),
    "temperature": ({}, {"temperature": 0.5}, "temperature 0.5", "default generation"),
    "solver": ({}, {"solver": [chain_of_thought(), generate()]}, "solver chain_of_thought()", "solver of the task"),
    "words": ({"max_context_words": 5}, {}, "5 words of context", "the whole context"),
}


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("days", [(1, 2), (2, 1)])
def test_another_setting_stands_apart_and_is_named(
    evaluate: Evaluate, tmp_path: Path, name: str, days: tuple[int, int]
) -> None:
    arguments, options, changed, plain = APART[name]
    evaluate(days[0], 2)
    evaluate(days[1], 4, arguments, limit=3, **options)
    runs = read(tmp_path)
    assert {(run.name, len(run.scored)) for run in runs.counted} == {
        (f"scripted/m ({plain})", 20), (f"scripted/m ({changed})", 3),
    }  # fmt: skip
    assert runs.left_out == []


@pytest.mark.parametrize("limits", [{"max_connections": 1}, {"seed": 7}, {"timeout": 60}])
def test_what_changes_no_answer_does_not_keep_runs_apart(
    evaluate: Evaluate, tmp_path: Path, limits: dict[str, Any]
) -> None:
    evaluate(1, 2, limit=4)
    evaluate(2, 4, limit=2, **limits)
    (run,) = read(tmp_path).counted
    assert run.name == "scripted/m"
    assert counted(run) == [(2, 4), (2, 2)]


def test_a_judge_with_another_effort_is_another_judge(
    evaluate: Evaluate, tmp_path: Path, scripted: Callable[..., Model]
) -> None:
    log = evaluate(1, 2, limit=4)
    evaluate(2, 4, limit=4)
    log.eval.model_roles["grader"].config.reasoning_effort = "high"
    write_eval_log(log, log.location)
    runs = read(tmp_path).counted
    assert {run.name for run in runs} == {"scripted/m (judge scripted/j: effort high)", "scripted/m"}


def test_a_key_among_the_arguments_of_a_provider_is_in_no_report(evaluate: Evaluate, tmp_path: Path) -> None:
    log = evaluate(1, 2, limit=4)
    log.eval.model_args = {"api_key": "sk-secret", "quantization": "q4"}
    write_eval_log(log, log.location)
    (run,) = read(tmp_path).counted
    assert run.generation == "quantization q4"


def test_unfinished_logs_count_where_asked_and_are_marked(evaluate: Evaluate, tmp_path: Path) -> None:
    def fails(messages: list[Any]) -> str:
        if "question 2" in messages[1].text:
            raise RuntimeError("the judge is down")
        return '{"rationale": "x", "rating": 4}'

    evaluate(1, 2, limit=2)
    evaluate(2, 4, judge=fails, fail_on_error=False)
    logs = sorted((tmp_path / "logs").glob("*.eval"), key=lambda path: read_eval_log(str(path)).eval.created)
    log = read_eval_log(str(logs[1]))
    log.status = "cancelled"
    write_eval_log(log, str(logs[1]))
    runs = read(tmp_path)
    assert [len(run.scored) for run in runs.counted] == [2]
    assert runs.left_out == [f"{logs[1].name}: did not finish (status cancelled); resume it with inspect eval-retry."]
    (run,) = read(tmp_path, partial=True).counted
    assert (run.planned, len(run.scored)) == (20, 15)
    assert run.missing == "5 not in the log"
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "--partial", "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert f"{logs[1].name} is unfinished (status cancelled); 15 replies of it count for scripted/m" in page


def test_the_page_says_what_each_log_contributed(evaluate: Evaluate, tmp_path: Path) -> None:
    for day, options in ((1, {}), (2, {"limit": 3})):
        evaluate(day, 2, **options)
    evaluate(3, 3, reasoning_effort="high", temperature=0.2, limit=6)
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    logs = pd.read_csv(tmp_path / "report/logs.csv")
    assert sorted(zip(logs["counted"], logs["replies"], strict=True)) == [(3, 3), (6, 6), (17, 20)]
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "Generation config: scripted/m (effort default, default generation): the provider" in page
    assert "scripted/m (effort high, temperature 0.2): effort high, temperature 0.2" in page
    newest = CliRunner().invoke(
        main, ["report", str(tmp_path / "logs"), "--only-newest", "-o", str(tmp_path / "newest")]
    )
    assert "superseded by the newer run" in newest.output.replace("\n", " ")


def test_efforts_are_compared_by_name(evaluate: Evaluate, tmp_path: Path) -> None:
    for day, effort in ((1, "low"), (2, "high")):
        evaluate(day, day, judge=lambda messages, day=day: json.dumps(
            {"rationale": "x", "rating": 1 + (len(messages[1].text) + day) % 3}
        ), reasoning_effort=effort)  # fmt: skip
    done = CliRunner().invoke(
        main, ["compare", str(tmp_path / "logs"), "--by", "effort", "-o", str(tmp_path / "pairs.csv")]
    )
    assert done.exit_code == 0, done.output
    (pair,) = pd.read_csv(tmp_path / "pairs.csv").to_dict("records")
    assert ({pair["a"], pair["b"]}, pair["model"], pair["n"]) == ({"low", "high"}, "scripted/m", 20)
