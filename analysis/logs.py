"""One log file, read: what made it, and one row per inference.

Only the header and the sample summaries are read, which Inspect keeps apart from the samples: a log of 10,000
samples is some 100 MB and its summaries a few.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSampleSummary, read_eval_log, read_eval_log_sample_summaries

from thoughttrace.analysis.finished import CannotCountError, Header, number, require_success, task_name
from thoughttrace.analysis.overlap import longest_overlap
from thoughttrace.analysis.read.costs import Tariff, Usages, input_tokens, output_tokens
from thoughttrace.core.record import Kind
from thoughttrace.datasets.conversation import KIND_OF

TASKS: dict[str, Kind] = {f"infer_{kind}": kind for kind in KIND_OF.values()}
"""The tasks whose logs are read, in the order they are shown."""

OTHERS = (
    "judge_agreement",
    "predict_message",
    "classify_thought",
    "cover_thought",
    "rate_thought",
    "relate_messages",
    "label_topic",
)
"""The other tasks of ours."""

_GROUPS = ("conversation", "message_index", "position", "type", "assistant_model", "hindsight", "target_words")
_SURVEY = ("age", "gender", "education", "frequency")

_JUDGEMENT = re.compile(r"agreement\d*")


class OtherTaskError(CannotCountError):
    """A log is of another task of ours, which has its own place in the report."""

    def __init__(self, task: str) -> None:
        super().__init__(f"is of another task ({task}).")
        self.task = task


def read_log(file: str) -> tuple[Header, pd.DataFrame]:
    """Read one log.

    Args:
        file: Path or fsspec URL.

    Returns:
        The header (the fields of `Run` that all judgements of a log share), and one row per sample, epoch and
        judgement: `id`, `epoch`, `judgement` (the score's name: `agreement`, and `agreement1` … where `inspect score`
        appended others), `user`, `agreement` (NaN if unscored), `reason` (why it is unscored), `similarity`,
        `ratings` (JSON, each judge's), `rubric_hash`, `overlap` (words of the longest
        run that inference and target share), what samples are grouped by, and tokens and cost (US dollars, NaN if
        not known) of the model and, in the first judgement's rows, of the judges.

    Raises:
        CannotCountError: The log is of another task, unfinished, unscored, or damaged.
    """
    try:
        log = read_eval_log(file, header_only=True)
        name = task_name(log)
        if name in OTHERS:
            raise OtherTaskError(name)
        if name not in TASKS:
            raise CannotCountError(f"is of another task ({log.eval.task}).")
        require_success(log)
        tariff = Tariff(log)
        rows = pd.DataFrame([row for one in read_eval_log_sample_summaries(file) for row in _rows(one, tariff)])
    except CannotCountError:
        raise
    except Exception as error:  # a damaged log can fail in any layer of the reader
        raise CannotCountError(f"cannot be read ({type(error).__name__}); it may be cut off.") from error
    if rows.empty or not rows["ratings"].notna().any():
        raise CannotCountError("holds no agreement scores; score it with inspect score.")
    return _header(log, TASKS[name], rows), rows


def _header(log: EvalLog, kind: Kind, rows: pd.DataFrame) -> Header:
    spec, metadata = log.eval, log.eval.metadata or {}
    control = metadata.get("control")
    epochs = spec.config.epochs or 1
    # A sample that failed for good is planned but may not be among the rows.
    total = log.results.total_samples if log.results else 0
    return {
        "kind": kind,
        "model": f"control {control}" + f" by {spec.model}" * (control == "reworded") if control else spec.model,
        "control": control or "",
        "context": str(metadata.get("context", "unknown")),
        "task_version": str(spec.task_version),
        "prompt_hash": str(metadata.get("prompt_hash", "unknown")),
        "data": str(metadata.get("data", "unknown")),
        "data_revision": str(metadata.get("data_revision", "unknown")),
        "package_version": str(metadata.get("thoughttrace", "unknown")),
        "inspect_version": str(spec.packages.get("inspect_ai", "unknown")),
        "date": str(spec.created),
        "evaluated": spec.model,
        "epochs": epochs,
        "planned": max(rows["id"].nunique(), total // epochs),
    }


def _rows(sample: EvalSampleSummary, tariff: Tariff) -> Iterator[dict[str, Any]]:
    scores = sample.scores or {}
    judgements = {name: score for name, score in scores.items() if _JUDGEMENT.fullmatch(name)}
    own, judging = tariff.split(sample)
    judges = _used(judging) | {"cost": tariff.cost(judging, judging=True)}
    shared = {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "user": str(sample.metadata["user"]),
        "similarity": number(scores.get("similarity")),
        **_groups(sample.metadata),
        **_used(own),
        "cost": tariff.cost(own),
        **{f"judge_{name}": value for name, value in judges.items()},
    }
    for name, score in judgements.items():
        said = score.metadata or {}
        targets = [sample.target] if isinstance(sample.target, str) else sample.target
        yield shared | {
            "judgement": name,
            "agreement": number(score),
            "reason": score.reason,
            "ratings": json.dumps(said.get("ratings", {})),
            "rubric_hash": said.get("rubric_hash", said.get("prompt_hash")),
            "overlap": longest_overlap(score.answer or "", targets),
        }
        shared |= {f"judge_{name}": math.nan for name in judges}  # of the first judgement alone
    if not judgements:
        why = "error" if sample.error else "not scored"
        yield shared | {"judgement": "agreement", "agreement": math.nan, "reason": why, "ratings": None, "overlap": 0}


def _groups(metadata: dict[str, Any]) -> dict[str, Any]:
    survey = metadata.get("survey")
    survey = survey if isinstance(survey, dict) else {}
    return {name: metadata.get(name) for name in _GROUPS} | {name: survey.get(name) for name in _SURVEY}


def _used(usages: Usages) -> dict[str, float]:
    return {"input_tokens": input_tokens(usages), "output_tokens": output_tokens(usages)}
