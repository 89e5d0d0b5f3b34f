"""Stated probabilities against scikit-learn, by hand, and in draws whose truth is known."""

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from thoughttrace.analysis.stats.intervals import Interval
from thoughttrace.analysis.stats.jackknife import jackknife
from thoughttrace.analysis.stats.probabilities import (
    BINS,
    FEWEST_OF_EACH,
    auroc,
    balanced_accuracy,
    bins_of,
    calibration_error,
    least_risk_coverage_area,
    risk_coverage_area,
    share_of_surest,
)


def draw(seed: int, users: int = 8, distance: float = 1.0) -> tuple[Any, Any, Any]:
    """Outcomes, per cents that know something of them, and users, of nine replies each who differ."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(users), 9)
    happened = rng.random(len(names)) < expit(rng.normal(-0.8, 0.8, users))[names]
    signal = distance * happened + rng.normal(0, 0.5, users)[names] + rng.normal(size=len(names))
    return happened, np.rint(100 * expit(signal - 1)).astype(int), names


def test_estimates_are_those_of_scikit_learn() -> None:
    for seed in range(3):
        happened, percents, users = draw(seed, users=20)
        assert auroc(happened, percents, users).estimate == pytest.approx(roc_auc_score(happened, percents))
        said = (percents > 50).astype(float)
        expected = balanced_accuracy_score(happened, said)
        assert balanced_accuracy(happened, said, users).estimate == pytest.approx(expected)
        true, stated = calibration_curve(happened, percents / 100, n_bins=BINS)
        sizes = np.bincount(bins_of(percents), minlength=BINS)
        sizes = sizes[sizes > 0]
        error = float((sizes * np.abs(true - stated)).sum() / sizes.sum())
        assert calibration_error(happened, percents) == pytest.approx(error)
    # Every edge of a bin, too: each per cent twice, once with either outcome.
    every = np.repeat(np.arange(101), 2)
    _, stated = calibration_curve(np.tile([0, 1], 101), every / 100, n_bins=BINS)
    assert [every[bins_of(every) == place].mean() / 100 for place in range(BINS)] == pytest.approx(list(stated))


def test_by_hand() -> None:
    happened, users = [False, False, True, True], ["a", "b", "a", "b"]
    assert auroc(happened, [10, 50, 50, 90], users).estimate == (1 + 1 + 0.5 + 1) / 4
    assert balanced_accuracy(happened, [0, 1, 1, math.nan], users).estimate == (1 / 2 + 1 / 2) / 2
    # (0.1 + 0.3 − 0) / 4 in the bins of 10 and 30, |0.8 + 0.9 … | in theirs
    assert calibration_error(
        happened,
        [10, 30, 80, 90],
    ) == pytest.approx((0.1 + 0.3 + 0.2 + 0.1) / 4)
    assert calibration_error([False, True], [41, 49]) == pytest.approx(abs(0.41 + 0.49 - 1) / 2)


def test_the_area_of_risk_and_coverage_is_the_mean_over_all_orders_of_ties() -> None:
    right, percents, users = [True, False, True, False, True], [90, 50, 50, 50, 10], list("abcde")
    areas = [
        np.mean([np.mean([not right[case] for case in order[: k + 1]]) for k in range(5)])
        for middle in permutations([1, 2, 3])
        for order in [[0, *middle, 4]]
    ]
    assert risk_coverage_area(right, percents, users).estimate == pytest.approx(np.mean(areas))
    assert risk_coverage_area(right, [7] * 5, users).estimate == pytest.approx(2 / 5)  # in random order
    assert least_risk_coverage_area(right) == pytest.approx((1 / 4 + 2 / 5) / 5)
    assert math.isnan(least_risk_coverage_area([]))
    assert risk_coverage_area([], [], []).reason == "none scored"


def test_ties_count_in_part_among_the_surest() -> None:
    right, percents, users = [True, False, True, False, False], [90, 50, 50, 50, 10], list("abcde")
    shares = [share_of_surest(right, percents, users, coverage).estimate for coverage in (0.2, 0.4, 0.6, 0.8, 1)]
    assert shares == pytest.approx([1, (1 + 1 / 3) / 2, (1 + 2 / 3) / 3, 2 / 4, 2 / 5])
    happened, said, names = draw(3, users=20)
    all_of_them = share_of_surest(happened, said, names, 1)
    without = [happened[names != user].mean() for user in range(20)]
    expected = jackknife(float(happened.mean()), without, [9] * 20, 180, (0, 1))
    assert (all_of_them.lower, all_of_them.upper) == pytest.approx((expected.lower, expected.upper))


def test_intervals_leave_out_one_user_at_a_time() -> None:
    happened, percents, users = draw(5)
    without = [roc_auc_score(happened[users != user], percents[users != user]) for user in range(8)]
    expected = jackknife(float(roc_auc_score(happened, percents)), without, [9] * 8, 72, (0, 1))
    found = auroc(happened, percents, users)
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
    assert (found.n, found.clusters) == (72, 8)


def test_what_cannot_be_told_says_why() -> None:
    happened, percents, users = draw(0)
    only = np.zeros(len(users), dtype=bool)
    assert "one outcome" in str(auroc(only, percents, users).reason)
    assert math.isnan(auroc(only, percents, users).estimate)
    assert "one outcome" in str(balanced_accuracy(only, percents > 50, users).reason)
    assert "only one user" in str(auroc(happened, percents, ["a"] * len(users)).reason)
    (first,) = np.flatnonzero(happened)[:1]
    assert "without one of the users" in str(auroc(np.arange(len(users)) == first, percents, users).reason)
    assert auroc([], [], []).reason == balanced_accuracy([], [], []).reason == "none scored"
    assert math.isnan(calibration_error([], []))
    said = np.zeros(len(users))
    said[: FEWEST_OF_EACH - 1] = 1
    assert "hardly ever another answer" in str(balanced_accuracy(happened, said, users).reason)
    said[FEWEST_OF_EACH - 1] = 1
    assert balanced_accuracy(happened, said, users).reason is None


@pytest.mark.parametrize("users", [5, 20])
@pytest.mark.parametrize("estimate", [auroc, risk_coverage_area])
def test_the_interval_of_an_area_holds_the_true_one(users: int, estimate: Callable[..., Interval]) -> None:
    happened, percents, names = draw(1, users=20_000)
    true = estimate(happened, percents, np.zeros(len(names))).estimate
    found = [estimate(*draw(seed, users)) for seed in range(2, 302)]
    given = [interval.lower <= true <= interval.upper for interval in found if not interval.reason]
    assert len(given) > 290
    assert 0.93 <= np.mean(given) <= 0.995
