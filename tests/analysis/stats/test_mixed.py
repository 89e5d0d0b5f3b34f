"""The mixed model, against the analysis of variance and against its likelihood written out with dense matrices."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.analysis.stats.mixed import NO_JUDGE_VARIANCE, mixed_mean


def test_with_one_judge_and_users_of_one_size_it_is_the_cluster_mean() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(8), 5)
    y = rng.normal(size=8)[users] + rng.normal(size=40)
    mixed, robust = mixed_mean(y[:, None], users, bounds=(-1, 1)), cluster_mean(y, users, bounds=(-1, 1))
    assert (mixed.estimate, mixed.lower, mixed.upper) == pytest.approx(
        (robust.estimate, robust.lower, robust.upper), abs=1e-5
    )
    assert (mixed.standard_error, mixed.df) == pytest.approx((robust.standard_error, 7), abs=1e-5)


def test_in_balanced_data_it_is_the_analysis_of_variance_of_users_samples_and_judges() -> None:
    rng = np.random.default_rng(0)
    users, samples, judges = 10, 4, 3
    y = rng.normal(size=(users, 1, 1)) + 0.7 * rng.normal(size=(users, samples, 1)) + 0.6 * rng.normal(size=judges)
    y = y + rng.normal(size=(users, samples, judges))
    mean, n = y.mean(), y.size
    of_users = samples * judges * ((y.mean((1, 2)) - mean) ** 2).sum() / (users - 1)
    of_judges = users * samples * ((y.mean((0, 1)) - mean) ** 2).sum() / (judges - 1)
    residuals = y - y.mean(2, keepdims=True) - y.mean((0, 1)) + mean
    error = (residuals**2).sum() / ((users * samples - 1) * (judges - 1))
    assert of_judges > error
    parts = np.array([of_users / n, (of_judges - error) / n])  # of the variance of the mean
    found = mixed_mean(y.reshape(-1, judges), np.repeat(np.arange(users), samples))
    assert found.estimate == pytest.approx(mean)
    assert found.standard_error == pytest.approx(math.sqrt(parts.sum()), rel=1e-4)
    reach = np.hypot(*(stats.t.ppf(0.975, [users - 1, judges - 1]) * np.sqrt(parts)))
    assert (found.upper - mean, mean - found.lower) == pytest.approx((reach, reach), rel=1e-4)


def test_with_missing_votes_it_is_the_maximum_of_the_restricted_likelihood() -> None:
    rng = np.random.default_rng(4)
    user = np.repeat(np.arange(9), rng.integers(1, 7, 9))
    n = len(user)
    ratings = 0.8 * rng.normal(size=9)[user][:, None] + 0.7 * rng.normal(size=(n, 1)) + rng.normal(size=(n, 4))
    ratings += rng.normal(size=4)
    ratings[rng.random((n, 4)) < 0.25] = np.nan
    ratings[:, 0] = np.nan_to_num(ratings[:, 0])
    sample, judge = np.nonzero(~np.isnan(ratings))
    y = ratings[sample, judge]
    alike = [np.equal.outer(labels, labels) for labels in (user[sample], sample, judge)]

    def fit(logs: np.ndarray) -> tuple[float, float, float]:
        covariance = sum(math.exp(log) * same for log, same in zip(logs, [*alike, np.eye(len(y))], strict=True))
        inverse = np.linalg.inv(covariance)
        ones = inverse.sum()
        mean = inverse.sum(0) @ y / ones
        return np.linalg.slogdet(covariance)[1] + math.log(ones) + (y - mean) @ inverse @ (y - mean), mean, 1 / ones

    best = optimize.minimize(lambda logs: fit(logs)[0], np.zeros(4), method="L-BFGS-B")
    _, mean, variance = fit(best.x)
    found = mixed_mean(ratings, user)
    assert found.estimate == pytest.approx(mean, abs=1e-3)
    # Without the judges' part users are independent: their weights, and CR2's variance of their weighted means.
    without = sum(
        math.exp(log) * same for log, same in zip(best.x[[0, 1, 3]], [*alike[:2], np.eye(len(y))], strict=True)
    )
    of_votes = np.linalg.inv(without).sum(0)
    weights = np.bincount(user[sample], of_votes) / of_votes.sum()
    means = np.bincount(user[sample], of_votes * y) / np.bincount(user[sample], of_votes)
    of_users = (weights**2 * (means - weights @ means) ** 2 / (1 - weights)).sum()
    of_judges = variance - 1 / of_votes.sum()
    assert found.standard_error == pytest.approx(math.sqrt(of_users + of_judges), rel=1e-3)
    assert found.lower < found.estimate < found.upper


def test_without_a_spread_between_users_or_judges_there_is_no_interval() -> None:
    assert mixed_mean([[1.0], [2.0]], ["a", "a"]).reason == "only one user: no interval"
    assert mixed_mean([[3.0], [3.0]], ["a", "b"]).reason == "no spread between users: no interval"
    y = np.array([[1.0, 2], [3, 2], [2, 3], [5, 4]])  # both judges give the same mean
    found = mixed_mean(y, list("abcd"))
    assert found.reason == NO_JUDGE_VARIANCE
    assert found.estimate == pytest.approx(2.75)
