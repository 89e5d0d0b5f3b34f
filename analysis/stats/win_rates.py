"""Estimate win rates against a baseline at equal style: length and Markdown."""

import math
import warnings
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from scipy import special, stats

from thoughttrace.analysis.stats.intervals import NOT_DETERMINED, Interval, Numbers, contrasts, with_p_value

FEATURES = ("length", "headers", "lists", "bold")
"""What makes up style, in the order of the columns."""

FEWEST_PROMPTS = 20
"""Prompts below which style is not controlled for: the fit has a coefficient for each of `FEATURES`."""

TOO_FEW = f"fewer than {FEWEST_PROMPTS} prompts: not controlled for style"
ONE_OUTCOME = "no two outcomes differ: not controlled for style"
NOT_TOLD_APART = "does not vary, or only together with the rest: no estimate"
SEPARATED = "style alone tells wins from losses: not controlled for style"

_TINY = 1e-9

_FARTHEST = 15.0
"""Log odds that only a fit reaches that does not converge."""


@dataclass(frozen=True)
class StyleControl:
    """A fit of wins on models and differences in style."""

    rates: list[Interval]
    """Of each model: its win rate where both answers have the same style, 0 to 1."""
    coefficients: list[Interval]
    """Of each of `FEATURES`: the change in log odds of a win for a standard deviation more of it than the baseline."""
    differences: dict[tuple[int, int], Interval]
    """Of each pair of models, by their numbers: the rate of the first less that of the second."""


def style_differences(own: npt.ArrayLike, baseline: npt.ArrayLike) -> Numbers:
    r"""Compute the differences in style between two answers, as Arena-Hard-Auto defines them.

    With lengths L and counts c per length, :math:`d = c / (L + 1)`,

    .. math:: \frac{L - L_0}{L + L_0} \quad \text{and} \quad \frac{d - d_0}{d + d_0 + 1}

    for length, and for headers, lists and bold passages.

    Args:
        own: Shape (n, 4): length, headers, lists and bold passages of the model's answers.
        baseline: The same of the baseline's answers.

    Returns:
        Shape (n, 4), in the order of `FEATURES`, each −1 to 1; of two empty answers 0.
    """
    mine, other = np.asarray(own, dtype=float), np.asarray(baseline, dtype=float)
    difference: Numbers = np.empty_like(mine)
    difference[:, 0] = (mine[:, 0] - other[:, 0]) / np.maximum(mine[:, 0] + other[:, 0], 1)
    densities = [counts[:, 1:] / (counts[:, :1] + 1) for counts in (mine, other)]
    difference[:, 1:] = (densities[0] - densities[1]) / (densities[0] + densities[1] + 1)
    return difference


def style_control(
    wins: npt.ArrayLike,
    models: npt.ArrayLike,
    count: int,
    differences: npt.ArrayLike,
    prompts: npt.ArrayLike,
    level: float = 0.95,
) -> StyleControl:
    r"""Estimate win rates at equal style, by logistic regression without an intercept.

    With the model m of a comparison, and differences in style x divided by their standard deviations,

    .. math:: \mathrm{logit}\,E[y] = \beta_m + \gamma' x,

    so that :math:`\sigma(\beta_m)` is the win rate of the model where x is 0: where its answer is as long as the
    baseline's and has as much Markdown. x is not centred. Arena-Hard-Auto centres it, so that its win rate is the one
    at the mean difference in style of all comparisons: of a single model, that is hardly controlled for at all.

    Outcomes are fractions (ties, means over judges and orders); the fit is a quasi-likelihood (Papke & Wooldridge 1996,
    *J. Appl. Econometrics* 11). Errors are cluster-robust: CR2 with Satterthwaite's degrees of freedom on the working
    response and weights at the fit (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018), by prompt: models that answered
    the same prompts err together.

    Args:
        wins: n outcomes for the model, 0 to 1, none of them NaN.
        models: n numbers of a model, from 0.
        count: Number of models; of one without outcomes nothing is estimated.
        differences: Shape (n, 4): `style_differences`.
        prompts: n labels of the prompt; outcomes of different prompts are independent.
        level: Confidence level, between 0 and 1.

    Returns:
        The estimates; where one cannot be made, its `reason` says why.
    """
    y, codes, x = np.asarray(wins, dtype=float), np.asarray(models, dtype=np.intp), np.asarray(differences, dtype=float)
    labels = pd.factorize(np.asarray(prompts))[0]
    alike = [model for model in range(count) if len(set(y[codes == model])) < 2]
    used = ~np.isin(codes, alike)
    number, clusters = len(y), len(set(labels))
    if len(set(labels[used])) < FEWEST_PROMPTS:
        return _without(TOO_FEW if clusters < FEWEST_PROMPTS else ONE_OUTCOME, count, number, clusters)
    scaled = x[used] / divisors(x[used])
    fitted = logistic_fit(y[used], np.column_stack([np.eye(count)[codes[used]], scaled]))
    if fitted is None:
        return _without(SEPARATED, count, number, clusters)
    beta, response, design = fitted
    pairs = list(combinations(range(count), 2))
    chances = special.expit(beta[:count])
    # By the delta method, the error of a difference of two chances.
    slopes = np.zeros((len(pairs), len(beta)))
    for row, pair in zip(slopes, pairs, strict=True):
        row[[*pair]] = (chances * (1 - chances))[[*pair]] * [1, -1]
    found = [
        replace(each, reason=NOT_TOLD_APART) if each.reason == NOT_DETERMINED else each
        for each in contrasts(response, design, np.concatenate([np.eye(len(beta)), slopes]), labels[used], level)
    ]
    same = Interval.without_limits(ONE_OUTCOME, clusters=clusters)
    rates = [
        replace(same if model in alike else _chance(found[model]), n=int((codes == model).sum()))
        for model in range(count)
    ]
    differences_of = {
        pair: same if {*pair} & {*alike} else _difference(each, float(chances[pair[0]] - chances[pair[1]]), level)
        for pair, each in zip(pairs, found[len(beta) :], strict=True)
    }
    return StyleControl(rates, found[count : len(beta)], differences_of)


