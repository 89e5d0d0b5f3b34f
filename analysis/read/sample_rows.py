"""Turn what a log says of its samples into rows, one per score, and refuse what no run of ours writes.

Every value is read once, through the types of the log contract: what comes after can rely on it.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from inspect_ai.log import EvalSampleSummary
from inspect_ai.scorer import Score
from pydantic import ValidationError

from thoughttrace.analysis.read.costs import LogCosts, Usages, input_tokens, output_tokens
from thoughttrace.analysis.read.whole_samples import read_samples
from thoughttrace.core import record
from thoughttrace.core.record import (
    JudgedScore,
    Metadata,
    ProbeScore,
    RecallScore,
    RewriteScore,
    SampleMetadata,
    StatedScore,
    Style,
    TaskSpec,
    Unscored,
    WinScore,
)
from thoughttrace.core.shared_words import longest_overlap
from thoughttrace.datasets.answers import equals_a_note

_OF_LABELS = (record.RELATE, record.TOPIC)
"""The tasks whose score is no number: analysis reads the answer."""
OF_SCORES = ("rubric_hash", "rubric_file", "judge_scale")
"""What is the same in all samples that one call of a scorer scored."""
_PARTS: dict[TaskSpec, dict[str, tuple[float, float]]] = {
    record.PROBE: {"rating": record.PROBE.scale, "within": (0.0, 1.0), "injected": (0.0, 1.0)},
    record.REWRITE: dict.fromkeys((record.COMPLAINT, record.REQUEST), record.REWRITE.scale),
}
"""The values of the scores that have several, and their scales; the first is the `score`, the others are columns."""
_COSINE = (-1.000001, 1.000001)
"""The cosine of two 32-bit embeddings can pass 1 in its last digits."""


class UnusableLogError(Exception):
    """A log cannot be used; the text completes the sentence that begins with the log's name."""


def fault_in(error: ValidationError) -> str:
    """Say in a few words which value is at fault, and why: `position: Input should be … (is 9)`.

    A text is not quoted: it can be a user's.
    """
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    given = f" (is {first['input']})" if isinstance(first["input"], int | float) else ""
    return f"{place}: {first['msg']}{given}" if place else f"{first['msg']}{given}"


def broken(where: str, fault: str) -> UnusableLogError:
    """Return the error for a log that says what no run of ours writes.

    One such value is enough to leave a log out: whatever wrote it does not keep to what our tasks and scorers write, so
    the other values cannot be relied on either, and a mean over those that look well would be of a chosen part.

    Args:
        where: The sample, or the part of the header.
        fault: The value, and what is wrong with it.
    """
    return UnusableLogError(
        f"{where} holds what no run of ours writes: {fault}. Take the log as the run wrote it, or run it again."
    )


def sample_rows(
    file: str, summaries: Iterable[EvalSampleSummary], spec: TaskSpec, costs: LogCosts
) -> Iterator[dict[str, Any]]:
    """Make the rows of a log's samples: the columns of `Run.rows`, and `score_name` and `OF_SCORES`.

    Args:
        file: The log, a path or URL.
        summaries: Its samples.
        spec: Its task.
        costs: Its prices.

    Raises:
        UnusableLogError: A sample holds what no run of ours writes, or a score names no judge's ratings.
    """
    for sample in _with_ratings(file, list(summaries), spec):
        yield from _rows(sample, spec, costs)


def _names(sample: EvalSampleSummary, spec: TaskSpec) -> list[str]:
    """Return the names of the scores that are of the task, the first one's first."""
    return [name for name in sample.scores or {} if re.fullmatch(rf"{spec.score}\d*", name)]


def _with_ratings(file: str, summaries: Sequence[EvalSampleSummary], spec: TaskSpec) -> Iterator[EvalSampleSummary]:
    """Give summaries without room for all ratings, or for all words of an inference, the scores of the sample."""
    short = [
        sample
        for sample in summaries
        if spec.judged and (any(_votes_removed(sample, spec)) or any(_answers_shortened(sample, spec)))
    ]
    whole = read_samples(file, [(str(sample.id), sample.epoch) for sample in short])
    read = {(sample.id, sample.epoch): sample.scores for sample in whole if sample}
    for sample in summaries:
        scores = read.get((sample.id, sample.epoch))
        yield sample.model_copy(update={"scores": scores}) if scores else sample


