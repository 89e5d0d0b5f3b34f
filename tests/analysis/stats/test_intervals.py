"""The interval against definitions computed by brute force, and against statsmodels."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import statsmodels.api as sm
from scipy import special, stats

from thoughttrace.analysis.stats import intervals
from thoughttrace.analysis.stats.intervals import (
    Interval,
    cluster_mean,
    logit_limits,
    paired_difference,
    pooled_mean,
    ratio_of_means,
)

Numbers = npt.NDArray[Any]


def draw(seed: int, users: int) -> tuple[Numbers, Numbers]:
    """Ratings 1–5 with user effects and uneven cluster sizes."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(users), rng.integers(1, 12, users))
    latent = rng.normal(size=users)[clusters] * 0.6 + rng.normal(size=len(clusters))
    return np.clip(np.round(3 + latent), 1, 5), clusters


def by_matrices(y: Numbers, clusters: Numbers) -> tuple[float, float]:
    """CR2 standard error and Bell–McCaffrey df from their definition, with every matrix written out."""
    size = len(y)
    annihilator = np.eye(size) - np.ones((size, size)) / size
    residuals = annihilator @ y
    variance, vectors = 0.0, []
    for cluster in np.unique(clusters):
        own = np.flatnonzero(clusters == cluster)
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        adjustment = basis @ np.diag(values**-0.5) @ basis.T
        variance += (np.ones(len(own)) @ adjustment @ residuals[own] / size) ** 2
        vectors.append(annihilator[:, own] @ adjustment @ np.ones(len(own)) / size)
    spectrum = np.linalg.eigvalsh(np.array(vectors) @ np.array(vectors).T)
    return math.sqrt(variance), spectrum.sum() ** 2 / (spectrum**2).sum()


@pytest.mark.parametrize("users", [2, 3, 10, 40])
def test_it_is_cr2_with_bell_mccaffrey(users: int) -> None:
    y, clusters = draw(users, users)
    found = cluster_mean(y, clusters, level=0.9)
    error, df = by_matrices(y, clusters)
    reach = stats.t.ppf(0.95, df) * error
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.df == pytest.approx(df, rel=1e-9)
    assert found.estimate == pytest.approx(y.mean(), rel=1e-12)
    assert (found.lower, found.upper) == pytest.approx((y.mean() - reach, y.mean() + reach), rel=1e-9)
    assert (found.n, found.clusters) == (len(y), users)


@pytest.mark.parametrize("users", [5, 60])
def test_with_clusters_of_one_size_it_is_statsmodels_cr1(users: int) -> None:
    rng = np.random.default_rng(users)
    y, clusters = rng.normal(size=users * 4), np.repeat(np.arange(users), 4)
    fit = sm.OLS(y, np.ones_like(y)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    found = cluster_mean(y, clusters)
    assert found.standard_error == pytest.approx(fit.bse[0], rel=1e-10)
    assert found.df == pytest.approx(users - 1, rel=1e-10)


def test_singleton_clusters_give_the_classical_interval() -> None:
    y = np.random.default_rng(1).normal(size=25)
    found = cluster_mean(y, np.arange(25))
    low, high = stats.t.interval(0.95, 24, y.mean(), stats.sem(y))
    assert (found.lower, found.upper) == pytest.approx((low, high), rel=1e-12)


def test_labels_may_be_anything_and_in_any_order() -> None:
    y, clusters = draw(3, 8)
    order = np.random.default_rng(0).permutation(len(y))
    names = [f"user{c}" for c in clusters[order]]
    found, expected = cluster_mean(y[order], names), cluster_mean(y, clusters)
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper), rel=1e-12)


def test_limits_are_symmetric_on_the_logit_of_the_scale() -> None:
    values, users = [1, 1, 1, 5], ["a", "a", "b", "c"]
    plain, found = cluster_mean(values, users), cluster_mean(values, users, bounds=(1, 5))
    assert plain.lower < 1
    assert 1 < found.lower < found.estimate < found.upper < 5
    assert (found.estimate, found.standard_error, found.df) == (plain.estimate, plain.standard_error, plain.df)
    lower, place, upper = special.logit((np.array([found.lower, found.estimate, found.upper]) - 1) / 4)
    slope = 1 / (4 * 0.25 * 0.75)  # of the logit of (y − 1) / 4 at the mean 2
    reach = stats.t.ppf(0.975, plain.df) * plain.standard_error
    assert (place - lower, upper - place) == pytest.approx((slope * reach, slope * reach))


def test_an_estimate_beyond_the_scale_keeps_its_clipped_limits() -> None:
    """A corrected mean may lie beyond the scale, where there is no logit."""
    assert logit_limits(5.2, 0.5, (1, 5)) == pytest.approx((4.7, 5))
    assert logit_limits(1.0, 0.5, (1, 5)) == pytest.approx((1, 1.5))


