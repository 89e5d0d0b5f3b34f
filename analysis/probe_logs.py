"""One log of `judge_agreement`, read: who judged which probes, and one row per judgement."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSampleSummary, read_eval_log, read_eval_log_sample_summaries

from thoughttrace.analysis.costs import Tariff, input_tokens, output_tokens
from thoughttrace.analysis.logs import CannotCountError, Header

TASK = "judge_agreement"

_PROBE = ("family", "ladder", "low", "high")


def read_probe_log(file: str) -> tuple[Header, pd.DataFrame] | None:
    """Read one log, as far as it is of `judge_agreement`.

    Args:
        file: Path or fsspec URL.

    Returns:
        None for another task's log; else the header, and one row per probe and epoch: `id`, `epoch`, `family`,
        `ladder`, `low` and `high` (the right ratings), `within` and `injected` (1 or 0; `injected` is NaN where the
        probe is no attack), `rating` (all three NaN if unscored), `tokens`, and `cost` (US dollars, NaN if not known).

    Raises:
        CannotCountError: The log is unfinished, holds no probe, or is damaged.
    """
    try:
        log = read_eval_log(file, header_only=True)
        if log.eval.task.rpartition("/")[2] != TASK:
            return None
        if log.status != "success":
            raise CannotCountError(f"did not finish (status {log.status}); resume it with inspect eval-retry.")
        tariff = Tariff(log)
        rows = pd.DataFrame([_row(summary, tariff) for summary in read_eval_log_sample_summaries(file)])
    except CannotCountError:
        raise
    except Exception as error:  # a damaged log can fail in any layer of the reader
        raise CannotCountError(f"cannot be read ({type(error).__name__}); it may be cut off.") from error
    if rows.empty:
        raise CannotCountError("holds no probes; run it again.")
    return _header(log, rows) | {"log": Path(file).name}, rows


def _header(log: EvalLog, rows: pd.DataFrame) -> Header:
    metadata = log.eval.metadata or {}
    named = {name: str(metadata.get(name, "unknown")) for name in ("data", "data_revision", "probes_hash")}
    return {
        "judge": log.eval.model,
        "task_version": str(log.eval.task_version),
        **named,
        "rubric_hash": ", ".join(f"{kind} {name}" for kind, name in sorted(metadata.get("rubric_hash", {}).items())),
        "judge_message": bool(metadata.get("judge_message", True)),
        "date": str(log.eval.created),
        # A probe that failed for good is planned but may not be among the rows.
        "planned": max(len(rows), log.results.total_samples if log.results else 0),
    }


def _row(sample: EvalSampleSummary, tariff: Tariff) -> dict[str, Any]:
    score = (sample.scores or {}).get("probe")
    value = score.value if score is not None and isinstance(score.value, dict) else {}
    return {
        "id": str(sample.id),
        "epoch": sample.epoch,
        **{name: sample.metadata[name] for name in _PROBE},
        **{name: _number(value.get(name)) for name in ("within", "injected", "rating")},
        "tokens": input_tokens(sample.model_usage) + output_tokens(sample.model_usage),
        "cost": tariff.cost(sample.model_usage),
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
