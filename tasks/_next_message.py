"""Cut the samples of `predict_message`."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model._model import active_model
from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesSort, TaskSamplesView, ViewerConfig

from thoughttrace import __version__
from thoughttrace.core.errors import UserError, check_choice, check_positive
from thoughttrace.core.record import AFTERS, ARMS
from thoughttrace.datasets.samples import message_to_sample, next_messages
from thoughttrace.datasets.sampling import Item, draw
from thoughttrace.datasets.sources import from_where_started, open_source
from thoughttrace.datasets.thought_arms import Inferences, annotate, read_inferences
from thoughttrace.models.prompt_cache import CacheOrdered
from thoughttrace.tasks._log_folder import require_log_folder

NEEDED = ("conversation", "message_index", "quality")

Quality = dict[tuple[str, int], float]
"""The highest informativeness, 1 to 5, of the thoughts on a message, by conversation and message; NaN if not rated."""


def read_quality(path: str, items: Sequence[Item]) -> Quality:
    """Read the quality of the reactions that stand right before some messages.

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
        raise UserError(f"quality={path}: cannot be read as a Parquet file ({type(error).__name__}).") from error
    lacking = [name for name in NEEDED if name not in table.columns]
    if lacking:
        raise UserError(
            f"quality={path}: has no column {' and '.join(lacking)}; run thoughttrace/rate_thought on this data and "
            "thoughttrace annotate LOGS -o FILE.parquet."
        )
    rated = table.dropna(subset=["conversation", "message_index"])
    quality = {
        (str(row["conversation"]), int(row["message_index"])): float(row["quality"])
        for row in rated[list(NEEDED)].to_dict("records")
    }
    replies = [(c.id, index - 1) for c, index in items if c.messages[index - 1].thoughts]
    without = [reply for reply in replies if reply not in quality]
    if without:
        raise UserError(
            f"quality={path}: has no row for {len(without):,} of {len(replies):,} replies with a reaction, such as "
            f"message {without[0][1]} of {without[0][0]}; rate the thoughts of all this data."
        )
    return quality


_HERE = Path(__file__).resolve().parent
_INSTRUCTIONS = (_HERE / "predict_message.md").read_text(encoding="utf-8").strip()
_QUESTION = (_HERE / "predict_message_ask.md").read_text(encoding="utf-8").strip()

VIEWER = ViewerConfig(
    # A conversation can hold anything; show it as text.
    trust_content=False,
    task_samples_view=TaskSamplesView(
        name="Next messages",
        columns=[
            TaskSamplesColumn(id="sampleId"),
            TaskSamplesColumn(id="target"),
            TaskSamplesColumn(id="answer"),
            TaskSamplesColumn.score("message_similarity"),
            TaskSamplesColumn.score("similarity"),
            TaskSamplesColumn(id="input", visible=False),
            TaskSamplesColumn(id="error"),
        ],
        sort=[TaskSamplesSort(column="sampleId")],
        score_labels={"message_similarity": "Similarity, 0–100", "similarity": "Cosine"},
        score_color_scales={"message_similarity": ScoreColorScale(palette="good-high", min=0, max=100)},
    ),
)


def messages(
    data: str,
    thoughts: str,
    inferred: str | Sequence[str] | None,
    after: str,
    quality: str | None,
    min_quality: float | None,
    users: int | None,
    per_user: int | None,
    seed: int,
    max_context_words: int | None,
    skip_bad: bool,
) -> tuple[MemoryDataset, dict[str, Any]]:
    """Cut the samples of one arm; the arguments are the task's own.

    Returns:
        The samples, and the metadata that names their data, their prompt, and what stands between the messages.

    Raises:
        UserError: An argument or the data cannot be used.
    """
    arm = check_choice("thoughts", str(thoughts), ARMS)
    wanted = check_choice("after", after, AFTERS)
    if (arm == "inferred") != bool(inferred):
        raise UserError(f"thoughts={arm}: thoughts=inferred and inferred=LOGS go together; give both or neither.")
    check_positive("max_context_words", max_context_words)
    source = open_source(str(data), skip_bad)
    items, qualities = _rated(next_messages(source.conversations, wanted, max_context_words), quality, min_quality)
    items = draw(items, users, per_user, seed)
    require_log_folder(len(items))
    guessed = _guessed(inferred, source.revision) if inferred else None
    notes = annotate(arm, source.conversations, seed, guessed.texts if guessed else {})
    samples = []
    for item in items:
        own = notes(item[0])
        sample = message_to_sample(*item, _INSTRUCTIONS, _QUESTION, arm, own, max_context_words)
        beside = {"quality": qualities.get(item)} | (_missing(sample, item, guessed) if guessed else {})
        sample.metadata = {**(sample.metadata or {}), **beside}
        samples.append(sample)
    metadata = {
        "arm": arm,
        "inferred_by": guessed.model if guessed else None,
        "inferred_kinds": list(guessed.kinds) if guessed else None,
        "inferred_logs": guessed.logs if guessed else None,
        "after": wanted,
        "min_quality": min_quality,
        "max_context_words": max_context_words,
        "data": source.name,
        "data_revision": source.revision,
        "data_skipped": source.skipped,
        "prompt_hash": hashlib.sha256(f"{_INSTRUCTIONS}\n{_QUESTION}".encode()).hexdigest()[:12],
        "thoughttrace": __version__,
    }
    return CacheOrdered(samples, name=source.name), metadata


def _rated(items: list[Item], quality: str | None, least: float | None) -> tuple[list[Item], dict[Item, float | None]]:
    """The messages right after a reaction that is informative enough, and how informative each is."""
    if quality is None:
        if least is not None:
            raise UserError(f"min_quality={least}: name the file with the qualities, quality=FILE.parquet.")
        return items, {}
    rated = read_quality(quality, items)
    found = {(c, index): rated.get((c.id, index - 1), math.nan) for c, index in items}
    kept = [item for item in items if least is None or found[item] >= least]
    if not kept:
        raise UserError(f"min_quality={least}: no reaction right before a message is rated so high.")
    return kept, {item: None if math.isnan(value) else value for item, value in found.items()}


def _guessed(inferred: str | Sequence[str], revision: str) -> Inferences:
    model = active_model()
    paths = inferred.split(",") if isinstance(inferred, str) else inferred
    return read_inferences([str(path) for path in paths], revision, str(model) if model else None)


def _missing(sample: Sample, item: Item, guessed: Inferences) -> dict[str, int]:
    """How many messages shown carry a thought but no inference, and so stand without."""
    conversation, index = item
    first = (sample.metadata or {})["messages_left_out"]
    thought_on = [
        (conversation.id, place)
        for place, message in enumerate(conversation.messages[:index])
        if place >= first and message.thoughts and message.kind in guessed.kinds
    ]
    return {"not_inferred": sum(place not in guessed.texts for place in thought_on)}