def _without(reason: str, models: int, number: int, clusters: int) -> StyleControl:
    nothing = Interval.without_limits(reason, n=number, clusters=clusters)
    pairs = dict.fromkeys(combinations(range(models), 2), nothing)
    return StyleControl([nothing] * models, [nothing] * len(FEATURES), pairs)


def divisors(differences: Numbers) -> Numbers:
    """Return what differences in style are divided by: their standard deviation, or 1 of what does not vary.

    Args:
        differences: Shape (n, k), n at least 2.

    Returns:
        k numbers, none of them 0.
    """
    spread = differences.std(axis=0, ddof=1)
    # That of equal numbers is no 0, but what rounding leaves.
    varies = spread > _TINY * np.abs(differences).max(axis=0)
    return np.where(varies, spread, 1.0)


def logistic_fit(y: Numbers, design: Numbers) -> tuple[Numbers, Numbers, Numbers] | None:
    """Fit a logistic regression by maximum likelihood, without an intercept of its own.

    Args:
        y: n outcomes, 0 to 1.
        design: Shape (n, k); columns may depend on each other.

    Returns:
        The coefficients, and the weighted least-squares fit that it ends in: the working response and the design, each
        times the root of the weight. None where it does not converge, as where style separates wins from losses.
    """
    # In a basis of the design: of columns that depend on each other, statsmodels' coefficients grow without bound.
    left, values, right = np.linalg.svd(design, full_matrices=False)
    independent = values > _TINY * values[0]
    basis = left[:, independent] * math.sqrt(len(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of separation, which is seen below
        fitted = sm.GLM(y, basis, family=sm.families.Binomial()).fit(maxiter=100)
    linear = basis @ fitted.params
    if not fitted.converged or not np.isfinite(linear).all() or np.abs(linear).max() > _FARTHEST:
        return None
    beta = right[independent].T @ (fitted.params * math.sqrt(len(y)) / values[independent])
    mean = special.expit(linear)
    root = np.sqrt(mean * (1 - mean))
    return beta, root * linear + (y - mean) / root, root[:, None] * design


def _chance(found: Interval) -> Interval:
    """Turn an estimate in log odds into a chance; the p-value, against log odds of 0, is left out."""
    estimate, lower, upper = map(float, special.expit([found.estimate, found.lower, found.upper]))
    error = estimate * (1 - estimate) * found.standard_error
    return replace(found, estimate=estimate, lower=lower, upper=upper, standard_error=error, p_value=math.nan)


def _difference(found: Interval, difference: float, level: float) -> Interval:
    """Put the difference of two chances in the place of the combination of log odds that its error is from."""
    reach = float(stats.t.ppf((1 + level) / 2, found.df)) * found.standard_error
    estimate = difference if math.isfinite(found.estimate) else math.nan
    return with_p_value(replace(found, estimate=estimate, lower=estimate - reach, upper=estimate + reach))


def of_prompts(interval: Interval) -> Interval:
    """Return an estimate by prompt: why it has no interval is said of prompts, not of users.

    Args:
        interval: An estimate whose clusters are prompts.
    """
    return replace(interval, reason=interval.reason and interval.reason.replace("user", "prompt"))
