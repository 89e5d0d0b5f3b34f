"""One log of `predict_message`, read: who predicted which messages with what to go by, and one row per prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSampleSummary

from thoughttrace.analysis.finished import CannotCountError, Header, gather, named, number, read_finished
from thoughttrace.analysis.read.costs import Tariff, input_tokens, output_tokens
from thoughttrace.core.model_names import same_model

TASK = "predict_message"

SETTING = ("rubric_hash", "prompt_hash", "version", "data_revision", "selection")
"""What must be equal, besides the judge, for two runs of one model to be compared."""

_SAME = ("model", "arm", "judge", "data", *SETTING)


@dataclass(frozen=True)
class Predicted:
    """One finished run."""

    header: Header
    rows: pd.DataFrame
    """One row per sample and epoch, as `read_message_log` gives them."""

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per sample, by `id`; `rating` and `cosine` are the means over its epochs that were scored."""
        grouped = self.rows.groupby("id", sort=False)
        return grouped.first().assign(**grouped[["rating", "cosine"]].mean())

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The samples with a rating."""
        return self.samples.dropna(subset="rating")

    @property
    def setting(self) -> tuple[Any, ...]:
        """What must be equal, besides the judge, for two runs of one model to be compared."""
        return tuple(self.header[name] for name in SETTING)


def predictions(files: Sequence[str]) -> tuple[list[Predicted], list[str]]:
    """Read logs; of runs that measure the same the newest counts.

    Args:
        files: Paths or fsspec URLs; logs of other tasks are passed over.

    Returns:
        The runs that count, and one sentence for every log that does not.
    """
    found, left_out = gather(files, read_message_log, _SAME)
    return [Predicted(*one) for one in found], left_out


def read_message_log(file: str) -> tuple[Header, pd.DataFrame] | None:
    """Read one log, as far as it is of `predict_message`.

    Args:
        file: Path or fsspec URL.

    Returns:
        None for another task's log; else the header (what `named` returns; `model`, `arm`, which names also whose
        inferences were shown, `stands_for` (the arm whose thoughts they take the place of; else empty), `judge`,
        `self_judged`, and `SETTING`), and one row per sample and epoch: `id`, `epoch`, `user`, `rating` (0–100, NaN
        if unscored), `reason` (why it is unscored, or was rated by rule), `cosine` (NaN where not scored),
        `hindsight` (whether a thought on what was shown was written after the message; None if not known),
        `note_words`, `not_inferred`, and tokens and cost (US dollars, NaN if not known) of the model and the judges.

    Raises:
        CannotCountError: The log is unfinished, unscored, or damaged.
    """
    found = read_finished(file, TASK)
    if not found:
        return None
    log, summaries = found
    tariff = Tariff(log)
    rated = [(sample.scores or {}).get("message_similarity") for sample in summaries]
    told = [score.metadata for score in rated if score and score.metadata]
    judges = sorted({judge for said in told for judge in said.get("ratings", {})})
    if not judges:
        raise CannotCountError("holds no message_similarity scores; score it with inspect score.")
    rubrics = sorted({str(said.get("rubric_hash", said.get("prompt_hash"))) for said in told})
    rows = pd.DataFrame([_row(sample, tariff) for sample in summaries])
    return _header(log, judges, ", ".join(rubrics)), rows


def _header(log: EvalLog, judges: list[str], rubric: str) -> Header:
    metadata = log.eval.metadata or {}
    kinds = [f"{kind}s" for kind in metadata.get("inferred_kinds") or []]
    by = metadata.get("inferred_by")
    arm = str(metadata.get("arm", "unknown"))
    if kinds:
        arm += f" {kinds[0]}" * (len(kinds) == 1) + f" by {by}" * (not same_model(str(by), log.eval.model))
    version = str(log.eval.task_version).partition("-")[0]
    return named(log) | {
        "model": log.eval.model,
        "arm": arm,
        "stands_for": ("both" if len(kinds) == 2 else kinds[0]) if kinds else "",
        "judge": ", ".join(judges),
        "self_judged": any(same_model(log.eval.model, judge) for judge in judges),
        "rubric_hash": rubric,
        "version": int(version) if version.isdecimal() else 0,
        "selection": _selection(metadata),
    }


def _selection(metadata: dict[str, Any]) -> str:
    """Which messages were predicted, and how much of the history was shown."""
    said = [f"after a {metadata.get('after', 'unknown')}"]
    if (least := metadata.get("min_quality")) is not None:
        said.append(f"quality {least:g} or more")
    if most := metadata.get("max_context_words"):
        said.append(f"history of {most:,} words at most")
    return ", ".join(said)


def _row(sample: EvalSampleSummary, tariff: Tariff) -> dict[str, Any]:
    scores = sample.scores or {}
    rated = scores.get("message_similarity")
    own, judging = tariff.split(sample)
    return {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "user": str(sample.metadata["user"]),
        "rating": number(rated),
        "reason": rated.reason if rated else "error" if sample.error else "not scored",
        "cosine": number(scores.get("similarity")),
        "hindsight": sample.metadata.get("hindsight"),
        "note_words": sample.metadata.get("note_words", 0),
        "not_inferred": sample.metadata.get("not_inferred", 0),
        "input_tokens": input_tokens(own),
        "output_tokens": output_tokens(own),
        "cost": tariff.cost(own),
        "judge_input_tokens": input_tokens(judging),
        "judge_output_tokens": output_tokens(judging),
        "judge_cost": tariff.cost(judging, judging=True),
    }
