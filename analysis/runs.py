"""What the logs hold: finished runs and their samples, and the logs that do not count, with the reason."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from inspect_ai.scorer import Score

from thoughttrace.datasets.conversation import KIND_OF, Kind
from thoughttrace.datasets.errors import UserError

_TASKS: dict[str, Kind] = {f"infer_{kind}": kind for kind in KIND_OF.values()}
_HEAVY = {"messages", "events", "store", "attachments"}


@dataclass(frozen=True)
class Run:
    """One finished evaluation of one model on one kind of thought."""

    kind: Kind
    model: str
    judge: str
    context: str
    task_version: str
    prompt_hash: str
    rubric_hash: str
    data: str
    data_revision: str
    package_version: str
    inspect_version: str
    date: str
    """When it was started, ISO 8601."""
    log: str
    """The log's file name."""
    self_judged: bool
    planned: int
    """Samples planned, not counting epochs."""
    samples: pd.DataFrame = field(compare=False, repr=False)
    """One row per sample: `id`, `user`, `agreement` (NaN if unscored), `similarity`, `reason` (why it is
    unscored); over epochs the mean of what was scored."""

    @property
    def what(self) -> tuple[str, ...]:
        """What was measured: two runs that agree in this are the same measurement, taken twice."""
        return (
            self.kind, self.model, self.judge, self.context, self.task_version,
            self.prompt_hash, self.rubric_hash, self.data_revision,
        )  # fmt: skip


@dataclass
class Runs:
    """The runs that count, and one sentence for every log that does not."""

    counted: list[Run] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_runs(paths: Sequence[str]) -> Runs:
    """Read the runs in log files and folders; the newest run of each measurement counts.

    Args:
        paths: Log files, or folders that are searched through and through.

    Raises:
        UserError: A path does not exist, or no run in them counts (the message says why each was left out).
    """
    runs = Runs()
    newest: dict[tuple[str, ...], Run] = {}
    for file in _log_files(paths):
        name = Path(file).name
        try:
            log = read_eval_log(file, exclude_fields=_HEAVY)
        except Exception as error:  # a damaged log can fail in any layer of the reader
            runs.left_out.append(f"{name}: cannot be read ({type(error).__name__}); it may be cut off.")
            continue
        if reason := _why_not(log):
            runs.left_out.append(f"{name}: {reason}")
            continue
        run = _run(log, name)
        older, newer = sorted((run, newest.get(run.what, run)), key=lambda r: r.date)
        newest[run.what] = newer
        if older is not newer:
            runs.left_out.append(f"{older.log}: superseded by the newer run {newer.log}.")
    runs.counted = sorted(newest.values(), key=lambda r: (list(_TASKS.values()).index(r.kind), r.model, r.what))
    if not runs.counted:
        reasons = "".join(f"\n  {sentence}" for sentence in runs.left_out)
        raise UserError(f"No finished inference run in {', '.join(paths)}.{reasons}")
    return runs


def _log_files(paths: Sequence[str]) -> list[str]:
    files: list[str] = []
    for path in paths:
        if "://" not in path and not Path(path).exists():
            raise UserError(f"{path}: no such log file or folder.")
        is_file = path.endswith((".eval", ".json"))
        files += [path] if is_file else [info.name for info in list_eval_logs(path)]
    return list(dict.fromkeys(files))


def _why_not(log: EvalLog) -> str | None:
    """Why a log cannot count, or None."""
    if log.eval.task.rpartition("/")[2] not in _TASKS:
        return f"is of another task ({log.eval.task})."
    if log.status != "success":
        return f"did not finish (status {log.status}); resume it with inspect eval-retry."
    if not log.samples or not any("agreement" in (sample.scores or {}) for sample in log.samples):
        return "holds no agreement scores; score it with inspect score."
    return None


def _run(log: EvalLog, name: str) -> Run:
    spec, metadata = log.eval, log.eval.metadata or {}
    samples = log.samples or []
    votes = [vote for sample in samples for vote in _votes(sample)]
    judges = sorted({vote["judge"] for vote in votes})
    rows = pd.DataFrame([_row(sample) for sample in samples])
    # The mean of a sample's epochs enters; a sample none of whose epochs was scored stays, as NaN.
    per_sample = rows.groupby("id", sort=False).agg(
        user=("user", "first"),
        agreement=("agreement", "mean"),
        similarity=("similarity", "mean"),
        reason=("reason", "first"),
    )
    return Run(
        kind=_TASKS[spec.task.rpartition("/")[2]],
        model=spec.model,
        judge=", ".join(judges) or "unknown",
        context=str(metadata.get("context", "unknown")),
        task_version=str(spec.task_version),
        prompt_hash=str(metadata.get("prompt_hash", "unknown")),
        rubric_hash=", ".join(sorted({vote["prompt_hash"] for vote in votes})),
        data=str(metadata.get("data", "unknown")),
        data_revision=str(metadata.get("data_revision", "unknown")),
        package_version=str(metadata.get("thoughttrace", "unknown")),
        inspect_version=str(spec.packages.get("inspect_ai", "unknown")),
        date=str(spec.created),
        log=name,
        self_judged=spec.model in judges,
        planned=_planned(log, len(per_sample)),
        samples=per_sample.reset_index(),
    )


def _planned(log: EvalLog, found: int) -> int:
    """Samples that were to be run: one that failed for good is planned but not among the scored."""
    epochs = log.eval.config.epochs or 1
    total = log.results.total_samples if log.results else 0
    return max(found, total // epochs)


def _row(sample: EvalSample) -> dict[str, Any]:
    scores = sample.scores or {}
    agreement = scores.get("agreement")
    reason = agreement.reason if agreement else ("error" if sample.error else "not scored")
    return {
        "id": str(sample.id),
        "user": sample.metadata["user"],
        "agreement": _number(agreement),
        "similarity": _number(scores.get("similarity")),
        "reason": reason,
    }


def _number(score: Score | None) -> float:
    return float(score.value) if score is not None and isinstance(score.value, int | float) else math.nan


def _votes(sample: EvalSample) -> list[dict[str, Any]]:
    agreement = (sample.scores or {}).get("agreement")
    return list((agreement.metadata or {}).get("votes", [])) if agreement else []
