"""Intervals over judges against their definition, and against simulated panels; effective votes against formulas."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from thoughttrace.analysis.stats.intervals import bell_mccaffrey_df, cluster_mean
from thoughttrace.analysis.stats.panel import (
    ONE_JUDGE,
    UNLINKED,
    difference_over_judges,
    effective_votes,
    mean_over_judges,
)

Numbers = npt.NDArray[Any]


def votes(
    seed: int, users: int, judges: int, severity: float = 0.4, noise: float = 0.7, missing: float = 0.0
) -> tuple[Numbers, Numbers]:
    """Ratings 1–5 with effects of users, samples and judges, some missing; and the samples' users."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(users), rng.integers(1, 9, users))
    samples = rng.normal(0, 0.4, users)[clusters] + rng.normal(0, 0.8, len(clusters))
    latent = 3 + samples[:, None] + rng.normal(0, severity, judges) + rng.normal(0, noise, (len(samples), judges))
    ratings = np.clip(np.round(latent), 1, 5)
    ratings[rng.random(ratings.shape) < missing * np.linspace(0, 2, judges)] = math.nan
    return ratings, clusters


@pytest.mark.parametrize(("judges", "users"), [(2, 4), (3, 20), (9, 6)])
def test_users_and_judges_each_add_the_square_of_their_reach(judges: int, users: int) -> None:
    ratings, clusters = votes(judges, users, judges)
    found = mean_over_judges(ratings, clusters, level=0.9)
    these = cluster_mean(ratings.mean(axis=1), clusters, level=0.9)
    means = ratings.mean(axis=0)
    of_judges = stats.t.ppf(0.95, judges - 1) * stats.sem(means)
    of_users = (these.upper - these.lower) / 2
    reach = math.hypot(of_users, of_judges)
    assert (found.lower, found.upper) == pytest.approx((means.mean() - reach, means.mean() + reach), rel=1e-9)
    assert found.standard_error == pytest.approx(math.hypot(these.standard_error, stats.sem(means)), rel=1e-9)
    assert (found.n, found.clusters) == (len(ratings), users)
    assert math.isnan(found.df)
    assert math.isnan(found.p_value)


def test_with_lost_votes_severity_is_that_of_a_fit_on_samples_and_judges() -> None:
    ratings, clusters = votes(1, 25, 4, missing=0.35)
    ratings[::9] = math.nan
    found = mean_over_judges(ratings, clusters)
    rated = ~np.isnan(ratings)
    kept = rated.any(axis=1)
    assert not kept.all()
    rows, columns = np.nonzero(rated)
    design = np.concatenate([rows[:, None] == np.arange(len(ratings)), columns[:, None] == np.arange(4)], axis=1)
    fitted = np.linalg.lstsq(design.astype(float), ratings[rated], rcond=None)[0][-4:]
    weights = np.array([np.sum(rated[:, j] / np.maximum(rated.sum(axis=1), 1)) for j in range(4)]) / kept.sum()
    of_judges = np.sum((weights * (fitted - weights @ fitted)) ** 2 / (1 - weights))
    these = cluster_mean(np.nanmean(ratings[kept], axis=1), clusters[kept])
    t = stats.t.ppf(0.975, [these.df, bell_mccaffrey_df(weights)])
    reach = math.sqrt(t[0] ** 2 * these.standard_error**2 + t[1] ** 2 * of_judges)
    assert found.estimate == these.estimate
    assert found.upper - found.estimate == pytest.approx(reach, rel=1e-9)
    assert (found.n, found.clusters) == (kept.sum(), len(set(clusters[kept])))


@pytest.mark.parametrize("judges", [2, 3, 5])
def test_it_contains_the_mean_of_a_population_of_judges(judges: int) -> None:
    covered, alone = [], []
    for seed in range(400):
        ratings, clusters = votes(seed, 12, judges)
        found = mean_over_judges(ratings, clusters, bounds=(1, 5))
        these = cluster_mean(ratings.mean(axis=1), clusters, bounds=(1, 5))
        if found.reason is None:
            covered.append(found.lower <= 3 <= found.upper)
            alone.append(these.lower <= 3 <= these.upper)
            assert 1 < found.lower <= these.lower
            assert these.upper <= found.upper < 5
    assert len(covered) > 390
    assert np.mean(covered) > 0.93
    assert np.mean(alone) < 0.85


def test_severity_on_both_models_alike_cancels_in_their_difference() -> None:
    a, clusters = votes(3, 15, 3)
    b, _ = votes(4, 15, 3)
    b = b[: len(a)] if len(b) >= len(a) else np.resize(b, a.shape)
    severe = np.array([0.0, -1.5, 2.0])
    found, expected = difference_over_judges(a + severe, b + severe, clusters), difference_over_judges(a, b, clusters)
    assert (found.lower, found.upper, found.p_value) == pytest.approx(
        (expected.lower, expected.upper, expected.p_value)
    )
    assert found.estimate == pytest.approx((a - b).mean())


