"""Means clustered by user and by donor, against the formula written out."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from thoughttrace.analysis.stats.donors import mean_over_donors
from thoughttrace.analysis.stats.intervals import cluster_mean

RNG = np.random.default_rng(2)
USERS = np.repeat(np.arange(6), 4)
DONORS = (USERS + RNG.integers(1, 6, 24)) % 6


def test_the_variance_adds_what_rows_of_one_user_or_one_donor_share() -> None:
    y = RNG.normal(size=24) + 2 * RNG.normal(size=6)[DONORS]
    found = mean_over_donors(y, USERS, DONORS, np.arange(24))
    e = y - y.mean()
    user, donor = np.bincount(USERS) / 24, np.bincount(DONORS) / 24
    # Every pair of rows of one user, of one donor, and less those of both, each divided by 1 - its cluster's share.
    total = 0.0
    for i, j in product(range(24), repeat=2):
        alike, same = USERS[i] == USERS[j], DONORS[i] == DONORS[j]
        pair = alike & same
        both = ((USERS[i] == USERS) & (DONORS[i] == DONORS)).mean()
        total += e[i] * e[j] * (alike / (1 - user[USERS[i]]) + same / (1 - donor[DONORS[i]]) - pair / (1 - both))
    assert found.standard_error == pytest.approx(math.sqrt(total) / 24)
    assert found.standard_error > 1.2 * cluster_mean(y, USERS).standard_error
    assert found.df < 5  # the donors' sizes are uneven; the users' give 5
    assert found.estimate == pytest.approx(y.mean())
    assert (found.n, found.clusters) == (24, 6)
    p_value = 2 * stats.t.sf(abs(y.mean()) / found.standard_error, found.df)
    assert found.p_value == pytest.approx(p_value)
    assert found.upper - found.estimate == pytest.approx(stats.t.ppf(0.975, found.df) * found.standard_error)


def test_with_a_donor_for_each_row_it_is_the_mean_by_user() -> None:
    y = RNG.normal(size=24) + RNG.normal(size=6)[USERS]
    found, by_user = mean_over_donors(y, USERS, np.arange(24), np.arange(24)), cluster_mean(y, USERS)
    assert (found.lower, found.upper, found.df) == pytest.approx((by_user.lower, by_user.upper, by_user.df))


def test_samples_count_the_same_however_many_draws_they_have() -> None:
    y, samples = np.array([1.0, 2, 3, 5, 5]), [0, 0, 0, 1, 2]
    found = mean_over_donors(y, ["a", "a", "a", "b", "c"], list("bcdaa"), samples)
    assert found.estimate == pytest.approx(4)
    assert (found.n, found.clusters) == (3, 3)


def test_one_user_has_no_interval() -> None:
    assert mean_over_donors([1.0, 2], ["a", "a"], ["b", "c"], [0, 1]).reason == "only one user: no interval"
