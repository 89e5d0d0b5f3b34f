"""The corrected mean against what it must be in the limits, hand computation, and simulation."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import statsmodels.api as sm
from scipy import stats

from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.analysis.stats.ppi import corrected_mean, human_ratings_needed, tuning_parameter
from thoughttrace.core.errors import UserError

Numbers = npt.NDArray[Any]
FREE = (-math.inf, math.inf)


def draw(seed: int, users: int = 30, part: float = 0.4, correlation: float = 0.8) -> tuple[Numbers, Numbers, Numbers]:
    """A lenient judge's ratings, human ones of a random part, and uneven users."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(users), rng.integers(1, 12, users))
    people = rng.normal(size=users)[clusters] * 0.5 + rng.normal(size=len(clusters))
    machine = correlation * people + math.sqrt(1 - correlation**2) * rng.normal(size=len(clusters)) + 0.5
    judge, human = (np.clip(np.round(3 + latent), 1, 5) for latent in (machine, people))
    human[rng.permutation(len(human))[round(part * len(human)) :]] = np.nan
    return judge, human, clusters


def limits(found: Interval) -> tuple[float, ...]:
    return found.estimate, found.lower, found.upper, found.standard_error, found.df


@pytest.mark.parametrize("users", [3, 12, 80])
def test_with_all_labelled_it_is_the_mean_of_human_ratings(users: int) -> None:
    judge, human, clusters = draw(users, users, part=1)
    found, expected = corrected_mean(judge, human, clusters), cluster_mean(human, clusters, bounds=(1, 5))
    assert limits(found) == pytest.approx(limits(expected), rel=1e-9)


def test_with_a_judge_that_is_always_right_it_is_the_judges_interval() -> None:
    judge, human, clusters = draw(1)
    right = np.where(np.isnan(human), human, judge)
    assert tuning_parameter(judge, right) == pytest.approx(1)
    found, expected = corrected_mean(judge, right, clusters), cluster_mean(judge, clusters)
    assert limits(found)[::3] == pytest.approx(limits(expected)[::3], rel=1e-9)
    assert found.df == pytest.approx(expected.df, rel=0.02)


def test_a_constant_lenience_is_taken_out() -> None:
    judge, human, clusters = draw(2)
    lenient = np.where(np.isnan(human), human, judge - 0.7)
    expected = cluster_mean(judge, clusters)
    found = corrected_mean(judge, lenient, clusters, bounds=FREE)
    assert (found.estimate, found.upper) == pytest.approx((expected.estimate - 0.7, expected.upper - 0.7), rel=1e-3)


@pytest.mark.parametrize("kind", ["opposed", "constant"])
def test_without_use_for_the_judge_it_is_the_interval_of_the_human_ratings(kind: str) -> None:
    judge, human, clusters = draw(3)
    judge = 6 - judge if kind == "opposed" else np.full_like(judge, 4.0)
    rated = ~np.isnan(human)
    assert tuning_parameter(judge, human) == 0
    expected = cluster_mean(human[rated], clusters[rated])
    assert limits(corrected_mean(judge, human, clusters, bounds=FREE)) == pytest.approx(limits(expected), rel=1e-9)


def test_a_useless_judge_is_hardly_relied_on() -> None:
    judge, human, clusters = draw(4, users=400, correlation=0)
    rated = ~np.isnan(human)
    found, alone = corrected_mean(judge, human, clusters), cluster_mean(human[rated], clusters[rated])
    assert tuning_parameter(judge, human) < 0.05
    assert found.upper - found.lower < 1.02 * (alone.upper - alone.lower)


def by_hand(judge: Numbers, human: Numbers, clusters: Numbers) -> tuple[float, float]:
    """Estimate and standard error, user by user, as the docstring has them."""
    rated = ~np.isnan(human)
    big, small = len(judge), rated.sum()
    slope = np.clip(sm.OLS(human[rated], sm.add_constant(judge[rated])).fit().params[1], 0, 1)
    f, h = judge[rated] - judge[rated].mean(), human[rated] - human[rated].mean()
    variance = 0.0
    for user in np.unique(clusters):
        mine, others = clusters == user, clusters[rated] != user
        without = np.clip((f * h)[others].sum() / (f**2)[others].sum(), 0, 1)
        of_all = without * (judge - judge.mean())[mine].sum() / big / math.sqrt(1 - mine.sum() / big)
        rest = (h - without * f)[~others].sum() / small / math.sqrt(1 - (~others).sum() / small)
        variance += (of_all + rest) ** 2
    return slope * judge.mean() + (human - slope * judge)[rated].mean(), math.sqrt(variance)


@pytest.mark.parametrize("users", [4, 30])
def test_it_is_its_formula(users: int) -> None:
    judge, human, clusters = draw(5, users)
    found = corrected_mean(judge, human, clusters, level=0.9, bounds=FREE)
    estimate, error = by_hand(judge, human, clusters)
    reach = stats.t.ppf(0.95, found.df) * error
    assert limits(found)[:4] == pytest.approx((estimate, estimate - reach, estimate + reach, error), rel=1e-9)
    assert (found.n, found.clusters) == (len(judge), users)
    assert 1 < found.df < users


