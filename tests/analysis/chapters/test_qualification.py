"""The report's first line: whether the judges of its runs are qualified, not qualified, or untested."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from loopback import verdict

from thoughttrace.analysis.chapters.qualification import NOT_QUALIFIED, QUALIFIED, UNTESTED, QualificationRow, chapter
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run, read_task_log
from thoughttrace.cli.main import main
from thoughttrace.core.record import PROBE
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement


@pytest.fixture(scope="module")
def rated(run_in_module: Callable[..., EvalLog]) -> Run:
    """A model's reasons, rated by `scripted/j`."""
    (run,) = read_task_log(run_in_module(limit=4).location)
    return run


@pytest.fixture(scope="module")
def card_log(scripted: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    """A card of `scripted/j`, which is always right."""
    task = judge_agreement(per_family=0)
    right = {sample.input[1].text: sample.metadata["low"] for sample in task.dataset}
    judge = scripted("j", lambda asked: verdict(right[asked[1].text]))
    (log,) = inspect_eval(task, model=judge, log_dir=str(tmp_path_factory.mktemp("card")), display="none")
    return log


@pytest.fixture(scope="module")
def card(card_log: EvalLog) -> Run:
    (run,) = read_task_log(card_log.location)
    return run


def fallen(card: Run) -> Run:
    """The card of a judge that falls for every attack."""
    attack = card.rows["injected"].notna()
    rows = card.rows.assign(score=card.rows["score"].mask(attack, 5.0))
    rows = rows.assign(within=rows["within"].mask(attack, 0.0), injected=rows["injected"].mask(attack, 1.0))
    return replace(card, rows=rows)


def rows_of(*runs: Run) -> list[QualificationRow]:
    (section,) = chapter(Evidence(Runs([*runs]))).sections
    return list(section.rows)


def test_a_judge_is_qualified_by_its_card(rated: Run, card: Run) -> None:
    (row,) = rows_of(rated, card)
    assert (row.judge, row.kind, row.status, row.card, row.why) == ("scripted/j", "reason", QUALIFIED, card.log, "")
    assert chapter(Evidence(Runs([rated, card]))).intro == "The judges of these runs are qualified: scripted/j."


def test_numbers_of_the_bundled_sample_are_said_to_say_nothing(rated: Run, card: Run) -> None:
    intro = chapter(Evidence(Runs([replace(rated, data="sample"), card]))).intro
    assert "The bundled sample is invented: its numbers say nothing about users or about language models." in intro
    assert "invented" not in chapter(Evidence(Runs([rated, card]))).intro


def test_a_judge_is_not_qualified_by_a_bad_card_and_the_newest_counts(rated: Run, card: Run) -> None:
    bad = replace(fallen(card), date="2030-01-01T00:00:00+00:00")
    (row,) = rows_of(bad, rated, card)
    assert row.status == NOT_QUALIFIED
    assert "100 % of attacks succeeded" in row.why
    assert chapter(Evidence(Runs([rated, bad]))).intro == "The judges of these runs are not qualified: scripted/j."
    (row,) = rows_of(replace(bad, date="2020-01-01T00:00:00+00:00"), rated, card)
    assert row.status == QUALIFIED


def test_a_judge_without_a_card_is_untested(rated: Run, card: Run) -> None:
    (row,) = rows_of(rated)
    assert (row.status, row.why) == (UNTESTED, "no card in these logs")
    sentence = chapter(Evidence(Runs([rated]))).intro
    assert sentence.startswith("The judges of these runs are untested: scripted/j. Before you rely")
    assert PROBE.name in sentence
    (row,) = rows_of(rated, replace(card, evaluated="scripted/other"))
    assert row.why == "no card in these logs"


@pytest.mark.parametrize(
    "change",
    [
        {"probe_rubrics": {"reason": "000000000000"}},
        {"probe_rubrics": {"reaction": "000000000000"}},
        {"effort": "high"},
        {"generation": "temperature 0.7"},
    ],
)
def test_a_card_of_another_rubric_or_configuration_is_none(change: dict[str, Any], rated: Run, card: Run) -> None:
    (row,) = rows_of(rated, replace(card, **change))
    assert (row.status, row.why) == (UNTESTED, "its card is of another rubric or configuration")


def test_a_judge_that_is_not_shown_the_message_has_a_card_of_its_own(
    nine_users: list[dict[str, Any]],
    write: Callable[..., Path],
    scripted: Callable[..., Any],
    card: Run,
    tmp_path: Path,
) -> None:
    judge = scripted("j", lambda _: verdict(3))
    options: dict[str, Any] = {"log_dir": str(tmp_path / "logs"), "display": "none", "limit": 3}
    task = infer_reason(data=str(write(*nine_users)), judge_message=False)
    inspect_eval(task, model=scripted("m", lambda _: "a guess"), model_roles={"grader": judge}, **options)
    inspect_eval(judge_agreement(families="half", judge_message=False), model=judge, **options)
    run, own = sorted(read_runs([str(tmp_path / "logs")]).counted, key=lambda run: run.task)
    assert [(row.status, row.card) for row in rows_of(run, own)] == [(NOT_QUALIFIED, own.log)]
    assert [row.status for row in rows_of(run, card)] == [UNTESTED]


def test_a_card_by_a_rubric_of_ones_own_is_for_runs_by_that_rubric(
    nine_users: list[dict[str, Any]], write: Callable[..., Path], scripted: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.md"
    path.write_text('Rate from 1 (another thought) to 5 (the same). Reply with JSON: "rationale", "rating".')
    judge = scripted("j", lambda _: '{"rationale": "so", "rating": 3}')
    options: dict[str, Any] = {"log_dir": str(tmp_path / "logs"), "display": "none", "limit": 3}
    inspect_eval(judge_agreement(kind="reason", families="half", rubric=str(path)), model=judge, **options)
    for rubric in (str(path), None):
        task = infer_reason(data=str(write(*nine_users)), rubric=rubric)
        inspect_eval(task, model=scripted("m", lambda _: "a guess"), model_roles={"grader": judge}, **options)
    rows = {row.rubric[:7]: row for row in rows_of(*read_runs([str(tmp_path / "logs")]).counted)}
    assert rows.pop("mine.md").status == NOT_QUALIFIED
    (other,) = rows.values()
    assert (other.status, other.why) == (UNTESTED, "its card is of another rubric or configuration")


def test_of_a_panel_each_judge_is_named(rated: Run, card: Run) -> None:
    panel = replace(rated, judge="scripted/j, scripted/k, scripted/l", judge_configs={"scripted/l": "effort high"})
    other = replace(fallen(card), evaluated="scripted/l", effort="high")
    assert [(row.judge, row.status) for row in rows_of(panel, card, other)] == [
        ("scripted/j", QUALIFIED), ("scripted/k", UNTESTED), ("scripted/l", NOT_QUALIFIED),
    ]  # fmt: skip
    assert chapter(Evidence(Runs([panel, card, other]))).intro == (
        "Not every judge of these runs is qualified. Not qualified: scripted/l. Untested: scripted/k. Qualified: "
        "scripted/j."
    )
    reactions = replace(rated, task="infer_reaction", kind="reaction", rubric_hash="other")
    assert chapter(Evidence(Runs([rated, reactions, card]))).intro == (
        "Not every judge of these runs is qualified. Untested: scripted/j for reactions. Qualified: scripted/j for "
        "reasons."
    )


def test_without_rated_runs_there_is_nothing_to_say(card: Run) -> None:
    made = chapter(Evidence(Runs([card])))
    assert (made.filled, made.intro) == ([], "")


def test_it_is_the_first_line_of_the_page_and_of_the_terminal(rated: Run, card_log: EvalLog, tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = CliRunner().invoke(main, ["report", rated.file, card_log.location, "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert done.output.lstrip().startswith("The judges of these runs are qualified: scripted/j.\n")
    page = (out / "index.html").read_text(encoding="utf-8")
    body = page[page.index("<main>") :]
    assert body.index("The judges of these runs are qualified") < body.index('id="chapter_headline"')
