"""Adjusted p-values against their definitions and against scipy."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from thoughttrace.analysis.stats.multiplicity import (
    benjamini_hochberg,
    benjamini_hochberg_by_family,
    holm,
    holm_by_family,
)


def test_holm_multiplies_by_what_is_left_and_leaves_out_what_has_no_test() -> None:
    p_values = pd.Series([0.04, np.nan, 0.01, 0.03], index=list("abcd"))
    adjusted = holm(p_values)
    assert adjusted.to_dict() == pytest.approx({"a": 0.06, "b": np.nan, "c": 0.03, "d": 0.06}, nan_ok=True)
    assert holm(pd.Series([np.nan, np.nan])).isna().all()


def test_benjamini_hochberg_is_scipys_and_leaves_out_what_has_no_test() -> None:
    given = np.random.default_rng(0).beta(0.3, 2, size=40)
    with_gaps = np.insert(given, [3, 20, 20], math.nan)
    adjusted = benjamini_hochberg(pd.Series(with_gaps))
    assert adjusted.isna().tolist() == np.isnan(with_gaps).tolist()
    assert adjusted.dropna().to_numpy() == pytest.approx(stats.false_discovery_control(given, method="bh"))
    assert (adjusted.dropna() <= holm(pd.Series(with_gaps)).dropna()).all()
    assert benjamini_hochberg(pd.Series([np.nan])).isna().all()


def test_families_are_adjusted_by_themselves_and_stay_in_order() -> None:
    p_values, families = [0.01, 0.04, math.nan, 0.03, 0.02], [("x", 1), ("y", 1), ("x", 1), ("x", 1), ("y", 1)]
    assert holm_by_family(p_values, families) == pytest.approx([0.02, 0.04, math.nan, 0.03, 0.04], nan_ok=True)
    found = benjamini_hochberg_by_family(p_values, families)
    assert found == pytest.approx([0.02, 0.04, math.nan, 0.03, 0.04], nan_ok=True)
    three = benjamini_hochberg_by_family([0.01, 0.02, 0.5], ["x"] * 3)
    assert three == pytest.approx([0.03, 0.03, 0.5])
    assert holm_by_family([], []) == benjamini_hochberg_by_family([], []) == []
