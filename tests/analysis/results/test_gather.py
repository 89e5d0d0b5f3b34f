"""Results of real runs of scripted models: every number is the report's, and no text is in them."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from loopback import verdict

from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Contribution, Run
from thoughttrace.analysis.report import write_report
from thoughttrace.analysis.results.card import card, write_cards
from thoughttrace.analysis.results.gather import gather
from thoughttrace.core.errors import UserError
from thoughttrace.core.reaction_verdict import REPLY_VERDICTS
from thoughttrace.core.record import TYPES
from thoughttrace.core.result import Estimate, KindResult, Result
from thoughttrace.protocols.manifest import Manifest
from thoughttrace.protocols.protocol import Protocol, read_protocol
from thoughttrace.tasks.choose_thought import choose_thought
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement
from thoughttrace.tasks.predict_satisfaction import predict_satisfaction

CANARY = "zyxcanary"
TASKS = {"reason": infer_reason, "reaction": infer_reaction}


def drawn(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]


def judge(messages: list[Any]) -> str:
    """Rate by a hash: the constant low, the target high; one verdict in six cannot be read."""
    text = messages[1].text
    if CANARY in text.rpartition(" guess]\n")[2]:
        return verdict(5 - drawn(text) % 2)
    draw = drawn(text)
    of_note, of_guess = (REPLY_VERDICTS[number % 3] for number in (draw, draw // 3))
    verdicts = {"note_verdict": of_note, "guess_verdict": of_guess, "cause": ("same", "part", "other")[draw // 9 % 3]}
    return "?" if draw < 40 else json.dumps({"rationale": "because", "rating": 1 + draw % 4} | verdicts)


def model(messages: list[Any]) -> str:
    """Infer with a confidence, choose, and foretell, whatever is asked."""
    text, asked = messages[1].text, messages[0].text
    if "Confidence:" in asked:
        return f"a guess {drawn(text)}\nConfidence: {drawn(text) % 101} %"
    said = {"choice": "ABC"[drawn(text) % 3], "dissatisfied": "yes", "probability": 50 + drawn(text) % 50}
    return json.dumps({"rationale": "x"} | said)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    make_conversation: Callable[..., dict[str, Any]],
    scripted: Callable[..., Any],
) -> Path:
    """Logs of one model in all tasks that a result is made of, of two controls, and of the judge's card."""
    folder = tmp_path_factory.mktemp("gather")
    records = [make_conversation(f"user{n}", turns=3 + n % 3, canary=CANARY) for n in range(7)]
    for message in (message for record in records for message in record["messages"]):
        for thought in message.get("reactions", []):
            thought["label"] = TYPES["reaction"][drawn(thought["content"]) % 2]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    options: list[tuple[Any, dict[str, Any]]] = []
    for task in TASKS.values():
        options.append((task(data=str(data), confidence=True), {}))
        options += [
            (task(data=str(data), control=control), {"model": "none/none"}) for control in ("constant", "target")
        ]
    options += [(choose_thought(kind=kind, data=str(data)), {}) for kind in TASKS]
    options.append((predict_satisfaction(data=str(data)), {}))
    options.append(
        (judge_agreement(per_family=1), {"model": scripted("j", lambda asked: verdict(1 + drawn(asked[1].text) % 5))})
    )
    for task, changes in options:
        arguments = {"model": scripted("m", model)} | changes
        (log,) = inspect_eval(
            task,
            model_roles={"grader": scripted("j", judge)},
            log_dir=str(folder / "logs"),
            display="none",
            **arguments,
        )
        assert log.status == "success", log.error
    return folder


@pytest.fixture(scope="module")
def evidence(folder: Path) -> Evidence:
    return Evidence(read_runs([str(folder / "logs")]))


@pytest.fixture(scope="module")
def results(evidence: Evidence) -> dict[str, Result]:
    return {result.system.name: result for result in gather(evidence, read_protocol("infer-v1"), "somebody")}


