"""One log of `judge_agreement`, read: who judged which probes, and one row per judgement."""

import math
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSampleSummary

from thoughttrace.analysis.finished import Header, named, read_finished
from thoughttrace.analysis.read.costs import Tariff, input_tokens, output_tokens

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
    found = read_finished(file, TASK)
    if not found:
        return None
    log, summaries = found
    tariff = Tariff(log)
    rows = pd.DataFrame([_row(summary, tariff) for summary in summaries])
    return _header(log, rows), rows


def _header(log: EvalLog, rows: pd.DataFrame) -> Header:
    metadata = log.eval.metadata or {}
    return named(log) | {
        "judge": log.eval.model,
        "probes_hash": str(metadata.get("probes_hash", "unknown")),
        "rubric_hash": ", ".join(f"{kind} {name}" for kind, name in sorted(metadata.get("rubric_hash", {}).items())),
        "judge_message": bool(metadata.get("judge_message", True)),
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
