"""What is published about the dataset itself, and how sure each figure is (`published.yml`)."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from thoughttrace.core.record import Kind

Status = Literal["stated", "reported"]
"""Stated by the authors, or reported second-hand."""

PER_MODEL = ("users", "conversations", "messages", "thoughts")
"""What is published of each assistant model, in this order."""


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
class Figure:
    """One published count."""

    of: str
    """`all`, an assistant model, or a kind of thought."""
    what: str
    value: int
    status: Status


@cache
def published_types() -> dict[Kind, dict[str, PublishedType]]:
    """The published types of each kind, in the paper's order."""
    return {
        kind: {
            name: PublishedType(told["share"] / 100, told["count"], tuple(share / 100 for share in told["stages"]))
            for name, told in types.items()
        }
        for kind, types in _read()["types"].items()
    }


@cache
def published_counts() -> list[Figure]:
    """Every published count: totals, assistant models, types."""
    told = _read()
    totals = [Figure("all", what, n, status) for status, found in told["totals"].items() for what, n in found.items()]
    models = [
        Figure(model, what, n, "stated")
        for model, counts in told["models"].items()
        for what, n in zip(PER_MODEL, counts, strict=True)
    ]
    types = [
        Figure(kind, name, known.count, "reported")
        for kind, found in published_types().items()
        for name, known in found.items()
    ]
    return [*totals, *models, *types]


@cache
def published_labels(of: Literal["domain", "relation"]) -> dict[str, tuple[float, Status]]:
    """The published shares, 0 to 1, of the labels of conversations (domains) or users' messages (relations).

    Args:
        of: Which labels.
    """
    return {name: (share / 100, status) for status, own in _read()["labels"][of].items() for name, share in own.items()}


def _read() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("published.yml").read_text(encoding="utf-8"))
    return told


LABEL = "published, Jin et al. 2026"
"""How tables name published values."""


def agreement(kind: Kind) -> float:
    """Return the published mean agreement, 1–5, over three models."""
    return {"reason": 2.93, "reaction": 2.54}[kind]


def next_message() -> dict[str, dict[str, float]]:
    """Return the published mean similarity, 0–100, by model, with the history alone and with the user's thoughts."""
    return {
        "GPT": {"none": 21.4, "both": 27.4},
        "Gemini": {"none": 22.1, "both": 28.9},
        "Opus": {"none": 21.3, "both": 35.5},
        "mean of 3 models": {"none": 21.6, "both": 30.6},
    }
