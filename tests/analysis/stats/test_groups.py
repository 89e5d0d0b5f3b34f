"""Stages, bands, the smallest group, and differences of a group from the rest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from thoughttrace.analysis.stats.groups import (
    MIN_SAMPLES,
    MIN_USERS,
    STAGES,
    bands,
    group_difference,
    stage,
    too_small,
)
from thoughttrace.analysis.stats.intervals import cluster_mean

Numbers = npt.NDArray[Any]


def test_a_message_has_the_stage_that_is_nearest() -> None:
    positions = pd.Series([0, 1 / 6 - 0.01, 1 / 6 + 0.01, 0.4, 0.6, 1], index=list("abcdef"))
    found = stage(positions)
    assert list(found) == ["Early", "Early", "Mid-Early", "Mid-Early", "Mid-Late", "Late"]
    assert list(found.index) == list("abcdef")
    assert tuple(found.cat.categories) == STAGES


def test_bands_hold_whole_numbers_and_the_last_is_open() -> None:
    found = bands((1, 2, 6), "words")(pd.Series([1, 2, 5, 6, 400, 0, np.nan]))
    assert found.tolist()[:5] == ["1 words", "2–5 words", "2–5 words", "6 or more words", "6 or more words"]
    assert found.isna().tolist()[5:] == [True, True]


def test_a_group_under_the_minimum_is_too_small() -> None:
    assert too_small(MIN_SAMPLES, MIN_USERS) is None
    assert too_small(MIN_SAMPLES - 1, MIN_USERS) == "too small: under 10 scored samples or 5 users"
    assert too_small(MIN_SAMPLES, MIN_USERS - 1, "ratings") == "too small: under 10 ratings or 5 users"


def ratings(seed: int, users: int = 12) -> tuple[Numbers, Numbers, Numbers]:
    """Ratings 1–5, their users, and a group that has some of the ratings of most users."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(users), rng.integers(2, 9, users))
    members = rng.random(len(codes)) < 0.4
    members[codes == 0], members[codes == 1] = True, False
    latent = 3 + rng.normal(size=users)[codes] * 0.7 + 0.5 * members + rng.normal(size=len(codes))
    return np.clip(np.round(latent), 1, 5), codes, members


def by_matrices(y: Numbers, design: Numbers, clusters: Numbers, power: float = -0.5) -> tuple[float, float, float]:
    """First coefficient, its error, and CR2's Satterthwaite df, with every matrix written out (Pustejovsky & Tipton).

    The residuals are adjusted by I − H to a power: −½ is CR2, −1 CR3.
    """
    bread = np.linalg.pinv(design.T @ design)
    annihilator = np.eye(len(y)) - design @ bread @ design.T
    variance, columns = 0.0, []
    for cluster in np.unique(clusters):
        own = clusters == cluster
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        adjusted, v = (
            basis @ np.diag([value**root if value > 1e-9 else 0 for value in values]) @ basis.T @ design[own] @ bread[0]
            for root in (power, -0.5)
        )
        variance += float(adjusted @ (annihilator @ y)[own]) ** 2
        columns.append(annihilator[:, own] @ v)
    spectrum = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    return float((bread @ design.T @ y)[0]), variance**0.5, float(spectrum.sum() ** 2 / (spectrum**2).sum())


@pytest.mark.parametrize("seed", range(3))
def test_a_difference_within_users_is_the_regression_with_an_intercept_for_every_user(seed: int) -> None:
    y, users, members = ratings(seed)
    found, compared = group_difference(y, users, members)
    assert compared == "within users"
    estimate, error, df = by_matrices(y, np.column_stack([members, np.eye(users.max() + 1)[users]]), users, -1)
    assert (found.estimate, found.standard_error, found.df) == pytest.approx((estimate, error, df), rel=1e-7)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(estimate) / error, df), rel=1e-6)
    # By hand: each user's difference, weighted by n₁n₀ / n; users on one side only have no part.
    table = pd.DataFrame({"y": y, "user": users, "member": members})
    sides = table.pivot_table(index="user", columns="member", values="y", aggfunc=["mean", "size"]).dropna()
    weights = sides["size", True] * sides["size", False] / (sides["size", True] + sides["size", False])
    assert found.estimate == pytest.approx(
        np.average(sides["mean", True] - sides["mean", False], weights=weights), rel=1e-9
    )
    assert found.clusters == len(sides) < len(set(users))
    # statsmodels' own clustered error is CR1.
    fit = smf.ols("y ~ member + C(user)", table.assign(member=members.astype(float)))
    error = fit.fit(cov_type="cluster", cov_kwds={"groups": users}).bse["member"]
    assert found.standard_error == pytest.approx(error, rel=0.3)


def test_what_a_user_always_is_is_compared_between_users() -> None:
    y, users, _ = ratings(5, 14)
    members = users < 6
    found, compared = group_difference(y, users, members)
    assert compared == "between users"
    assert found.estimate == pytest.approx(y[members].mean() - y[~members].mean())
    expected = by_matrices(y, np.column_stack([members, np.ones(len(y))]), users)
    assert (found.estimate, found.standard_error, found.df) == pytest.approx(expected, rel=1e-7)
    # Two independent means, each with the CR2 variance of a mean.
    variances = [cluster_mean(y[side], users[side]).standard_error ** 2 for side in (members, ~members)]
    assert found.standard_error == pytest.approx(sum(variances) ** 0.5, rel=1e-9)


def test_too_few_users_with_values_on_both_sides_are_compared_between_users() -> None:
    y, users, _ = ratings(6, 14)
    members = users < 6
    for mixed, expected in ((4, "between users"), (5, "within users")):
        some = members.copy()
        for user in range(mixed):
            some[np.flatnonzero(users == user)[0]] = False
        found, compared = group_difference(y, users, some)
        assert compared == expected
        assert found.clusters == (14 if expected == "between users" else 5)
        assert 0 < found.p_value < 1


@pytest.mark.parametrize("inside", [range(9), range(60), []])
def test_a_group_or_a_rest_that_is_too_small_is_not_compared(inside: Sequence[int]) -> None:
    members = np.isin(np.arange(60), inside)
    found, _ = group_difference(np.arange(60) % 5, np.arange(60) % 12, members)
    assert np.isnan([found.estimate, found.lower, found.p_value]).all()
    assert found.reason == "too small: under 10 scored samples or 5 users"