@pytest.mark.parametrize("users", [3, 17, 200])
def test_its_cluster_sums_give_statsmodels_cr1(users: int) -> None:
    y, clusters = draw(users, users)
    size = len(y)
    squares = (intervals._residual_sums(y, clusters) ** 2).sum() / size**2
    cr1 = squares * users / (users - 1)
    fit = sm.OLS(y, np.ones(size)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert math.sqrt(cr1) == pytest.approx(fit.bse[0], rel=1e-10)


def test_a_difference_is_the_interval_of_the_differences_with_its_t_test() -> None:
    a, clusters = draw(5, 12)
    b = np.random.default_rng(6).permutation(a)
    found, expected = paired_difference(a, b, clusters), cluster_mean(a - b, clusters)
    assert (found.estimate, found.lower, found.upper) == (expected.estimate, expected.lower, expected.upper)
    error, df = by_matrices(a - b, clusters)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs((a - b).mean()) / error, df), rel=1e-9)
    assert math.isnan(expected.p_value)
    assert paired_difference(b, a, clusters).p_value == pytest.approx(found.p_value, rel=1e-12)


def test_with_one_sample_a_user_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=30), rng.normal(size=30)
    assert paired_difference(a, b, np.arange(30)).p_value == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-10)


def test_pairs_need_both_sides() -> None:
    with pytest.raises(ValueError, match="3 values and 2 values"):
        paired_difference([1, 2, 3], [1, 2], ["a", "b", "c"])
    with pytest.raises(ValueError, match="NaN"):
        paired_difference([1, math.nan], [1, 2], ["a", "b"])


@pytest.mark.parametrize("values", [[3, 3, 3, 3], [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2]])
def test_a_spread_that_was_not_seen_is_not_a_spread_of_zero(values: list[float]) -> None:
    found = cluster_mean(values, ["a", "a", "b", "c"])
    assert np.isnan([found.lower, found.upper, found.standard_error]).all()
    assert found.reason == "no spread between users: no interval"
    assert math.isnan(paired_difference(values, values, ["a", "a", "b", "c"]).p_value)


def test_one_user_gives_no_interval_and_says_why() -> None:
    found = cluster_mean([1, 2, 3], ["a", "a", "a"])
    assert (found.estimate, found.n, found.clusters) == (2, 3, 1)
    assert np.isnan([found.lower, found.upper, found.standard_error, found.df]).all()
    assert found.reason == "only one user: no interval"


