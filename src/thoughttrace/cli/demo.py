"""`thoughttrace demo`."""

import shlex
import subprocess
import sys
from pathlib import Path

import click

from thoughttrace.cli.report import report
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import INFER
from thoughttrace.core.terminal import Terminal
from thoughttrace.models.weights import fetch_weights

MODELS = ("smollm2-135m", "qwen2.5-coder-0.5b")
JUDGE = "qwen2.5-coder-1.5b"


def command(logs: Path) -> list[str]:
    """Return the Inspect command that the demo runs.

    Args:
        logs: The folder for its logs.
    """
    return [
        "inspect", "eval", *(f"thoughttrace/{task.name}" for task in INFER.values()),
        "--model", ",".join(f"local/{name}" for name in MODELS),
        "--model-role", f"grader=local/{JUDGE}",
        # One thought per user: with few samples, more users make the interval narrower. A judge this small mistakes
        # the message for the thought, and a model this small does not know when to stop.
        "-T", "per_user=1", "-T", "max_context_words=150", "-T", "judge_message=false",
        "--limit", "8", "--max-tokens", "40", "--log-dir", str(logs),
    ]  # fmt: skip


@click.command()
@click.option("--log-dir", default="logs/demo", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", default="report", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def demo(context: click.Context, log_dir: Path, output: Path) -> None:
    """Run the evaluation on this machine, without a key: two small real models infer, a third judges.

    Fetches the weights once (1.7 GB), runs Inspect on the bundled sample, and writes the report. The models are
    small and the sample is invented: this shows how it works, not what language models can do.
    """
    console = Terminal()
    for name in (*MODELS, JUDGE):
        fetch_weights(name)
    inspect = Path(sys.executable).with_name("inspect")
    arguments = command(log_dir)
    console.print(f"\n$ {shlex.join(arguments)}", style="bold", markup=False, soft_wrap=True)
    done = subprocess.run([str(inspect), *arguments[1:]], check=False)
    if done.returncode:
        raise UserError(f"Inspect ended with exit code {done.returncode}; its output above gives the reason.")
    context.invoke(report, logs=(str(log_dir),), output=output, ratings=())
    console.print(f"Logs:   {log_dir}   (see every sample: inspect view --log-dir {log_dir})", soft_wrap=True)