@pytest.fixture(scope="module")
def report(evidence: Evidence, folder: Path) -> Path:
    write_report(evidence, folder / "report")
    return folder / "report"


def rows(report: Path, table: str, **where: str) -> pd.DataFrame:
    found = pd.read_csv(report / f"{table}.csv")
    for column, value in where.items():
        found = found[found[column] == value]
    return found


def row(report: Path, table: str, **where: str) -> Any:
    found = rows(report, table, **where)
    assert len(found) == 1
    return found.iloc[0]


def same(estimate: Estimate, row: Any, value: str, prefix: str = "") -> None:
    expected = [row[value], row[f"{prefix}lower"], row[f"{prefix}upper"]]
    found = [math.nan if number is None else number for number in (estimate.value, estimate.lower, estimate.upper)]
    assert found == pytest.approx(expected, nan_ok=True)
    assert not all(map(math.isnan, found))


@pytest.mark.parametrize("kind", TASKS)
def test_the_numbers_are_those_of_the_report(kind: str, results: dict[str, Result], report: Path) -> None:
    part: KindResult = getattr(results["scripted/m"], kind)
    of = row(report, "headline", kind=kind, model="scripted/m")
    same(part.mean, of, "mean")
    assert (part.samples, part.users, part.thoughts) == (of["n"], of["users"], of["thoughts"])
    assert (part.samples_planned, part.replies, part.replies_rated) == (
        of["samples"],
        of["replies"],
        of["replies_rated"],
    )
    assert part.coverage == pytest.approx(of["coverage"])
    assert part.coverage < 1  # some votes were lost, or this would compare nothing
    assert part.missing == of["missing"]
    assert (part.votes, part.votes_lost) == (of["votes"], of["votes_lost"])
    bounds = (part.mean_if_missing_1, part.mean_if_missing_5)
    assert bounds == pytest.approx((of["mean_if_missing_1"], of["mean_if_missing_5"]))
    assert part.ratings == [of[f"rated_{rating}"] for rating in range(1, 6)]
    assert part.refused_or_empty == of["refused_or_empty"]
    usages = [(part.system_usage, ""), (part.judge_usage, "judge_")]
    assert [usage.input_tokens for usage, _ in usages] == [of[f"{prefix}input_tokens"] for _, prefix in usages]
    share = row(report, "recovered_share", kind=kind)
    assert part.recovered
    same(part.recovered.share, share, "share")
    assert (part.recovered.floor, part.recovered.ceiling) == pytest.approx((share["floor"], share["ceiling"]))
    assert part.recovered.samples == share["n"] > 0
    controls = rows(report, "controls", kind=kind).set_index("model")
    assert {control.control for control in part.controls} == {*controls.index} == {"control constant", "control target"}
    for control in part.controls:
        same(control.mean, controls.loc[control.control], "mean")
        assert control.samples == controls.loc[control.control, "n"]
    told = row(report, "confidence_models", kind=kind)
    assert part.confidence
    same(part.confidence.auroc, told, "auroc", "auroc_")
    same(part.confidence.overstated, told, "overstated", "overstated_")
    assert part.confidence.calibration_error == pytest.approx(told["calibration_error"])
    (of_judge,) = part.judges
    qualification = row(report, "qualification", kind=kind)
    assert (of_judge.qualification, of_judge.why) == (qualification["status"], qualification["why"])
    assert of_judge.qualification == "not qualified"
    assert of_judge.right
    assert of_judge.card == qualification["card"]


def test_verdicts_choices_and_satisfaction_are_those_of_the_report(results: dict[str, Result], report: Path) -> None:
    result = results["scripted/m"]
    assert result.reaction
    assert result.reaction.verdicts
    of = row(report, "reaction_verdicts", model="scripted/m")
    same(result.reaction.verdicts.balanced_accuracy, of, "balanced", "balanced_")
    same(result.reaction.verdicts.cause, of, "cause", "cause_")
    assert {choice.kind for choice in result.choose_thought} == {*TASKS}
    for choice in result.choose_thought:
        same(choice.accuracy, row(report, "chosen_notes_models", kind=choice.kind), "accuracy", "accuracy_")
    (satisfaction,) = result.predict_satisfaction
    of = row(report, "satisfaction_models")
    same(satisfaction.auroc, of, "auroc", "auroc_")
    same(satisfaction.balanced_accuracy, of, "balanced_accuracy", "balanced_accuracy_")


