"""Variance components against REML on balanced data, and on data whose components are known."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from thoughttrace.analysis.stats.variance import components


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
