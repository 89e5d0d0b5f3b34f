"""Centroids, MMD and probe against definitions written out, and scikit-learn."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from thoughttrace.analysis.shift import geometry
from thoughttrace.analysis.shift.geometry import centroids, median_distance, mmd, sample_of_users
from thoughttrace.analysis.shift.measure import cosine_distances, probe


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
    found = centroids(x, y, users, seed=1)
    assert found.distance == pytest.approx(np.linalg.norm(y.mean(axis=0) - x.mean(axis=0)), rel=1e-5)
    squared = between(lambda a, b: float(a.astype(float) @ b), x, y, users)
    assert found.debiased == pytest.approx(np.sqrt(squared), rel=1e-4)
    spread = np.sqrt(np.mean([((each - each.mean(axis=0)) ** 2).sum(axis=1).mean() for each in (x, y)]))
    assert found.standardized == pytest.approx(found.debiased / spread, rel=1e-5)
    assert 0 <= found.lower < found.debiased < found.upper
    assert found == centroids(x, y, users, seed=1)


def test_noise_alone_is_no_distance() -> None:
    apart = [centroids(*draw(seed, users=15), seed=1) for seed in range(60)]
    assert np.mean([each.distance for each in apart]) > 0.1
    assert np.mean([each.lower == 0 for each in apart]) > 0.9
    assert np.median([each.debiased for each in apart]) < 0.1


def test_the_probe_is_scikit_learn_s() -> None:
    x, y, users = draw(6, users=14, shift=0.8)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    labels, groups = np.repeat([0, 1], len(x)), np.r_[users, users]
    # scikit-learn's own folds of the stacked pairs: whole users, so the same as those of the pairs.
    scores = cross_val_score(model, np.vstack([x, y]), labels, groups=groups, cv=GroupKFold(5), scoring=_area)
    found = probe(x, y, users)
    assert found.estimate == pytest.approx(scores.mean(), abs=1e-9)
    assert 0 <= found.lower < found.estimate < found.upper <= 1
    assert (found.n, found.clusters) == (len(x), 14)


def _area(model: Any, vectors: Any, labels: Any) -> float:
    return float(roc_auc_score(labels, model.decision_function(vectors)))


def test_the_probe_s_interval_is_that_of_a_bootstrap_of_users() -> None:
    x, y, users = draw(7, users=120, shift=0.8)
    found = probe(x, y, users)
    rng, areas = np.random.default_rng(1), []
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    held = []
    for fitted, out in GroupKFold(5).split(x, groups=users):
        model.fit(np.vstack([x[fitted], y[fitted]]), np.repeat([0, 1], len(fitted)))
        held.append((users[out], model.decision_function(x[out]), model.decision_function(y[out])))
    for _ in range(300):
        one = []
        for names, low, high in held:
            taken = rng.choice(np.unique(names), len(np.unique(names)))
            rows = np.concatenate([np.flatnonzero(names == name) for name in taken])
            one.append(roc_auc_score(np.repeat([0, 1], len(rows)), np.r_[low[rows], high[rows]]))
        areas.append(np.mean(one))
    assert found.standard_error == pytest.approx(np.std(areas), rel=0.15)


def test_too_few_users_are_said() -> None:
    x, y, users = draw(8, users=1)
    assert np.isnan(mmd(x, y, users, 1.0, seed=1)).all()
    assert np.isnan(centroids(x, y, users, seed=1).debiased)
    without = probe(*draw(8, users=4))
    assert np.isnan(without.estimate)
    assert without.reason == "fewer than 5 users: no probe"


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