def test_a_mean_has_what_a_test_of_it_needs(results: dict[str, Result], evidence: Evidence) -> None:
    """One judge: the mean by each set of judges is the mean. Its standard error is that of equally weighted users."""
    part = results["scripted/m"].reason
    assert part
    assert [panel.judges for panel in part.by_judges] == [["scripted/j"]]
    assert part.by_judges[0].mean == part.mean
    (run,) = [run for run in evidence.runs.models if run.kind == "reason"]
    scored = run.rows.dropna(subset="score")
    residuals = (scored["score"] - scored["score"].mean()).groupby(scored["user"]).sum()
    leverage = scored.groupby("user").size() / len(scored)
    assert part.mean.standard_error == pytest.approx(math.sqrt((residuals**2 / (1 - leverage)).sum()) / len(scored))


def test_a_control_is_a_result_of_its_own_and_not_checked(results: dict[str, Result]) -> None:
    assert {*results} == {"scripted/m", "control constant", "control target"}
    control = results["control target"]
    assert (control.system.sort, control.protocol, control.system.contamination) == ("control", None, None)
    assert control.reason
    assert control.reason.answers_equal_to_note == control.reason.samples
    assert (control.reason.controls, control.reason.recovered, control.choose_thought) == ([], None, [])
    assert results["scripted/m"].reason
    assert results["scripted/m"].reason.answers_equal_to_note == 0


def test_it_says_what_was_run_and_in_what_it_deviates(results: dict[str, Result]) -> None:
    result = results["scripted/m"]
    assert result.system.confidence_asked
    assert (result.submitted_by, result.self_reported) == ("somebody", True)
    assert result.data.revision.startswith("sha256:")
    assert result.protocol
    assert not result.protocol.followed
    points = {deviation.name: deviation.found for deviation in result.protocol.deviations}
    assert points["confidence"] == "asked"
    assert "scripted/j" in points["panel"]
    assert result.reason
    assert result.reason.task_version.startswith("3-")


def test_a_person_is_named_as_one_and_has_no_training(evidence: Evidence) -> None:
    runs = [replace(run, person=True, evaluated="ann") for run in evidence.runs.models]
    (found,) = gather(Evidence(Runs(runs)), read_protocol("infer-v1"))
    assert (found.system.name, found.system.sort) == ("ann", "person")
    assert (found.system.cutoff, found.system.contamination) == ("", None)


def test_no_word_of_the_data_or_of_a_model_is_in_result_or_card(results: dict[str, Result]) -> None:
    for result in results.values():
        for text in (result.to_json(), card(result)):
            for word in (CANARY, "question 0", "answer 0", "the summary", "a guess", "because", "Interpreter"):
                assert word not in text, word


def test_cards_are_written_beside_their_results(results: dict[str, Result], tmp_path: Path) -> None:
    files = write_cards(list(results.values()), tmp_path)
    assert len(files) == 3
    text = next(file for file in files if "scripted-m" in file.name).read_text(encoding="utf-8")
    part = results["scripted/m"].reason
    assert part
    assert f"| Mean agreement | {part.mean.value:.2f} |" in text
    assert "Of reasons and reactions, judges that are not qualified: scripted/j" in text
    assert "does not follow the protocol infer-v1" in text
    assert "On reasons and reactions there are only 7 users" in text
    assert json.loads(files[0].with_suffix(".json").read_text(encoding="utf-8"))["record_version"] == 1


