"""Return the numbers of the paper about the dataset, and how sure each is (`published.yml`)."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from thoughttrace.core.record import Kind

Status = Literal["stated", "reported"]
"""Stated by the authors, or reported second-hand."""

LABEL = "published, Jin et al. 2026"
"""What tables call the source of a published number."""

MODELS = "mean of 3 models"
"""The name, in `next_message`, of the mean over GPT-5.4, Gemini 3.1 Pro and Claude Opus 4.6."""

PER_MODEL = ("users", "conversations", "messages", "thoughts")
"""What is published of each assistant model, in this order."""


class Published(NamedTuple):
    """A published number."""

    value: float
    status: Status


class NextMessage(NamedTuple):
    """Published mean similarities, 0 to 100, of predicted next messages."""

    none: float
    """From the history alone."""
    both: float
    """With the user's reasons and reactions."""
    status: Status

    @property
    def gain(self) -> float:
        """What the thoughts add."""
        return self.both - self.none


class WinRate(NamedTuple):
    """Published win rates, 0 to 1, on Arena-Hard."""

    win_rate: float
    style_controlled: float
    pairs: int
    """Pairs of the model's DPO; 0 before it."""
    judge: str
    """As reported second-hand."""
    status: Status


class EmbeddingDistance(NamedTuple):
    """Published distances to the origin, on a plane, at three percentiles of the pairs of a relation."""

    percentiles: tuple[float, float, float]
    """At the 25th, 50th and 75th."""
    status: Status


@dataclass(frozen=True)
class PublishedType:
    """A type of thought in the paper."""

    share: float
    """Of the thoughts of its kind, 0 to 1, in the paper's figure; stated."""
    count: int
    """Thoughts of the type in the release; reported."""
    stages: tuple[float, ...]
    """Shares, 0 to 1, at the four stages of the paper's figure, which prints whole per cent ("<1" is 0.005); stated."""


@dataclass(frozen=True)
class PublishedCount:
    """One published count."""

    of: str
    """`all`, an assistant model, or a kind of thought."""
    what: str
    value: int
    status: Status


def agreement(kind: Kind) -> Published:
    """Return the mean agreement, 1 to 5, of inferred thoughts of a kind, over three models."""
    value, status = _with_status("agreement", kind)
    return Published(value, status)


def agreement_note() -> str:
    """Say in a sentence or two what the published mean agreements are, and what they are not."""
    return (
        f"Published: Jin et al. 2026 (arXiv:2605.20087) report {agreement('reason').value:.2f} for reasons and "
        f"{agreement('reaction').value:.2f} for reactions, the mean of GPT-5.4, Gemini 3.1 Pro and Claude Opus 4.6, "
        "with other judges, other prompts, and no interval. They are shown for orientation; they are not the same "
        "measurement."
    )


@cache
def next_message() -> dict[str, NextMessage]:
    """Return the mean similarity of predicted next messages by model family, and their mean (`MODELS`) last."""
    return {
        model: NextMessage(means["none"], means["both"], status)
        for status, models in _read()["next_message"].items()
        for model, means in models.items()
    }


@cache
def win_rates() -> dict[str, WinRate]:
    """Return the win rates on Arena-Hard before and after DPO, by model and what it was trained on."""
    judge: str = _read()["win_rates_judge"]["reported"]
    return {
        model: WinRate(row["win_rate"] / 100, row["style_controlled"] / 100, row["pairs"], judge, status)
        for status, models in _read()["win_rates"].items()
        for model, row in models.items()
    }


def expressed_share(kind: Kind) -> Published:
    """Return the mean rating, 1 to 5, of how much a message says of its own reason, or of the reaction before it."""
    value, status = _with_status("expressed_share", kind)
    return Published(value, status)


def informative_from() -> Published:
    """Return the rating, 1 to 5, from which on a thought was kept for predicting the next message."""
    ((status, value),) = _read()["informative_from"].items()
    return Published(value, status)


def embedding_distance(of: Literal["next_message", "reason", "reaction"]) -> EmbeddingDistance:
    """Return how far from the origin differences of embeddings are on a plane.

    Args:
        of: From a message to the next one, from a message to its reason, or from a reaction to the next message.
    """
    (low, median, high), status = _with_status("embedding_distance", of)
    return EmbeddingDistance((low, median, high), status)


def median_messages(dataset: Literal["ThoughtTrace", "WildChat", "LMSYS-Chat-1M"]) -> Published:
    """Return the median number of messages of a conversation in a dataset."""
    if dataset == "ThoughtTrace":
        return Published(totals()["median messages a conversation"], "stated")
    value, status = _with_status("median_messages", dataset)
    return Published(value, status)


@cache
def totals() -> dict[str, int]:
    """Return the totals that the authors state, such as those of `users`, `conversations`, `messages`, `reasons`."""
    return dict(_read()["totals"]["stated"])


@cache
def published_types() -> dict[Kind, dict[str, PublishedType]]:
    """Return the published types of each kind, in the paper's order."""
    return {
        kind: {
            name: PublishedType(row["share"] / 100, row["count"], tuple(share / 100 for share in row["stages"]))
            for name, row in types.items()
        }
        for kind, types in _read()["types"].items()
    }


@cache
def published_counts() -> list[PublishedCount]:
    """Return every published count: totals, assistant models, types."""
    published = _read()
    counts = [
        PublishedCount("all", what, count, status)
        for status, values in published["totals"].items()
        for what, count in values.items()
    ]
    counts += [
        PublishedCount(model, what, count, "stated")
        for model, row in published["models"].items()
        for what, count in zip(PER_MODEL, row, strict=True)
    ]
    counts += [
        PublishedCount(kind, name, known.count, "reported")
        for kind, types in published_types().items()
        for name, known in types.items()
    ]
    return counts


@cache
def published_labels(of: Literal["domain", "relation"]) -> dict[str, tuple[float, Status]]:
    """Return the published shares, 0 to 1, among all domains given to conversations, or of users' messages (relations).

    A conversation may have several domains, and their published shares add up to 1.
    """
    return {
        name: (share / 100, status)
        for status, shares in _read()["labels"][of].items()
        for name, share in shares.items()
    }


def _with_status(section: str, name: str) -> tuple[Any, Status]:
    return next((values[name], status) for status, values in _read()[section].items() if name in values)


@cache
def _read() -> dict[str, Any]:
    numbers: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("published.yml").read_text(encoding="utf-8"))
    return numbers
