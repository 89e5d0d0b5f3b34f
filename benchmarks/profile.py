"""Measure time and memory of the whole profile of a dataset of the release's size, compared with `json.loads`.

    python benchmarks/profile.py [--share 1.0] [--file FILE]

Writes a file of the release's size (`loading.py`), or uses FILE, and measures, each in its own process and including
the start of Python: `json.loads` of every line; `thoughttrace profile FILE`, which prints; and `thoughttrace profile
FILE -o FOLDER`, which writes the page with near-duplicates, intervals and figures. Both include imports; those of the
command alone (`--help`) are shown too. The goals: the page under 20 s and under 2 GB. Exits with 1 if one is missed.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from loading import write_conversations
from rich.console import Console
from rich.table import Table

SECONDS, GIGABYTES = 20.0, 2.0

_PLAIN = "import json, sys; kept = [json.loads(line) for line in open(sys.argv[1], 'rb')]"
_PAGE = "profile, with the page"


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command in its own process.

    Args:
        command: The command and its arguments.

    Returns:
        Wall-clock seconds, processor seconds, and peak memory in GB.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # unlike RUSAGE_CHILDREN, of this child alone
    if status:
        raise click.ClickException(f"{' '.join(command[:4])} … failed.")
    # Kilobytes on Linux, bytes on macOS.
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, memory


@click.command()
@click.option("--share", default=1.0, show_default=True, help="Size of the file, as a share of the release's.")
@click.option("--file", type=click.Path(exists=True, path_type=Path), help="Conversations to profile instead.")
def main(share: float, file: Path | None) -> None:
    """Measure, and print the results."""
    console = Console()
    command = [str(Path(sys.executable).with_name("thoughttrace")), "profile"]
    with TemporaryDirectory() as folder:
        if file is None:
            file = Path(folder) / "conversations.jsonl"
            write_conversations(file, share)
        programs = {
            "json.loads": [sys.executable, "-c", _PLAIN, str(file)],
            "imports alone": [*command, "--help"],
            "profile, printed": [*command, str(file)],
            _PAGE: [*command, str(file), "-o", f"{folder}/page"],
        }
        results = {name: measure(program) for name, program in programs.items()}
        title = f"{file.stat().st_size / 1e6:.1f} MB"
    table = Table("", "seconds", "processor seconds", "× json.loads", "memory, GB", title=title)
    baseline = results["json.loads"][0]
    for name, (seconds, busy, memory) in results.items():
        table.add_row(name, f"{seconds:.2f}", f"{busy:.2f}", f"{seconds / baseline:.1f}", f"{memory:.2f}")
    console.print(table)
    seconds, _, memory = results[_PAGE]
    console.print(f"goals: {_PAGE}, under {SECONDS:g} s and {GIGABYTES:g} GB")
    sys.exit(seconds > SECONDS or memory > GIGABYTES)


if __name__ == "__main__":
    main()
