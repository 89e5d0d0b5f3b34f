"""The logs of the tasks that label messages and conversations, read: one row per label."""

from typing import Any

import pandas as pd
from inspect_ai.log import EvalSampleSummary

from thoughttrace.analysis.finished import Read, gather, named, read_finished
from thoughttrace.analysis.runs import Runs

_SAME = ("model", "task_version", "data", "data_revision", "prompt_hash")


def label_logs(runs: Runs, task: str) -> list[Read]:
    """Read the logs of a task that labels; the newest of each measurement counts.

    Args:
        runs: Where they were found; a sentence is added for every log that does not count.
        task: `relate_messages` or `label_topic`.

    Returns:
        For each log the header: what `named` returns, `model` and `epochs`. And one row per sample and epoch: `id`,
        `epoch`, `user`, `conversation`, `message_index` (NA for a conversation's label), `answer` (empty if there is
        none), `first` (the label is so by definition) and `reason` (why there is no answer, else empty).
    """
    found, left_out = gather(runs.others.get(task, []), lambda file: _read(file, task), _SAME)
    runs.left_out += [sentence for sentence in left_out if sentence not in runs.left_out]
    return found


def _read(file: str, task: str) -> Read | None:
    found = read_finished(file, task)
    if not found:
        return None
    log, summaries = found
    rows = pd.DataFrame([_row(summary) for summary in summaries]).astype({"message_index": "Int64"})
    header = named(log) | {"model": log.eval.model, "epochs": log.eval.config.epochs or 1}
    return header | {"planned": max(rows["id"].nunique(), header["planned"])}, rows


def _row(sample: EvalSampleSummary) -> dict[str, Any]:
    score = next(iter((sample.scores or {}).values()), None)
    answer = (score.answer or "") if score else ""
    return {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "user": str(sample.metadata["user"]),
        "conversation": str(sample.metadata["conversation"]),
        "message_index": sample.metadata.get("message_index"),
        "answer": answer,
        "first": bool(sample.metadata.get("first")),
        "reason": "" if answer else (score.reason or "") if score else "error" if sample.error else "not scored",
    }
