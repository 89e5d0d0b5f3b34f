"""People's severity and how many inferences several rated: every figure by hand, or by another package."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from thoughttrace.analysis.chapters import raters
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs


@pytest.fixture
def ratings() -> pd.DataFrame:
    """Ann rated six inferences, bob four of them and one more, cyd one that nobody else did; bob is severe."""
    given: dict[str, list[int | None]] = {
        "ann": [3, 4, 2, 5, 4, 1],
        "bob": [2, 4, 1, 3, None, None, 2],
        "cyd": [None] * 7 + [5],
    }
    users = ["u", "u", "v", "w", "w", "w", "v", "u"]
    rows = [
        ("reason", f"s{place}", f"i{place}", rater, rating, users[place])
        for rater, own in given.items()
        for place, rating in enumerate(own)
        if rating
    ]
    columns = ["kind", "id", "inference", "rater", "rating", "user"]
    return pd.DataFrame(rows, columns=columns).astype({"rating": float})


def test_severity_is_the_mean_difference_from_the_others(ratings: pd.DataFrame) -> None:
    ann, bob, cyd = raters.severities(ratings)
    # Bob is 1, 0 (user u), 1 (v), 2 (w) points below ann; CR2 by hand: residuals 0, −1, 0, 1, sums −1, 0, 1.
    sums, leverage = np.array([-1, 0, 1]), np.array([2, 1, 1]) / 4
    error = np.sqrt((sums**2 / (1 - leverage)).sum()) / 4
    b = leverage**2 / (1 - leverage)
    df = 1 / ((leverage**2).sum() + b.sum() ** 2 - (b**2).sum())
    reach = stats.t.ppf(0.975, df) * error
    assert (bob.ratings, bob.n, bob.users) == (5, 4, 3)
    assert (bob.severity, bob.lower, bob.upper) == pytest.approx((1, 1 - reach, 1 + reach))
    assert (ann.ratings, ann.severity, ann.lower, ann.upper) == pytest.approx((6, -1, -1 - reach, -1 + reach))
    assert (cyd.ratings, cyd.n, cyd.note) == (1, 0, "no inference that others rated too")
    assert np.isnan(cyd.severity)


def test_agreement_says_on_how_many_inferences_it_rests(ratings: pd.DataFrame) -> None:
    (row,) = raters.shared(ratings)
    assert (row.raters, row.inferences, row.several, row.share, row.n) == (3, 8, 4, 0.5, 4)
    wide = ratings.pivot_table(index="rater", columns="id", values="rating").to_numpy()
    expected = krippendorff.alpha(wide, value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert row.alpha == pytest.approx(expected)
    (alone,) = raters.shared(ratings[ratings["rater"] == "ann"])
    assert (alone.several, alone.share, alone.note) == (0, 0, "no inference rated by two")
    assert raters.severities(ratings[ratings["rater"] == "ann"]) == []


def test_without_ratings_there_is_no_chapter() -> None:
    assert raters.chapter(Evidence(Runs())).filled == []
