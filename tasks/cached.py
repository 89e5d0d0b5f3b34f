"""The solver that asks for an inference so that the provider's prompt cache is written once and read often."""

import hashlib
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import accumulate

from inspect_ai.model import ChatMessage, ChatMessageUser, Content, ContentText, GenerateConfigArgs, Model, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import concurrency

from thoughttrace.datasets.prompt_cache import (
    MARKS,
    config_in_effect,
    marks_cache,
    one_by_one,
    only_system_marked,
    prefix_key,
    spread,
)
from thoughttrace.datasets.render import pieces, rendered_messages

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
