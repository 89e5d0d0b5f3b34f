"""Judges that understand nothing, which every judge must beat: a constant, the words in common, an embedding."""

import re
from bisect import bisect_right
from collections.abc import Sequence

Thresholds = tuple[float, float, float, float]
"""Rising; from each of them on, the rating is one higher."""

WORD_OVERLAP: Thresholds = (0.197, 0.246, 0.293, 0.567)
COSINE: Thresholds = (0.347, 0.389, 0.604, 0.938)
"""Fitted on the probes written by hand, on which they are judged too: the strongest case for judges that go by words or
embeddings and use the whole scale (`benchmarks/trivial_judges.py` fits them anew)."""

WORD_FOR_WORD: Thresholds = (1.0, 1.0, 1.0, 1.0)
"""On the overlap of words: 5 for the note itself, 1 for all else. Where a rating may go unused, nothing fits better."""


def word_overlap(inference: str, targets: Sequence[str]) -> float:
    """Return the share of words that inference and nearest target have in common, of all words in either (Jaccard)."""
    words = _words(inference)
    return max(len(words & other) / (len(words | other) or 1) for other in map(_words, targets))


def rate(value: float, thresholds: Thresholds) -> int:
    """Turn an overlap or a cosine into a rating, 1–5."""
    return 1 + bisect_right(thresholds, value)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
