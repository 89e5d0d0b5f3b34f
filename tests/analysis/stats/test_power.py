"""Plans against simulation, against the textbook, and against pilots whose statistics are known."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from thoughttrace.analysis.stats.intervals import bell_mccaffrey_df, cluster_mean, paired_difference
from thoughttrace.analysis.stats.multiplicity import holm
from thoughttrace.analysis.stats.pilot import RatingStatistics, pilot_statistics
from thoughttrace.analysis.stats.power import (
    Assumptions,
    detectable,
    detectable_difference,
    equivalence_margin,
    even_sizes,
    first_step_of_holm,
    half_width,
    power,
    users_for_difference,
    users_for_half_width,
    users_within,
)
from thoughttrace.core.errors import UserError

Numbers = npt.NDArray[Any]

SKEWED = (1, 1, 1, 2, 2, 3, 4, 6, 10, 20)
SETTINGS = [
    (Assumptions(1.2, 0.05, (5,)), 0.25),
    (Assumptions(1.2, 0.3, SKEWED), 0.35),
    (Assumptions(0.9, 0.1, even_sizes(4.25)), 0.2),
]


def draw(assumed: Assumptions, users: int, times: int, mean: float = 0.0) -> tuple[Numbers, Numbers]:
    """Gaussian values, one row a replication, and the user of each column."""
    rng = np.random.default_rng(users)
    clusters = np.repeat(np.arange(users), assumed.sizes(users).astype(int))
    between = rng.normal(scale=assumed.sd * math.sqrt(assumed.icc), size=(times, users))
    within = rng.normal(scale=assumed.sd * math.sqrt(1 - assumed.icc), size=(times, len(clusters)))
    return mean + between[:, clusters] + within, clusters


def intervals(y: Numbers, clusters: Numbers) -> tuple[Numbers, Numbers, float]:
    """Mean and CR2 standard error of each row, and the degrees of freedom."""
    sizes = np.bincount(clusters)
    means = y.mean(axis=1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    residuals = np.add.reduceat(y - means[:, None], starts, axis=1)
    variances = (residuals**2 / (1 - sizes / sizes.sum())).sum(axis=1) / sizes.sum() ** 2
    return means, np.sqrt(variances), bell_mccaffrey_df(sizes)


@pytest.mark.parametrize(("assumed", "difference"), SETTINGS)
def test_the_planned_power_is_the_simulated_power(assumed: Assumptions, difference: float) -> None:
    users = users_for_difference(assumed, difference, 0.8)
    y, clusters = draw(assumed, users, 5000, difference)
    means, errors, df = intervals(y, clusters)
    p_values = 2 * stats.t.sf(np.abs(means) / errors, df)
    for row in range(3):
        expected = paired_difference(y[row], np.zeros(len(clusters)), clusters)
        assert p_values[row] == pytest.approx(expected.p_value, rel=1e-9)
    assert 0.77 < (p_values < 0.05).mean() < 0.83


@pytest.mark.parametrize("assumed", [assumed for assumed, _ in SETTINGS])
def test_the_planned_half_width_is_the_simulated_half_width(assumed: Assumptions) -> None:
    users = users_for_half_width(assumed, 0.25)
    y, clusters = draw(assumed, users, 4000)
    _, errors, df = intervals(y, clusters)
    expected = cluster_mean(y[0], clusters)
    widths = stats.t.ppf(0.975, df) * errors
    assert widths[0] == pytest.approx((expected.upper - expected.lower) / 2, rel=1e-9)
    assert widths.mean() == pytest.approx(half_width(assumed, users), rel=0.05)


@pytest.mark.parametrize(("users", "effect"), [(12, 0.9), (40, 0.3), (300, 0.15)])
def test_without_clusters_it_is_the_textbook_t_test(users: int, effect: float) -> None:
    alone = Assumptions(2.0, 0.0, (1,))
    expected = TTestPower().power(effect, users, 0.05)
    assert power(alone, users, effect * 2.0) == pytest.approx(expected, rel=1e-9)
    assert detectable(alone, users, float(expected)) == pytest.approx(effect * 2.0, rel=1e-9)


@pytest.mark.parametrize("goal", [0.4, 0.2, 0.1])
@pytest.mark.parametrize("per_user", [(5,), SKEWED, (1,) * 99 + (60,), even_sizes(1.5)])
@pytest.mark.parametrize("icc", [0.0, 0.4])
def test_no_fewer_users_are_enough(goal: float, per_user: tuple[int, ...], icc: float) -> None:
    assumed = Assumptions(1.1, icc, per_user)
    users = users_for_half_width(assumed, goal)
    assert half_width(assumed, users) <= goal
    assert min((half_width(assumed, fewer) for fewer in range(2, users)), default=math.inf) > goal
    found = users_for_difference(assumed, goal, 0.9)
    assert power(assumed, found, goal) >= 0.9
    assert max((power(assumed, fewer, goal) for fewer in range(max(2, found - 80), found)), default=0) < 0.9
    assert detectable(assumed, found, 0.9) <= goal


@pytest.mark.parametrize("per_user", [(3,), SKEWED, (1,) * 99 + (60,)])
@pytest.mark.parametrize("budget", [120, 121, 1000])
def test_a_budget_is_used_up(per_user: tuple[int, ...], budget: int) -> None:
    assumed = Assumptions(1.0, 0.1, per_user)
    users = users_within(assumed, budget)
    assert assumed.samples(users) <= budget
    assert all(assumed.samples(more) > budget for more in range(users + 1, 3 * budget))


def test_sizes_are_stretched_by_quantiles() -> None:
    assumed = Assumptions(1.0, 0.1, (9, 1, 2))
    assert assumed.sizes(3).tolist() == [1, 2, 9]
    assert assumed.sizes(6).tolist() == [1, 1, 2, 2, 9, 9]
    assert assumed.sizes(2).tolist() == [1, 9]
    assert Assumptions(1.0, 0.1, even_sizes(4.25)).samples(100) == 425


def users_of(values: Numbers) -> Numbers:
    """The user of each rating, where each row of values is a user's."""
    return np.repeat([f"u{user}" for user in range(len(values))], values.shape[1])


