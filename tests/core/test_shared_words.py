"""Words that two texts share, against counts by hand."""

import pytest

from thoughttrace.core.shared_words import longest_overlap, new_words, share_in_order, words


@pytest.mark.parametrize(
    ("answer", "target", "run", "share"),
    [
        ("the dog ran home", "the dog ran home", 4, 1),
        ("The DOG, ran — home!", "“the dog ran” home", 4, 1),
        ("the big dog ran back home", "the dog ran home", 2, 1),  # all four in order, "dog ran" without a break
        ("home ran the dog", "the dog ran home", 2, 2 / 4),
        ("dog", "the dog ran home", 1, 1 / 4),
        ("a cat sat", "the dog ran home", 0, 0),
        ("", "the dog ran home", 0, 0),
        ("!!! …", "the dog ran home", 0, 0),
        ("no no no", "no", 1, 1),
        ("no", "no no no", 1, 1 / 3),
        ("Über den Straßen, там", "über den STRASSEN там", 4, 1),  # capitals of other scripts; ß is SS
        ("我想要一个计划", "我想要一个计划", 1, 1),  # a script without spaces is one word
        ("nothing left 🫠", "I have nothing left 🫠", 3, 3 / 5),
    ],
)
def test_overlaps_are_those_counted_by_hand(answer: str, target: str, run: int, share: float) -> None:
    assert longest_overlap(answer, [target]) == run
    assert share_in_order(answer, target) == pytest.approx(share)


def test_the_nearest_of_several_targets_counts() -> None:
    assert longest_overlap("one two three", ["two one", "x two three y"]) == 2
    assert longest_overlap("one", []) == 0


def test_words_are_without_capitals_and_the_punctuation_around_them() -> None:
    assert words(" Don't “Stop” … (now) – ok?! ") == ["don't", "stop", "now", "ok"]


def test_words_that_were_shown_do_not_count() -> None:
    assert new_words("to keep it short, short and IT", "It, to") == ["keep", "short", "short", "and"]
    assert share_in_order("it is short", "to keep it short", "I want it to") == 1 / 2
    assert share_in_order("to it", "to it", "it to") == 0
