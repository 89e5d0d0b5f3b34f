"""What models are asked in a run, for an estimate of its cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspect_ai.dataset import Sample

from thoughttrace.datasets.render import pieces
from thoughttrace.scorers.message_similarity import nearness_prompt
from thoughttrace.scorers.verdict import judge_prompt
from thoughttrace.tasks.cache_bill import Prompt

_SENTENCE = "I wanted to get this done today and was not sure that what it proposed would work for me. "


def asked_of_judges(samples: Sequence[Sample], values: Mapping[str, Any], length: int) -> Iterator[Prompt]:
    """What each judge is asked, with a sentence in place of what the evaluated model will say.

    Args:
        samples: Of `infer_reason`, `infer_reaction` or `predict_message`.
        values: The task's arguments, all of them.
        length: Of that sentence, in tokens.
    """
    sentence = (_SENTENCE * (1 + 4 * length // len(_SENTENCE)))[: 4 * length]
    for sample in samples:
        metadata = sample.metadata or {}
        said = metadata.get("recited", sentence)
        if metadata["kind"] == "message":
            reply = metadata["reply"] if values["judge_reply"] else None
            prompt = nearness_prompt(reply, targets(sample)[0], said)
        else:
            message = metadata["message"] if values["judge_message"] else None
            prompt = judge_prompt(metadata["kind"], message, targets(sample), said)
        yield from [prompt_of(prompt)] * values["judge_repeats"]


def settled(sample: Sample) -> bool:
    """Whether a sample's label is known without asking: a first message, or a baseline's.

    Args:
        sample: Of a task in which the evaluated model fills in a form.
    """
    metadata = sample.metadata or {}
    return bool(metadata.get("first")) or "recited" in metadata


def targets(sample: Sample) -> list[str]:
    """What a sample's answer is rated against, one or several texts."""
    return [sample.target] if isinstance(sample.target, str) else list(sample.target)


def prompt_of(messages: Any) -> Prompt:
    """A prompt of which providers are told to keep the instructions alone."""
    *first, last = messages
    return Prompt((*(message.text for message in first), *pieces(last.text)), (0,) if first else ())