@pytest.mark.parametrize(
    ("values", "clusters", "sentence"),
    [
        ([1, math.nan], ["a", "b"], "values contain NaN"),
        ([1, 2], ["a"], "2 values but 1 cluster labels"),
        ([], [], "no values"),
    ],
)
def test_what_cannot_be_averaged_is_refused(values: list[float], clusters: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cluster_mean(values, clusters)


def test_a_ratio_to_nothing_has_no_limits_and_names_the_denominator() -> None:
    found = ratio_of_means(np.ones(4), [1, -1, 1, -0.9], np.arange(4), denominator_name="ceiling − floor")
    assert found.reason == "ceiling − floor not significantly above 0: no interval"
    assert np.isnan([found.estimate, found.lower, found.upper, found.standard_error]).all()
    below = ratio_of_means([1, 1], [-1, -2], ["a", "a"])
    assert (np.isnan(below.estimate), below.reason) == (True, "denominator not significantly above 0: no interval")


@pytest.mark.parametrize("denominator", [[3, 3, 3, 3, 3], [3, 3, 2, 3, 4]])
def test_a_ratio_that_does_not_vary_between_users_has_no_limits(denominator: list[int]) -> None:
    found = ratio_of_means(np.array(denominator) / 3, denominator, list("aabcd"))
    assert found.estimate == pytest.approx(1 / 3)
    assert found.reason == "no spread between users: no interval"
    assert np.isnan([found.lower, found.upper]).all()


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("sizes", [[1] * 12, [3] * 7, [4, 4]])
def test_a_share_of_nothing_or_all_has_the_exact_limits_of_its_clusters(sizes: list[int], level: float) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    expected = stats.binomtest(0, len(sizes)).proportion_ci(level, method="exact")
    none, everything = (cluster_mean(np.full(len(clusters), share), clusters, level, (0, 1)) for share in (0, 1))
    assert (none.estimate, none.lower, none.upper) == pytest.approx((0, 0, expected.high))
    assert (everything.estimate, everything.lower, everything.upper) == pytest.approx((1, 1 - expected.high, 1))
    assert (none.reason, none.n, none.clusters) == (None, len(clusters), len(sizes))


def test_a_share_counts_uneven_clusters_less_and_needs_two() -> None:
    even, uneven = (
        cluster_mean(np.zeros(12), np.repeat(range(4), sizes), bounds=(0, 1)) for sizes in ([3] * 4, [9, 1, 1, 1])
    )
    assert uneven.upper > even.upper
    assert uneven.upper == pytest.approx(1 - 0.025 ** (84 / 144))
    assert cluster_mean([0, 0], ["a", "a"], bounds=(0, 1)).reason == "only one user: no interval"


def test_a_mean_at_the_end_of_the_scale_has_a_limit_and_one_elsewhere_none() -> None:
    """At most 1 − 0.025^(1/4) of ratings are no 5; if all of them are a 1, the mean is that far down."""
    found = cluster_mean([5, 5, 5, 5], list("abcd"), bounds=(1, 5))
    assert (found.estimate, found.upper, found.reason) == (5, 5, None)
    assert found.lower == pytest.approx(5 - 4 * (1 - 0.025**0.25))
    assert cluster_mean([3, 3, 3, 3], list("abcd"), bounds=(1, 5)).reason == "no spread between users: no interval"


def test_an_interval_gives_the_columns_of_a_table_row() -> None:
    found = Interval(1.0, 0.5, 1.5, 0.2, 8.0, 20, 9, 0.03)
    counted = {"n": 20, "users": 9, "note": ""}
    assert found.as_row("mean") == {"mean": 1.0, "lower": 0.5, "upper": 1.5} | counted
    row = found.as_row("difference", p_value=True)
    assert row == {"difference": 1.0, "lower": 0.5, "upper": 1.5, "p_value": 0.03} | counted
    assert list(row) == ["difference", "lower", "upper", "p_value", "n", "users", "note"]
    expected = {"accuracy": 1.0, "accuracy_lower": 0.5, "accuracy_upper": 1.5, "accuracy_note": ""}
    assert found.as_columns("accuracy") == expected


def test_without_limits_the_row_says_why() -> None:
    nothing = Interval.without_limits("none scored")
    row = nothing.as_row("mean", p_value=True)
    assert np.isnan([row.pop(name) for name in ("mean", "lower", "upper", "p_value")]).all()
    assert row == {"n": 0, "users": 0, "note": "none scored"}
    alone = Interval.without_limits("only one user: no interval", 2.0, 3, 1)
    assert (alone.as_row("mean")["mean"], alone.as_columns("mean")["mean_note"]) == (2.0, "only one user: no interval")


def ratings_of_models(seed: int, users: int, missing: float) -> tuple[Numbers, Numbers]:
    """Ratings 1–5 of the same samples by three models of different levels, some missing, and the samples' users."""
    rng = np.random.default_rng(seed)
    y, clusters = draw(seed, users)
    ratings = np.clip(np.round(y[:, None] + [-0.5, 0, 0.7] + rng.normal(size=(len(y), 3))), 1, 5)
    ratings[rng.random(ratings.shape) < missing * np.array([0.5, 1, 2])] = math.nan
    return ratings, clusters


def by_matrices_of_models(y: Numbers, model: Numbers, clusters: Numbers) -> tuple[float, float, float]:
    """Mean of the models' means, its CR2 error and Satterthwaite df, with every matrix of the fit written out."""
    design = (model[:, None] == np.unique(model)).astype(float)
    contrast = np.full(design.shape[1], 1 / design.shape[1])
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    annihilator = np.eye(len(y)) - hat
    residuals = annihilator @ y
    variance, vectors = 0.0, []
    for cluster in np.unique(clusters):
        own = np.flatnonzero(clusters == cluster)
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        adjustment = basis @ np.diag(values**-0.5) @ basis.T
        v = adjustment @ design[own] @ bread @ contrast
        variance += float(v @ residuals[own]) ** 2
        vectors.append(annihilator[:, own] @ v)
    spectrum = np.linalg.eigvalsh(np.array(vectors) @ np.array(vectors).T)
    return contrast @ bread @ design.T @ y, math.sqrt(variance), spectrum.sum() ** 2 / (spectrum**2).sum()


def long(ratings: Numbers, clusters: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Rating, model and user of each rating that is there."""
    sample, model = np.nonzero(~np.isnan(ratings))
    return ratings[sample, model], model, clusters[sample]


@pytest.mark.parametrize(("users", "missing"), [(3, 0.1), (10, 0.3), (40, 0.0), (40, 0.4)])
def test_the_mean_of_models_is_cr2_with_users_clustered_across_models(users: int, missing: float) -> None:
    ratings, clusters = ratings_of_models(users, users, missing)
    found = pooled_mean(ratings, clusters, level=0.9)
    estimate, error, df = by_matrices_of_models(*long(ratings, clusters))
    reach = stats.t.ppf(0.95, df) * error
    assert (found.standard_error, found.df) == pytest.approx((error, df), rel=1e-9)
    assert found.estimate == pytest.approx(estimate, rel=1e-12)
    assert found.estimate == pytest.approx(np.nanmean(ratings, axis=0).mean(), rel=1e-12)
    assert (found.lower, found.upper) == pytest.approx((estimate - reach, estimate + reach), rel=1e-9)
    assert found.n == (~np.isnan(ratings)).any(axis=1).sum()
    assert math.isnan(found.p_value)


def test_without_the_small_sample_correction_the_mean_of_models_is_statsmodels_cr0() -> None:
    ratings, clusters = ratings_of_models(8, 15, 0.3)
    y, model, users = long(ratings, clusters)
    design = (model[:, None] == np.arange(3)).astype(float)
    fit = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": users, "use_correction": False})
    test = fit.t_test(np.full((1, 3), 1 / 3))
    found = pooled_mean(ratings, clusters)
    assert found.estimate == pytest.approx(test.effect.item(), rel=1e-12)
    assert test.sd.item() < found.standard_error < 1.2 * test.sd.item()
    # The correction is of the order of 1 over the number of users: with many it is gone.
    ratings, clusters = ratings_of_models(9, 1500, 0.3)
    y, model, users = long(ratings, clusters)
    design = (model[:, None] == np.arange(3)).astype(float)
    fit = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": users, "use_correction": False})
    error = fit.t_test(np.full((1, 3), 1 / 3)).sd.item()
    assert pooled_mean(ratings, clusters).standard_error == pytest.approx(error, rel=2e-3)


def test_where_no_rating_is_missing_it_is_the_interval_of_the_samples_means() -> None:
    ratings, clusters = ratings_of_models(4, 12, 0)
    found, expected = pooled_mean(ratings, clusters), cluster_mean(ratings.mean(axis=1), clusters)
    compared = ("estimate", "lower", "upper", "standard_error", "df", "n", "clusters")
    assert [getattr(found, name) for name in compared] == pytest.approx([getattr(expected, name) for name in compared])
    assert pooled_mean(ratings[:, :1], clusters).df == pytest.approx(cluster_mean(ratings[:, 0], clusters).df)


def test_every_model_counts_the_same_and_a_sample_without_ratings_counts_nowhere() -> None:
    ratings = np.array([[1, 5], [2, math.nan], [3, math.nan], [2, 3], [math.nan, math.nan]])
    found = pooled_mean(ratings, ["a", "a", "b", "b", "c"], bounds=(1, 5))
    assert (found.estimate, found.n, found.clusters) == (3, 4, 2)
    assert 1 < found.lower < 3 < found.upper < 5


def test_a_model_with_one_user_gives_the_mean_of_models_no_interval() -> None:
    found = pooled_mean(np.array([[1, 2], [2, math.nan], [2, 1]]), ["a", "b", "a"])
    assert found.estimate == pytest.approx(19 / 12)
    assert found.reason == "only one user: no interval"
    same = pooled_mean([[3, 1], [3, 1]], ["a", "b"])
    assert same.reason == "no spread between users: no interval"
    with pytest.raises(ValueError, match="a model without ratings has no mean"):
        pooled_mean(np.array([[1, math.nan], [2, math.nan]]), ["a", "b"])
    with pytest.raises(ValueError, match="2 samples but 1 cluster labels"):
        pooled_mean([[1, 2], [2, 1]], ["a"])


@pytest.mark.parametrize(("votes", "noise"), [(1, 1.5), (3, 1.5), (3, 0.0)])
def test_the_noise_of_repeated_votes_is_in_the_interval_already(votes: int, noise: float) -> None:
    rng = np.random.default_rng(votes)
    clusters, times = np.repeat(np.arange(15), 4), 1000
    samples = rng.normal(3, 0.4, (times, 15))[:, clusters] + rng.normal(0, 0.5, (times, len(clusters)))
    rated = samples + rng.normal(0, noise, (votes, times, len(clusters))).mean(axis=0)
    found = [cluster_mean(row, clusters) for row in rated]
    covered = np.mean([interval.lower <= 3 <= interval.upper for interval in found])
    assert covered == pytest.approx(0.95, abs=0.025)
    # Of the mean of votes over votes: users, samples, noise; to add the last once more would be too much.
    variance = 0.4**2 / 15 + (0.5**2 + noise**2 / votes) / len(clusters)
    assert np.mean([interval.standard_error**2 for interval in found]) == pytest.approx(variance, rel=0.06)
