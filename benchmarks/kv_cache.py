"""How much faster a local model reads the prompts of both tasks because each begins as the one before it.

    python benchmarks/kv_cache.py [--model local/smollm2-135m] [--conversations 2]

Some of the short ones among the real conversations (../shared/data, or THOUGHTTRACE_EXAMPLES), through Inspect and
llama.cpp in this process, a few tokens a reply and no judge's time: with llama.cpp's cache off, and with it on.
It exits with 1 where the cache does not make it 3 times as fast.
"""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model
from rich import box
from rich.console import Console
from rich.table import Table

from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

HERE = Path(__file__).resolve().parent
CHARACTERS = 10_000
"""Of a conversation's messages, at most: without the cache, a slow machine reads a few hundred tokens a second."""
GOAL = 3.0


def short_conversations(count: int, folder: Path) -> Path:
    """A seeded choice of the real conversations that are short enough."""
    default = HERE.parents[1] / "shared/data/ThoughtTrace_examples.jsonl"
    lines = Path(os.environ.get("THOUGHTTRACE_EXAMPLES", default)).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.strip()]
    fitting = [r for r in records if sum(len(message["content"]) for message in r["messages"]) <= CHARACTERS]
    chosen = random.Random(1).sample(fitting, min(count, len(fitting)))
    path = folder / "conversations.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in chosen), encoding="utf-8")
    return path


def seconds(model: str, data: Path, cache_prompt: bool) -> tuple[float, int, int]:
    """Time, samples, and tokens of the prompts of one run of both tasks."""
    tasks = [infer_reason(data=str(data)), infer_reaction(data=str(data))]
    for task in tasks:
        task.scorer = None
    evaluated = get_model(model, cache_prompt=cache_prompt, memoize=False)
    started = time.monotonic()
    logs = inspect_eval(
        tasks, model=evaluated, model_roles={"grader": "mockllm/judge"}, max_tokens=8, display="none",
        log_dir=tempfile.mkdtemp(),
    )  # fmt: skip
    taken = time.monotonic() - started
    assert all(log.status == "success" for log in logs), [log.error for log in logs]
    used: list[Any] = [log.stats.model_usage[model] for log in logs]
    read = sum(one.input_tokens + (one.input_tokens_cache_read or 0) for one in used)
    return taken, sum(len(log.samples or []) for log in logs), read


@click.command()
@click.option("--model", default="local/smollm2-135m", show_default=True)
@click.option("--conversations", default=2, show_default=True, type=click.IntRange(min=2))
def main(model: str, conversations: int) -> None:
    """Print the table; exit with 1 where the goal is missed."""
    table = Table(title=f"{model}: time of both tasks", box=box.SIMPLE_HEAD)
    for name in ("run", "samples", "prompt tokens", "seconds", "times as fast"):
        table.add_column(name, justify="left" if name == "run" else "right")
    with tempfile.TemporaryDirectory() as folder, Console(stderr=True).status("Running …"):
        data = short_conversations(conversations, Path(folder))
        get_model(model)  # loaded before the clock starts
        found = {name: seconds(model, data, on) for name, on in (("without the cache", False), ("with it", True))}
    slowest = found["without the cache"][0]
    for name, (taken, samples, read) in found.items():
        table.add_row(name, f"{samples}", f"{read:,}", f"{taken:.1f}", f"{slowest / taken:.2f}")
    Console(width=110, highlight=False).print(table)
    sys.exit(slowest / found["with it"][0] < GOAL)


if __name__ == "__main__":
    main()
