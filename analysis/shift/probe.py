"""How well a linear probe tells sources from targets."""

import numpy as np
import numpy.typing as npt

from thoughttrace.analysis.shift.clouds import Numbers, Vectors
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean

FOLDS = 5


def probe(source: Vectors, target: Vectors, users: npt.ArrayLike) -> Interval | None:
    r"""The AUC of a logistic regression that tells targets from sources, in 5 folds that split no user.

    Vectors are standardised and the regression (L2, C = 1) is fitted on the users of four folds; the AUC is that of
    the fifth, and their mean is given, as by scikit-learn's `cross_val_score`. Its interval is that of Obuchowski
    (1997, *Biometrics* 53) for clustered data: with V the share of the other cloud's scores that a score is on the
    right side of, pair i of fold f gets

    .. math:: A + \frac{n}{F n_f} (V_i^{source} + V_i^{target} - 2 A_f),

    whose mean is A, the mean AUC, and the clustered interval of that mean is taken. It is the interval of
    these five probes: that others would have been fitted to other users is not in it.

    Args:
        source: n vectors, shape (n, d).
        target: n vectors, each the target of the source in its row.
        users: n labels.

    Returns:
        The AUC, 0–1, 0.5 by chance; None with fewer than five users.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    labels = np.asarray(users)
    if len(np.unique(labels)) < FOLDS:
        return None
    n = len(source)
    values = np.empty(n)
    areas = []
    for fitted, held in GroupKFold(FOLDS).split(source, groups=labels):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        model.fit(np.vstack([source[fitted], target[fitted]]), np.repeat([0, 1], len(fitted)))
        low, high = model.decision_function(source[held]), model.decision_function(target[held])
        below, above = _right_side(low, high), _right_side(-high, -low)
        area = float(above.mean())
        values[held] = (below + above - 2 * area) * n / (FOLDS * len(held))
        areas.append(area)
    return cluster_mean(values + np.mean(areas), labels, bounds=(0, 1))


def _right_side(scores: Numbers, others: Numbers) -> Numbers:
    """The share of the others that are larger than each score, a tie counting half."""
    ranked = np.sort(others)
    not_larger, smaller = (np.searchsorted(ranked, scores, side=side) for side in ("right", "left"))
    share: Numbers = 1 - (not_larger + smaller) / 2 / len(others)
    return share