def test_a_pilot_gives_components_known_by_construction() -> None:
    # Balanced, so it is mean squares: within users 1; between them 2 · 4 = 1 + 2 · 3.5.
    a = np.array([[1.0], [3.0], [5.0]]) + np.array([0, math.sqrt(2)])
    # The differences are ± 1 around 0: mean square within users 2, between them 0.
    b = a - np.array([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    one = pilot_statistics(a.reshape(-1, 1), users_of(a))
    assert (one.sd, one.icc) == pytest.approx((math.sqrt(4.5), 3.5 / 4.5))
    assert (one.per_user, one.correlation, one.sd_difference) == ((2, 2, 2), None, None)
    both = pilot_statistics(np.column_stack([a.ravel(), b.ravel()]), users_of(a))
    assert (both.sd_difference, both.icc_difference) == pytest.approx((math.sqrt(2), 0))
    assert (one.df, both.df, both.df_difference) == pytest.approx((2, 2, 2))  # three users with as many samples each
    assert both.correlation == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_several_runs_are_averaged_and_unscored_samples_left_out() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(6, 4)) + rng.normal(size=(6, 1))
    a, b, users = values.ravel(), 3 * values.ravel(), users_of(values)
    b[0] = np.nan
    one, other, both = (pilot_statistics(np.column_stack(columns), users) for columns in ([a], [b], [a, b]))
    assert other.per_user == (3, 4, 4, 4, 4, 4)
    assert both.per_user == (4,) * 6
    assert one.sd is not None
    assert other.sd is not None
    assert both.sd is not None
    assert both.sd**2 == pytest.approx((one.sd**2 + other.sd**2) / 2)
    assert both.sd_difference == pytest.approx(2 / 3 * other.sd)  # b − a is 2a, and b is 3a
    assert both.correlation == pytest.approx(1)
    # Runs without a sample in common: each row of ratings is of one run.
    apart = np.full((48, 2), np.nan)
    apart[:24, 0], apart[24:, 1] = a, rng.normal(size=24)
    elsewhere = pilot_statistics(apart, np.tile(users, 2))
    assert (elsewhere.correlation, elsewhere.sd_difference) == (None, None)
    assert elsewhere.per_user == (8,) * 6


def test_what_is_stated_goes_before_the_pilot() -> None:
    of_pilot = RatingStatistics(1.0, 0.2, (1, 3), 0.5, 0.8, 0.1)
    assert RatingStatistics(icc=0.3).completed_by(of_pilot) == RatingStatistics(1.0, 0.3, (1, 3), 0.5, 0.8, 0.1)
    assert RatingStatistics(correlation=0.75).completed_by(of_pilot).for_difference() == Assumptions(
        math.sqrt(0.5), 0.1, (1, 3)
    )
    assert RatingStatistics(1.0, 0.2, (2,), -1).for_difference() == Assumptions(2.0, 0.2, (2,))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.ones((0, 1)), "The pilot has 0 scored samples of 0 users, .* it takes two or more users"),
        (np.array([[1.0, 2, 3]]), "The pilot has 3 scored samples of 1 user, .* it takes two or more users"),
        (np.array([[1.0], [2], [3]]), "3 scored samples of 3 users, .* two or more samples of one of them"),
        (np.full((3, 2), 3.0), "The pilot's ratings do not vary"),
    ],
)
def test_a_pilot_that_lacks_something_is_refused(values: Numbers, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as error:
        pilot_statistics(values.reshape(-1, 1), users_of(values))
    assert "--" not in str(error.value)


def test_a_stated_variance_is_exact_and_one_of_a_pilot_is_not() -> None:
    of_pilot = RatingStatistics(1.0, 0.2, (1, 3), 0.5, 0.8, 0.1, df=4, df_difference=3)
    assert RatingStatistics().completed_by(of_pilot) == of_pilot
    assert of_pilot.for_mean().assured().sd == pytest.approx(math.sqrt(4 / 1.648777))  # 20 % of chi-square, 4 df
    assert of_pilot.for_difference().assured().sd == pytest.approx(0.8 * math.sqrt(3 / 1.005174))
    derived = RatingStatistics(correlation=0.75).completed_by(of_pilot).for_difference()
    assert derived.assured().sd == pytest.approx(math.sqrt(0.5) * math.sqrt(4 / 1.648777))
    stated = RatingStatistics(sd=2.0).completed_by(of_pilot)
    for assumed in (stated.for_mean(), stated.for_difference()):
        assert assumed.assured() == assumed


@pytest.mark.parametrize("icc", [0.05, 0.4])
def test_a_plan_with_assurance_assumes_too_small_an_error_in_few_pilots(icc: float) -> None:
    """`benchmarks/power.py` simulates the power of whole plans."""
    true = Assumptions(1.2, icc, (2, 4, 6))
    y, clusters = draw(true, 6, 400)
    pilots = [pilot_statistics(row[:, None], clusters).for_mean() for row in y]
    enough = [[each.error(100)[0] >= true.error(100)[0] for each in (pilot, pilot.assured())] for pilot in pilots]
    as_estimated, assured = np.mean(enough, axis=0)
    assert as_estimated < 0.6
    assert assured > 0.75


def test_holm_begins_with_the_level_divided_by_the_number_of_pairs() -> None:
    assert first_step_of_holm(0.95, 2) == pytest.approx(0.95)
    assert 1 - first_step_of_holm(0.95, 4) == pytest.approx(0.05 / 6)
    # Of six p-values the smallest is just significant there.
    assert holm(pd.Series([0.05 / 6, *[0.9] * 5]))[0] == pytest.approx(0.05)


def test_what_a_plan_lacks_is_named() -> None:
    with pytest.raises(UserError, match="A plan needs the standard deviation and samples per user"):
        RatingStatistics(icc=0.1).for_mean()
    with pytest.raises(UserError, match="A plan for a difference needs the correlation of two models' ratings"):
        RatingStatistics(1.0, 0.1, (2,)).for_difference()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: Assumptions(0, 0.1, (2,)), "The standard deviation must be above 0 (got 0)."),
        (lambda: Assumptions(1, 1.1, (2,)), "The intraclass correlation must be from 0 to 1 (got 1.1)."),
        (lambda: Assumptions(1, 0.1, (2, 0)), "The samples per user must be 1 or more (got 0)."),
        (lambda: even_sizes(0.5), "The mean number of samples per user must be 1 or more (got 0.5)."),
        (
            lambda: RatingStatistics(1, 0.1, (2,), 1).for_difference(),
            "The correlation must be from -1 to below 1 (got 1).",
        ),
        (lambda: half_width(SETTINGS[0][0], 9, 95), "The level must be between 0 and 1, such as 0.95 (got 95)."),
        (lambda: users_for_half_width(SETTINGS[0][0], 0), "The half-width must be above 0 (got 0)."),
        (lambda: users_for_half_width(SETTINGS[0][0], 1e-5), "More than 1,000,000 users would be needed."),
        (lambda: users_for_difference(SETTINGS[0][0], -1, 0.8), "The difference must be above 0 (got -1)."),
        (
            lambda: detectable(SETTINGS[0][0], 9, 0.05),
            "The power must be above 0.05 (1 - level) and below 1 (got 0.05).",
        ),
        (
            lambda: users_within(Assumptions(1, 0.1, (4,)), 7),
            "A budget of 7 samples is too small: a plan needs two users, who have 8.",
        ),
    ],
)
def test_a_number_out_of_range_is_refused_in_the_words_of_the_statistic(
    wrong: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(UserError) as error:
        wrong()
    assert str(error.value) == sentence


@pytest.mark.parametrize("df", [1, 2, 4, 19, 500])
@pytest.mark.parametrize("goal", [0.5, 0.8, 0.99])
def test_the_detectable_difference_is_that_of_statsmodels_from_error_and_df_alone(df: int, goal: float) -> None:
    found = detectable_difference(0.3, df, goal)
    # Of a paired t test with df + 1 pairs, whose standard error is sd / sqrt(df + 1).
    sd = 0.3 * math.sqrt(df + 1)
    right_sign = TTestPower().power(found / sd, df + 1, 0.025, alternative="larger")
    assert goal - 0.005 < right_sign <= goal + 1e-9  # the rest is significant with the wrong sign
    if df >= 19:  # with fewer, scipy's far tail is NaN, and so is statsmodels' power
        assert TTestPower().power(found / sd, df + 1, 0.05, alternative="two-sided") == pytest.approx(goal, rel=1e-9)


def test_a_detectable_difference_is_detected_as_often_as_it_says() -> None:
    assumed, users = Assumptions(1.1, 0.2, (2, 5, 9)), 12
    error, df = assumed.error(users)
    y, clusters = draw(assumed, users, 20_000, detectable_difference(error, df))
    means, errors, df = intervals(y, clusters)
    assert np.mean(np.abs(means) > stats.t.ppf(0.975, df) * errors) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.7])