def _votes_removed(sample: EvalSampleSummary, spec: TaskSpec) -> Iterator[bool]:
    for name in _names(sample, spec):
        judged: JudgedScore = _parsed(_contract(spec), (sample.scores or {})[name].metadata, sample, name)
        yield judged.ratings_removed or judged.verdicts_removed


def _contract(spec: TaskSpec) -> type[JudgedScore]:
    return WinScore if spec is record.ARENA else JudgedScore


def _answers_shortened(sample: EvalSampleSummary, spec: TaskSpec) -> Iterator[bool]:
    # Of more than 1,024 characters a summary has the first words and "...".
    for name in _names(sample, spec) if spec in record.INFER.values() else ():
        yield ((sample.scores or {})[name].answer or "").endswith("...")


def _rows(sample: EvalSampleSummary, spec: TaskSpec, costs: LogCosts) -> Iterator[dict[str, Any]]:
    metadata = _parsed(spec.sample, sample.metadata, sample, "metadata")
    scores = sample.scores or {}
    by_model, by_judges = costs.split(sample)
    judge_usage = {f"judge_{name}": value for name, value in _usage(by_judges).items()}
    judge_usage["judge_cost"] = costs.cost(by_judges, judging=True)
    shared = {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "user": metadata.user if isinstance(metadata, SampleMetadata) else "",
        "similarity": _number(sample, record.SIMILARITY, _COSINE) if record.SIMILARITY in scores else math.nan,
        **{name: getattr(metadata, name) for name in metadata.columns},
        **_usage(by_model),
        "cost": costs.cost(by_model),
        **judge_usage,
    }
    names = _names(sample, spec)
    for name in names:
        yield shared | {"score_name": name} | _scored(name, scores[name], sample, spec)
        shared |= dict.fromkeys(judge_usage, math.nan)  # the log does not say which judges used what: counted once
    if not names:
        reason = (Unscored.ERROR if sample.error else Unscored.NOT_SCORED).value
        yield shared | {"score_name": spec.score, "score": math.nan, "reason": reason, "answer": "", "overlap": 0}


def _parsed(contract: type[Metadata], given: Any, sample: EvalSampleSummary, what: str) -> Any:
    try:
        return contract.model_validate(given or {})
    except ValidationError as error:
        raise broken(_place(sample), f"{what} {fault_in(error)}") from error


def _place(sample: EvalSampleSummary) -> str:
    return f"its sample {sample.id} (epoch {sample.epoch})"


def _scored(name: str, score: Score, sample: EvalSampleSummary, spec: TaskSpec) -> dict[str, Any]:
    row: dict[str, Any] = {
        **_values(sample, name, spec),
        "reason": score.reason if score.reason is None else _reason(score.reason),
        "answer": score.answer or "",
    }
    if spec.judged:
        judged = _judged(name, score, sample, spec, row["score"])
        targets = [sample.target] if isinstance(sample.target, str) else sample.target
        row |= {
            "verdicts": judged.model_dump_json(include={"verdicts"}) if judged.verdicts else "",
            "ratings": json.dumps(judged.counted or {}),
            "rubric_hash": judged.rubric_hash,
            "rubric_file": judged.rubric_file,
            # A score without ratings, of a reply that was cut off, is on no scale.
            "judge_scale": judged.judge_scale if "ratings" in judged.model_fields_set else None,
            "confidence": math.nan if judged.confidence is None else judged.confidence,
            "no_confidence": judged.no_confidence and judged.no_confidence.value,
            "overlap": longest_overlap(score.answer or "", targets) if spec.unit == "message" else 0,
        }
        if isinstance(judged, WinScore):
            row |= _compared(judged)
        if spec in record.INFER.values():
            answered = row["answer"] and row["reason"] not in record.NO_ANSWER
            row["words"] = len(row["answer"].split()) if answered else math.nan
            row["equals_note"] = equals_a_note(row["answer"], targets)
        if judged.ratings_removed:
            # Its score is known, and its votes are not: counted in some tables and not in others, it would make them
            # contradict each other.
            row |= {"score": math.nan, "reason": Unscored.UNREADABLE.value}
    if spec is record.SATISFACTION:
        row["percent"] = _parsed(StatedScore, score.metadata, sample, name).percent
    if spec is record.RECALL:
        row |= _parsed(RecallScore, score.metadata, sample, name).model_dump()
    if spec is record.REWRITE:
        row |= _parsed(RewriteScore, score.metadata, sample, name).model_dump()
    if spec is record.PROBE:
        looks: ProbeScore = _parsed(ProbeScore, score.metadata, sample, name)
        row |= {column: math.nan if value is None else value for column, value in looks}
    return row


