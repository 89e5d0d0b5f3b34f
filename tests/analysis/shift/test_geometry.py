"""Centroids, MMD and probe against definitions written out, and scikit-learn."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from thoughttrace.analysis.shift import geometry
from thoughttrace.analysis.shift.geometry import centroids, median_distance, mmd, sample_of_users
from thoughttrace.analysis.shift.measure import cosine_distances, probe
from thoughttrace.analysis.stats.intervals import bell_mccaffrey_df


def draw(seed: int, users: int = 9, shift: float = 0.0, size: int = 6) -> tuple[Any, Any, Any]:
    """Unit vectors with user effects, users in mixed order; the targets' first coordinate is shifted."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(users), rng.integers(1, 7, users)))
    own = rng.normal(size=(users, size))[labels]
    source, target = (own + rng.normal(size=own.shape) for _ in range(2))
    target[:, 0] += shift
    unit = [(each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for each in (source, target)]
    return unit[0], unit[1], np.array([f"user{label}" for label in labels])


def between(kernel: Any, x: Any, y: Any, users: Any) -> float:
    """The mean of h over ordered pairs of different users, one by one."""
    terms = [
        kernel(x[i], x[j]) + kernel(y[i], y[j]) - kernel(x[i], y[j]) - kernel(x[j], y[i])
        for i in range(len(x))
        for j in range(len(x))
        if users[i] != users[j]
    ]
    return float(np.mean(terms))


def rbf(a: Any, b: Any) -> float:
    return float(np.exp(-((a.astype(float) - b) ** 2).sum() / (2 * 0.8**2)))


@pytest.mark.parametrize("block", [7, 512])
def test_mmd_is_its_double_loop(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(geometry, "_BLOCK", block)
    x, y, users = draw(1, shift=1)
    assert mmd(x, y, users, 0.8, seed=1)[0] == pytest.approx(between(rbf, x, y, users), abs=1e-6)


def test_with_one_pair_a_user_it_is_gretton_s_unbiased_estimate() -> None:
    x, y, _ = draw(2, shift=1)
    m = len(x)
    kxx, kyy, kxy = (np.exp(-cdist(a, b, "sqeuclidean") / (2 * 0.8**2)) for a, b in ((x, x), (y, y), (x, y)))
    h = kxx + kyy - kxy - kxy.T
    expected = (h.sum() - np.trace(h)) / (m * (m - 1))  # eq. 4
    assert mmd(x, y, np.arange(m), 0.8, seed=1)[0] == pytest.approx(expected, abs=1e-6)


def test_permutations_exchange_whole_users() -> None:
    x, y, users = draw(3, users=4, shift=0.6)
    found, p = mmd(x, y, users, 0.8, seed=1)
    names, drawn = np.unique(users), []
    for bits in range(2 ** len(names)):  # all of them, by exchanging the vectors themselves
        swapped = np.isin(users, [name for n, name in enumerate(names) if bits >> n & 1])[:, None]
        drawn.append(between(rbf, np.where(swapped, y, x), np.where(swapped, x, y), users))
    exact = np.mean(np.array(drawn) >= found - 1e-7)
    assert p == pytest.approx(exact, abs=0.05)
    assert p == mmd(x, y, users, 0.8, seed=1)[1]


def test_p_is_even_without_a_shift_and_small_with_one() -> None:
    none = [mmd(*draw(seed, users=12), 1.0, seed=seed)[1] for seed in range(200)]
    assert 0.01 <= np.mean(np.array(none) <= 0.05) <= 0.10
    assert 0.4 <= np.mean(none) <= 0.6
    assert max(mmd(*draw(seed, users=12, shift=3), 1.0, seed=seed)[1] for seed in range(20)) < 0.02


def test_the_bandwidth_is_the_median_distance() -> None:
    x, y, _ = draw(4)
    both = np.vstack([x, y])
    assert median_distance(both, seed=1) == pytest.approx(np.median(pdist(both)), rel=1e-5)
    many = np.random.default_rng(1).normal(size=(2500, 3)).astype(np.float32)
    assert median_distance(many, seed=1) == pytest.approx(np.median(pdist(many)), rel=0.02)
    assert median_distance(np.ones((5, 3), dtype=np.float32), seed=1) == 1.0


def test_centroids_are_their_definition() -> None:
    x, y, users = draw(5, shift=1)
    found = centroids(x, y, users)
    assert found.distance == pytest.approx(np.linalg.norm(y.mean(axis=0) - x.mean(axis=0)), rel=1e-5)
    squared = between(lambda a, b: float(a.astype(float) @ b), x, y, users)
    assert found.debiased == pytest.approx(np.sqrt(squared), rel=1e-4)
    spread = np.sqrt(np.mean([((each - each.mean(axis=0)) ** 2).sum(axis=1).mean() for each in (x, y)]))
    assert found.standardized == pytest.approx(found.debiased / spread, rel=1e-5)
    assert 0 <= found.lower < found.debiased < found.upper
    assert found == centroids(x, y, users)


def test_the_limits_of_the_distance_leave_out_each_user() -> None:
    x, y, users = draw(5, users=9, shift=1)

    def squared(rows: npt.NDArray[np.bool_]) -> float:
        return between(lambda a, b: float(a.astype(float) @ b), x[rows], y[rows], users[rows])

    names, sizes = np.unique(users, return_counts=True)
    without = np.array([squared(users != name) for name in names])
    reach = np.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum()) * stats.t.ppf(0.975, bell_mccaffrey_df(sizes))
    found, whole = centroids(x, y, users), squared(np.full(len(users), True))
    expected = np.sqrt(np.maximum([whole - reach, whole + reach], 0))
    assert (found.lower, found.upper) == pytest.approx(expected, rel=1e-4)


def test_noise_alone_is_no_distance() -> None:
    apart = [centroids(*draw(seed, users=15)) for seed in range(60)]
    assert np.mean([each.distance for each in apart]) > 0.1
    assert np.mean([each.lower == 0 for each in apart]) > 0.9
    assert np.median([each.debiased for each in apart]) < 0.1


def test_the_probe_separates_on_people_it_has_not_seen() -> None:
    """Normal clouds 2 apart on one axis have an AUC of Φ(2 / √2) = 0.921 for the best rule."""
    rng = np.random.default_rng(6)
    users = np.repeat(np.arange(40), 25)
    x = rng.normal(size=(1000, 3)).astype(np.float32)
    y = np.add(rng.normal(size=(1000, 3)), [2, 0, 0]).astype(np.float32)
    assert probe(x, y, users) == pytest.approx(0.921, abs=0.02)


def test_the_probe_learns_nothing_from_who_somebody_is() -> None:
    """Each user has a direction of their own from source to target: it does not help with other users."""
    rng = np.random.default_rng(7)
    users = np.repeat(np.arange(40), 10)
    own = rng.normal(size=(40, 60)).astype(np.float32)[users]
    noise = 0.1 * rng.normal(size=(2, 400, 60)).astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    pairs, labels = np.vstack([noise[0] - own, noise[1] + own]), np.repeat([0, 1], 400)
    within = cross_val_score(model, pairs, labels, cv=KFold(5, shuffle=True, random_state=0), scoring="roc_auc")
    assert within.mean() > 0.95
    assert probe(noise[0] - own, noise[1] + own, users) < 0.65


def test_too_few_users_give_nan() -> None:
    x, y, users = draw(8, users=1)
    assert np.isnan(mmd(x, y, users, 1.0, seed=1)).all()
    assert np.isnan(centroids(x, y, users).debiased)
    assert np.isnan(probe(*draw(8, users=4)))


def test_cosine_distances_are_scipy_s() -> None:
    x, y, _ = draw(9)
    assert np.allclose(cosine_distances(x, y), np.diag(cdist(x, y, "cosine")), atol=1e-6)
    assert cosine_distances(x, x).min() >= 0


def test_whole_users_are_sampled() -> None:
    users = np.repeat(np.arange(50), np.arange(50) % 7 + 1)
    chosen = sample_of_users(users, 60, seed=1)
    assert set(users[chosen]).isdisjoint(users[~chosen])
    assert 50 < chosen.sum() <= 60
    assert (chosen == sample_of_users(users, 60, seed=1)).all()
    assert sample_of_users(users, 0, seed=1).any()
