"""Make the samples of `predict_message`."""

import math
from collections.abc import Sequence
from typing import Any

from inspect_ai.dataset import MemoryDataset, Sample

from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.inspect_private import active_model
from thoughttrace.core.record import AFTERS, ARMS, PREDICT, SIMILARITY, NextMessageMetadata, RunMetadata
from thoughttrace.datasets.samples import message_to_sample, next_messages
from thoughttrace.datasets.sampling import Item
from thoughttrace.datasets.sources import from_where_started
from thoughttrace.datasets.thought_arms import Inferences, annotate, read_inferences
from thoughttrace.models.prompt_cache import CacheOrdered
from thoughttrace.tasks._options import (
    DataOptions,
    ScoreColumn,
    dataset_of,
    prompt_hash,
    provenance,
    read_prompt,
    viewer,
)

_INSTRUCTIONS = read_prompt(PREDICT.name)
_QUESTION = read_prompt("predict_message_ask")

VIEWER = viewer(
    "Next messages",
    ScoreColumn("Similarity, 0–100", PREDICT.score, scale=PREDICT.scale),
    ScoreColumn("Cosine", SIMILARITY),
)


def next_message_samples(
    thoughts: str,
    inferred: str | Sequence[str] | None,
    after: str,
    quality: str | None,
    min_quality: float | None,
    options: DataOptions,
) -> tuple[MemoryDataset, dict[str, Any]]:
    """Make the samples of one arm.

    Args:
        thoughts: The thoughts shown below the messages, an `Arm`.
        inferred: For the arm `inferred`, the logs with the inferences.
        after: Which messages are predicted, an `After`.
        quality: A Parquet file that says how informative thoughts are; None for none.
        min_quality: The least informative reaction, 1–5, after which a message is predicted; None for any.
        options: The data.

    Returns:
        The samples, and the run metadata.

    Raises:
        UserError: An argument or the data cannot be used.
    """
    arm = check_choice("thoughts", str(thoughts), ARMS)
    predicted = check_choice("after", after, AFTERS)
    if (arm == "inferred") != bool(inferred):
        raise UserError(f"thoughts={arm}: thoughts=inferred and inferred=LOGS need each other; give both or neither.")
    source = options.open()
    items = next_messages(source.conversations, predicted, options.max_context_words)
    items, qualities = _select_by_quality(items, quality, min_quality)
    items = options.draw(items)
    inferences = _read_inferences(inferred, source.revision) if inferred else None
    notes = annotate(arm, source.conversations, options.seed, inferences.texts if inferences else {})
    samples = []
    for item in items:
        sample = message_to_sample(
            *item, _INSTRUCTIONS, _QUESTION, arm, notes(item.conversation), options.max_context_words
        )
        added = NextMessageMetadata.model_construct(quality=qualities.get(item)).to_log()
        if inferences:
            missing = _count_missing(sample, item, inferences)
            added |= NextMessageMetadata.model_construct(not_inferred=missing).to_log()
        sample.metadata = (sample.metadata or {}) | added
        samples.append(sample)
    metadata = RunMetadata(
        arm=arm,
        inferred_by=inferences.model if inferences else None,
        inferred_kinds=list(inferences.kinds) if inferences else None,
        inferred_logs=inferences.logs if inferences else None,
        after=predicted,
        min_quality=min_quality,
        max_context_words=options.max_context_words,
        prompt_hash=prompt_hash(_INSTRUCTIONS, _QUESTION),
        **provenance(source),
    )
    return dataset_of(samples, source, CacheOrdered), metadata.to_log()


def _read_inferences(inferred: str | Sequence[str], revision: str) -> Inferences:
    model = active_model()
    paths = inferred.split(",") if isinstance(inferred, str) else inferred
    return read_inferences([str(path) for path in paths], revision, str(model) if model else None)


def _count_missing(sample: Sample, item: Item, inferences: Inferences) -> int:
    """Count the messages shown that carry a thought for which the logs hold no inference."""
    conversation, index = item
    first = sample.metadata_as(NextMessageMetadata).messages_left_out
    with_thought = [
        (conversation.id, place)
        for place, message in enumerate(conversation.messages[:index])
        if place >= first and message.thoughts and message.kind in inferences.kinds
    ]
    return sum(place not in inferences.texts for place in with_thought)


# ---- quality: how informative thoughts are

NEEDED = ("conversation", "message_index", "quality")

_RATE_REACTIONS = (
    "It must rate the reactions of all this data: run thoughttrace/rate_thought -T kind=reaction on it (without kind, "
    "reasons are rated), then thoughttrace annotate LOGS -o FILE.parquet."
)

Quality = dict[tuple[str, int], float]
"""The quality of the most informative thought on a message, 1–5, by conversation and message; NaN if not rated."""


def read_quality(path: str, items: Sequence[Item]) -> Quality:
    """Read how informative the reactions right before some messages are.

    Args:
        path: A Parquet file with a row per message and the columns `NEEDED`; others are not read.
        items: The messages; every reaction on the reply before one of them must have a row.

    Raises:
        UserError: The file cannot be read, lacks a column, or does not cover the messages.
    """
    # Imported here: every run loads this module, and pandas takes a second and 70 MB.
    import pandas as pd  # noqa: PLC0415

    try:
        table = pd.read_parquet(from_where_started(path))
    except Exception as error:  # a file that is no Parquet fails in any layer of the reader
        raise UserError(f"quality={path}: not readable as a Parquet file ({type(error).__name__}).") from error
    lacking = [name for name in NEEDED if name not in table.columns]
    if lacking:
        raise UserError(f"quality={path}: has no column {' and '.join(lacking)}. {_RATE_REACTIONS}")
    rows = table.dropna(subset=["conversation", "message_index"])
    try:
        quality = {
            (str(row["conversation"]), int(row["message_index"])): float(row["quality"])
            for row in rows[list(NEEDED)].to_dict("records")
        }
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"quality={path}: message_index and quality must be numbers ({error}).") from error
    if len(quality) < len(rows):
        raise UserError(f"quality={path}: has several rows for the same message; keep one.")
    replies = [(c.id, index - 1) for c, index in items if c.messages[index - 1].thoughts]
    without = [reply for reply in replies if reply not in quality]
    if without:
        raise UserError(
            f"quality={path}: has no row for {len(without):,} of {len(replies):,} replies with a reaction, such as "
            f"message {without[0][1]} of {without[0][0]}. {_RATE_REACTIONS}"
        )
    return quality


def _select_by_quality(
    items: list[Item], path: str | None, least: float | None
) -> tuple[list[Item], dict[Item, float | None]]:
    """Select the messages right after a reaction that is informative enough; return also how informative each is."""
    if least is not None and (isinstance(least, bool) or not isinstance(least, int | float)):
        raise UserError(f"min_quality={least}: must be a number from 1 to 5.")
    if path is None:
        if least is not None:
            raise UserError(f"min_quality={least}: needs quality=FILE.parquet, the file with the qualities.")
        return items, {}
    rated = read_quality(path, items)
    qualities = {Item(c, index): rated.get((c.id, index - 1), math.nan) for c, index in items}
    selected = [item for item in items if least is None or qualities[item] >= least]
    if not selected:
        raise UserError(f"min_quality={least}: no reaction right before a message is rated that high.")
    return selected, {item: None if math.isnan(value) else value for item, value in qualities.items()}