def _compared(judged: WinScore) -> dict[str, Any]:
    """Return the verdicts on two answers (JSON), and the style of each: NaN where the model gave no answer to count."""
    row: dict[str, Any] = {"pair_verdicts": json.dumps(judged.pair_verdicts or {})}
    for prefix, style in (("", judged.style), ("baseline_", judged.baseline_style)):
        counts = style.model_dump() if style else dict.fromkeys(Style.model_fields, math.nan)
        row |= {prefix + name: count for name, count in counts.items()}
    return row


def _values(sample: EvalSampleSummary, name: str, spec: TaskSpec) -> dict[str, float]:
    """Return the `score`, and the other values of a score that has several; NaN where it is unscored."""
    if spec in _OF_LABELS:
        return {"score": math.nan}
    if spec not in _PARTS:
        return {"score": _number(sample, name, spec.scale)}
    value, scales = (sample.scores or {})[name].value, _PARTS[spec]
    parts = value if isinstance(value, Mapping) else dict.fromkeys(scales, value)
    numbers = {part: _within(parts.get(part), scale, sample, f"{name} {part}") for part, scale in scales.items()}
    return {"score": numbers.pop(next(iter(scales)))} | numbers


def _judged(name: str, score: Score, sample: EvalSampleSummary, spec: TaskSpec, number: float) -> JudgedScore:
    """Read the votes behind a score, whose number is NaN where it is unscored.

    Raises:
        UnusableLogError: It has none, though judges must have given it, or one is outside the scale.
    """
    judged: JudgedScore = _parsed(_contract(spec), score.metadata, sample, name)
    low, high = spec.scale
    for judge, ratings in (judged.counted or {}).items():
        for rating in ratings:
            if rating is not None and not low <= rating <= high:
                raise broken(
                    _place(sample), f"{name}: {judge} gave a {rating:,}, which is outside the scale {low:g}–{high:g}"
                )
    if judged.judge_scale == "expected" and _shape(judged.expected) != _shape(judged.ratings):
        raise broken(_place(sample), f"{name}: its expected ratings are not of the votes that it holds")
    if not judged.counted and not judged.ratings_removed and not math.isnan(number):
        raise UnusableLogError(
            f"{_place(sample)} has a score {name} without the judges' ratings behind it: an older version or another "
            f"scorer wrote it. Score it again with inspect score --scorer {record.OWN}{spec.score} --action overwrite."
        )
    return judged


def _shape(ratings: Mapping[str, Sequence[float | None]] | None) -> dict[str, int] | None:
    return None if ratings is None else {judge: len(given) for judge, given in ratings.items()}


def _number(sample: EvalSampleSummary, name: str, scale: tuple[float, float]) -> float:
    """Return the value of a score; NaN where it is unscored."""
    return _within((sample.scores or {})[name].value, scale, sample, name)


def _within(value: Any, scale: tuple[float, float], sample: EvalSampleSummary, what: str) -> float:
    """Return a value as a number; NaN for none.

    Raises:
        UnusableLogError: It is no number, or outside its scale.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    low, high = scale
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise broken(_place(sample), f"{what}: its value is no number")
    if not low <= value <= high:
        raise broken(_place(sample), f"{what}: its value {value:,} is outside the scale {low:g}–{high:g}")
    return float(value)


def _reason(stored: str) -> str:
    try:
        return Unscored(stored).value
    except ValueError:  # of a scorer that is not ours
        return stored


def _usage(usages: Usages) -> dict[str, float]:
    return {"input_tokens": input_tokens(usages), "output_tokens": output_tokens(usages)}
