"""Stages, bands and the smallest group."""

import numpy as np
import pandas as pd

from thoughttrace.analysis.stats.groups import MIN_SAMPLES, MIN_USERS, STAGES, bands, stage, too_small


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
