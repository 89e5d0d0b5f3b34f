"""`thoughttrace demo`."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from thoughttrace.cli.report import report
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import INFER, PROBE, Control
from thoughttrace.core.terminal import Terminal
from thoughttrace.models.weights import fetch_weights

MODEL = "qwen2.5-coder-0.5b"
JUDGE = "qwen2.5-coder-1.5b"
CONTROLS: tuple[Control, ...] = ("constant", "target")
"""The floor that knows nothing, and the ceiling."""
SAMPLES, PROBES = 6, 24

SAYS = (
    "What this shows is how an evaluation works. It says nothing about language models: the sample is invented, the "
    "model is among the smallest there are, and so is its judge, whose card is in the report."
)


def commands(logs: Path) -> Iterator[list[str]]:
    """Yield the Inspect commands that the demo runs: a model with and without the chat, floor, ceiling, judge's card.

    Args:
        logs: The folder for their logs.
    """
    tasks = [f"thoughttrace/{task.name}" for task in INFER.values()]
    # A judge this small mistakes the message for the thought, and its expected ratings order inferences better than
    # those that it writes (benchmarks/judge_scale.py).
    reading = ["-T", "judge_message=false", "-T", "judge_scale=expected"]
    judging = ["--model-role", f"grader=local/{JUDGE}", *reading]
    # One thought per user: with few samples, more users make the interval narrower.
    samples = ["-T", "per_user=1", "-T", "max_context_words=150", "--limit", str(SAMPLES), "--log-dir", str(logs)]
    # A model this small does not know when to stop.
    model = ["--model", f"local/{MODEL}", "--max-tokens", "40"]
    yield ["inspect", "eval", *tasks, *model, *judging, *samples]
    yield ["inspect", "eval", *tasks, *model, "-T", "context=message", *judging, *samples]
    for control in CONTROLS:
        yield ["inspect", "eval", *tasks, "--model", "none/none", "-T", f"control={control}", *judging, *samples]
    probes = ["--limit", str(PROBES), "--log-dir", str(logs)]
    yield ["inspect", "eval", f"thoughttrace/{PROBE.name}", "--model", f"local/{JUDGE}", *reading, *probes]


@click.command()
@click.option("--log-dir", default="logs/demo", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", default="report", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def demo(context: click.Context, log_dir: Path, output: Path) -> None:
    """Run the evaluation on this machine, without a key: a small real model infers, another one judges.

    Fetches the weights once (1.6 GB), runs Inspect on the bundled sample, and writes the report: the model with the
    chat and with the message alone, a floor that knows nothing, a ceiling, and a short card of the judge. The models
    are small and the sample is invented: this shows how it works, not what language models can do.
    """
    console = Terminal()
    for name in (MODEL, JUDGE):
        fetch_weights(name)
    inspect = Path(sys.executable).with_name("inspect")
    for arguments in commands(log_dir):
        console.print(f"\n$ {shlex.join(arguments)}", style="bold", markup=False, soft_wrap=True)
        done = subprocess.run([str(inspect), *arguments[1:]], check=False)
        if done.returncode:
            raise UserError(f"Inspect ended with exit code {done.returncode}; its output above gives the reason.")
    console.print(f"\n{SAYS}\n", style="bold", soft_wrap=True)
    context.invoke(report, logs=(str(log_dir),), output=output, ratings=())
    console.print(f"Logs:   {log_dir}   (see every sample: inspect view --log-dir {log_dir})", soft_wrap=True)
