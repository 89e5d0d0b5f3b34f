"""Read whole samples out of a log, for what its summaries have no room for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inspect_ai.log import EvalSample, read_eval_log_sample, read_eval_log_samples_by_id

from thoughttrace.core.record import InferenceMetadata
from thoughttrace.datasets.prompt import shown_messages

_UNREAD = {"messages", "events", "store", "attachments"}
"""Parts of a sample that nobody here reads."""
_AT_ONCE = 64


Message = tuple[int, str, str]
"""Its index, who wrote it (`user` or `assistant`), and its text."""


@dataclass(frozen=True)
class Inference:
    """The texts of an inference and of what it is about, whole."""

    message: Message
    """The one that the thoughts are on."""
    shown: list[Message]
    """What the model saw; empty where the log was written before logs said where messages end in a prompt."""
    thoughts: list[str]
    text: str
    rationale: str
    """The judges' reasons for their ratings; empty where there are none."""


def read_inference(file: str, sample: str, epoch: int, score_name: str) -> Inference | None:
    """Read the texts of an inference.

    Args:
        file: The log, a path or URL.
        sample: The sample's id.
        epoch: Which of its epochs, from 1.
        score_name: The score that holds the inference and the rationale: a rescored log has several.

    Returns:
        The texts; None if that part of the log is damaged.
    """
    try:
        return _inference(read_eval_log_sample(file, sample, epoch, exclude_fields=_UNREAD), score_name)
    except Exception:  # what is damaged can fail in any layer of the reader
        return None


def _inference(sample: EvalSample, score_name: str) -> Inference:
    metadata, score = sample.metadata_as(InferenceMetadata), (sample.scores or {})[score_name]
    prompt = sample.input if isinstance(sample.input, str) else sample.input[-1].text
    return Inference(
        message=(metadata.message_index, "user" if metadata.kind == "reason" else "assistant", metadata.message),
        shown=shown_messages(prompt, metadata.block_ends),
        thoughts=[sample.target] if isinstance(sample.target, str) else list(sample.target),
        text=score.answer or "",
        rationale=score.explanation or "",
    )


def read_samples(file: str, places: Sequence[tuple[str, int]]) -> Iterator[EvalSample | None]:
    """Read several samples without their messages, events and store, opening the log once for many of them.

    Args:
        file: The log, a path or URL.
        places: Id and epoch of each.

    Yields:
        Each sample; None where that part of the log is damaged.
    """
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        try:
            yield from read_eval_log_samples_by_id(file, some, exclude_fields=_UNREAD)
        except Exception:  # one of them is damaged
            yield from (_sample(file, *place) for place in some)


def _sample(file: str, sample: str, epoch: int) -> EvalSample | None:
    try:
        return read_eval_log_sample(file, sample, epoch, exclude_fields=_UNREAD)
    except Exception:  # this one is
        return None
