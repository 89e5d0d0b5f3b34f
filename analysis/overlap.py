"""Whether an inference repeats its target word for word, as a model can that has seen the data."""

from collections.abc import Sequence


def longest_overlap(inference: str, targets: Sequence[str]) -> int:
    """Words of the longest run that an inference shares with a target, in order, case and punctuation aside.

    Args:
        inference: What the model wrote.
        targets: The true thoughts.
    """
    said = _words(inference)
    return max((_longest(said, _words(target)) for target in targets), default=0)


def _words(text: str) -> list[str]:
    return [word for raw in text.casefold().split() if (word := raw.strip(".,;:!?\"'()…“”’‘-–—"))]


def _longest(a: Sequence[str], b: Sequence[str]) -> int:
    """The longest common run, by dynamic programming over the places where words are equal."""
    places: dict[str, list[int]] = {}
    for at, word in enumerate(b):
        places.setdefault(word, []).append(at)
    best, ending = 0, dict[int, int]()
    for word in a:
        ending = {at: ending.get(at - 1, 0) + 1 for at in places.get(word, ())}
        best = max(best, max(ending.values(), default=0))
    return best