@pytest.mark.parametrize("shift", [0.0, 0.6, 3.0])
def test_the_p_value_of_a_difference_is_where_a_limit_is_zero(shift: float) -> None:
    a, clusters = votes(5, 15, 3)
    b = votes(6, 15, 3)[0][:1].repeat(len(a), axis=0) - shift
    found = difference_over_judges(a, b, clusters)
    at_p = difference_over_judges(a, b, clusters, level=1 - found.p_value)
    assert min(abs(at_p.lower), abs(at_p.upper)) == pytest.approx(0, abs=1e-6)
    assert difference_over_judges(b, a, clusters).p_value == pytest.approx(found.p_value)
    assert (found.p_value < 0.05) == (found.lower > 0 or found.upper < 0)


@pytest.mark.parametrize(("users", "judges"), [(2, 2), (3, 3), (12, 4), (80, 4)])
def test_a_far_difference_has_a_p_value(users: int, judges: int) -> None:
    a, clusters = votes(10 * users + judges, users, judges)
    b, _ = votes(users, users, judges)
    b = np.resize(b, a.shape)
    p_values = [difference_over_judges(a + shift, b, clusters).p_value for shift in (10, 1e3, 1e6, 1e9)]
    assert all(0 <= p <= 1 for p in p_values)
    assert p_values == sorted(p_values, reverse=True)


def test_only_votes_of_judges_that_rated_both_are_compared() -> None:
    a, clusters = votes(7, 10, 3)
    b = a - np.random.default_rng(0).integers(0, 3, a.shape)
    both = difference_over_judges(a[:, :2], b[:, :2], clusters)
    a[:, 2] = math.nan
    assert difference_over_judges(a, b, clusters) == both
    with pytest.raises(ValueError, match=r"got shapes \(2, 2\) and \(2, 1\)"):
        difference_over_judges([[1, 2], [2, 1]], [[1], [2]], ["a", "b"])
    with pytest.raises(ValueError, match="no values"):
        difference_over_judges(a[:, :2], np.full((len(a), 2), math.nan), clusters)


def test_where_judges_or_users_cannot_be_told_apart_it_says_why() -> None:
    ratings, clusters = votes(8, 6, 2)
    alone = mean_over_judges(ratings[:, :1], clusters)
    assert (alone.reason, alone.estimate) == (ONE_JUDGE, ratings[:, 0].mean())
    never = np.column_stack([ratings[:, 0], np.full(len(ratings), math.nan)])
    assert mean_over_judges(never, clusters).reason == ONE_JUDGE
    half = np.arange(len(ratings)) % 2 == 0
    apart = np.where(np.column_stack([half, ~half]), ratings, math.nan)
    assert mean_over_judges(apart, clusters).reason == UNLINKED
    same = mean_over_judges(ratings[:, [0, 0]], clusters)
    assert same.reason == "no spread between judges: no interval"
    assert np.isnan([same.lower, same.upper, same.p_value]).all()
    assert mean_over_judges(ratings, np.zeros(len(ratings))).reason == "only one user: no interval"
    with pytest.raises(ValueError, match="2 samples but 1 cluster labels"):
        mean_over_judges([[1, 2], [2, 3]], ["a"])


def test_limits_stay_within_the_scale() -> None:
    ratings, clusters = votes(9, 5, 2, severity=1.0)
    plain, found = (mean_over_judges(ratings, clusters, bounds=bounds) for bounds in (None, (1, 5)))
    assert plain.lower < 1
    assert plain.upper > 5
    assert 1 <= found.lower < found.estimate < found.upper <= 5


def test_effective_votes_are_kishs_with_the_agreement_of_single_votes() -> None:
    ratings, _ = votes(10, 40, 4)
    samples, judges = ratings.shape
    # Mean squares of the two-way layout, and ICC(A,1) from them (McGraw & Wong 1996, Psychological Methods 1).
    rows = judges * ratings.mean(axis=1).var(ddof=1)
    columns = samples * ratings.mean(axis=0).var(ddof=1)
    centred = ratings - ratings.mean(axis=1, keepdims=True) - ratings.mean(axis=0) + ratings.mean()
    error = (centred**2).sum() / ((samples - 1) * (judges - 1))
    agreement = (rows - error) / (rows + (judges - 1) * error + judges * (columns - error) / samples)
    assert effective_votes(ratings) == pytest.approx(judges / (1 + (judges - 1) * agreement), rel=1e-9)


def test_errors_in_common_leave_few_votes_and_independent_errors_leave_all() -> None:
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 9))
    assert effective_votes(own) == pytest.approx(9, rel=0.03)
    assert effective_votes(common + 0 * own) == pytest.approx(1)
    # Kohli's nine judges: correlation 0.44 leaves two.
    correlated = math.sqrt(0.44) * common + math.sqrt(0.56) * own
    assert effective_votes(correlated) == pytest.approx(9 / (1 + 8 * 0.44), rel=0.05)
    # Every second sample has three votes: the mean of 1 / k.
    correlated[::2, 3:] = math.nan
    expected = 1 / (0.44 + 0.56 * (1 / 9 + 1 / 3) / 2)
    assert effective_votes(correlated) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("ratings", [[[1.0], [2.0]], [[1.0, 2.0]], [[3.0, 3.0], [3.0, 3.0]]])
def test_without_variance_components_there_is_no_number_of_votes(ratings: list[list[float]]) -> None:
    assert math.isnan(effective_votes(ratings))
