"""Results in the forms of the field, held to the schemas of those who read them.

`every_eval_ever/eval.schema.json` is version 0.3.0 of the schema, from the package every-eval-ever, with its licence.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from thoughttrace.analysis.results.exchange import EEE_VERSION, write_exchange
from thoughttrace.core.result import Result

Make = Callable[..., Result]


def estimate(value: float, lower: float | None, upper: float | None) -> dict[str, Any]:
    return {"value": value, "lower": lower, "upper": upper, "note": "" if lower else "one user"}


@pytest.fixture
def results(make_result: Make) -> list[Result]:
    """A model with everything that a result can hold, two systems made elsewhere, a person, and a control."""
    recovered = {"share": estimate(-0.1, -0.6, 0.3), "floor_is": "constant", "floor": 2.0, "ceiling_is": "target",
                 "ceiling": 4.8, "samples": 80}  # fmt: skip
    verdicts = {"balanced_accuracy": estimate(0.5, None, None), "cause": estimate(0.4, 0.3, 0.5), "votes": 90}
    free = {"context": "history", "samples": 50, "users": 20, "task_version": "1-A", "data_revision": "0420f3d8"}
    full = make_result(
        kinds=("reason", "reaction"),
        judges=("google/j1", "anthropic/j2"),
        part={"recovered": recovered, "verdicts": verdicts},
        choose_thought=[{"kind": "reason", "accuracy": estimate(0.6, 0.5, 0.7), "chance": 0.25} | free],
        predict_satisfaction=[
            {"balanced_accuracy": estimate(0.6, 0.5, 0.7), "auroc": estimate(0.7, 0.6, 0.8)} | free,
        ],
        system={"effort": "high", "generation": "temperature 0.7"},
    )
    elsewhere = {
        "sort": "made elsewhere",
        "answers_file": "ours.jsonl (sha256 0123456789ab)",
        "contamination": "unknown",
    }
    ours = make_result("our system", (None, None, None), None, None, system=elsewhere, protocol=None)
    theirs = make_result("../their: system", (5.0, 4.1, 5.0), None, None, system=elsewhere, protocol=None)
    person = make_result("ann", system=elsewhere | {"sort": "person", "contamination": None})
    control = make_result("control target", system={"sort": "control", "contamination": None})
    return [full, ours, theirs, person, control]


def records(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("every_eval_ever/data/thoughttrace/*/*/*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def test_every_eval_ever_takes_the_records(tmp_path: Path, results: list[Result]) -> None:
    write_exchange(results, tmp_path)
    schema = json.loads((Path(__file__).parent / "every_eval_ever/eval.schema.json").read_text(encoding="utf-8"))
    assert schema["version"] == EEE_VERSION
    validator = jsonschema.Draft7Validator(schema)
    found = records(tmp_path)
    assert [error.message for record in found for error in validator.iter_errors(record)] == []
    assert list(validator.iter_errors(found[0] | {"evaluation_results": [{}]}))
    # One without any number is no record; people and controls are no models.
    assert [record["model_info"]["id"] for record in found] == ["openai/gpt-5.4", "somebody/their_system"]
    names = [(one["evaluation_name"], one["metric_config"]["metric_id"]) for one in found[0]["evaluation_results"]]
    assert names == [
        *((f"thoughttrace_infer_{kind}", f"thoughttrace.{metric}") for kind in ("reason", "reaction")
          for metric in ("agreement", "recovered_share", "verdict_balanced_accuracy")),
        ("thoughttrace_choose_thought_reason", "accuracy"),
        ("thoughttrace_predict_satisfaction", "balanced_accuracy"),
        ("thoughttrace_predict_satisfaction", "auroc"),
    ]  # fmt: skip


def test_a_record_has_the_results_numbers(tmp_path: Path, results: list[Result]) -> None:
    write_exchange(results, tmp_path)
    agreement, share, verdict, *_ = records(tmp_path)[0]["evaluation_results"]
    assert agreement["score_details"]["score"] == 3.0
    assert agreement["score_details"]["uncertainty"]["standard_error"]["value"] == 0.1
    interval = agreement["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (2.8, 3.2, 0.95)
    assert (agreement["metric_config"]["min_score"], agreement["metric_config"]["max_score"]) == (1, 5)
    judges = agreement["metric_config"]["llm_scoring"]["judges"]
    assert [judge["model_info"]["id"] for judge in judges] == ["google/j1", "anthropic/j2"]
    assert agreement["source_data"]["hf_repo"] == "SCAI-JHU/ThoughtTrace"
    assert share["score_details"]["score"] == -0.1
    assert share["score_details"]["uncertainty"]["num_samples"] == 80
    assert "confidence_interval" not in verdict["score_details"]["uncertainty"]


def test_a_record_that_is_no_longer_a_result_goes_and_other_files_stay(tmp_path: Path, results: list[Result]) -> None:
    write_exchange(results, tmp_path)
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    write_exchange(results[2:3], tmp_path)
    assert [record["model_info"]["name"] for record in records(tmp_path)] == ["their: system"]
    assert (tmp_path / "mine.txt").exists()
    write_exchange(results[3:], tmp_path)
    assert records(tmp_path) == []
    assert not (tmp_path / "evaluation_report.yaml").exists()


def test_no_name_leads_out_of_the_folder(tmp_path: Path, make_result: Make) -> None:
    names = ("../../../up", "..", "/etc/passwd", "a/../../b", "con:/x?", "x/")
    files = write_exchange([make_result(name, submitted_by="../..") for name in names], tmp_path / "out")
    assert len(files) == len(names) + 1
    assert all(file.resolve().is_relative_to((tmp_path / "out").resolve()) and file.exists() for file in files)


def test_the_registers_report_has_a_row_for_each_system_and_task(tmp_path: Path, results: list[Result]) -> None:
    write_exchange(results, tmp_path)
    report = yaml.safe_load((tmp_path / "evaluation_report.yaml").read_text(encoding="utf-8"))["evaluation_report"]
    assert [(row["model"], row["task"]) for row in report["results"]] == [
        ("openai/gpt-5.4", "infer_reason"),
        ("../their: system", "infer_reason"),
        ("openai/gpt-5.4", "infer_reaction"),
    ]
    # A model in two contexts has two rows, which nothing else tells apart.
    assert report["results"][0]["context"] == "history"
    metrics = {metric["key"]: metric["value"] for metric in report["results"][0]["metrics"]}
    assert metrics == {
        "mean": 3.0, "stderr": 0.1, "lower": 2.8, "upper": 3.2, "recovered_share": -0.1,
        "verdict_balanced_accuracy": 0.5, "samples": 90.0, "users": 45.0,
    }  # fmt: skip
    assert all(type(value) is float for value in metrics.values())
    assert (report["commit"], report["version"]) == ("abc1234", "0.1.0")


CONSUMERS = {
    "every-eval-ever": """
        import pathlib, sys
        from every_eval_ever.validator.validation_core import validate_aggregate
        root = pathlib.Path(sys.argv[1], "every_eval_ever")
        for file in root.glob("data/*/*/*/*.json"):
            path = file.relative_to(root).as_posix()
            report = validate_aggregate(file, repo_path=path, run_semantic_checks=True)
            assert report.valid and not report.errors, report.errors
    """,
    "inspect-evals": """
        import pathlib, sys, yaml
        from inspect_evals.metadata import EvaluationReport
        text = pathlib.Path(sys.argv[1], "evaluation_report.yaml").read_text(encoding="utf-8")
        assert len(EvaluationReport.model_validate(yaml.safe_load(text)["evaluation_report"]).results) == 3
    """,
}


@pytest.mark.parametrize("library", CONSUMERS)
def test_the_consumers_own_check_passes(library: str, tmp_path: Path, results: list[Result]) -> None:
    python = os.environ.get("THOUGHTTRACE_CONSUMERS")
    if not python:
        python = sys.executable
        try:
            importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{library} is not installed (set THOUGHTTRACE_CONSUMERS to a Python that has it)")
    write_exchange(results, tmp_path)
    code = "\n".join(line.removeprefix("        ") for line in CONSUMERS[library].splitlines())
    done = subprocess.run(
        [python, "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_names_too_long_for_a_file_system_get_files_of_their_own(make_result: Make, tmp_path: Path) -> None:
    names = [f"{'x' * 140}/{'y' * 158}{end}" for end in "ab"]
    write_exchange([make_result(name, part={"logs": ["a.eval"]}) for name in names], tmp_path)
    assert sorted(record["model_info"]["id"] for record in records(tmp_path)) == names
    assert len(list(tmp_path.glob("every_eval_ever/data/thoughttrace/*/*"))) == 2


def test_a_time_without_a_zone_is_utc_in_whatever_year(make_result: Make, tmp_path: Path) -> None:
    write_exchange([make_result(date="0001-01-01T00:00:00"), make_result(date="1970-01-02T00:00:00")], tmp_path)
    assert {record["retrieved_timestamp"] for record in records(tmp_path)} == {"-62135596800", "86400"}
