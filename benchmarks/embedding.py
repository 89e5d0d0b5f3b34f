"""How many texts a second are embedded on this machine, and how long a whole `thoughttrace shift` takes.

    python benchmarks/embedding.py [DATA] [--repeats 3]

Texts are those that `shift` embeds in DATA, each once. Four ways take turns, and the best of the repeats counts: one
text at a time; batches of 64 as they come, the usual way and the baseline; what `embed` does, batches of 8 of like
length on one core; what `shift` does, the same on all cores. Vectors must be the same to 1e-5, or it exits with 1.
Then the command itself runs twice, with an empty cache and with the one it left.

On 2 shared cores, over the 456 texts of the 20 real conversations: 97, 33, 113 and 205 texts a second; the command
26 s, and 23 s with all vectors in its cache. At that rate the dataset's some 18,700 texts take a minute and a half.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from thoughttrace.analysis.shift.pairs import cut_pairs
from thoughttrace.datasets.sources import open_source
from thoughttrace.models import embedding
from thoughttrace.models.embedding import Local, pack

Vectors = npt.NDArray[np.float32]
BASELINE = "batches of 64 as they come"
ACCEPTED = 1e-5


def one_by_one(texts: Sequence[str]) -> Vectors:
    """Each text by itself."""
    return np.vstack([embedding.embed([text]) for text in texts])


def as_they_come(texts: Sequence[str]) -> Vectors:
    """Texts in the order of the data, padded to the longest of 64."""
    session, tokenizer = embedding._model()
    batches = [texts[start : start + 64] for start in range(0, len(texts), 64)]
    return np.vstack([embedding._vectors(session, tokenizer.encode_batch(list(batch))) for batch in batches])


def on_all_cores(texts: Sequence[str]) -> Vectors:
    """What `shift` does when nothing is cached."""
    local = Local()
    known = {text: vector for batch in pack(texts) for text, vector in zip(batch, local.embed(batch), strict=True)}
    return np.stack([known[text] for text in texts])


WAYS: dict[str, Callable[[Sequence[str]], Vectors]] = {
    "one text at a time": one_by_one,
    BASELINE: as_they_come,
    "like lengths, one core (embed)": embedding.embed,
    "like lengths, all cores (shift)": on_all_cores,
}


def whole(data: str, cache: Path, output: Path) -> tuple[float, float]:
    """Seconds of the command, by the clock and of the processor."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).with_name("thoughttrace")), "shift", data, "-o", str(output)]
    environment = os.environ | {"THOUGHTTRACE_CACHE": str(cache)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, used


@click.command()
@click.argument("data", default="sample")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
def main(data: str, repeats: int) -> None:
    """Measure, and print."""
    console = Console(highlight=False)
    table = cut_pairs(open_source(data).conversations).table
    texts = list(dict.fromkeys([*table["source"], *table["target"]]))
    embedding.embed(texts[:8])  # loads the model
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    found: dict[str, Vectors] = {}
    for _ in range(repeats):
        for name, way in WAYS.items():
            started = time.perf_counter()
            found[name] = way(texts)
            seconds[name].append(time.perf_counter() - started)
    best = {name: min(times) for name, times in seconds.items()}
    off = max(float(np.abs(vectors - found[BASELINE]).max()) for vectors in found.values())
    shown = Table("", "texts / s", f"times {BASELINE!r}", title=f"{len(texts):,} texts, {os.cpu_count()} cores")
    for name, took in best.items():
        shown.add_row(name, f"{len(texts) / took:,.0f}", f"{best[BASELINE] / took:.2f}")
    console.print(shown)
    console.print(f"Vectors differ by at most {off:.0e}.")
    with TemporaryDirectory() as folder:
        for state in ("an empty cache", "all vectors in it"):
            took, used = whole(data, Path(folder, "cache"), Path(folder, "page"))
            console.print(f"thoughttrace shift, {state}: {took:.0f} s, {used:.0f} s of the processor.")
    sys.exit(off > ACCEPTED)


if __name__ == "__main__":
    main()
