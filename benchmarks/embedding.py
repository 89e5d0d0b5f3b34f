"""Measure how many texts a second are embedded on this machine, and how long `thoughttrace shift` takes in all.

    python benchmarks/embedding.py [DATA] [--repeats 3]

The texts are those that `shift` embeds in DATA, each once. Four ways take turns, and the best of the repeats counts:
one text at a time; batches of 64 in the order of the data, the usual way and the baseline; what `embed` does, batches
of 8 of similar length on one core; what `shift` does, the same on all cores. Vectors must be equal to 1e-5, or it exits
with 1. Then the command itself runs twice, with an empty cache and with the cache of the first run.

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
from rich.console import Console
from rich.table import Table

from thoughttrace.analysis.shift.pairs import cut_pairs
from thoughttrace.datasets.sources import open_source
from thoughttrace.models import embedding
from thoughttrace.models.embedding import LocalEmbedder, Vectors, pack

BASELINE = "batches of 64 as they come"
ACCEPTED = 1e-5


def one_by_one(texts: Sequence[str]) -> Vectors:
    """Embed each text by itself."""
    return np.vstack([embedding.embed([text]) for text in texts])


def as_they_come(texts: Sequence[str]) -> Vectors:
    """Embed texts in the order of the data, padded to the longest of 64."""
    session, tokenizer = embedding._model()
    batches = [texts[start : start + 64] for start in range(0, len(texts), 64)]
    return np.vstack([embedding._embed_encoded(session, tokenizer.encode_batch(list(batch))) for batch in batches])


def on_all_cores(texts: Sequence[str]) -> Vectors:
    """Embed as `shift` does when nothing is cached."""
    local = LocalEmbedder()
    vectors = {text: vector for batch in pack(texts) for text, vector in zip(batch, local.embed(batch), strict=True)}
    return np.stack([vectors[text] for text in texts])


WAYS: dict[str, Callable[[Sequence[str]], Vectors]] = {
    "one text at a time": one_by_one,
    BASELINE: as_they_come,
    "like lengths, one core (embed)": embedding.embed,
    "like lengths, all cores (shift)": on_all_cores,
}


def run_shift(data: str, cache: Path, output: Path) -> tuple[float, float]:
    """Run the command; return its seconds, by the clock and of the processor."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).with_name("thoughttrace")), "shift", data, "-o", str(output)]
    environment = os.environ | {"THOUGHTTRACE_CACHE": str(cache)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, processor


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
    results: dict[str, Vectors] = {}
    for _ in range(repeats):
        for name, way in WAYS.items():
            started = time.perf_counter()
            results[name] = way(texts)
            seconds[name].append(time.perf_counter() - started)
    best = {name: min(times) for name, times in seconds.items()}
    difference = max(float(np.abs(vectors - results[BASELINE]).max()) for vectors in results.values())
    rates = Table("", "texts / s", f"times {BASELINE!r}", title=f"{len(texts):,} texts, {os.cpu_count()} cores")
    for name, took in best.items():
        rates.add_row(name, f"{len(texts) / took:,.0f}", f"{best[BASELINE] / took:.2f}")
    console.print(rates)
    console.print(f"Vectors differ by at most {difference:.0e}.")
    with TemporaryDirectory() as folder:
        for state in ("an empty cache", "all vectors in it"):
            took, processor = run_shift(data, Path(folder, "cache"), Path(folder, "page"))
            console.print(f"thoughttrace shift, {state}: {took:.0f} s, {processor:.0f} s of the processor.")
    sys.exit(difference > ACCEPTED)


if __name__ == "__main__":
    main()
