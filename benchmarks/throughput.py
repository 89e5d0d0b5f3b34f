"""What a sample costs in time, CPU and memory, against bare Inspect, a plain script, and DeepEval's G-Eval.

    python benchmarks/throughput.py [--samples 1000] [--connections 50] [--repeats 3] [--deepeval-python PYTHON]

A server in a process of its own (`tests/loopback`) answers every call after 50 ms. Each program asks it for as many
inferences and as many verdicts, in a process of its own (`contenders.py`). The goals, against `model_graded_qa` on the
same samples: at least 0.95 times as many samples a second, at most 1.1 times the CPU, and at most 1.2 times the memory
(told at 10,000 samples: --samples 10000 --repeats 1). It exits with 1 where one is missed. Against the plain script the
goal of 1.5 times the CPU cannot be met: Inspect alone, which keeps every event, takes several times as much, and the
last table says how many. DeepEval is left out unless PYTHON is an interpreter that has it.
"""

import json
import os
import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from contenders import prepare
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
LATENCY = 0.05
NAMES = {
    "ours": "infer_reason, judged",
    "bare": "Inspect, model_graded_qa",
    "script": "asyncio, openai SDK",
    "deepeval": "openai SDK, DeepEval",
}
GOALS = {"rate": 0.95, "cpu": 1.1, "peak": 1.2}
"""How many times what bare Inspect has: of the rate at least, else at most."""

Found = dict[str, float]


def serve() -> Any:
    """The server's context manager."""
    spec = PathFinder.find_spec("loopback", [str(HERE.parent / "tests")])
    assert spec
    assert spec.loader
    sys.modules["loopback"] = loopback = module_from_spec(spec)
    spec.loader.exec_module(loopback)
    return loopback.spawn(latency=LATENCY, reply=f"{HERE / 'contenders.py'}:answer")


def measure(python: str, name: str, folder: Path, samples: int, connections: int) -> Found:
    """Run a program against a server of its own.

    Args:
        python: The interpreter.
        name: Of the program.
        folder: What `prepare` filled.
        samples: How many.
        connections: How many calls, or samples, at once.

    Returns:
        `rate` (samples a second), `cpu` (seconds a sample), `peak` (bytes), `calls` (a sample).
    """
    with serve() as server:
        keys = {"OPENAI_API_KEY": "fake", "OPENAI_BASE_URL": server.environment["LOOP_BASE_URL"]}
        quiet = {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "DEEPEVAL_RESULTS_FOLDER": str(folder)}
        command = [python, str(HERE / "contenders.py"), name, str(folder), str(samples), str(connections)]
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | server.environment | keys | quiet,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        calls = server.stats()["requests"]
    said = json.loads(done.stdout.splitlines()[-1])
    if said["scored"] != samples:
        sys.exit(f"{name}: only {said['scored']} of {samples} samples got a score; nothing can be compared.")
    per = {"rate": samples / said["seconds"], "cpu": said["cpu"] / samples}
    return per | {"peak": said["peak"], "calls": calls / samples}


def best(runs: list[Found]) -> Found:
    """The best of several runs of a program: another process can only have slowed it down."""
    return {key: (max if key == "rate" else min)(run[key] for run in runs) for key in runs[0]}


@click.command()
@click.option("--samples", default=1_000, show_default=True)
@click.option("--connections", default=50, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--deepeval-python", help="An interpreter that can import deepeval.")
def main(samples: int, connections: int, repeats: int, deepeval_python: str | None) -> None:
    """Measure, and print what was found."""
    console = Console()
    pythons = dict.fromkeys(("ours", "bare", "script"), sys.executable)
    if deepeval_python:
        pythons["deepeval"] = deepeval_python
    else:
        console.print("DeepEval is left out: give --deepeval-python.")
    found: dict[str, list[Found]] = {name: [] for name in pythons}
    with TemporaryDirectory() as folder:
        prepare(Path(folder), samples)
        # In turns, so that whatever else the machine does falls on all of them.
        for _ in range(repeats):
            for name, python in pythons.items():
                found[name].append(measure(python, name, Path(folder), samples, connections))
                console.print(f"{name}: {found[name][-1]}", style="dim")
    kept = {name: best(runs) for name, runs in found.items()}
    table = Table("", "samples/s", "CPU, ms a sample", "peak, MB", "calls a sample", title=f"{samples:,} samples")
    for name, row in kept.items():
        cells = f"{row['rate']:.1f}", f"{1000 * row['cpu']:.1f}", f"{row['peak'] / 1e6:.0f}", f"{row['calls']:.2f}"
        table.add_row(NAMES[name], *cells)
    console.print(table)
    ratios = Table("times", "samples/s", "CPU", "memory")
    for a, b in [("ours", "bare"), ("ours", "script"), ("bare", "script"), ("ours", "deepeval")]:
        if {a, b} <= kept.keys():
            times = [f"{kept[a][key] / kept[b][key]:.2f}" for key in GOALS]
            ratios.add_row(f"{NAMES[a]} / {NAMES[b]}", *times)
    console.print(ratios)
    console.print(f"Load of the machine in the last 15 minutes: {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores.")
    missed = False
    for key, goal in GOALS.items():
        ratio = kept["ours"][key] / kept["bare"][key]
        if ratio < goal if key == "rate" else ratio > goal:
            missed = True
            console.print(f"Missed: {key} {ratio:.2f} times that of {NAMES['bare']}; the goal is {goal}.")
    sys.exit(missed)


if __name__ == "__main__":
    main()
