"""Finding log files, and reading the finished log of a task that has no cache of its own."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSampleSummary, list_eval_logs, read_eval_log, read_eval_log_sample_summaries
from inspect_ai.scorer import Score

from thoughttrace.core.errors import UserError

Header = dict[str, Any]
"""What made a log, and what names its result; plain values that JSON can hold."""

Read = tuple[Header, pd.DataFrame]
"""A log: its header, and a row per sample and epoch."""


class CannotCountError(Exception):
    """A log cannot count; its text completes the sentence that begins with the log's name."""


def log_files(paths: Sequence[str]) -> list[str]:
    """Find log files.

    Args:
        paths: Log files, or folders that are searched through and through; paths or fsspec URLs.

    Raises:
        UserError: A path does not exist, or a URL cannot be listed.
    """
    files: list[str] = []
    for path in paths:
        remote = "://" in path
        if not remote and not Path(path).exists():
            raise UserError(f"{path}: no such log file or folder.")
        try:
            files += [path] if path.endswith((".eval", ".json")) else [log.name for log in list_eval_logs(path)]
        except Exception as error:
            if not remote:
                raise
            raise UserError(f"{path}: cannot be listed ({type(error).__name__}: {error}).") from error
    return list(dict.fromkeys(files))


def task_name(log: EvalLog) -> str:
    """The name of a log's task without its package."""
    return log.eval.task.rpartition("/")[2]


def read_finished(file: str, task: str) -> tuple[EvalLog, list[EvalSampleSummary]] | None:
    """Read the header and the sample summaries of a log, as far as it is of a task.

    Args:
        file: Path or fsspec URL.
        task: The name of the task, without its package.

    Returns:
        None for another task's log.

    Raises:
        CannotCountError: The log is unfinished, holds no sample, or is damaged.
    """
    try:
        log = read_eval_log(file, header_only=True)
        if task_name(log) != task:
            return None
        require_success(log)
        summaries = read_eval_log_sample_summaries(file)
    except CannotCountError:
        raise
    except Exception as error:  # a damaged log can fail in any layer of the reader
        raise CannotCountError(f"cannot be read ({type(error).__name__}); it may be cut off.") from error
    if not summaries:
        raise CannotCountError("holds no samples; run it again.")
    return log, summaries


def require_success(log: EvalLog) -> None:
    """Refuse a log that is not whole.

    Raises:
        CannotCountError: The log did not finish.
    """
    if log.status != "success":
        raise CannotCountError(f"did not finish (status {log.status}); resume it with inspect eval-retry.")


def named(log: EvalLog) -> dict[str, Any]:
    """What names a log's result.

    Returns:
        `task_version`, `data`, `data_revision`, `prompt_hash`, `package_version`, `date`, `log` (the file's name), and
        `planned` (samples, not counting epochs).
    """
    metadata = log.eval.metadata or {}
    total = log.results.total_samples if log.results else 0
    return {
        "task_version": str(log.eval.task_version),
        **{name: str(metadata.get(name, "unknown")) for name in ("data", "data_revision", "prompt_hash")},
        "package_version": str(metadata.get("thoughttrace", "unknown")),
        "date": str(log.eval.created),
        "log": Path(log.location).name,
        # A sample that failed for good is planned but may not be among the summaries.
        "planned": total // (log.eval.config.epochs or 1),
    }


def gather(
    files: Sequence[str], read: Callable[[str], Read | None], same: Sequence[str]
) -> tuple[list[Read], list[str]]:
    """Read logs; of those that measure the same the newest counts.

    Args:
        files: Paths or fsspec URLs.
        read: Reads one; its header has what `named` returns. None where the log is of another task.
        same: The fields of the header that are equal where two logs measure the same.

    Returns:
        The logs that count, in the order of what they measure, and one sentence for every log that does not count.
    """
    found: list[Read] = []
    left_out: list[str] = []
    for file in files:
        try:
            found += [one] if (one := read(file)) else []
        except CannotCountError as error:
            left_out.append(f"{Path(file).name}: {error}")
    kept: dict[tuple[str, ...], Read] = {}
    for header, rows in sorted(found, key=lambda one: str(one[0]["date"]), reverse=True):
        newest, _ = kept.setdefault(tuple(str(header[name]) for name in same), (header, rows))
        if newest is not header:
            left_out.append(f"{header['log']}: superseded by the newer run {newest['log']}.")
    return [kept[key] for key in sorted(kept)], left_out


def number(score: Score | None) -> float:
    """The value of a score; NaN where there is none."""
    return float(score.value) if score is not None and isinstance(score.value, int | float) else math.nan
