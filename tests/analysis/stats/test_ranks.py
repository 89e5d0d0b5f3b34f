"""Ranks as intervals, and what has a common ranking, by hand."""

import pytest

from thoughttrace.analysis.stats.ranks import components, rank_intervals, rank_text


@pytest.mark.parametrize(
    ("clear", "expected"),
    [
        ([], {"a": (1, 3), "b": (1, 3), "c": (1, 3)}),
        ([("a", "c")], {"a": (1, 2), "b": (1, 3), "c": (2, 3)}),
        ([("a", "b"), ("a", "c"), ("b", "c")], {"a": (1, 1), "b": (2, 2), "c": (3, 3)}),
        ([("c", "a"), ("c", "b")], {"a": (2, 3), "b": (2, 3), "c": (1, 1)}),
    ],
)
def test_a_rank_is_one_more_than_those_better_to_all_less_those_worse(
    clear: list[tuple[str, str]], expected: dict[str, tuple[int, int]]
) -> None:
    assert rank_intervals(["a", "b", "c"], clear) == expected


def test_a_rank_is_written_as_one_number_or_a_range() -> None:
    assert [rank_text(2, 2), rank_text(1, 3)] == ["2", "1–3"]


def test_only_what_comparisons_connect_has_a_common_ranking() -> None:
    numbers = components(5, [(0, 3), (3, 4)])
    assert numbers[0] == numbers[3] == numbers[4]
    assert len({numbers[0], numbers[1], numbers[2]}) == 3
    assert len(set(components(2, []))) == 2
