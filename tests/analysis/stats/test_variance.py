"""Variance components against REML on balanced data, and on data whose components are known."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from thoughttrace.analysis.stats.variance import components, crossed_components, linked


def nested(seed: int, users: int, samples: int, epochs: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), samples * epochs)
    sample = np.repeat(np.arange(users * samples), epochs)
    effect = rng.normal(0, 0.8, users)[user] + rng.normal(0, 1.2, users * samples)[sample]
    return pd.DataFrame({"user": user, "sample": sample, "y": effect + rng.normal(0, 0.5, len(user))})


def test_on_balanced_data_it_is_reml() -> None:
    data = nested(0, 20, 5, 3)
    found = components(data["y"], data["user"], data["sample"])
    fit = smf.mixedlm("y ~ 1", data, groups="user", vc_formula={"sample": "0 + C(sample)"}, re_formula="1").fit()
    assert found.users == pytest.approx(fit.cov_re.iloc[0, 0], rel=1e-3)
    assert found.samples == pytest.approx(fit.vcomp[0], rel=1e-3)
    assert found.epochs == pytest.approx(fit.scale, rel=1e-3)


def test_uneven_data_give_the_components_they_were_made_with() -> None:
    data = nested(2, 600, 12, 3)
    rng = np.random.default_rng(3)
    # Users with few samples and samples with few epochs, at random.
    data = data[rng.random(len(data)) < rng.uniform(0.2, 1, 600)[data["user"]]]
    found = components(data["y"], data["user"], data["sample"])
    assert (found.users, found.samples, found.epochs) == pytest.approx((0.64, 1.44, 0.25), rel=0.1)
    assert found.icc == pytest.approx(0.64 / 2.08, rel=0.1)


def test_without_epochs_they_are_part_of_the_samples() -> None:
    data = nested(4, 40, 8, 1)
    found = components(data["y"], data["user"], data["sample"])
    assert math.isnan(found.epochs)
    fit = smf.mixedlm("y ~ 1", data, groups="user").fit()
    assert found.users == pytest.approx(fit.cov_re.iloc[0, 0], rel=1e-3)
    assert found.samples == pytest.approx(fit.scale, rel=1e-3)


def test_what_cannot_be_told_apart_is_not_told() -> None:
    one_each = components([1, 2, 4], ["a", "b", "c"], ["x", "y", "z"])
    assert math.isnan(one_each.users)
    assert math.isnan(one_each.samples)
    one_user = components([1, 2, 4], ["a", "a", "a"], ["x", "y", "z"])
    assert math.isnan(one_user.users)
    assert one_user.samples == pytest.approx(np.var([1, 2, 4], ddof=1))


def test_a_negative_component_is_zero() -> None:
    assert components([1, 5, 1, 5], ["a", "a", "b", "b"], list("wxyz")).users == 0


def crossed(seed: int, samples: int, judges: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    effects = rng.normal(0, 0.9, (samples, 1)) + rng.normal(0, 0.5, judges)
    return np.asarray(effects + rng.normal(0, 0.7, (samples, judges)))


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_crossed_components_set_the_sums_of_squares_of_statsmodels_equal_to_their_expectations(missing: float) -> None:
    ratings = crossed(0, 25, 4)
    ratings[np.random.default_rng(1).random(ratings.shape) < missing] = math.nan
    rows, columns = np.nonzero(~np.isnan(ratings))
    data = pd.DataFrame({"y": ratings[rows, columns], "sample": rows, "judge": columns})
    table = sm.stats.anova_lm(smf.ols("y ~ C(sample) + C(judge)", data).fit(), typ=2)
    n, samples = len(data), data["sample"].nunique()
    residual = table.loc["Residual", "sum_sq"] / table.loc["Residual", "df"]
    found = crossed_components(ratings)
    assert found.residual == pytest.approx(residual)
    assert found.judges == pytest.approx((table.loc["C(judge)", "sum_sq"] - 3 * residual) / (n - samples))
    assert found.samples == pytest.approx((table.loc["C(sample)", "sum_sq"] - (samples - 1) * residual) / (n - 4))


def test_crossed_components_are_on_average_those_the_data_were_made_with() -> None:
    found = []
    for seed in range(300):
        ratings = crossed(seed, 60, 5)
        ratings[np.random.default_rng(seed).random(ratings.shape) < 0.3] = math.nan
        found.append(crossed_components(ratings))
    means = [np.mean([getattr(one, name) for one in found]) for name in ("samples", "judges", "residual")]
    assert means == pytest.approx([0.81, 0.25, 0.49], rel=0.08)


def test_crossed_components_are_unknown_where_no_sample_links_the_judges() -> None:
    ratings = np.array([[1, math.nan], [2, math.nan], [math.nan, 3], [math.nan, 5]])
    assert not linked(ratings)
    assert linked(np.vstack([ratings, [2, 3]]))
    for unknown in (ratings, np.vstack([ratings, [2, 3]]), [[1, 2]], [[1], [2]]):
        assert np.isnan([*vars(crossed_components(unknown)).values()]).all()
    negative = crossed_components([[1, 5], [5, 1], [1, 5], [5, 1]])
    assert (negative.samples, negative.judges) == (0, 0)
