"""What a person is asked to rate: which inferences, in which order, and their texts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.log import read_eval_log_sample

from thoughttrace.analysis.read.human_ratings import UNREAD, inferences
from thoughttrace.analysis.runs import Run
from thoughttrace.core.record import Kind
from thoughttrace.datasets.prompt import rendered_messages


@dataclass(frozen=True)
class Question:
    """One inference of one sample; several models may have made it."""

    kind: Kind
    id: str
    inference: str
    """Its hash."""
    model: str
    """One that made it; never shown."""
    epoch: int
    file: str
    """The log that holds it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two questions the same."""
        return self.kind, self.id, self.inference


@dataclass(frozen=True)
class Texts:
    """What is shown of a question."""

    before: str
    """The message before the annotated one; empty where it is the first, or was not shown to the model."""
    message: str
    notes: list[str]
    inference: str


def questions(runs: Sequence[Run], rater: str, seed: int, limit: int | None) -> list[Question]:
    """All inferences that judges rated, each once, in the order of a rater.

    The order is that of hashes, so it mixes models and kinds, and stays the same when logs join. Which ones a limit
    picks depends on the seed alone: raters who share a seed and a limit rate the same inferences.

    Args:
        runs: Finished runs.
        rater: The rater's name.
        seed: Of order and choice.
        limit: At most so many; None for all.
    """
    found: dict[tuple[str, str, str], Question] = {}
    for run in runs:
        for row in inferences(run).to_dict("records"):
            question = Question(run.kind, row["id"], row["inference"], run.model, row["epoch"], run.file)
            found.setdefault(question.key, question)
    chosen = sorted(found.values(), key=lambda question: _lot(seed, *question.key))[:limit]
    return sorted(chosen, key=lambda question: _lot(seed, rater, *question.key))


def _lot(*what: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, what)).encode()).hexdigest()


def texts(question: Question) -> Texts:
    """Read what is shown of a question from its log."""
    sample = read_eval_log_sample(question.file, question.id, question.epoch, exclude_fields=UNREAD)
    prompt = sample.input if isinstance(sample.input, str) else sample.input[-1].text
    shown = {index: text for index, _, text in rendered_messages(prompt)}
    return Texts(
        before=shown.get(int(sample.metadata["message_index"]) - 1, ""),
        message=str(sample.metadata["message"]),
        notes=[sample.target] if isinstance(sample.target, str) else list(sample.target),
        inference=(sample.scores or {})["agreement"].answer or "",
    )
