"""The best of several guesses, against all choices of so many."""

from itertools import combinations

import numpy as np
import pytest

from thoughttrace.analysis.stats.best_of import expected_best


def test_it_is_the_mean_of_the_highest_over_all_choices() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.integers(1, 6, 5), rng.normal(size=6), [3, 3, 3]):
        for guesses in range(1, len(values) + 1):
            every = [max(choice) for choice in combinations(list(values), guesses)]
            assert expected_best(values, guesses) == pytest.approx(np.mean(every))
    assert expected_best([[1, 2, 3], [5, 5, 5]], 2) == pytest.approx([8 / 3, 5])


def test_it_does_not_depend_on_how_many_values_there_are() -> None:
    # The best of two fair dice is 161 / 36 on average, whether two or five were thrown.
    rolls = np.random.default_rng(1).integers(1, 7, (20_000, 5))
    for thrown in (2, 5):
        assert expected_best(rolls[:, :thrown], 2).mean() == pytest.approx(161 / 36, abs=0.03)
