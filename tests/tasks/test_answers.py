"""Answers made elsewhere run through the same judges, statistics and report as a model's."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from loopback import verdict

from thoughttrace.analysis.chapters import comparison, headline, methods, recovered_share
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.core.prices import our_prices
from thoughttrace.costing.workload import workloads
from thoughttrace.datasets.thought_arms import read_inferences
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

Judge = Callable[[list[Any]], str]
Evaluate = Callable[..., EvalLog]


def by_turn(messages: list[Any]) -> str:
    """Rate by what is guessed: the number of the turn that the guess names, and 1 more; 5 where it names none."""
    turn = messages[1].text.partition(" guess]\n")[2].partition("turn ")[2]
    return verdict(1 + int(turn[0]) if turn else 5, "same")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_conversation: Callable[..., dict[str, Any]]) -> Path:
    """A folder with the data of four users: 12 reasons, 12 reactions."""
    folder = tmp_path_factory.mktemp("elsewhere")
    records = [make_conversation(f"user{n}") for n in range(4)]
    (folder / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def evaluate(folder: Path, scripted: Callable[..., Any]) -> Evaluate:
    def run(task: Any, logs: str, model: Any = "none/none", judge: str = "j") -> EvalLog:
        roles = {"grader": scripted(judge, by_turn)}
        (log,) = inspect_eval(task, model=model, model_roles=roles, log_dir=str(folder / logs), display="none")
        assert log.status == "success", log.error
        return log

    return run


def ids(kind: str = "reason", users: int = 4) -> list[str]:
    return [
        f"user{user}_task1_conversation1/m{2 * turn + (kind == 'reaction'):02}/{kind}"
        for user in range(users)
        for turn in range(3)
    ]


def answers(kind: str = "reason", users: int = 4) -> list[dict[str, Any]]:
    return [{"id": name, "text": f'"Reason: of turn {number % 3}"'} for number, name in enumerate(ids(kind, users))]


def guessed(person: str, context: str = "history") -> dict[str, str]:
    """What `thoughttrace guess` writes beside an answer."""
    return {"person": person, "context": context, "time": "2026-01-01T00:00:00+00:00"}


def write(path: Path, records: list[dict[str, Any]]) -> str:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.DictWriter(opened, records[0])
            writer.writeheader()
            writer.writerows(records)
    elif path.suffix == ".parquet":
        pd.DataFrame(records).to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def runs(folder: Path, evaluate: Evaluate, scripted: Callable[..., Any]) -> Runs:
    """A model that answers by turn, its very replies from a file as of `ours`, and two controls."""
    data = str(folder / "data.jsonl")

    def reply(messages: list[Any]) -> str:
        return f'"Reason: of turn {int(messages[1].text.rpartition(" m")[2][:2]) // 2}"'

    evaluate(infer_reason(data=data), "logs", scripted("m", reply))
    evaluate(infer_reason(data=data, answers=write(folder / "ours.jsonl", answers()), system="ours"), "logs")
    for control in ("someone_else", "target"):
        task = infer_reason(data=data, control=control)
        (log,) = inspect_eval(
            task, model="none/none", model_roles={"grader": scripted("j", lambda _: verdict(1, "same"))},
            log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success"
    return read_runs([str(folder / "logs")])


def of(runs: Runs, name: str) -> Run:
    (found,) = [run for run in runs.counted if run.model == name]
    return found


def test_a_models_replies_from_a_file_have_its_numbers_under_their_own_name(runs: Runs) -> None:
    assert sorted(run.name for run in runs.models) == ["ours", "scripted/m"]
    rows = {row.model: row for row in headline.headline(runs.models)}
    ours, model = rows["ours"], rows["scripted/m"]
    assert ours.mean == model.mean == pytest.approx(2.0)  # ratings 1, 2, 3 of each user
    assert (ours.lower, ours.upper, ours.n, ours.users) == (model.lower, model.upper, 12, 4)
    # Taken off a reply of theirs as of a model's.
    assert set(of(runs, "ours").rows["answer"]) == {f"of turn {turn}" for turn in range(3)}
    # What they took is not known.
    assert not of(runs, "ours").rows[["cost", "input_tokens"]].notna().any(axis=None)


def test_comparison_and_recovered_share_take_them_for_a_model(runs: Runs) -> None:
    (pair,), _ = comparison.compare(runs.models)
    assert {pair.a, pair.b} == {"ours", "scripted/m"}
    assert (pair.n, pair.difference) == (12, 0)
    against = recovered_share.against_controls(runs.inferences)
    assert {row.model for row in against} == {"ours", "scripted/m"}


def test_the_report_says_that_they_were_made_elsewhere(runs: Runs, folder: Path) -> None:
    chapter = headline.chapter(Evidence(runs))
    section = chapter.sections[0]
    file = of(runs, "ours").answers_file
    assert file.startswith("ours.jsonl (sha256 ")
    assert f"Answers made elsewhere, whose cost is not known: ours ({file})." in section.note
    assert "No price is known for ours" not in section.note
    assert not chapter.warnings
    said = methods.methods(runs)
    assert f"ours: not known, answers made elsewhere ({file})" in said
    # That no model saw the notes is known only of those that were asked here.
    assert "the evaluated models never saw the note. ours answered elsewhere: what was shown" in said


def test_two_files_of_one_system_are_two_measurements(folder: Path, evaluate: Evaluate) -> None:
    data = str(folder / "data.jsonl")
    for number in (1, 2):
        path = write(folder / f"v{number}.jsonl", [{**answer, "version": number} for answer in answers()])
        evaluate(infer_reason(data=data, answers=path, system="ours"), "versions")
    names = [run.name for run in read_runs([str(folder / "versions")]).counted]
    assert [name[:24] for name in sorted(names)] == ["ours (answers v1.jsonl (", "ours (answers v2.jsonl ("]
    revision = infer_reason(data=data).metadata["data_revision"]
    # `predict_message` can show them as it shows a model's.
    assert read_inferences([str(folder / "versions")], revision, None).model == "ours"


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_the_forms_of_a_file_say_the_same(form: str, folder: Path) -> None:
    path = write(folder / f"form.{form}", [*answers(), *answers("reaction")])
    for task, kind in ((infer_reason, "reason"), (infer_reaction, "reaction")):
        made = task(data=str(folder / "data.jsonl"), answers=path, system="ours")
        assert sorted(str(sample.id) for sample in made.dataset) == ids(kind)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_users_own_fields_mean_nothing_whatever_they_are_called(form: str, folder: Path) -> None:
    own = [
        answer | {"person": f"rater {n}", "context": f"User: hello {n}" if n else "", "time": ""}
        for n, answer in enumerate(answers())
    ]
    path = write(folder / f"own.{form}", own)
    assert len(infer_reason(data=str(folder / "data.jsonl"), answers=path, system="ours").dataset) == 12


def test_an_empty_answer_is_rated_lowest_and_a_missing_one_is_counted(folder: Path, evaluate: Evaluate) -> None:
    some = answers()[:11]
    some[0]["text"] = " "
    path, data = write(folder / "some.csv", some), str(folder / "data.jsonl")
    with pytest.raises(UserError, match=r"1 of 12 planned samples have no answer: user3_\S+/m04/reason\. Answer them"):
        infer_reason(data=data, answers=path, system="ours")
    evaluate(infer_reason(data=data, answers=path, system="ours", partial_answers=True), "some")
    (run,) = read_runs([str(folder / "some")]).counted
    rows = run.rows.set_index("id")
    assert rows.loc[ids()[0], ["score", "reason"]].tolist() == [1, "no_response"]
    assert rows.loc[ids()[-1], "reason"] == "not_answered"
    (row,) = headline.headline([run])
    assert (row.n, row.samples, row.missing, row.refused_or_empty) == (11, 12, "1 not_answered", 1)


def test_only_the_samples_of_a_limit_need_answers_also_where_their_log_is_resumed(folder: Path) -> None:
    data = str(folder / "data.jsonl")
    first = [str(sample.id) for sample in infer_reason(data=data).dataset][:5]
    path = write(folder / "first.jsonl", [{"id": name, "text": "so"} for name in first])
    for command, limit in (("eval", "5"), ("eval", "2-5"), ("eval-retry", None)):
        with click.Context(click.Command(command), info_name=command) as context:
            context.params["limit"] = limit
            assert len(infer_reason(data=data, answers=path, system="ours").dataset) == 12
    for limit, unanswered in (("6", "1 of 6"), ("5-7", "2 of 3")):
        with click.Context(click.Command("eval")) as context:
            context.params["limit"] = limit
            with pytest.raises(UserError, match=f"{unanswered} planned samples .* Pass it also with --sample-id"):
                infer_reason(data=data, answers=path, system="ours")


def test_answers_that_are_the_notes_are_named(
    folder: Path, evaluate: Evaluate, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = [
        {"id": name, "text": f" reason  secret user{n // 3} 1 {n % 3}" if n < 4 else "of turn 1"}
        for n, name in enumerate(ids())
    ]
    task = infer_reason(data=str(folder / "data.jsonl"), answers=write(folder / "notes.jsonl", notes), system="theirs")
    assert "4 of 12 answers equal their note word for word" in caplog.text
    evaluate(task, "notes")
    # The other chapters take seconds.
    monkeypatch.setattr("thoughttrace.analysis.report.write_report", lambda evidence, *_: [headline.chapter(evidence)])
    done = CliRunner().invoke(main, ["report", str(folder / "notes"), "-o", str(folder / "report")])
    assert "Warning: 4 of 12 answers of theirs on reasons equal their note word for word." in done.output


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"id": "user9/m00/reason", "text": ""}] * 2,
         r"2 ids are those of no .* user9/m00/reason \(bad.jsonl, line 1\).* 1 ids were there before: .*line 2"),
        ([{"id": "user0_task1_conversation1/m00/reason"}], r"bad.jsonl, line 1: has no field text"),
        ([{"id": "user0_task1_conversation1/m00/reason", "text": None}], "line 1: its answer is null; write an empty"),
        ([{"id": 5, "text": "so"}], "line 1: its id is no text"),
        (["so"], "line 1: is no JSON object"),
        ([], "holds no answers"),
        ([{"id": "user0_task1_conversation1/m00/reason", "text": "so", **guessed("ours", "lookahead")}],
         "of context lookahead, and this run has context=history"),
        ([{"id": "user0_task1_conversation1/m00/reason", "text": "so", **guessed(name)} for name in ("ann", "bob")],
         "several persons; pass one of them as -T system=: ann, bob"),
        ([{"id": "user0_task1_conversation1/m00/reason", "text": "so", **guessed("ann")}],
         "holds answers of one person; pass -T system=: ann"),
        ([{"id": "user0_task1_conversation1/m00/reason", "text": "so", **guessed("ann")},
          {"id": "user0_task1_conversation1/m02/reason", "text": "so"}],
         "holds answers of one person; pass -T system=: ann"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(lines: list[Any], message: str, folder: Path) -> None:
    path = write(folder / "bad.jsonl", lines)
    with pytest.raises(UserError, match=message):
        infer_reason(data=str(folder / "data.jsonl"), answers=path, system="ours")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answers": "a.jsonl"}, "name what gave the answers with -T system=NAME"),
        ({"answers": "a.jsonl", "system": "none/none"}, "is no name of what gives answers"),
        ({"answers": "a.jsonl", "system": "control target"}, "is no name of what gives answers"),
        ({"answers": "a.jsonl", "system": "ours"}, "answers=a.jsonl: no such file"),
        ({"system": "ours"}, "pass -T answers=FILE too"),
        ({"answers": "a.jsonl", "system": "ours", "control": "target"}, "control=target: is of a run that asks"),
        ({"answers": "a.jsonl", "system": "ours", "confidence": True}, "confidence=true: is of a run that asks"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        infer_reason(**options)


def prediction(**changes: Any) -> dict[str, Any]:
    metadata = {"conversation_id": "user0_task1_conversation1", "assistant_message_id": 1, "next_user_message_id": 2}
    return {"prediction": "of turn 1", "reference": "reaction  secret user0 1 0", "metadata": metadata} | changes


def test_predictions_are_found_by_the_ids_of_messages_and_their_reference(folder: Path) -> None:
    of_message = prediction(reference="reason  secret user0 1 1")
    path = write(folder / "predictions.jsonl", [prediction(), of_message])
    for task, name in ((infer_reaction, "m01/reaction"), (infer_reason, "m02/reason")):
        with pytest.raises(UserError, match="11 of 12 planned samples have no answer") as raised:
            task(data=str(folder / "data.jsonl"), answers=path, system="ours")
        assert f"user0_task1_conversation1/{name}" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "question 1 of user0"}, "line 1: which note it predicts cannot be told"),
        ({"reference": None}, "which note it predicts cannot be told: it has no reference"),
        # One annotated message fits, which does not tell that a thought was predicted and no message.
        (
            {"reference": 1, "metadata": {"conversation_id": "user0_task1_conversation1", "assistant_message_id": 1}},
            "it has no reference",
        ),
        ({"metadata": None}, "name no conversation of this data"),
    ],
)
def test_a_prediction_of_something_else_is_refused(changes: dict[str, Any], message: str, folder: Path) -> None:
    path = write(folder / "predicted.jsonl", [prediction(**changes)])
    with pytest.raises(UserError, match=message):
        infer_reaction(data=str(folder / "data.jsonl"), answers=path, system="ours")


def test_a_system_that_is_also_the_judge_does_not_judge_itself(folder: Path, scripted: Callable[..., Any]) -> None:
    path = write(folder / "self.jsonl", answers())
    task = infer_reason(data=str(folder / "data.jsonl"), answers=path, system="somewhere/j")
    (log,) = inspect_eval(
        task, model="none/none", model_roles={"grader": scripted("j", by_turn)}, log_dir=str(folder / "self"),
        display="none",
    )  # fmt: skip
    assert log.status == "error"
    assert log.error
    assert "The judge is the evaluated model itself (somewhere/j)" in log.error.message


def test_a_person_is_of_no_judges_family_and_a_system_may_be(
    folder: Path, evaluate: Evaluate, scripted: Callable[..., Any]
) -> None:
    data, given = str(folder / "data.jsonl"), answers()
    by_person = write(folder / "person.jsonl", [answer | guessed("claude-1") for answer in given])
    by_system = write(folder / "system.jsonl", given)

    def task(path: str) -> Any:
        return infer_reason(data=data, answers=path, system="claude-1", exclude_family=True, users=1)

    evaluate(task(by_person), "kin", judge="claude-1")
    (run,) = read_runs([str(folder / "kin")]).counted
    assert (run.judges, run.rows["score"].notna().sum()) == (["scripted/claude-1"], 3)
    (log,) = inspect_eval(
        task(by_system), model="none/none", model_roles={"grader": scripted("claude-2", by_turn)},
        log_dir=str(folder / "kin2"), display="none",
    )  # fmt: skip
    assert log.error
    assert "All judges are of the evaluated model's family (claude)" in log.error.message


def test_an_estimate_counts_no_inference(folder: Path) -> None:
    arguments = {
        "data": str(folder / "data.jsonl"), "answers": write(folder / "priced.jsonl", answers()), "system": "ours"
    }  # fmt: skip
    (work,) = workloads("infer_reason", arguments, ["none/none"], ["scripted/j"], our_prices())
    assert (work.model, work.role, work.requests) == ("scripted/j", "judge", 12)
