"""What providers' prompt caches do, as they publish it; the loopback server of `prompt_cache.py` answers by it.

Read on 2026-11-23: OpenAI's guide to prompt caching (before GPT-5.6: automatic, from 1,024 tokens on, in steps of 128,
kept for 5 to 10 minutes, writing is free; from GPT-5.6 on: entries at marks alone, the latest 4 are written, at 1.25
times the price, kept for 30 minutes), Anthropic's (entries at up to 4 marks, from 1,024 tokens on for Sonnet, sought
20 blocks before each mark, kept for 5 minutes from their last use, written at 1.25 times the price), Google's on Gemini
(automatic, from 1,024 tokens on for Flash; steps and expiry are not published: 128 tokens and 5 minutes are taken). All
of them bill what is read at a tenth, and an entry can be read once the reply that wrote it has begun. Tokens are
characters / 4.
"""

import hashlib
import threading
import time
from itertools import accumulate
from typing import Any

from loopback import Reply, Request

LATENCY = 0.5
"""Seconds a reply takes here; it stands for STANDS_FOR, so caches forget as many times faster."""
STANDS_FOR = 3.0
LEAST, STEP, LOOKBACK, WRITES = 1024, 128, 20, 4

_lock = threading.Lock()
_entries: dict[tuple[str, str], tuple[float, float]] = {}
"""By model and beginning of a prompt: when the entry can be read, and until when."""


def answer(request: Request) -> Reply:
    """Reply, with what the provider's cache would have read and written."""
    if request.schema is not None:  # the judge: its prompts share too little
        return Reply()
    blocks = [hashlib.sha256(block.encode()).hexdigest() for block in request.blocks]
    lengths = list(accumulate(len(block) // 4 for block in request.blocks))
    names = [hashlib.sha256("".join(blocks[: n + 1]).encode()).hexdigest() for n in range(len(blocks))]
    if request.provider == "anthropic":
        marks = _marked(request.body, "cache_control")
        looked = {n for mark in marks for n in range(max(0, mark - LOOKBACK), mark + 1)}
        read, written = _look(request.model, names, lengths, looked, marks[-WRITES:], 300)
    elif _version(request.model) >= (5, 6):
        marks = _marked(request.body, "prompt_cache_breakpoint") or [len(blocks) - 1]
        read, written = _look(request.model, names, lengths, set(marks), marks[-WRITES:], 1800)
    else:
        text = "".join(request.blocks)
        ends = range(LEAST, len(text) // 4 + 1, STEP)
        running, steps = hashlib.sha256(), []
        for start, end in zip([0, *ends], ends, strict=False):
            running.update(text[4 * start : 4 * end].encode())
            steps.append(running.hexdigest())
        places = list(range(len(steps)))
        read, written = _look(request.model, steps, list(ends), set(places), places, 300)[0], 0
    return Reply(input_tokens=sum(len(block) // 4 for block in request.blocks), cached_tokens=read,
                 cache_write_tokens=written, output_tokens=20)  # fmt: skip


def _look(
    model: str, names: list[str], lengths: list[int], looked: set[int], writes: list[int], seconds: float
) -> tuple[int, int]:
    """Tokens read and written; what is written can be read after the reply."""
    now, kept = time.monotonic(), seconds * LATENCY / STANDS_FOR
    with _lock:
        known = [n for n in looked if _entries.get((model, names[n]), (now + 1, 0))[0] <= now]
        hits = [n for n in known if _entries[model, names[n]][1] >= now]
        for n in hits:
            _entries[model, names[n]] = (_entries[model, names[n]][0], now + kept)
        read = max((lengths[n] for n in hits), default=0)
        new = [n for n in writes if lengths[n] >= LEAST and lengths[n] > read]
        for n in new:
            begins, ends = _entries.get((model, names[n]), (now + LATENCY, 0.0))
            _entries[model, names[n]] = (begins if ends >= now else now + LATENCY, now + kept + LATENCY)
    return read, max((lengths[n] for n in new), default=read) - read


def _marked(body: dict[str, Any], name: str) -> list[int]:
    """Places of the text blocks that carry a mark; a mark on the request itself is one on its last block."""
    blocks = list(body.get("system") or []) if isinstance(body.get("system"), list) else []
    for message in [*body.get("input", []), *body.get("messages", [])]:
        content = message.get("content")
        blocks += content if isinstance(content, list) else [{"text": content}]
    marks = [n for n, block in enumerate(blocks) if block.get(name)]
    return sorted({*marks, len(blocks) - 1}) if body.get(name) else marks


def _version(model: str) -> tuple[int, ...]:
    number = model.removeprefix("gpt-").partition("-")[0]
    return tuple(map(int, number.split("."))) if model.startswith("gpt-") and number.replace(".", "").isdigit() else ()
