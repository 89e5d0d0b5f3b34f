"""Make use of providers' prompt caches: order samples, mark prompts, and generate in step with what a cache holds."""

import hashlib
import time
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import overload

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
from thoughttrace.core.record import PromptMetadata
from thoughttrace.datasets.prompt import split_at

# ---- breakpoints: where a prompt is marked, so that its provider caches it up to there

BREAKPOINTS = 4
"""Most breakpoints of a prompt that Anthropic, and OpenAI from GPT-5.6 on, write to their caches."""


def prefix_key(prompt: PromptMetadata) -> str:
    """Return the key of what a prompt begins with: prompts with the same key share all that the shorter one shows.

    Args:
        prompt: The metadata of its sample.
    """
    parts = [prompt.conversation, f"from {prompt.messages_left_out}"]
    if prompt.context == "profile":
        parts.append("profile")
    if prompt.context == "message":
        parts.append(f"only {prompt.message_index}")
    if prompt.arm is not None:  # the marker depends on the notes between the messages
        parts.append(f"with {prompt.arm} {prompt.marker}")
    return ", ".join(parts)


def shared_ends(prompt: PromptMetadata) -> list[int]:
    """Return after how many characters this prompt and shorter ones with the same key end, their questions left out.

    Args:
        prompt: The metadata of its sample.

    Returns:
        Numbers of characters, rising; the last is where this prompt's question begins.
    """
    before_question = prompt.block_ends[:-1]
    # Prompts of one task all end after messages of the same role, every second one.
    return before_question[::-2][: (prompt.messages_shown + 1) // 2][::-1]


def breakpoints(prompt: PromptMetadata, cached_ends: Collection[int]) -> list[int]:
    """Choose the breakpoints of a prompt: where the cache already reaches, and at most `BREAKPOINTS` after that.

    Args:
        prompt: The metadata of its sample.
        cached_ends: After how many characters the cached prefixes with the same key end.

    Returns:
        Numbers of characters before each breakpoint, rising.
    """
    ends = shared_ends(prompt)
    reached = max((end for end in cached_ends if end <= ends[-1]), default=0)
    further = [end for end in ends if end > reached]
    chosen = [further[position] for position in choose_breakpoints([end - reached for end in further])]
    return [reached, *chosen] if reached else chosen


def choose_breakpoints(ends: Sequence[int], most: int = BREAKPOINTS) -> list[int]:
    """Choose the breakpoints that leave the fewest characters uncached, summed over prompts that share a prefix.

    Args:
        ends: After how many characters the prompts end, rising.
        most: The most breakpoints.

    Returns:
        Positions in `ends`, rising.
    """
    count = len(ends)
    sums = [0, *accumulate(ends)]

    def uncached(last: int, until: int) -> int:
        """Characters that prompts `last` to `until` read past breakpoint `last`."""
        first, start = (last, ends[last]) if last >= 0 else (0, 0)
        return sums[until] - sums[first] - start * (until - first)

    @cache
    def best(last: int, remaining: int) -> tuple[int, tuple[int, ...]]:
        """Fewest uncached characters after breakpoint `last`, and the breakpoints that leave them."""
        choices = [(uncached(last, count), ())] + [
            (uncached(last, position) + rest, (position, *later))
            for position in range(last + 1, count)
            if remaining
            for rest, later in [best(position, remaining - 1)]
        ]
        return min(choices)

    return list(best(-1, most)[1])


# ---- order


class CacheOrdered(MemoryDataset):
    """Samples in the order drawn; a slice of them, which is what Inspect runs, is in the order best for prompt caches.

    So any `--limit` takes the samples that were drawn first, and only the order within a run differs.
    """

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Dataset: ...

    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        """Return a sample in the order drawn, or a dataset of several in the order to run."""
        if isinstance(index, int):
            return self.samples[index]
        ordered = in_cache_order(self.samples[index], expected_concurrency())
        return MemoryDataset(ordered, self.name, self.location, self.shuffled)


def in_cache_order(samples: Sequence[Sample], connections: int) -> list[Sample]:
    """Order samples so that each finds the beginning of its prompt in the cache, and none waits long for it.

    They stay in blocks of conversations, in the order drawn. In a block the longest prompt of every conversation comes
    first (of more than `BREAKPOINTS` prompts every fourth by length, so that every end can be cached once); then the
    others from the shortest on, one of every conversation at a time: while one prompt is on its way, those of other
    conversations fill the gap, and no cache entry waits long for its next reader. A model that is called serially
    keeps the last prompt or two only, and gets the samples as drawn: one conversation after the other.

    Args:
        samples: Samples in the order drawn.
        connections: Number of concurrent requests.

    Returns:
        The same samples. `prompts_alike` in the metadata of each is the number of them with the same prefix key.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(prefix_key(sample.metadata_as(PromptMetadata)), []).append(sample)
    chains = []
    for group in groups.values():
        rising = sorted(group, key=_length)
        first = [*rising[BREAKPOINTS - 1 : -1 : BREAKPOINTS], rising[-1]]
        chains.append([*first, *(sample for sample in rising if sample not in first)])
        for sample in group:
            sample.metadata = (sample.metadata or {}) | PromptMetadata.model_construct(
                prompts_alike=len(group)
            ).to_log()
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


_ADAPTIVE = 50
"""Concurrent requests expected where Inspect adapts their number, between 20 and 100."""


def expected_concurrency() -> int:
    """Return how many requests the evaluated model is expected to get concurrently, as far as known before the run."""
    model = active_model()
    if model is None:
        return _ADAPTIVE
    return 1 if is_serial(model) else config_in_effect(model).max_connections or _ADAPTIVE


# ---- what a model and its provider do


def is_serial(model: Model) -> bool:
    """Return whether a model gets one request at a time, as a local one does."""
    return model.api.max_connections() == 1


def config_in_effect(model: Model) -> GenerateConfig:
    """Return the generation config of a model, merged with that of the run."""
    return model.config.merge(active_generate_config())


def marks_cache(model: Model) -> bool:
    """Return whether prompts for a model are marked where its provider should cache them."""
    provider, _, name = str(model).partition("/")
    marking = provider == "anthropic" or (provider == "openai" and supports_explicit_prompt_cache(name))
    return marking and config_in_effect(model).cache_prompt is not False


def only_system_marked(messages: Sequence[ChatMessage], model: Model) -> list[ChatMessage]:
    """Mark the system message alone, so that its provider does not pay to cache what is sent only once.

    Args:
        messages: A prompt; only its system message is ever sent again.
        model: The model that reads it.
    """
    first, *rest = messages
    if not marks_cache(model) or first.role != "system":
        return list(messages)
    marked: list[ContentText] = [ContentText(text=first.text, cache_breakpoint=True)]
    return [first.model_copy(update={"content": marked}), *rest]


# ---- the solver

FRESH = 240.0
"""Seconds for which a cache entry is expected to last; the shortest that a provider promises is 5 minutes."""


@dataclass
class _CachedPrefix:
    """What one model's cache holds of the prompts with one prefix key."""

    last_used: float = -FRESH
    """When it was last read or written, on the monotonic clock."""
    ends: set[int] = field(default_factory=set)
    """After how many characters of the prompt the entries end."""

    @property
    def reach(self) -> int:
        """After how many characters the longest entry that is still expected to be there ends."""
        return max(self.ends, default=0) if time.monotonic() - self.last_used < FRESH else 0


_cached_prefixes: dict[str, _CachedPrefix] = {}


@solver
def generate_cached() -> Solver:
    """Generate. Among prompts that share a prefix, the first to extend the cached prefix runs alone.

    The others wait for its reply, and then find their prefix in the cache. Where a provider caches only what is marked,
    the prompt is sent in blocks, and marked where it and shorter ones end.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        if is_serial(model):
            return await generate(state)
        if config_in_effect(model).batch:
            # A batch is answered when every cache has long forgotten it, and writing costs.
            state.messages = only_system_marked(state.messages, model)
            return await generate(state)
        prompt = state.metadata_as(PromptMetadata)
        key, end = f"{model}, {prefix_key(prompt)}", shared_ends(prompt)[-1]
        cached, shared = _cached_prefixes.setdefault(key, _CachedPrefix()), prompt.prompts_alike > 1
        async with AsyncExitStack() as alone:
            if shared and end > cached.reach:
                await alone.enter_async_context(concurrency(key, 1, visible=False))
                if end <= cached.reach:
                    await alone.aclose()
            if not cached.reach:
                cached.ends.clear()
            marks = breakpoints(prompt, cached.ends) if shared else []
            state.messages = _marked(state.messages, prompt, marks, model)
            state = await generate(state, **_routing(prompt, model))
            cached.ends |= {*marks, end}
            cached.last_used = time.monotonic()
        return state

    return solve


def _marked(
    messages: list[ChatMessage], prompt: PromptMetadata, marks: Sequence[int], model: Model
) -> list[ChatMessage]:
    """Split the last message into blocks, with a mark at each breakpoint, if the model's provider needs it."""
    if not marks:
        return only_system_marked(messages, model)
    if not marks_cache(model):
        return messages
    if str(model).startswith("anthropic/"):
        marks = marks[-BREAKPOINTS:]  # it allows no more, and looks for entries before them by itself
    content: list[Content] = []
    end = 0
    for text in split_at(messages[-1].text, prompt.block_ends):
        end += len(text)
        content.append(ContentText(text=text, cache_breakpoint=True if end in marks else None))
    return [*messages[:-1], ChatMessageUser(content=content)]


def _routing(prompt: PromptMetadata, model: Model) -> GenerateConfigArgs:
    """Route a conversation's prompts to one machine: OpenAI routes by the beginning, and all of ours are alike."""
    if not str(model).startswith("openai/"):
        return {}
    key = hashlib.sha256(prompt.conversation.encode()).hexdigest()[:16]
    return {"extra_body": {"prompt_cache_key": key} | (config_in_effect(model).extra_body or {})}
