"""Estimate the tokens of prompts, and how many of them a provider's prompt cache would read and write."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage

from thoughttrace.core.inspect_private import supports_explicit_prompt_cache
from thoughttrace.core.model_names import family
from thoughttrace.core.prices import Price
from thoughttrace.core.record import PromptMetadata
from thoughttrace.datasets.prompt import split_at
from thoughttrace.models.prompt_cache import breakpoints, prefix_key, shared_ends

# ---- tokens


class _Characters(NamedTuple):
    """Characters of each kind, or characters per token."""

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
    """Estimate the tokens of a text from its characters; the estimates of its parts add up to that of the text.

    Args:
        text: The text.
        model: The name of the model that reads it, as Inspect writes it.
    """
    per_token = _PER_TOKEN.get(family(model), _OTHERS)
    return sum(count / each for count, each in zip(_count_characters(text), per_token, strict=True))


@lru_cache(maxsize=4096)
def _count_characters(text: str) -> _Characters:
    if text.isascii():
        return _Characters(len(text), 0, 0)
    alphabet, ideograph = len(_ALPHABET.findall(text)), len(_IDEOGRAPH.findall(text))
    return _Characters(len(text) - alphabet - ideograph, alphabet, ideograph)


def accuracy(models: Iterable[str]) -> str:
    """Return the sentence that says how accurate the numbers of tokens are.

    Args:
        models: The models whose tokens are counted.
    """
    newer = " Anthropic's models from Claude Opus 4.7 on may count up to 35 % more." * any(
        family(model) == "claude" for model in models
    )
    return (
        "Tokens are estimated from characters: the total is within 10 % for English conversations and within 50 % for "
        f"other languages.{newer}"
    )


# ---- prompts


@dataclass(frozen=True)
class Prompt:
    """The text blocks of a prompt, and after which of them it has a cache breakpoint."""

    blocks: tuple[str, ...]
    marks: tuple[int, ...] = ()
    """Positions in `blocks`, rising."""


def unshared_prompt(messages: Sequence[ChatMessage], block_ends: Sequence[int] = ()) -> Prompt:
    """Lay out a prompt that has a breakpoint after its instructions alone.

    Args:
        messages: The prompt.
        block_ends: After how many characters of the last message each of its blocks ends; empty for one block.
    """
    *first, last = messages
    blocks = (*(message.text for message in first), *split_at(last.text, block_ends))
    return Prompt(blocks, (0,) if first else ())


def shared_prompts(samples: Sequence[Sample]) -> list[Prompt]:
    """Lay out the prompts of samples as `generate_cached` sends them.

    Args:
        samples: The samples in the order they are run, with the metadata that `in_cache_order` wrote.
    """
    cached_ends: dict[str, set[int]] = {}
    prompts = []
    for sample in samples:
        metadata = sample.metadata_as(PromptMetadata)
        messages = messages_of(sample)
        if metadata.prompts_alike == 1:
            prompts.append(unshared_prompt(messages, metadata.block_ends))
            continue
        cached = cached_ends.setdefault(prefix_key(metadata), set())
        marks = breakpoints(metadata, cached)
        cached |= {*marks, shared_ends(metadata)[-1]}
        # The instructions are block 0.
        positions = [position for position, end in enumerate(metadata.block_ends, start=1) if end in marks]
        prompts.append(Prompt(unshared_prompt(messages, metadata.block_ends).blocks, tuple(positions)))
    return prompts


def messages_of(sample: Sample) -> list[ChatMessage]:
    """Return the messages of a sample's prompt: the instructions and the question."""
    assert not isinstance(sample.input, str)
    return sample.input


# ---- caches


@dataclass(frozen=True)
class CacheRules:
    """What a provider caches."""

    minimum: int | None = None
    """The least tokens of a prefix that is cached; None if nothing is cached."""
    step: int = 1
    """The tokens read from the cache are a multiple of this."""
    marked: bool = False
    """Whether only prefixes that end at a breakpoint are cached."""


OPENAI_STEP = 128
"""Step of the tokens that OpenAI reads from its cache before GPT-5.6."""


def cache_rules(model: str, price: Price | None) -> CacheRules:
    """Return the rules of a model's provider; nothing is cached if the minimum is not known.

    Args:
        model: The model's name, as Inspect writes it.
        price: The model's price, which holds the minimum; None if not known.
    """
    provider, _, name = model.partition("/")
    minimum = price.cache_minimum if price else None
    if provider == "openai" and not supports_explicit_prompt_cache(name):
        return CacheRules(minimum, OPENAI_STEP)
    return CacheRules(minimum, marked=provider in ("anthropic", "openai"))


@dataclass(frozen=True)
class InputTokens:
    """The tokens of a prompt, by how they are billed."""

    fresh: float
    read: float = 0.0
    written: float = 0.0


def bill_input(prompts: Iterable[Prompt], model: str, rules: CacheRules) -> list[InputTokens]:
    """Split the tokens of each prompt into fresh ones and those that the cache reads and writes.

    Args:
        prompts: The prompts in the order they are sent.
        model: The name of the model that reads them, as Inspect writes it.
        rules: What its provider caches.
    """
    entries: set[bytes] = set()
    return [_bill_prompt(prompt, model, rules, entries) for prompt in prompts]


def _bill_prompt(prompt: Prompt, model: str, rules: CacheRules, entries: set[bytes]) -> InputTokens:
    ends = list(accumulate(count_tokens(block, model) for block in prompt.blocks))
    if rules.minimum is None or ends[-1] < rules.minimum:
        return InputTokens(fresh=ends[-1])
    prefixes, running = [], hashlib.sha256()
    for block in prompt.blocks:
        running.update(block.encode("utf-8", "surrogatepass"))
        prefixes.append(running.digest())
    cacheable = [n for n in (prompt.marks if rules.marked else range(len(ends))) if ends[n] >= rules.minimum]
    read = max((ends[n] // rules.step * rules.step for n in cacheable if prefixes[n] in entries), default=0.0)
    written = max(0.0, max((ends[n] for n in cacheable), default=0.0) - read) if rules.marked else 0.0
    entries.update(prefixes[n] for n in cacheable)
    return InputTokens(ends[-1] - read - written, read, written)
