"""How samples are ordered, and where prompts are marked, so that providers' prompt caches hit.

A provider bills the beginning of a prompt at a fraction of its price where it has lately seen the same beginning. The
prompts of one conversation begin alike, byte for byte: each is a piece of the longest one, and then its question.
"""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any, overload

from inspect_ai.dataset import Dataset, MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ContentText, GenerateConfig, Model
from inspect_ai.model._generate_config import active_generate_config
from inspect_ai.model._model import active_model
from inspect_ai.model._openai import supports_explicit_prompt_cache

MARKS = 4
"""Places of a prompt that Anthropic, and OpenAI from GPT-5.6 on, write to their caches at most."""

_ADAPTIVE = 50
"""Requests at once that are reckoned with where Inspect adapts their number, between 20 and 100."""


def prefix_key(metadata: dict[str, Any]) -> str:
    """Name what the prompts of samples begin with: two of the same name share all that the shorter one shows.

    Args:
        metadata: Of a sample.
    """
    parts = [metadata["conversation"], f"from {metadata['messages_left_out']}"]
    if metadata["context"] == "profile":
        parts.append("profile")
    if metadata["context"] == "message":
        parts.append(f"only {metadata['message_index']}")
    if "arm" in metadata:  # the marker names the notes that stand between the messages
        parts.append(f"with {metadata['arm']} {metadata['marker']}")
    return ", ".join(parts)


class CacheOrdered(MemoryDataset):
    """Samples in the order in which they are drawn; a slice of them, as Inspect runs it, is ordered for prompt caches.

    So any `--limit` takes the samples that were drawn first, and only their order in the run is another.
    """

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Dataset: ...

    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        """A sample in the order drawn, or a dataset of several in the order to run."""
        if isinstance(index, int):
            return self.samples[index]
        return MemoryDataset(in_cache_order(self.samples[index], at_once()), self.name, self.location, self.shuffled)


def at_once() -> int:
    """How many samples the evaluated model is asked at once, as far as can be told before the run."""
    model = active_model()
    if model is None:
        return _ADAPTIVE
    return 1 if one_by_one(model) else config_in_effect(model).max_connections or _ADAPTIVE


def one_by_one(model: Model) -> bool:
    """Whether a model is asked one prompt at a time, as a local one is."""
    return model.api.max_connections() == 1


def config_in_effect(model: Model) -> GenerateConfig:
    """What generation is configured with: by the model, and for the whole run."""
    return model.config.merge(active_generate_config())


def marks_cache(model: Model) -> bool:
    """Whether prompts for a model are marked where its provider shall write them to the cache."""
    provider, _, name = str(model).partition("/")
    marking = provider == "anthropic" or (provider == "openai" and supports_explicit_prompt_cache(name))
    return marking and config_in_effect(model).cache_prompt is not False


def only_system_marked(messages: Sequence[ChatMessage], model: Model) -> list[ChatMessage]:
    """Keep a provider from writing to its cache what comes once only: all but the system message.

    Args:
        messages: A prompt; what is not its system message is never sent again.
        model: Whom it is for.
    """
    first, *rest = messages
    if not marks_cache(model) or first.role != "system":
        return list(messages)
    marked: list[ContentText] = [ContentText(text=first.text, cache_breakpoint=True)]
    return [first.model_copy(update={"content": marked}), *rest]


def in_cache_order(samples: Sequence[Sample], connections: int) -> list[Sample]:
    """Order samples so that each finds the beginning of its prompt in the cache, and none waits long for it.

    They stay in blocks of conversations, in the order drawn. In a block the longest prompt of every conversation comes
    first (of more than `MARKS` prompts each fourth by length, so that every end can be marked once); then the others
    from the shortest on, one of every conversation at a time: while one prompt is on its way, those of other
    conversations fill the gap, and no entry of a cache waits long for its next reader. A model that is asked one by
    one keeps the last prompt or two only, and gets the samples as drawn: one conversation after the other.

    Args:
        samples: Samples in the order drawn.
        connections: How many are asked at once.

    Returns:
        The same samples. The metadata of each says how many of them begin like it (`prompts_alike`, 1 or more).
    """
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(prefix_key(sample.metadata or {}), []).append(sample)
    chains = []
    for alike in groups.values():
        rising = sorted(alike, key=_length)
        first = [*rising[MARKS - 1 : -1 : MARKS], rising[-1]]
        chains.append([*first, *(sample for sample in rising if sample not in first)])
        for sample in alike:
            sample.metadata = {**(sample.metadata or {}), "prompts_alike": len(alike)}
    if connections == 1:
        return list(samples)
    size = 2 * connections
    places = [
        (number // size, place, number, sample)
        for number, chain in enumerate(chains)
        for place, sample in enumerate(chain)
    ]
    return [sample for *_, sample in sorted(places, key=lambda place: place[:3])]


def _length(sample: Sample) -> int:
    return len(sample.input) if isinstance(sample.input, str) else sum(len(message.text) for message in sample.input)


def spread(ends: Sequence[int], most: int = MARKS) -> list[int]:
    """Choose where a prompt is written to the cache, so that prompts that end earlier find most of themselves there.

    Args:
        ends: Where such prompts end, in characters from the beginning, rising.
        most: Places at most.

    Returns:
        Positions in `ends`, rising: those after which the prompts leave the fewest characters, in all, to be read anew.
    """
    count = len(ends)
    sums = [0, *accumulate(ends)]

    def left(mark: int, until: int) -> int:
        first, start = (mark, ends[mark]) if mark >= 0 else (0, 0)
        return sums[until] - sums[first] - start * (until - first)

    @cache
    def best(mark: int, more: int) -> tuple[int, tuple[int, ...]]:
        """Characters read anew from a mark on, with so many marks after it, and these marks."""
        choices = [(left(mark, count), ())] + [
            (left(mark, later) + rest, (later, *marks))
            for later in range(mark + 1, count)
            if more
            for rest, marks in [best(later, more - 1)]
        ]
        return min(choices)

    return list(best(-1, most)[1])
