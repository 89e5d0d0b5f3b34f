"""What a run's input costs with the prompts laid out and ordered for providers' caches, and what time it takes.

    python benchmarks/prompt_cache.py [--copies 4] [--connections 20 --connections 100] [--provider …]

The 20 real conversations (../shared/data, or THOUGHTTRACE_EXAMPLES), each `--copies` times under other names, as both
tasks run them side by side, by the real SDKs, against a loopback server whose cache follows the providers' published
rules (`cache_rules.py`). Printed is the input's cost, (b) without any cache being 1, of (a) the samples in the order
drawn and Inspect's own marks, and of ours; and our time relative to (a). The judge's requests count in the time only.
It exits with 1 where ours costs more than 0.30 of (b) or takes more than 1.1 times as long as (a).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
MODELS = {
    "anthropic": "anthropic/claude-sonnet-4-5",
    "openai-5.6": "openai/gpt-5.6",
    "openai-5": "openai/gpt-5",
    "google": "google/gemini-2.5-flash",
}
READ, WRITTEN = 0.1, 1.25
COST, TIME = 0.30, 1.1


def child(layout: str, model: str, connections: int, data: str) -> None:
    """Run both tasks in this process and print what the evaluated model used and how long it took."""
    from inspect_ai import eval as inspect_eval  # noqa: PLC0415
    from inspect_ai.dataset import MemoryDataset  # noqa: PLC0415
    from inspect_ai.model import get_model  # noqa: PLC0415
    from inspect_ai.model._providers import openai  # noqa: PLC0415
    from inspect_ai.solver import generate  # noqa: PLC0415

    from thoughttrace.models import prompt_cache  # noqa: PLC0415
    from thoughttrace.scorers import structured_output  # noqa: PLC0415
    from thoughttrace.tasks import _inference  # noqa: PLC0415
    from thoughttrace.tasks.infer_reaction import infer_reaction  # noqa: PLC0415
    from thoughttrace.tasks.infer_reason import infer_reason  # noqa: PLC0415

    sys.path.insert(0, str(HERE))
    load_loopback()
    from cache_rules import LATENCY, STANDS_FOR  # noqa: PLC0415

    prompt_cache.FRESH *= LATENCY / STANDS_FOR
    if layout == "as drawn":
        vars(_inference).update(CacheOrdered=MemoryDataset, generate_cached=generate)
        vars(structured_output).update(only_system_marked=lambda messages, model: messages)
    evaluated = get_model(model)
    vars(openai).update(model_base_url=lambda *_: None)  # Inspect trusts OpenAI's own address to know marks
    started = time.monotonic()
    logs = inspect_eval(
        [infer_reason(data=data), infer_reaction(data=data)], model=evaluated, display="none", max_tasks=2,
        model_roles={"grader": "openai-api/loop/judge"}, max_connections=connections,
        log_dir=tempfile.mkdtemp(), log_realtime=False,
    )  # fmt: skip
    taken = time.monotonic() - started
    assert all(log.status == "success" for log in logs), [log.error for log in logs]
    used = [log.stats.model_usage[model] for log in logs]
    said = {name: sum(getattr(one, name) or 0 for one in used)
            for name in ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")}  # fmt: skip
    print(json.dumps(said | {"seconds": taken, "samples": sum(len(log.samples or []) for log in logs)}))


def load_loopback() -> Any:
    """The server's package, which is not on the import path."""
    spec = PathFinder.find_spec("loopback", [str(HERE.parent / "tests")])
    assert spec
    assert spec.loader
    sys.modules["loopback"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(layout: str, model: str, connections: int, data: Path) -> dict[str, Any]:
    """Run a layout against a server with an empty cache."""
    with load_loopback().spawn(latency=0.5, reply=f"{HERE / 'cache_rules.py'}:answer") as server:
        command = [sys.executable, __file__, "--child", layout, model, str(connections), str(data)]
        done = subprocess.run(command, env=os.environ | server.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    plain, read, written = (found[f"input_tokens{part}"] for part in ("", "_cache_read", "_cache_write"))
    found["cost"] = (plain + READ * read + WRITTEN * written) / (plain + read + written)
    found["read"] = read / (plain + read + written)
    return found


def copies(count: int, folder: Path) -> Path:
    """The real conversations several times, each time by other users."""
    default = HERE.parents[1] / "shared/data/ThoughtTrace_examples.jsonl"
    lines = Path(os.environ.get("THOUGHTTRACE_EXAMPLES", default)).read_text(encoding="utf-8").splitlines()
    path = folder / "copies.jsonl"
    records = [json.loads(line) for line in lines if line.strip()]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            for record in records:
                file.write(json.dumps(record | {"id": f"copy{number}-{record['id']}"}) + "\n")
    return path


@click.command()
@click.option("--copies", "count", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--connections", multiple=True, default=(20, 100), show_default=True, type=click.IntRange(min=2))
@click.option("--provider", "providers", multiple=True, default=tuple(MODELS), type=click.Choice(list(MODELS)))
def main(count: int, connections: tuple[int, ...], providers: tuple[str, ...]) -> None:
    """Print the table; exit with 1 where a goal is missed."""
    columns = (
        "provider",
        "connections",
        "samples",
        "(a) as drawn",
        "ours",
        "read",
        "ours / (a)",
        "(a) s",
        "ours s",
        "time",
    )
    table = Table(title="Input cost, without a cache being 1; time", box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="left" if name == "provider" else "right")
    missed = []
    with tempfile.TemporaryDirectory() as folder, Console(stderr=True).status("Running …"):
        data = copies(count, Path(folder))
        for provider in providers:
            for most in connections:
                drawn, ours = (run(layout, MODELS[provider], most, data) for layout in ("as drawn", "ours"))
                slower = ours["seconds"] / drawn["seconds"]
                table.add_row(
                    provider, str(most), f"{ours['samples']:,}", f"{drawn['cost']:.3f}", f"{ours['cost']:.3f}",
                    f"{ours['read']:.0%}", f"{ours['cost'] / drawn['cost']:.2f}", f"{drawn['seconds']:.0f}",
                    f"{ours['seconds']:.0f}", f"{slower:.2f}",
                )  # fmt: skip
                if ours["cost"] > COST or slower > TIME:
                    missed.append(f"{provider} at {most}")
    console = Console(width=140, highlight=False)
    console.print(table)
    console.print(f"Over {COST} of the cost or {TIME} of the time: {', '.join(missed) or 'nowhere'}.")
    sys.exit(bool(missed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    else:
        main()
