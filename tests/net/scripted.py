"""Models of three providers, answering by a hash of what they are asked: the net's logs are made of them.

Nothing here names the project's modules.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inspect_ai._util import registry
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, get_model, modelapi

GPT, CLAUDE, GEMINI = "openai/gpt-5.4", "anthropic/claude-sonnet-4-6", "google/gemini-3.1-pro-preview"
OPUS, MINI, PRO = "anthropic/claude-opus-4-6", "openai/gpt-5.4-mini", "google/gemini-2.5-pro"

SEVERITY = {OPUS: 0.0, MINI: 0.15, PRO: -0.1, GPT: 0.05, CLAUDE: -0.05, GEMINI: 0.1}
"""How much milder a judge is than the average, as a share of the scale."""

failing: set[str] = set()
"""Judges whose provider fails now and then; one that judges alone would fail the sample."""

requests: list[tuple[str, list[ChatMessage], GenerateConfig]] = []
"""What models were asked, in the order it came."""

asked: Counter[tuple[str, str]] = Counter()
"""How often a model was asked the same."""


def forget() -> None:
    """Begin anew: nothing was asked, and no provider fails."""
    requests.clear()
    asked.clear()
    failing.clear()


def drawn(*words: object) -> int:
    return int.from_bytes(hashlib.sha256("\n".join(map(str, words)).encode()).digest()[:6], "big")


def chosen(name: str, schema: Any, share: float, draw: int) -> Any:
    """A value for one field of a form; `share` says where on a scale it lies."""
    if schema.enum:
        ordered = all(isinstance(one, int) for one in schema.enum)
        place = min(int(share * len(schema.enum)), len(schema.enum) - 1) if ordered else draw % len(schema.enum)
        return schema.enum[place]
    if schema.items:
        names = schema.items.enum
        return [names[(draw + 7 * n) % len(names)] for n in range(1 + draw % 3)]
    return f"{name} {draw % 1000}: the two have something in common"


def closeness(prompt: str) -> float:
    """The share of words that the last two blocks of a prompt have in common."""
    blocks = [set(part.lower().split()) for part in re.split(r"\[[0-9a-f]{8}[^\]]*\]", prompt) if part.strip()]
    if len(blocks) < 2:
        return 0.5
    note, guess = blocks[-2:]
    return len(note & guess) / max(1, len(note | guess))


def form(model: str, messages: list[ChatMessage], config: GenerateConfig) -> tuple[str, str]:
    """A reply to a form, most of them valid: text and stop reason."""
    prompt, again = messages[1].text, len(messages) > 2
    asked[model, prompt] += not again
    draw = drawn(model, prompt)
    if draw % 17 == 0 and not (again and draw % 2):
        return ("", "content_filter") if draw % 3 == 0 else (("", "no idea")[draw % 2], "stop")
    if model in failing and draw % 13 == 0:
        raise RuntimeError("the provider failed")
    noise = 0.25 * (drawn(model, prompt, asked[model, prompt]) % 3 == 0)
    share = 0.6 * closeness(prompt) + 0.5 * (draw % 997) / 997 + SEVERITY.get(model, 0) + noise
    fields = config.response_schema.json_schema.properties or {}  # type: ignore[union-attr]
    said = {name: chosen(name, one, min(max(share, 0), 0.999), draw // 7) for name, one in fields.items()}
    return json.dumps(said), "stop"


def sentence(model: str, messages: list[ChatMessage]) -> tuple[str, str]:
    """An inference or a message, of words that stand in the prompt: text and stop reason."""
    prompt = messages[-1].text
    draw = drawn(model, prompt)
    if draw % 29 == 0:
        return ("", "content_filter") if draw % 2 else ("", "stop")
    if draw % 31 == 0:
        return (
            ("<think>I cannot tell whether", "max_tokens") if draw % 2 else ("I wanted to know whether", "max_tokens")
        )
    words = re.sub(r"\[[0-9a-f]{8}[^\]]*\]", " ", prompt).split()
    start = draw % max(1, len(words) - 12)
    return f"I thought of {' '.join(words[start : start + 4 + draw % 9])}.", "stop"


class Scripted(ModelAPI):
    """A model that answers by a hash of what it is asked, and states its usage."""

    def __init__(self, model_name: str, base_url: Any = None, api_key: Any = None, config: Any = None, **rest: Any):
        super().__init__(model_name)

    async def generate(
        self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
    ) -> ModelOutput:
        name = PROVIDER_OF[self.model_name]
        requests.append((name, input, config))
        text, stop = form(name, input, config) if config.response_schema else sentence(name, input)
        output = ModelOutput.from_content(self.model_name, text, stop_reason=stop)  # type: ignore[arg-type]
        read = sum(len(message.text) for message in input) // 4
        kept = read // 3 if drawn(name, input[-1].text) % 2 else 0
        thought = 20 if "pro" in name else 0
        written = len(text) // 4 + thought
        output.usage = ModelUsage(
            input_tokens=read - kept, output_tokens=written, total_tokens=read + written,
            input_tokens_cache_read=kept, input_tokens_cache_write=kept // 5 if name == OPUS else 0,
            reasoning_tokens=thought,
        )  # fmt: skip
        return output


PROVIDER_OF = {name.partition("/")[2]: name for name in SEVERITY}


@contextmanager
def scripted_providers() -> Iterator[None]:
    """Put scripted models in the place of three providers, for a while."""
    get_model("mockllm/model")  # so that Inspect's own are registered
    before = dict(registry._registry)
    for name in ("openai", "anthropic", "google"):
        registry._registry.pop(f"modelapi:inspect_ai/{name}", None)
        modelapi(name=name)(lambda: Scripted)
    try:
        yield
    finally:
        registry._registry.clear()
        registry._registry.update(before)