def test_logs_without_inferences_have_no_result(evidence: Evidence) -> None:
    runs = [run for run in evidence.runs.counted if run not in evidence.runs.inferences]
    with pytest.raises(UserError, match="no run of infer_reason or infer_reaction"):
        gather(Evidence(type(evidence.runs)(runs)), read_protocol("infer-v1"))


def test_what_follows_the_protocol_is_marked_also_by_a_manifest_that_is_given(
    follows: Callable[..., Run], protocol: Protocol, manifest: Manifest
) -> None:
    def result(given: Manifest | None, **changes: Any) -> Result:
        runs = [follows(kind, **changes) for kind in TASKS]
        logs = [Contribution(f"{run.kind}.eval", "agreement", run.date, "success", 20, 20) for run in runs]
        runs = [
            replace(run, rows=run.rows.assign(verdicts=None), contributions=(log,))
            for run, log in zip(runs, logs, strict=True)
        ]
        (found,) = gather(Evidence(Runs(runs)), protocol, "somebody", given)
        return found

    for given, changes in ((None, {}), (manifest, {"subset": "", "subset_sha256": "", "subset_samples": 0})):
        mark = result(given, **changes).protocol
        assert mark
        assert (mark.name, mark.subset, mark.followed, mark.deviations) == ("infer-v1", "mini-v1", True, [])
    unnamed = result(None, subset="", subset_sha256="", subset_samples=0).protocol
    assert unnamed
    assert [deviation.name for deviation in unnamed.deviations] == ["subset"]
    deviating = result(manifest, epochs=2).protocol
    assert deviating
    assert [deviation.name for deviation in deviating.deviations] == ["epochs"]


def test_the_planned_samples_are_told_by_a_checksum_whether_they_failed_or_not(evidence: Evidence) -> None:
    (run,) = [run for run in evidence.runs.models if run.kind == "reason"]
    failed = replace(run, rows=run.rows[1:], absent=[run.rows["id"][0]])
    fewer = replace(run, rows=run.rows[1:], planned=run.planned - 1, planned_replies=run.planned_replies - 1)
    found = [gather(Evidence(Runs([one])), read_protocol("infer-v1"))[0].reason for one in (run, failed, fewer)]
    whole, same_plan, other = (part.planned_sha256 for part in found if part)
    assert whole == same_plan != other


def test_tasks_without_a_judge_count_only_on_the_same_data(evidence: Evidence) -> None:
    runs = [
        replace(run, data_revision="other") if run.task in {"choose_thought", "predict_satisfaction"} else run
        for run in evidence.runs.counted
    ]
    found = {one.system.name: one for one in gather(Evidence(Runs(runs)), read_protocol("infer-v1"))}["scripted/m"]
    assert (found.choose_thought, found.predict_satisfaction) == ([], [])


def test_addresses_devices_and_paths_of_a_machine_are_not_in_a_result(evidence: Evidence) -> None:
    generation = "base_url http://10.0.0.5:8000, device cuda:0, model_path /opt/m, other ~/x, temperature 0.7"
    (run,) = [run for run in evidence.runs.models if run.kind == "reason"]
    changed = replace(run, generation=generation, judge_configs={"scripted/j": "base_url http://10.0.0.6, top_p 0.9"})
    (found,) = gather(Evidence(Runs([changed])), read_protocol("infer-v1"), "somebody")
    assert found.system.generation == (
        "base_url (not shown), device (not shown), model_path (not shown), other (not shown), temperature 0.7"
    )
    assert found.reason
    assert found.reason.judges[0].config == "base_url (not shown), top_p 0.9"
    for private in ("10.0.0", "cuda", "/opt", "~/x"):
        assert private not in found.to_json()
    assert "temperature 0.7" in found.to_json()


def test_a_card_that_cannot_be_written_is_a_sentence(results: dict[str, Result], tmp_path: Path) -> None:
    result = results["scripted/m"]
    (tmp_path / f"{result.stem}.md").mkdir()
    with pytest.raises(UserError, match="cannot write here"):
        write_cards([result], tmp_path)
