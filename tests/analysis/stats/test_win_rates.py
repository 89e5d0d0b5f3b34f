"""Win rates at equal style: against independent fits, on outcomes of known strength, and where there is no estimate."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special, stats

from thoughttrace.analysis.stats.intervals import Codes, Numbers
from thoughttrace.analysis.stats.win_rates import (
    FEATURES,
    NOT_TOLD_APART,
    ONE_OUTCOME,
    SEPARATED,
    TOO_FEW,
    style_control,
    style_differences,
)

SLOPES = np.array([0.8, 0.3, -0.4, 0.0])


def outcomes(
    seed: int, prompts: int, strengths: tuple[float, ...], shift: float = 0.7
) -> tuple[Numbers, Codes, Numbers, Codes]:
    """Wins, models, style and prompts: two verdicts a prompt, of strengths (log odds) and `SLOPES`."""
    rng = np.random.default_rng(seed)
    number = prompts * len(strengths)
    models, labels = np.repeat(np.arange(len(strengths)), prompts), np.tile(np.arange(prompts), len(strengths))
    style = rng.normal(size=(number, 4)) + shift
    at = special.expit(np.array(strengths)[models] + style @ SLOPES)
    return rng.binomial(2, at) / 2, models, style, labels


def test_the_fit_is_that_of_statsmodels_with_every_verdict_a_row() -> None:
    wins, models, style, prompts = outcomes(1, 150, (0.5, -0.5))
    found = style_control(wins, models, 2, style, prompts)
    x = style / style.std(axis=0, ddof=1)
    design = np.column_stack([models == 0, models == 1, x]).astype(float)
    won = (2 * wins).astype(int)
    rows = np.concatenate([np.repeat(np.arange(len(wins)), won), np.repeat(np.arange(len(wins)), 2 - won)])
    twice = sm.GLM(
        np.repeat([1.0, 0.0], [won.sum(), (2 - won).sum()]), design[rows], family=sm.families.Binomial()
    ).fit(cov_type="cluster", cov_kwds={"groups": prompts[rows], "use_correction": False})  # fmt: skip
    assert [rate.estimate for rate in found.rates] == pytest.approx(special.expit(twice.params[:2]), abs=1e-6)
    assert [each.estimate for each in found.coefficients] == pytest.approx(twice.params[2:], abs=1e-6)
    # CR2 exceeds CR0 by a few per cent with 150 clusters.
    errors = np.array([each.standard_error for each in found.coefficients])
    assert np.all((errors > twice.bse[2:]) & (errors < 1.06 * twice.bse[2:]))
    slopes = [rate.estimate * (1 - rate.estimate) for rate in found.rates]
    covariance = twice.cov_params()[:2, :2]
    error = math.sqrt(np.array([slopes[0], -slopes[1]]) @ covariance @ np.array([slopes[0], -slopes[1]]))
    pair = found.differences[0, 1]
    assert pair.estimate == pytest.approx(found.rates[0].estimate - found.rates[1].estimate)
    assert pair.standard_error == pytest.approx(error, rel=0.05)
    assert pair.p_value == pytest.approx(2 * stats.t.sf(pair.estimate / pair.standard_error, pair.df))
    assert pair.upper - pair.estimate == pytest.approx(stats.t.ppf(0.975, pair.df) * pair.standard_error)


def test_cr2_is_that_of_its_definition() -> None:
    """By prompts of two outcomes each, with the matrices written out."""
    wins, models, style, prompts = outcomes(3, 25, (0.3, -0.2))
    found = style_control(wins, models, 2, style, prompts)
    design = np.column_stack([models == 0, models == 1, style / style.std(axis=0, ddof=1)]).astype(float)
    beta = sm.GLM(wins, design, family=sm.families.Binomial()).fit().params
    mean = special.expit(design @ beta)
    weights = mean * (1 - mean)
    x, residual = np.sqrt(weights)[:, None] * design, (wins - mean) / np.sqrt(weights)
    bread = np.linalg.inv(x.T @ x)
    meat = np.zeros((6, 6))
    for prompt in range(25):
        rows = prompts == prompt
        values, vectors = np.linalg.eigh(np.eye(2) - x[rows] @ bread @ x[rows].T)
        adjusted = vectors @ np.diag(values**-0.5) @ vectors.T @ residual[rows]
        score = x[rows].T @ adjusted
        meat += np.outer(score, score)
    errors = np.sqrt(np.diag(bread @ meat @ bread))
    assert [each.standard_error for each in found.coefficients] == pytest.approx(errors[2:], rel=1e-5)
    rate = found.rates[0]
    assert rate.standard_error == pytest.approx(rate.estimate * (1 - rate.estimate) * errors[0], rel=1e-5)
    reach = stats.t.ppf(0.975, rate.df) * errors[0]
    assert special.logit([rate.lower, rate.upper]) == pytest.approx(beta[0] + np.array([-reach, reach]), rel=1e-5)


def test_style_alone_is_50_per_cent_at_equal_style() -> None:
    """The model wins 70 % because its answers are longer, and nothing else."""
    wins, models, style, prompts = outcomes(5, 400, (0.0,))
    (rate,) = style_control(wins, models, 1, style, prompts).rates
    assert wins.mean() > 0.6
    assert rate.lower < 0.5 < rate.upper
    assert rate.upper - rate.lower < 0.15


def test_intervals_hold_what_is_true_in_95_of_100() -> None:
    """A quick look; `benchmarks/win_rates.py` is the simulation."""
    held = []
    for seed in range(150):
        wins, models, style, prompts = outcomes(seed, 60, (0.5, -0.5))
        found = style_control(wins, models, 2, style, prompts)
        held.append([
            rate.lower < special.expit(strength) < rate.upper
            for rate, strength in zip(found.rates, (0.5, -0.5), strict=True)
        ])  # fmt: skip
    assert 0.91 < np.mean(held) < 0.985


def test_a_strong_and_a_weak_model_are_told_apart_at_equal_style() -> None:
    wins, models, style, prompts = outcomes(7, 200, (1.0, -1.0, 0.0))
    found = style_control(wins, models, 3, style, prompts)
    for rate, strength in zip(found.rates, (1.0, -1.0, 0.0), strict=True):
        assert rate.lower < special.expit(strength) < rate.upper
        assert (rate.n, rate.clusters) == (200, 200)
    assert found.differences[0, 1].p_value < 1e-6
    assert list(found.differences) == [(0, 1), (0, 2), (1, 2)]
    length = dict(zip(FEATURES, found.coefficients, strict=True))["length"]
    # Of differences with a standard deviation of 1.
    assert length.lower < SLOPES[0] < length.upper


def test_where_nothing_can_be_estimated_a_reason_says_so() -> None:
    wins, models, style, prompts = outcomes(9, 19, (0.5,))
    few = style_control(wins, models, 1, style, prompts)
    assert {each.reason for each in (*few.rates, *few.coefficients)} == {TOO_FEW}
    wins, models, style, prompts = outcomes(9, 60, (0.5, 0.0))
    winner = style_control(np.where(models == 0, 1, wins), models, 2, style, prompts)
    assert [rate.reason for rate in winner.rates] == [ONE_OUTCOME, None]
    assert winner.differences[0, 1].reason == ONE_OUTCOME
    assert style_control(np.ones(60), np.zeros(60), 1, style[:60], prompts[:60]).rates[0].reason == ONE_OUTCOME
    apart = style_control((style[:, 0] > 0).astype(float), models, 2, style, prompts)
    assert {each.reason for each in (*apart.rates, *apart.coefficients, *apart.differences.values())} == {SEPARATED}
    half = style_control(wins[models == 0], models[models == 0], 2, style[models == 0], prompts[models == 0])
    assert [rate.reason for rate in half.rates] == [None, ONE_OUTCOME], "a model without scores"
    style[:, 1], style[:, 3] = 0, style[:, 2]
    alike = style_control(wins, models, 2, style, prompts)
    assert [each.reason for each in alike.coefficients] == [None, NOT_TOLD_APART, NOT_TOLD_APART, NOT_TOLD_APART]
    assert [rate.reason for rate in alike.rates] == [None, None]


@pytest.mark.parametrize("value", [0.1, 0.3, -0.6, 1 / 3])
def test_a_difference_that_is_the_same_everywhere_does_not_vary(value: float) -> None:
    """Its standard deviation is no 0, but what rounding leaves, by which nothing may be divided."""
    wins, models, style, prompts = outcomes(9, 30, (0.5,))
    style[:, 0] = value
    found = style_control(wins, models, 1, style, prompts)
    assert [each.reason for each in found.coefficients] == [NOT_TOLD_APART, None, None, None]
    assert found.rates[0].reason == NOT_TOLD_APART, "at no difference nothing was seen"


def test_differences_in_style_are_those_of_a_hand_computation() -> None:
    found = style_differences([[99, 2, 10, 0], [0, 0, 0, 0]], [[49, 0, 10, 5], [0, 0, 0, 0]])
    # Per 100 words 2 headers against none, 0.10 items against 0.20 a word, none bold against 0.1.
    expected = [50 / 148, 0.02 / 1.02, (0.1 - 0.2) / 1.3, -0.1 / 1.1]
    assert found == pytest.approx(np.array([expected, [0, 0, 0, 0]]))
