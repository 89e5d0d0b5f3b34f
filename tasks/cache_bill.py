"""What a provider's prompt cache makes of the prompts of a run: which of their tokens are read, and which written.

Published rules, in short. OpenAI before GPT-5.6, and Google: what begins like an earlier prompt is read, from a minimum
on, OpenAI in steps of 128 tokens; nothing is written at a price. Anthropic, and OpenAI from GPT-5.6 on: what stands
before a mark is written, and read where a later prompt has the same text up to there. Entries live for minutes and can
be lost, and a prompt that is sent beside its like finds none: this is what a run can gain, not what it will.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from inspect_ai.dataset import Sample
from inspect_ai.model._openai import supports_explicit_prompt_cache

from thoughttrace.datasets.prices import Price
from thoughttrace.datasets.prompt_cache import prefix_key, spread
from thoughttrace.datasets.render import pieces, rendered_messages
from thoughttrace.tasks.tokens import count_tokens

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
