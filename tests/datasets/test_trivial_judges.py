"""Judges that understand nothing: what they go by, by hand."""

import pytest

from thoughttrace.datasets.trivial_judges import WORD_FOR_WORD, rate, word_overlap


@pytest.mark.parametrize(
    ("inference", "targets", "overlap"),
    [
        ("It is too long.", ["it is TOO long"], 1),
        ("too long, too long", ["It is too long."], 2 / 4),
        ("The list is too long", ["It is long."], 2 / 6),
        ("It was long", ["Nothing in common", "It is long"], 2 / 4),  # the nearest
        ("Zu lang", ["Too long"], 0),
        ("!?", ["…"], 0),
    ],
)
def test_the_overlap_is_the_share_of_all_words(inference: str, targets: list[str], overlap: float) -> None:
    assert word_overlap(inference, targets) == pytest.approx(overlap)


def test_a_rating_rises_at_each_threshold() -> None:
    thresholds = (0.1, 0.2, 0.2, 0.8)
    values = {-0.3: 1, 0.09: 1, 0.1: 2, 0.19: 2, 0.2: 4, 0.79: 4, 0.8: 5, 1.0: 5}
    assert {value: rate(value, thresholds) for value in values} == values
    assert [rate(value, WORD_FOR_WORD) for value in (0, 0.99, 1)] == [1, 1, 5]
