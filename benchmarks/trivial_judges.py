"""Fit the thresholds of the trivial judges on the probes written by hand, and print how often each judge is right.

    python benchmarks/trivial_judges.py

A judge that goes by the words in common, or by an embedding, rates by four thresholds. Of all thresholds that give
each rating to one probe in twenty or more, those are taken that are right most often (mean over families, as the card's
rule compares) on the very probes that they are fitted to, found by dynamic programming over the cuts between values.
Without the first condition both come to “5 for the note word for word, else 1”, which is a judge of its own. With the
thresholds in `datasets/trivial_judges.py` each must come within 1 % of that, or it exits with 1. Then the default card,
with the probes built from the bundled sample: under 50 % is wanted everywhere.
"""

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from thoughttrace.datasets.probes import FAMILIES, PER_FAMILY, WRITTEN, Probe, gather_probes, load_probes
from thoughttrace.datasets.sources import open_source
from thoughttrace.datasets.trivial_judges import COSINE, WORD_FOR_WORD, WORD_OVERLAP, rate, word_overlap
from thoughttrace.models.embedding import embed

RATINGS = range(1, 6)
LEAST_GIVEN = 0.05
SLACK = 0.01


def cosines(probes: Sequence[Probe]) -> list[float]:
    """Return the cosine of each probe's inference and nearest note."""
    texts = list(dict.fromkeys(text for probe in probes for text in (probe.inference, *probe.targets)))
    vectors = dict(zip(texts, embed(texts), strict=True))
    return [max(float(vectors[probe.inference] @ vectors[note]) for note in probe.targets) for probe in probes]


def overlaps(probes: Sequence[Probe]) -> list[float]:
    """Return the share of words that each probe's inference and nearest note have in common."""
    return [word_overlap(probe.inference, probe.targets) for probe in probes]


def right(ratings: Sequence[int], probes: Sequence[Probe]) -> float:
    """Return the share of ratings that are right."""
    return float(np.mean([probe.low <= rating <= probe.high for rating, probe in zip(ratings, probes, strict=True)]))


def weights(probes: Sequence[Probe]) -> list[float]:
    """Return the weight of each probe in the mean over families; the sum is 1."""
    sizes = Counter(probe.family for probe in probes)
    return [1 / len(sizes) / sizes[probe.family] for probe in probes]


def over_families(ratings: Sequence[int], probes: Sequence[Probe]) -> float:
    """Return the share of ratings that are right, the mean over families."""
    hits = [probe.low <= rating <= probe.high for rating, probe in zip(ratings, probes, strict=True)]
    return float(np.dot(weights(probes), hits))


def fit(values: Sequence[float], probes: Sequence[Probe]) -> tuple[float, list[float]]:
    """Return the largest share, mean over families, that four rising thresholds are right on, and such thresholds."""
    order = np.argsort(values, kind="stable")
    rising = np.array(values)[order]
    hits = np.array([[probe.low <= rating <= probe.high for rating in RATINGS] for probe in probes], dtype=float)
    hits = (hits * np.array(weights(probes))[:, None])[order]
    totals = np.vstack([np.zeros(len(RATINGS)), hits.cumsum(axis=0)])
    fewest = LEAST_GIVEN * len(probes)
    cuts = [0, *(n for n in range(1, len(rising)) if rising[n] > rising[n - 1]), len(rising)]
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    for column in range(len(RATINGS)):
        best = {
            end: max(
                ((score + totals[end][column] - totals[start][column], [*path, end])
                 for start, (score, path) in best.items() if end - start >= fewest),
                key=lambda found: found[0],
            )
            for end in cuts if any(end - start >= fewest for start in best)
        }  # fmt: skip
    score, path = best[len(rising)]
    ends = [-1.0, *((rising[n - 1] + rising[n]) / 2 for n in range(1, len(rising))), 2.0]
    return score, [float(ends[cut]) for cut in path[:-1]]


def main() -> None:
    """Fit, compare and print."""
    written = load_probes(WRITTEN)
    card = gather_probes(open_source("sample").conversations, FAMILIES, PER_FAMILY, 0)
    table = Table(
        "judge", "thresholds", f"{len(written)} written: right", "over families", f"{len(card)} by default: right",
        "over families",
    )  # fmt: skip
    for constant in RATINGS:
        shares = [part([constant] * len(p), p) for p in (written, card) for part in (right, over_families)]
        table.add_row(f"always {constant}", "", *(f"{share:.1%}" for share in shares))
    weak = False
    judges = [
        ("word overlap", WORD_OVERLAP, overlaps),
        ("word for word", WORD_FOR_WORD, overlaps),
        ("embedding", COSINE, cosines),
    ]
    for name, thresholds, measure in judges:
        ratings = [([rate(value, thresholds) for value in measure(p)], p) for p in (written, card)]
        shares = [part(*each) for each in ratings for part in (right, over_families)]
        table.add_row(name, " ".join(map(str, thresholds)), *(f"{share:.1%}" for share in shares))
        if name == "word for word":
            continue
        most, fitted = fit(measure(written), written)
        table.add_row(f"{name}, fitted anew", " ".join(f"{cut:.3f}" for cut in fitted), "", f"{most:.1%}")
        weak |= shares[1] < most - SLACK
    Console(width=120).print(table)
    if weak:
        sys.exit("Thresholds are weaker than they could be: put the fitted ones into datasets/trivial_judges.py.")


if __name__ == "__main__":
    main()
