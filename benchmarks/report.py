"""How long a report takes and how much memory, against Inspect's own reading of the same logs.

    python benchmarks/report.py [--models 20] [--share 1.0] [--folder FOLDER]

Makes logs as large as 20 models over the whole dataset (10,174 samples each; some 2 GB), unless FOLDER holds them
already, and measures, each in a process of its own: `inspect_ai.analysis.samples_df` reading the columns that the
report reads; a first report, nothing cached; a second report of the same logs. The goals: the first report takes at
most 1.5 times as long as `samples_df`, the second at most 0.15 times the first, and no more than 4 GB of memory.
It exits with 1 where one is missed.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import click
from rich.console import Console
from rich.progress import Progress

_GROUPS = ("user", "conversation", "message_index", "position", "type", "assistant_model", "hindsight", "target_words")
_SURVEY = ("age", "gender", "education", "frequency")
_AGREEMENT = ("value", "reason", "metadata.ratings", "metadata.rubric_hash")


def baseline(folder: str) -> None:
    """Read with `samples_df` what the report reads."""
    from inspect_ai.analysis import EvalModel, EvalTask, SampleColumn, samples_df  # noqa: PLC0415

    paths = {name: name for name in ("id", "epoch", "error", "model_usage", "role_usage")}
    paths |= {name: f"metadata.{name}" for name in _GROUPS}
    paths |= {name: f"metadata.survey.{name}" for name in _SURVEY}
    paths |= {f"agreement_{path.rpartition('.')[2]}": f"scores.agreement.{path}" for path in _AGREEMENT}
    paths |= {"similarity": "scores.similarity.value"}
    columns = [SampleColumn(name, path=path) for name, path in paths.items()]
    table = samples_df(folder, columns=[*EvalTask, *EvalModel, *columns], quiet=True)
    print(f"{len(table):,} samples")


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; its wall time in seconds and its peak memory in GB."""
    started = time.perf_counter()
    with TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, text=True)
        _, status, usage = os.wait4(process.pid, 0)  # unlike RUSAGE_CHILDREN, of this child alone
        seconds = time.perf_counter() - started
        if status:
            output.seek(0)
            raise click.ClickException(f"{' '.join(command[:3])} … failed.\n{output.read()}")
    # Kilobytes on Linux, bytes on macOS.
    return seconds, usage.ru_maxrss / (1 << (30 if sys.platform == "darwin" else 20))


@click.command()
@click.option("--models", default=20, show_default=True)
@click.option("--share", default=1.0, show_default=True, help="Of the dataset's samples.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Keep the logs here.")
@click.option("--read", hidden=True, help="Read this folder with samples_df, and nothing else.")
def main(models: int, share: float, folder: Path | None, read: str | None) -> None:
    """Measure the report."""
    if read:
        baseline(read)
        return
    console = Console()
    with TemporaryDirectory() as work:
        logs = folder or Path(work) / "logs"
        if not logs.exists():
            _make(logs, models, share, console)
        size = sum(file.stat().st_size for file in logs.iterdir()) / (1 << 30)
        console.print(f"{len(list(logs.iterdir()))} logs, {size:.2f} GB")
        # Compiled modules are kept, as they are wherever Python is used twice.
        fresh = {"THOUGHTTRACE_CACHE": str(Path(work) / "cache"), "PYTHONDONTWRITEBYTECODE": ""}
        report = [str(Path(sys.executable).with_name("thoughttrace")), "report", str(logs), "-o", f"{work}/report"]
        reading, needed = measure([sys.executable, __file__, "--read", str(logs)], fresh)
        console.print(f"samples_df     {reading:7.1f} s   {needed:.2f} GB")
        first, memory = measure(report, fresh)
        console.print(f"first report   {first:7.1f} s   {first / reading:.2f} × samples_df (goal ≤ 1.5)")
        second, _ = measure(report, fresh)
        console.print(f"second report  {second:7.1f} s   {second / first:.2f} × the first (goal ≤ 0.15)")
        console.print(f"peak memory    {memory:7.2f} GB (goal < 4)")
        page = Path(work) / "report/index.html"
        console.print(f"page           {page.stat().st_size / 1e6:7.2f} MB (goal ≤ 5)")
    sys.exit(0 if first <= 1.5 * reading and second <= 0.15 * first and memory < 4 else 1)


def _make(logs: Path, models: int, share: float, console: Console) -> None:
    from make_logs import make_logs  # noqa: PLC0415

    logs.mkdir(parents=True)
    with Progress(console=console) as progress:
        for _ in progress.track(make_logs(logs, models, share), total=2 * models, description="Making logs"):
            pass


if __name__ == "__main__":
    main()
