"""Split the variance of ratings: users, samples of a user and epochs of a sample, or samples crossed with judges."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.stats.intervals import Numbers


@dataclass(frozen=True)
class Components:
    """Variance components of nested ratings; one that came out negative is 0."""

    users: float
    """Between users. NaN with fewer than two users, or none with two samples."""
    samples: float
    """Between samples of a user; without repeated samples it holds the spread between epochs too."""
    epochs: float
    """Between epochs of a sample; NaN where no sample was run twice."""

    @property
    def icc(self) -> float:
        """Intraclass correlation: the share of the variance between samples that lies between users, 0 to 1.

        The variance between epochs is left out. NaN where a component is unknown, or both are 0.
        """
        total = self.users + self.samples
        return self.users / total if total > 0 else math.nan


def components(values: npt.ArrayLike, users: npt.ArrayLike, samples: npt.ArrayLike) -> Components:
    r"""Split the variance of ratings by the analysis of variance for nested, unbalanced data.

    Sums of squares are set equal to their expectations (Searle, Casella & McCulloch 1992, *Variance Components*,
    ch. 5): with :math:`n_{ij}` epochs of sample j of user i,

    .. math::
        E[SS_e] &= (N - b)\,\sigma^2_e \\
        E[SS_s] &= (b - a)\,\sigma^2_e + (N - k)\,\sigma^2_s, \quad k = \sum_i \sum_j n_{ij}^2 / n_i \\
        E[SS_u] &= (a - 1)\,\sigma^2_e + (k - \sum_{ij} n_{ij}^2 / N)\,\sigma^2_s
                   + (N - \sum_i n_i^2 / N)\,\sigma^2_u

    On balanced data that is REML wherever no component is negative.

    Args:
        values: N ratings, none of them NaN.
        users: N labels of the user.
        samples: N labels of the sample; two ratings with the same label are two epochs.

    Returns:
        The components, each 0 or more, or NaN where the data cannot give it.
    """
    y = np.asarray(values, dtype=float)
    sample, _ = pd.factorize(np.asarray(samples))
    _, first = np.unique(sample, return_index=True)
    user, _ = pd.factorize(np.asarray(users)[first])
    epochs = np.bincount(sample)
    sample_sums = np.bincount(sample, weights=y)
    sizes, user_sums = np.bincount(user, weights=epochs), np.bincount(user, weights=sample_sums)
    n, b, a = len(y), len(epochs), len(sizes)
    within = (sample_sums**2 / epochs).sum()
    between = (user_sums**2 / sizes).sum()
    k = (np.bincount(user, weights=epochs**2) / sizes).sum()
    epoch = math.nan if n == b else max(0.0, float((y**2).sum() - within) / (n - b))
    noise = 0.0 if math.isnan(epoch) else epoch
    if b == a:
        return Components(math.nan, math.nan, epoch)
    of_samples = max(0.0, float(within - between - (b - a) * noise) / float(n - k))
    if a < 2:
        return Components(math.nan, of_samples, epoch)
    squares = float(between - y.sum() ** 2 / n)
    expected = (a - 1) * noise + float(k - (epochs**2).sum() / n) * of_samples
    of_users = max(0.0, (squares - expected) / float(n - (sizes**2).sum() / n))
    return Components(of_users, of_samples, epoch)


@dataclass(frozen=True)
class CrossedComponents:
    """Variance components of ratings of samples by judges; one that came out negative is 0."""

    samples: float
    """Between samples, as all judges see them."""
    judges: float
    """Between judges, on all samples alike: how severe they are."""
    residual: float
    """Of one judge on one sample: how it sees this sample otherwise than other judges do, and the noise of its vote."""


def linked(ratings: Numbers) -> bool:
    """Find out whether samples rated by two judges link all judges, so that their severities can be compared.

    Args:
        ratings: Shape (n samples, J judges); NaN where a judge did not rate a sample.
    """
    rated = (~np.isnan(ratings)).astype(float)
    share_samples = (rated.T @ rated > 0).astype(float)
    # Who is reached in J - 1 steps from a judge to one that shares a sample with it.
    return bool(np.linalg.matrix_power(share_samples, len(share_samples) - 1).all())


def judge_effects(ratings: Numbers) -> Numbers:
    """Estimate how far each judge's ratings lie above the average judge's, by least squares on samples and judges.

    Args:
        ratings: Shape (n samples, J judges); NaN where a judge did not rate a sample; each sample has a rating, and the
            judges are `linked`.

    Returns:
        J numbers that sum to 0.
    """
    rated = (~np.isnan(ratings)).astype(float)
    filled, votes = np.nan_to_num(ratings), rated.sum(axis=1)
    # The normal equations of the judges once the samples are eliminated.
    equations = np.diag(rated.sum(axis=0)) - rated.T @ (rated / votes[:, None])
    above = filled.sum(axis=0) - rated.T @ (filled.sum(axis=1) / votes)
    effects: Numbers = np.linalg.pinv(equations, hermitian=True) @ above
    return effects


def crossed_components(ratings: npt.ArrayLike) -> CrossedComponents:
    r"""Split the variance of ratings by the analysis of variance for samples crossed with judges.

    Sums of squares are set equal to their expectations (Henderson's method III: Searle, Casella & McCulloch 1992,
    *Variance Components*, ch. 5): with N ratings of S samples by J judges in an additive model,

    .. math::
        E[SS_e] &= (N - S - J + 1)\,\sigma^2_e \\
        E[SS_{J|S}] &= (J - 1)\,\sigma^2_e + (N - S)\,\sigma^2_J \\
        E[SS_{S|J}] &= (S - 1)\,\sigma^2_e + (N - J)\,\sigma^2_S

    Args:
        ratings: Shape (samples, judges); NaN where a judge did not rate a sample.

    Returns:
        The components, each 0 or more; all NaN with fewer than two samples or judges, where judges are not `linked`,
        or with too few ratings to have a residual.
    """
    y = np.asarray(ratings, dtype=float)
    y = y[~np.isnan(y).all(axis=1)][:, ~np.isnan(y).all(axis=0)]
    n, (samples, judges) = int((~np.isnan(y)).sum()), y.shape
    free = n - samples - judges + 1
    if min(samples, judges) < 2 or free < 1 or not linked(y):
        return CrossedComponents(math.nan, math.nan, math.nan)
    remaining = y - judge_effects(y)
    residual = float(np.nansum((remaining - np.nanmean(remaining, axis=1, keepdims=True)) ** 2)) / free
    within_samples = float(np.nansum((y - np.nanmean(y, axis=1, keepdims=True)) ** 2))
    within_judges = float(np.nansum((y - np.nanmean(y, axis=0)) ** 2))
    of_judges = within_samples - (free + judges - 1) * residual
    of_samples = within_judges - (free + samples - 1) * residual
    return CrossedComponents(max(0.0, of_samples / (n - judges)), max(0.0, of_judges / (n - samples)), residual)
