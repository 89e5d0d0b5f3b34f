"""Fit ratings as model + judge: how severe each judge is, and what models would be rated if every judge had voted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.stats.intervals import Interval, Numbers, contrasts


@dataclass(frozen=True)
class AdditiveFit:
    """A fit of rating = model + judge, whose combinations have CR2 intervals clustered by user."""

    models: list[Any]
    judges: list[str]
    unadjusted: list[float]
    """Each model's mean of the votes that were given."""
    outcome: Numbers
    """What is left of the ratings for a least-squares fit on `design`; both weighted."""
    design: Numbers
    """A column for each model, and one for each judge but the last; the judges' effects sum to 0."""
    users: npt.NDArray[np.object_]

    @cached_property
    def means(self) -> list[Interval]:
        """Each model's mean as the average judge would have rated it, if it had rated every inference."""
        return self._estimate(np.eye(len(self.models), self.design.shape[1]))

    @cached_property
    def overall(self) -> Interval:
        """The mean of the models' means, every model the same."""
        return self._estimate(np.full((1, len(self.models)), 1 / len(self.models)))[0]

    @cached_property
    def severities(self) -> list[Interval]:
        """How far each judge rates below the average judge."""
        effects = np.zeros((len(self.judges), self.design.shape[1]))
        effects[:, len(self.models) :] = np.vstack([np.eye(len(self.judges) - 1), -np.ones(len(self.judges) - 1)])
        return self._estimate(-effects)

    def differences(self, pairs: Sequence[tuple[Any, Any]]) -> list[Interval]:
        """Estimate the mean of one model less that of another, for each pair."""
        weights = [[(model == a) - (model == b) for model in self.models] for a, b in pairs]
        return self._estimate(np.array(weights, dtype=float).reshape(len(pairs), len(self.models)))

    def _estimate(self, combinations: Numbers) -> list[Interval]:
        missing = self.design.shape[1] - combinations.shape[1]
        return contrasts(self.outcome, self.design, np.pad(combinations, ((0, 0), (0, missing))), self.users)


def fit_additive(votes: pd.DataFrame) -> AdditiveFit | None:
    r"""Fit rating = model + judge.

    Judges are compared on the inferences that several of them rated, and only there (the within estimator: Wooldridge
    2010, *Econometric Analysis of Cross Section and Panel Data*, ch. 10): a judge that rated the better inferences is
    not taken for a lenient one. Where no such inferences link all judges, they are compared within each model. A
    model's mean is that of its samples, each the mean of its replies, each the mean of its votes less their judges'
    effects; so with complete votes it is `cluster_mean` of the scores. What a rule rated counts in the mean as it is,
    and says nothing of judges.

    These are estimating equations :math:`Z'W(y - X\beta) = 0` with as many instruments Z as coefficients, and weights
    W. They are least squares on the projection :math:`\hat X` of X on Z, with the residuals from X itself: the form in
    which CR2 is defined for them (Pustejovsky 2018, *clubSandwich*, for `ivreg`). With complete votes
    :math:`\hat X = X`.

    Args:
        votes: A row per vote: `model`, `judge`, `unit` (the inference), `id` (the sample), `user`, `rating`, `by_rule`
            (whether a rule rated it in place of judges; then the judge is of no matter).

    Returns:
        The fit; None where judges and models fall into groups that share nothing.
    """
    code, models = pd.factorize(votes["model"], sort=True)
    cells = votes.groupby([code, "unit", votes["judge"].mask(votes["by_rule"], "")]).agg(
        {"rating": "mean", "id": "first", "user": "first", "by_rule": "first"}
    )
    model, unit, judge = (cells.index.get_level_values(level) for level in range(3))
    of_model, _ = _dummies(model)
    dummies, judges = _dummies(judge.where(~cells["by_rule"].to_numpy()))
    in_unit = cells.groupby([model, unit])["rating"].transform("size")
    units_of_sample = pd.Series(unit, cells.index).groupby([model, cells["id"]]).transform("nunique")
    weights = 1 / (in_unit * units_of_sample).to_numpy(float)

    of_judge = dummies[:, :-1] - dummies[:, -1:]
    design = np.hstack([of_model, of_judge])
    voted = ~cells["by_rule"].to_numpy()
    for within in (unit, model):
        # Less the weighted mean, so that neither a model's mean nor what a rule rated has a part in it.
        table = pd.DataFrame(np.column_stack([of_judge, np.ones(len(cells))])[voted] * weights[voted, None])
        sums = table.groupby(np.asarray(within)[voted]).transform("sum").to_numpy()
        contrast = of_judge.copy()
        contrast[voted] -= sums[:, :-1] / sums[:, -1:]
        instruments = np.hstack([of_model, contrast])
        products = instruments.T @ (weights[:, None] * design)
        if np.linalg.matrix_rank(products) == len(products):
            break
    else:
        return None
    effects = np.linalg.solve(products, instruments.T @ (weights * cells["rating"].to_numpy()))
    root = np.sqrt(weights)[:, None]
    projected = root * instruments @ np.linalg.lstsq(root * instruments, root * design, rcond=None)[0]
    outcome = root[:, 0] * cells["rating"].to_numpy() - (root * design - projected) @ effects
    unadjusted = np.average(np.broadcast_to(cells["rating"], of_model.T.shape), axis=1, weights=weights * of_model.T)
    return AdditiveFit([*models], judges, [*unadjusted], outcome, projected, cells["user"].to_numpy())


def _dummies(labels: pd.Index) -> tuple[Numbers, list[Any]]:
    """Give a column for each label, 1 where it stands and else 0, and the labels in order; of NaN no column is 1."""
    codes, names = pd.factorize(labels, sort=True)
    return np.vstack([np.eye(len(names)), np.zeros(len(names))])[codes], list(names)
