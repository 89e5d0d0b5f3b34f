"""Texts that are the same, or nearly."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain
from math import ceil

_SHINGLE = 5
SIMILAR = 0.8
"""Jaccard similarity of two texts' shingles from which they count as near-duplicates."""

RULE = (
    "Texts are compared in lower case and without punctuation and hidden characters. Exact: the same text. Near: "
    f"the sets of all runs of {_SHINGLE} characters of the two have a Jaccard similarity of {SIMILAR} or more; all "
    "pairs are found, none is estimated."
)

_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_BETWEEN = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """A text in lower case, compatible characters alike, with single spaces for all that is neither letter nor digit.

    A text of nothing but punctuation or emoji stays as it is.
    """
    folded = _HIDDEN.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return _BETWEEN.sub(" ", folded).strip() or folded.strip()


def shingles(text: str) -> frozenset[str]:
    """All runs of five characters of a text; the text itself where it is shorter."""
    return frozenset(text[at : at + _SHINGLE] for at in range(max(1, len(text) - _SHINGLE + 1)))


def near_pairs(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Find all pairs of texts whose shingles have a Jaccard similarity of `SIMILAR` or more.

    With t the least similarity, two such sets x and y, |y| ≤ |x|, share t |x| elements or more, and 2 t / (1 + t) |y|.
    So one of the rarest shingles of x, all but t |x| of them and one, is among those of y, and only such texts are
    compared (prefix filtering; Chaudhuri et al. 2006, ICDE; Bayardo et al. 2007, WWW).

    Args:
        texts: Distinct, normalised.

    Returns:
        (place of the one, place of the other, similarity), the smaller place first.
    """
    sets = [shingles(text) for text in texts]
    frequency = Counter(chain.from_iterable(sets))
    rank = {shingle: number for number, (shingle, _) in enumerate(sorted(frequency.items(), key=lambda item: item[1]))}
    ranked = [sorted(map(rank.__getitem__, found)) for found in sets]
    # Shorter texts first: each looks back at those that are no longer than it.
    holders: dict[int, list[int]] = defaultdict(list)
    pairs = []
    for here in sorted(range(len(texts)), key=lambda place: len(ranked[place])):
        own = ranked[here]
        least = _least(SIMILAR, own)
        candidates = {there for shingle in own[: len(own) - least + 1] for there in holders.get(shingle, ())}
        for there in candidates:
            if len(ranked[there]) >= least:
                shared = len(sets[here] & sets[there])
                similarity = shared / (len(own) + len(ranked[there]) - shared)
                if similarity >= SIMILAR:
                    pairs.append((min(here, there), max(here, there), similarity))
        for shingle in own[: len(own) - _least(2 * SIMILAR / (1 + SIMILAR), own) + 1]:
            holders[shingle].append(here)
    return sorted(pairs)


def _least(share: float, of: Sequence[int]) -> int:
    """The least whole number that is a share of a length or more; what floats add to it is taken off."""
    return ceil(share * len(of) - 1e-9)