def test_with_many_singleton_users_it_is_ppi() -> None:
    """The variance of Angelopoulos et al. 2023, whose unlabelled samples are others than the labelled."""
    judge, human, _ = draw(6, users=4000)
    found = corrected_mean(judge, human, np.arange(len(judge)), bounds=FREE)
    rated, slope = ~np.isnan(human), tuning_parameter(judge, human)
    n, others = rated.sum(), (~rated).sum()
    # The same estimate with the labelled left out of the judge's mean has slope × others / N.
    apart = slope * others / len(judge)
    estimate = apart * judge[~rated].mean() + (human - apart * judge)[rated].mean()
    variance = apart**2 * judge[~rated].var() / others + (human - apart * judge)[rated].var() / n
    assert found.estimate == pytest.approx(estimate, rel=1e-9)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=0.01)


def test_order_and_names_do_not_matter_and_limits_stay_within_the_scale() -> None:
    judge, human, clusters = draw(7, users=6)
    order = np.random.default_rng(0).permutation(len(judge))
    names = [f"user{c}" for c in clusters[order]]
    assert limits(corrected_mean(judge[order], human[order], names)) == pytest.approx(
        limits(corrected_mean(judge, human, clusters)), rel=1e-9
    )
    few = corrected_mean([1, 1, 2, 5], [1, 1, math.nan, 5], ["a", "b", "c", "d"])
    assert 1 < few.lower < few.estimate < few.upper < 5


@pytest.mark.parametrize(("users", "correlation"), [(20, 0.8), (60, 0.0)])
def test_it_covers_where_the_judges_own_interval_does_not(users: int, correlation: float) -> None:
    truth = float(np.diff(stats.norm.cdf((np.array([-9, 1.5, 2.5, 3.5, 4.5, 15]) - 3) / math.sqrt(1.25))) @ range(1, 6))
    held = np.zeros(2)
    for seed in range(300):
        judge, human, clusters = draw(seed + 1000, users, 0.3, correlation)
        both = corrected_mean(judge, human, clusters), cluster_mean(judge, clusters)
        held += [found.lower <= truth <= found.upper for found in both]
    ours, judged = held / 300
    assert 0.915 <= ours <= 0.98
    assert judged < 0.6


def test_labels_of_one_user_or_without_spread_give_no_interval_and_say_why() -> None:
    nan = math.nan
    found = corrected_mean([1, 2, 3], [2, 3, nan], ["a", "a", "b"])
    assert math.isnan(found.lower)
    assert found.reason == "human ratings from only one user: no interval"
    assert corrected_mean([1, 2], [2, 3], ["a", "a"]).reason == "only one user: no interval"
    flat = corrected_mean([3, 3, 3], [3, 3, nan], ["a", "b", "c"])
    assert flat.reason == "no spread between users: no interval"


@pytest.mark.parametrize(
    ("judge", "human", "clusters", "sentence"),
    [
        ([1, math.nan], [1, 2], ["a", "b"], "judge's ratings contain NaN"),
        ([1, 2, 3], [1, 2], ["a", "b", "c"], "3 ratings of the judge, 2 human ones and 3 cluster labels"),
        ([1, 2], [math.nan, math.nan], ["a", "b"], "no human ratings"),
    ],
)
def test_what_cannot_be_corrected_is_refused(judge: Any, human: Any, clusters: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        corrected_mean(judge, human, clusters)


def test_as_many_labels_as_it_says_give_the_half_width() -> None:
    judge, human, clusters = draw(8, users=300, part=0.15)
    before = corrected_mean(judge, human, clusters)
    now = (before.upper - before.lower) / 2
    assert human_ratings_needed(judge, human, clusters, now) == pytest.approx((~np.isnan(human)).sum(), rel=0.25)
    needed = human_ratings_needed(judge, human, clusters, 0.8 * now)
    reached = []
    for seed in range(20):
        judge, human, clusters = draw(seed, users=300, part=needed / len(judge))
        found = corrected_mean(judge, human, clusters)
        reached.append((found.upper - found.lower) / 2)
    assert np.mean(reached) == pytest.approx(0.8 * now, rel=0.1)


def test_what_labels_cannot_reach_is_refused() -> None:
    judge, human, clusters = draw(9)
    with pytest.raises(
        UserError, match=r"Not even human ratings of all .* give the mean to ± 0.01: it takes more users"
    ):
        human_ratings_needed(judge, human, clusters, 0.01)
    with pytest.raises(UserError, match=r"The half-width must be above 0 \(got 0\)\."):
        human_ratings_needed(judge, human, clusters, 0)
    with pytest.raises(
        UserError, match=r"^2 human ratings are too few to estimate how much users differ: it takes two samples"
    ):
        human_ratings_needed([1, 2, 3], [1, 2, math.nan], ["a", "b", "b"], 0.1)
