"""One log of a task on single thoughts, read: who labelled or rated which thoughts, and one row per reply."""

import math
from typing import Any

import pandas as pd
from inspect_ai.log import EvalSampleSummary

from thoughttrace.analysis.finished import Header, Read, gather, named, number, read_finished
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.core.record import TYPES

BASELINE = "baseline (embedding, logistic regression)"
"""What stands as the model of logs of `classify_thought` that no model answered."""

NONE = Interval(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0, reason="none scored")
"""What is known of no rows."""

_SCORES = ("type_match", "rating")
_SAME = ("kind", "context", "model", "task_version", "data", "data_revision", "prompt_hash")


def thought_logs(runs: Runs, task: str) -> list[Read]:
    """Read the logs of a task on single thoughts; the newest of each measurement counts.

    Args:
        runs: Where they were found; a sentence is added for every log that does not count.
        task: `classify_thought`, `cover_thought` or `rate_thought`.

    Returns:
        For each log, reasons first, the header: what `named` returns, `model`, `kind`, `context` (empty where the task
        has none), `baseline` and `epochs`. And one row per thought and epoch: `id`, `epoch`, `user`, `type` (the
        dataset's label), `position`, `target_words`, `value` (1 or 0 for a type, 1–5 for a rating; NaN if unscored),
        `answer` and `reason` (why there is no answer, else empty).
    """
    found, left_out = gather(runs.others.get(task, []), lambda file: _read(file, task), _SAME)
    runs.left_out += [sentence for sentence in left_out if sentence not in runs.left_out]
    order = list(TYPES)
    return sorted(found, key=lambda one: order.index(one[0]["kind"]))


def run_of(header: Header) -> dict[str, Any]:
    """What names a run in the tables: `kind`, `model`, `context`."""
    return {name: header[name] for name in ("kind", "model", "context")}


def mean_of(rows: pd.DataFrame, scale: tuple[float, float]) -> Interval:
    """The mean value of scored rows with its CR2 interval by user, clipped to the ends of the scale."""
    return cluster_mean(rows["value"].to_numpy(), rows["user"].to_numpy(), bounds=scale) if len(rows) else NONE


def missing(header: Header, rows: pd.DataFrame) -> str:
    """Say how many replies have no score, by reason.

    Args:
        header: Of a log.
        rows: Its rows.
    """
    counts = [f"{n} {why}" for why, n in rows.loc[rows["value"].isna(), "reason"].value_counts().items()]
    lost = header["planned"] * header["epochs"] - len(rows)
    return ", ".join([*counts, *[f"{lost} not in the log"] * (lost > 0)])


def per_thought(rows: pd.DataFrame) -> pd.DataFrame:
    """The scored thoughts by `id`: `value`, the mean over epochs, and `user`, in the order of the ids.

    Args:
        rows: Of a log.
    """
    scored = rows.dropna(subset="value").groupby("id")
    return pd.DataFrame({"value": scored["value"].mean(), "user": scored["user"].first()})


def _read(file: str, task: str) -> Read | None:
    found = read_finished(file, task)
    if not found:
        return None
    log, summaries = found
    metadata = log.eval.metadata or {}
    baseline, epochs = bool(metadata.get("baseline")), log.eval.config.epochs or 1
    rows = pd.DataFrame([_row(summary) for summary in summaries])
    header = named(log)
    return header | {
        "model": BASELINE if baseline else log.eval.model,
        "kind": str(metadata["kind"]),
        "context": str(metadata.get("context", "")),
        "baseline": baseline,
        # It was given no prompt, and stays the same when the prompt changes.
        "prompt_hash": "" if baseline else header["prompt_hash"],
        "epochs": epochs,
        "planned": max(rows["id"].nunique(), header["planned"]),
    }, rows


def _row(sample: EvalSampleSummary) -> dict[str, Any]:
    score = next((one for name, one in (sample.scores or {}).items() if name in _SCORES), None)
    apart = ("type", "position", "target_words")
    return {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "user": str(sample.metadata["user"]),
        **{name: sample.metadata[name] for name in apart},
        "value": number(score),
        "answer": (score.answer or "") if score else "",
        "reason": (score.reason or "") if score else "error" if sample.error else "not scored",
    }