def test_two_one_sided_tests_are_just_significant_at_the_equivalence_margin(shift: float) -> None:
    a, b = np.random.default_rng(4).normal(size=(2, 15))
    difference = paired_difference(a + shift, b, np.arange(15))  # each value its own user: the ordinary paired t test
    margin = equivalence_margin(difference.estimate, difference.standard_error, difference.df)
    p_value, *_ = ttost_paired(a + shift, b, -margin, margin)
    assert p_value == pytest.approx(0.05, rel=1e-9)


def test_without_an_error_nothing_is_known_to_be_detectable_or_ruled_out() -> None:
    nothing = paired_difference([1, 2], [2, 1], ["a", "a"])
    assert math.isnan(detectable_difference(nothing.standard_error, nothing.df))
    assert math.isnan(equivalence_margin(nothing.estimate, nothing.standard_error, nothing.df))


def test_far_effects_have_power_and_need_few_users() -> None:
    assumed = Assumptions(1.2, 0.05, (4,))
    assert power(assumed, 3, 20.0) == pytest.approx(1, abs=1e-6)
    assert power(assumed, 2, detectable(assumed, 2, 0.8)) == pytest.approx(0.8, rel=1e-9)
    needed = users_for_difference(assumed, 20.0, 0.8)
    assert power(assumed, needed, 20.0) >= 0.8
    assert needed <= 3
