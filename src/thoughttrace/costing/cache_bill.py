"""Estimate the tokens of prompts, and what a provider's prompt cache makes of them."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from inspect_ai.dataset import Sample
from inspect_ai.model._openai import supports_explicit_prompt_cache

from thoughttrace.core.model_names import family
from thoughttrace.core.prices import Price
from thoughttrace.datasets.prompt import pieces, rendered_messages
from thoughttrace.models.prompt_cache import prefix_key, spread


class _Characters(NamedTuple):
    """Characters per token."""

    latin: float
    alphabet: float
    """Greek, Cyrillic, Arabic, Devanagari and the like."""
    ideograph: float
    """Chinese, Japanese, Korean; emoji."""


_PER_TOKEN = {
    "gpt": _Characters(3.9, 3.9, 1.7),
    "claude": _Characters(3.65, 1.3, 1.05),
    "gemini": _Characters(3.65, 3.4, 1.8),
}
_OTHERS = _Characters(3.65, 2.0, 1.3)

_ALPHABET = re.compile("[\u0370-\u1fff]")
_IDEOGRAPH = re.compile("[\u2e80-\U0010ffff]")


def count_tokens(text: str, model: str) -> float:
    """Estimate the tokens of a text; the estimates of the pieces of a text sum up to that of the text.

    Args:
        text: The text.
        model: The name of the model that reads it, as Inspect writes it.
    """
    per_token = _PER_TOKEN.get(family(model), _OTHERS)
    latin, alphabet, ideograph = _characters(text)
    return latin / per_token.latin + alphabet / per_token.alphabet + ideograph / per_token.ideograph


def accuracy(models: Iterable[str]) -> str:
    """How far the count may be off.

    Args:
        models: Whose tokens are counted.
    """
    newer = " Anthropic's models from Claude Opus 4.7 on may count up to 35 % more." * any(
        family(model) == "claude" for model in models
    )
    return (
        "Tokens are reckoned from characters: for English conversations within 10 % in all, for other languages "
        f"within 50 %.{newer}"
    )


@lru_cache(maxsize=4096)
def _characters(text: str) -> tuple[int, int, int]:
    if text.isascii():
        return len(text), 0, 0
    alphabet, ideograph = len(_ALPHABET.findall(text)), len(_IDEOGRAPH.findall(text))
    return len(text) - alphabet - ideograph, alphabet, ideograph


OPENAI_STEP = 128
"""Tokens by which what OpenAI reads before GPT-5.6 grows."""


@dataclass(frozen=True)
class Prompt:
    """The text blocks of a prompt, and after which of them it is marked."""

    blocks: tuple[str, ...]
    marks: tuple[int, ...] = ()
    """Positions in `blocks`, rising."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of a prompt."""

    fresh: float
    read: float = 0.0
    written: float = 0.0


@dataclass(frozen=True)
class Rules:
    """What a provider caches.

    Args:
        minimum: Tokens from which a beginning is cached; None if nothing is.
        step: What is read is a multiple of this.
        marked: Whether only what stands before a mark is kept.
    """

    minimum: int | None = None
    step: int = 1
    marked: bool = False


def rules(model: str, price: Price | None) -> Rules:
    """The rules for a model; where its minimum is not known, nothing is cached.

    Args:
        model: Its name as Inspect writes it.
        price: Holds the minimum.
    """
    provider, _, name = model.partition("/")
    minimum = price.cache_minimum if price else None
    if provider == "openai" and not supports_explicit_prompt_cache(name):
        return Rules(minimum, OPENAI_STEP)
    return Rules(minimum, marked=provider in ("anthropic", "openai"))


def cached(prompts: Iterable[Prompt], model: str, rule: Rules) -> list[Tokens]:
    """Split the tokens of each prompt by what the cache makes of them.

    Args:
        prompts: In the order they are sent.
        model: Whose tokens are counted.
        rule: What its provider caches.
    """
    entries: set[bytes] = set()
    return [_split(prompt, model, rule, entries) for prompt in prompts]


def _split(prompt: Prompt, model: str, rule: Rules, entries: set[bytes]) -> Tokens:
    ends = list(accumulate(count_tokens(block, model) for block in prompt.blocks))
    if rule.minimum is None or ends[-1] < rule.minimum:
        return Tokens(fresh=ends[-1])
    names, running = [], hashlib.sha256()
    for block in prompt.blocks:
        running.update(block.encode("utf-8", "surrogatepass"))
        names.append(running.digest())
    kept = [n for n in (prompt.marks if rule.marked else range(len(ends))) if ends[n] >= rule.minimum]
    read = max((ends[n] // rule.step * rule.step for n in kept if names[n] in entries), default=0.0)
    written = max((ends[n] for n in kept), default=0.0) - read if rule.marked else 0.0
    entries.update(names[n] for n in kept)
    return Tokens(ends[-1] - read - max(0.0, written), read, max(0.0, written))


def lay_out(samples: Sequence[Sample]) -> list[Prompt]:
    """The prompts of samples, cut and marked as `tasks/cached.py` does it.

    Args:
        samples: In the order they are run, with what `in_cache_order` noted on them.
    """
    written: dict[str, set[int]] = {}
    prompts = []
    for sample in samples:
        system, text = _texts(sample)
        parts = pieces(text)
        metadata = sample.metadata or {}
        if metadata.get("prompts_alike", 1) == 1:
            prompts.append(Prompt((system, *parts), (0,)))
            continue
        places = list(accumulate(map(len, parts)))
        entries = written.setdefault(prefix_key(metadata), set())
        marks = _marks(places[:-1], len(rendered_messages(text)), entries)
        entries |= {*marks, places[-2]}
        prompts.append(Prompt((system, *parts), tuple(1 + n for n, place in enumerate(places) if place in marks)))
    return prompts


def _texts(sample: Sample) -> tuple[str, str]:
    if isinstance(sample.input, str):
        return "", sample.input
    return sample.input[0].text, sample.input[-1].text


def _marks(places: Sequence[int], shown: int, entries: set[int]) -> set[int]:
    """After how many characters of the prompt it is marked: where the cache reaches, and at more places after that."""
    ends = [places[-1 - 2 * n] for n in range((shown + 1) // 2)][::-1]  # where prompts end that begin alike
    reached = max((entry for entry in entries if entry <= ends[-1]), default=0)
    new = [end for end in ends if end > reached]
    return {new[n] for n in spread([end - reached for end in new])} | ({reached} if reached else set())
