"""Write results in the forms of the field: Every Eval Ever, and the `evaluation_report` of Inspect's register.

Both are of what is evaluated: models, and systems whose answers were made elsewhere. Controls and people are neither's.
"""

import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from thoughttrace.core.errors import UserError
from thoughttrace.core.prices import LOCAL
from thoughttrace.core.record import CHOOSE, INFER, OWN, SATISFACTION, Kind
from thoughttrace.core.result import Estimate, KindResult, Mean, Result
from thoughttrace.datasets.hub import REPOSITORY

EEE_VERSION = "0.3.0"
"""Of the schema of Every Eval Ever (arXiv:2606.14516) that the files follow."""

_DATABASE = "every_eval_ever/data/thoughttrace"
_LONGEST = 100
"""Characters of a folder's name: file systems take 255 bytes."""
REPORT_FILE = "evaluation_report.yaml"

_INTERVAL = "cluster-robust by user"
_AGREEMENT = (
    "Agreement of an inferred {kind} with the user's private note, rated by judge models from 1 (another thought) to 5 "
    "(the same thought); mean over messages."
)


def write_exchange(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write results in both forms, and remove what an earlier call wrote that is no longer among them.

    Args:
        results: Each measurement once.
        folder: Made if absent; gets `every_eval_ever/data/…`, laid out as that database is, and
            `evaluation_report.yaml`.

    Returns:
        The files.

    Raises:
        UserError: The folder cannot be written.
    """
    evaluated = [result for result in results if result.system.sort in {"model", "made elsewhere"}]
    records = ((result, every_eval_ever(result)) for result in evaluated)
    texts = {
        folder / _eee_path(result, record): json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        for result, record in records
        if record["evaluation_results"]
    }
    if report := evaluation_report(evaluated):
        texts[folder / REPORT_FILE] = yaml.safe_dump({"evaluation_report": report}, sort_keys=False, width=120)
    try:
        for file in {*folder.glob(f"{_DATABASE}/*/*/*.json"), folder / REPORT_FILE} - texts.keys():
            file.unlink(missing_ok=True)
        for file, words in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(words, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot write here ({error.strerror}). Choose another folder with -o.") from error
    return list(texts)


# ---- Every Eval Ever


def every_eval_ever(result: Result) -> dict[str, Any]:
    """Give a result as an aggregate record of Every Eval Ever.

    Args:
        result: Of a model, or of a system whose answers were made elsewhere.
    """
    started = datetime.datetime.fromisoformat(result.date)
    # A time without a zone would be this machine's, which has no year 1.
    when = str(int((started if started.tzinfo else started.replace(tzinfo=datetime.UTC)).timestamp()))
    system = result.system
    parts = [part for name in system.name.split("/") if (part := _path_part(name))]
    provider = parts[0] if len(parts) > 1 else ""
    deployed = {"deployment_type": "self_deployed" if provider in LOCAL else "unknown", "model_availability": "unknown"}
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"thoughttrace/{system.name.replace('/', '_')}/{when}",
        "evaluation_timestamp": result.date,
        "retrieved_timestamp": when,
        "source_metadata": {
            "source_name": "ThoughtTrace evaluation",
            # Only aggregates are handed on: single ratings stay with whoever has the data.
            "source_type": "documentation",
            "source_organization_name": result.submitted_by or "unknown",
            "evaluator_relationship": "other",
            "additional_details": _texts(
                self_reported=str(result.self_reported).lower(), protocol=_protocol(result), result=result.stem
            ),
        },
        "eval_library": {
            "name": "inspect_ai",
            "version": result.inspect_version,
            "additional_details": _texts(thoughttrace=result.package_version, commit=result.commit),
        },
        "model_info": {
            "name": system.name.rpartition("/")[2] or system.name,
            # The database files a model under who made it: of a system of no such name, who sent the result in.
            "id": "/".join(
                parts if provider else [_path_part(result.submitted_by) or "unknown", *(parts or ["system"])]
            ),
            **({"inference_platform": provider} if provider else {}),
            "additional_details": deployed
            | _texts(
                effort=system.effort,
                answers_made_elsewhere=system.answers_file,
                training_cutoff=system.cutoff,
                contamination=system.contamination or "",
            ),
        },
        "evaluation_results": list(_eee_results(result)),
    }


def _eee_path(result: Result, record: dict[str, Any]) -> Path:
    """Give the path of a record: made of its model's id, with a UUID made of the result's name."""
    developer, _, model = record["model_info"]["id"].partition("/")
    number = uuid.UUID(bytes=hashlib.sha256(result.stem.encode()).digest()[:16], version=4)
    return Path(_DATABASE, _short(developer), _short(model.replace("/", "_")), f"{number}.json")


def _short(name: str) -> str:
    """Cut a name that a file system would not take, told from others by its checksum."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _path_part(name: str) -> str:
    """Make of a name that somebody sent in that of a folder, which leads nowhere else; empty if nothing is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")


def _eee_results(result: Result) -> Iterator[dict[str, Any]]:
    for kind, part in result.kinds.items():
        shared = (result, part.task, part.samples, _eee_details(part))
        scoring = {"llm_scoring": _eee_judges(part)}
        yield from _eee_metric(
            shared, "agreement", part.mean, (1, 5), _AGREEMENT.format(kind=kind), unit="points", more=scoring
        )
        if part.recovered:
            ends = f"floor {part.recovered.floor_is}, ceiling {part.recovered.ceiling_is}"
            of = f"(agreement − floor) / (ceiling − floor); {ends}."
            yield from _eee_metric(
                (result, part.task, part.recovered.samples, {}), "recovered_share", part.recovered.share,
                ("-Infinity", "Infinity"), of, more=scoring,
            )  # fmt: skip
        if part.verdicts:
            yield from _eee_metric(
                shared, "verdict_balanced_accuracy", part.verdicts.balanced_accuracy, (0, 1),
                "Balanced share of inferred reactions with the note's verdict, by the judges' votes.", more=scoring,
            )  # fmt: skip
    for choice in result.choose_thought:
        yield from _eee_metric(
            (result, f"{CHOOSE.name}_{choice.kind}", choice.samples, _texts(context=choice.context)), "accuracy",
            choice.accuracy, (0, 1), f"Share of replies that choose the user's own {choice.kind} among several notes.",
        )  # fmt: skip
    for told in result.predict_satisfaction:
        shared = (result, SATISFACTION.name, told.samples, _texts(context=told.context))
        of = "Telling replies that dissatisfied their user from others."
        yield from _eee_metric(shared, "balanced_accuracy", told.balanced_accuracy, (0, 1), of)
        yield from _eee_metric(shared, "auroc", told.auroc, (0, 1), of)


def _eee_metric(
    shared: tuple[Result, str, int, dict[str, str]],
    metric: str,
    estimate: Estimate,
    scale: tuple[Any, Any],
    description: str,
    unit: str = "proportion",
    more: dict[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Give one estimate, if there is any: the schema has no place for a number that is not known."""
    result, task, samples, details = shared
    if estimate.value is None:
        return
    uncertainty: dict[str, Any] = {"num_samples": samples}
    if estimate.lower is not None:
        ends = {"lower": estimate.lower, "upper": estimate.upper, "confidence_level": 0.95, "method": _INTERVAL}
        uncertainty["confidence_interval"] = ends
    if isinstance(estimate, Mean) and estimate.standard_error is not None:
        uncertainty["standard_error"] = {"value": estimate.standard_error, "method": f"CR2, {_INTERVAL}"}
    yield {
        "evaluation_result_id": f"{result.stem}/{task}/{metric}",
        "evaluation_name": f"thoughttrace_{task}",
        "source_data": _eee_data(result, samples),
        "evaluation_timestamp": result.date,
        "metric_config": {
            "evaluation_description": description,
            "metric_id": metric if metric in {"accuracy", "auroc", "balanced_accuracy"} else f"thoughttrace.{metric}",
            "metric_name": metric.replace("_", " "),
            "metric_unit": unit,
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": scale[0],
            "max_score": scale[1],
            **(more or {}),
        },
        "score_details": {"score": estimate.value, "details": details, "uncertainty": uncertainty},
        "generation_config": {
            "generation_args": {},
            "additional_details": _texts(generation=result.system.generation, effort=result.system.effort),
        },
    }


def _eee_data(result: Result, samples: int) -> dict[str, Any]:
    data = result.data
    details = {"additional_details": _texts(revision=data.revision, content=data.content)}
    if data.name == "hub":
        return {
            "dataset_name": "ThoughtTrace",
            "source_type": "hf_dataset",
            "hf_repo": REPOSITORY,
            "samples_number": samples,
        } | details
    named = "ThoughtTrace bundled sample (invented)" if result.invented else data.name
    return {"dataset_name": named, "source_type": "other"} | details


def _eee_judges(part: KindResult) -> dict[str, Any]:
    unknown = {"deployment_type": "unknown", "model_availability": "unknown"}
    judges = [
        {
            "model_info": {
                "name": judge.name.rpartition("/")[2],
                "id": judge.name,
                "additional_details": unknown | _texts(config=judge.config, qualification=judge.qualification),
            }
        }
        for judge in part.judges
    ]
    return {
        "judges": judges,
        "input_prompt": f"rubric {part.rubric_file or part.rubric_hash} of {part.task} {part.task_version}",
        **({"aggregation_method": "average"} if len(judges) > 1 else {}),
    }


def _eee_details(part: KindResult) -> dict[str, str]:
    return _texts(
        task_version=part.task_version,
        subset=part.subset,
        context=part.context,
        prompt=part.prompt_file or part.prompt_hash,
        users=str(part.users),
        thoughts=str(part.thoughts),
        coverage=f"{part.coverage:.4f}",
        refused_or_empty=str(part.refused_or_empty),
        judge_scale=part.judge_scale,
    )


def _texts(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _protocol(result: Result) -> str:
    mark = result.protocol
    return f"{mark.name} {'followed' if mark.followed else 'not followed'}" if mark else ""


# ---- Inspect's register


def evaluation_report(results: Sequence[Result]) -> dict[str, Any] | None:
    """Give results as the `evaluation_report` of an entry in Inspect's register (`eval.yaml`); None for no results.

    Args:
        results: Of models, and of systems whose answers were made elsewhere.
    """
    rows = [
        _report_row(result, kind, part)
        for kind in INFER
        for result in results
        if (part := result.kinds.get(kind)) and part.mean.value is not None
    ]
    if not rows:
        return None
    newest = max(results, key=lambda result: result.date)
    return {
        "results": rows,
        "commit": newest.commit or "unknown",
        "version": newest.package_version,
        "command": f"inspect eval {OWN}TASK --model MODEL --model-role grader=JUDGES -T data=DATA",
        "timestamp": newest.date,
        "notes": [
            "mean: agreement with the user's note, 1 to 5; stderr and interval cluster-robust by user.",
            "A row that was run at another commit than the newest says so. Rows compare only where the leaderboard "
            "puts them in one table.",
        ],
    }


def _report_row(result: Result, kind: Kind, part: KindResult) -> dict[str, Any]:
    estimates = {
        "mean": part.mean.value,
        "stderr": part.mean.standard_error,
        "lower": part.mean.lower,
        "upper": part.mean.upper,
        "recovered_share": part.recovered.share.value if part.recovered else None,
        "verdict_balanced_accuracy": part.verdicts.balanced_accuracy.value if part.verdicts else None,
        "samples": part.samples,
        "users": part.users,
    }
    return {
        "model": result.system.name,
        "task": INFER[kind].name,
        "date": part.date[:10],
        "metrics": [{"key": key, "value": float(value)} for key, value in estimates.items() if value is not None],
        **_texts(
            effort=result.system.effort,
            context=part.context,
            judges=", ".join(judge.name for judge in part.judges),
            data=f"{result.data.name}, {result.data.revision}",
            task_version=part.task_version,
            protocol=_protocol(result),
            commit=result.commit,
        ),
    }
