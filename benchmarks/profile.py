"""How long the whole profile of a dataset of the release's size takes and how much memory, against `json.loads`.

    python benchmarks/profile.py [--share 1.0] [--file FILE]

Writes a file of the release's size (`loading.py`), or takes FILE, and measures, each in a process of its own and from
the start of Python: `json.loads` of every line; `thoughttrace profile FILE`, which prints; and `thoughttrace profile
FILE -o FOLDER`, which writes the page with near-duplicates, intervals and figures. Imports are part of both; those of
the command alone (`--help`) are shown too. The goals: the page under 20 s and under 2 GB. It exits with 1 where one is
missed.
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
    """Run a command in a process of its own.

    Args:
        command: What is run.

    Returns:
        Seconds on the clock, seconds of the processor, and the most memory it held, in GB.
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
@click.option("--share", default=1.0, show_default=True, help="Of the release's size.")
@click.option("--file", type=click.Path(exists=True, path_type=Path), help="Conversations to profile instead.")
def main(share: float, file: Path | None) -> None:
    """Measure, and print what was found."""
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
        found = {name: measure(program) for name, program in programs.items()}
        title = f"{file.stat().st_size / 1e6:.1f} MB"
    table = Table("", "seconds", "of the processor", "× json.loads", "memory, GB", title=title)
    baseline = found["json.loads"][0]
    for name, (seconds, busy, memory) in found.items():
        table.add_row(name, f"{seconds:.2f}", f"{busy:.2f}", f"{seconds / baseline:.1f}", f"{memory:.2f}")
    console.print(table)
    seconds, _, memory = found[_PAGE]
    console.print(f"goals: {_PAGE}, under {SECONDS:g} s and {GIGABYTES:g} GB")
    sys.exit(seconds > SECONDS or memory > GIGABYTES)


if __name__ == "__main__":
    main()
