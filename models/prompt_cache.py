"""Order samples and mark prompts so that providers' prompt caches hit, and ask for replies in that order."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Any, overload

from inspect_ai.dataset import Dataset, MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageUser,
    Content,
    ContentText,
    GenerateConfig,
    GenerateConfigArgs,
    Model,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import concurrency

from thoughttrace.core.inspect_private import active_generate_config, active_model, supports_explicit_prompt_cache
from thoughttrace.datasets.prompt import pieces, rendered_messages

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


FRESH = 240.0
"""Seconds for which an entry is reckoned to be in a cache; the shortest that a provider promises is 5 minutes."""


@dataclass
class _Seen:
    """What one model's cache holds of prompts that begin alike."""

    at: float = -FRESH
    """When it was last read or written, on the monotonic clock."""
    ends: set[int] = field(default_factory=set)
    """After how many characters of the prompt there are entries."""

    @property
    def furthest(self) -> int:
        """How far the cache is reckoned to reach."""
        return max(self.ends, default=0) if time.monotonic() - self.at < FRESH else 0


_seen: dict[str, _Seen] = {}


@solver
def generate_cached() -> Solver:
    """Generate; of prompts that begin alike, one that goes further than all before it goes alone.

    The others wait for its reply, and find themselves in the cache. Where a provider wants to be told what to keep,
    the prompt is cut into its messages, and marked where it and shorter ones end.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        if one_by_one(model):
            return await generate(state)
        if config_in_effect(model).batch:
            # It is answered when every cache has long forgotten, and writing costs.
            state.messages = only_system_marked(state.messages, model)
            return await generate(state)
        key = f"{model}, {prefix_key(state.metadata)}"
        seen, ends = _seen.setdefault(key, _Seen()), _ends(state.messages[-1].text)
        shared = state.metadata.get("prompts_alike", 1) > 1
        async with AsyncExitStack() as alone:
            if shared and ends[-1] > seen.furthest:
                await alone.enter_async_context(concurrency(key, 1, visible=False))
                if ends[-1] <= seen.furthest:
                    await alone.aclose()
            if not seen.furthest:
                seen.ends.clear()
            marks = _marks(ends, seen.ends) if shared else []
            state.messages = _marked(state.messages, marks, model)
            state = await generate(state, **_routing(model, state))
            seen.ends |= {*marks, ends[-1]}
            seen.at = time.monotonic()
        return state

    return solve


def _ends(prompt: str) -> list[int]:
    """After how many characters prompts end that begin like this one, rising; the last is its own end."""
    ends = list(accumulate(map(len, pieces(prompt)[:-1])))
    # They end after messages of the same role.
    return [ends[-1 - 2 * n] for n in range((len(rendered_messages(prompt)) + 1) // 2)][::-1]


def _marks(ends: list[int], entries: set[int]) -> list[int]:
    """After how many characters the prompt is marked: where the cache reaches so far, and up to four places more."""
    reached = max((entry for entry in entries if entry <= ends[-1]), default=0)
    new = [end for end in ends if end > reached]
    chosen = [new[n] for n in spread([end - reached for end in new])]
    return [reached, *chosen] if reached else chosen


def _marked(messages: list[ChatMessage], marks: list[int], model: Model) -> list[ChatMessage]:
    """The same messages, cut and marked as the provider needs it."""
    if not marks:
        return only_system_marked(messages, model)
    if not marks_cache(model):
        return messages
    if str(model).startswith("anthropic/"):
        marks = marks[-MARKS:]  # it allows no more, and looks for entries before them by itself
    content: list[Content] = []
    place = 0
    for piece in pieces(messages[-1].text):
        place += len(piece)
        content.append(ContentText(text=piece, cache_breakpoint=True if place in marks else None))
    return [*messages[:-1], ChatMessageUser(content=content)]


def _routing(model: Model, state: TaskState) -> GenerateConfigArgs:
    """OpenAI sends requests to machines by how they begin, and all of ours begin with the same instructions."""
    if not str(model).startswith("openai/"):
        return {}
    key = hashlib.sha256(state.metadata["conversation"].encode()).hexdigest()[:16]
    return {"extra_body": {"prompt_cache_key": key} | (config_in_effect(model).extra_body or {})}
