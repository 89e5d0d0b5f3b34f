"""Count the words that two texts share in order, ignoring capitals and punctuation."""

from collections.abc import Sequence


def words(text: str) -> list[str]:
    """Split a text at spaces into its words, without capitals and the punctuation around them.

    Args:
        text: The text. A script without spaces is one word.
    """
    return [word for raw in text.casefold().split() if (word := raw.strip(".,;:!?\"'()…“”’‘-–—"))]


def longest_overlap(answer: str, targets: Sequence[str]) -> int:
    """Count the words of the longest run that an answer shares with a target, in order.

    Args:
        answer: What the model wrote.
        targets: The true thoughts, or the true message.
    """
    said = words(answer)
    return max((_longest(said, words(target)) for target in targets), default=0)


def share_in_order(answer: str, target: str, shown: str = "") -> float:
    """Return the share of a target's words that an answer has in the same order, other words between or not.

    It is the recall of ROUGE-L (Lin 2004, *Text Summarization Branches Out*): the length of the longest common
    subsequence, by dynamic programming, over the target's words.

    Args:
        answer: What the model wrote.
        target: The text.
        shown: A text that the answer was given; the words of the target that it has too do not count.

    Returns:
        0 to 1; 0 where no word counts.
    """
    said, asked = words(answer), new_words(target, shown)
    lengths = [0] * (len(asked) + 1)
    for word in said:
        diagonal = 0
        for place, other in enumerate(asked, start=1):
            above = lengths[place]
            lengths[place] = diagonal + 1 if word == other else max(above, lengths[place - 1])
            diagonal = above
    return lengths[-1] / max(len(asked), 1)


def new_words(target: str, shown: str) -> list[str]:
    """Return the words of a text that another has not.

    Args:
        target: The text.
        shown: The other.
    """
    known = {*words(shown)}
    return [word for word in words(target) if word not in known]


def _longest(a: Sequence[str], b: Sequence[str]) -> int:
    """Find the longest common run, by dynamic programming over the places where words are equal."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(b):
        places.setdefault(word, []).append(place)
    best, ending = 0, dict[int, int]()
    for word in a:
        ending = {place: ending.get(place - 1, 0) + 1 for place in places.get(word, ())}
        best = max(best, max(ending.values(), default=0))
    return best
