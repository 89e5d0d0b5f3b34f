"""Give any estimate over users an interval from what it would be without each of them."""

import numpy as np
import numpy.typing as npt

from thoughttrace.analysis.stats.intervals import ONE_USER, Interval, bell_mccaffrey_df, t_interval

ONE_DECIDES = "undefined without one of the users: no interval"


def jackknife(
    estimate: float,
    without: npt.ArrayLike,
    sizes: npt.ArrayLike,
    n: int,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    r"""Build the 95 % interval of an estimate from its values without each of the G users.

    .. math:: V = \frac{G - 1}{G} \sum_g (\hat\theta_{(g)} - \bar\theta)^2

    (Efron & Stein 1981, *Annals of Statistics* 9), with the t quantile at the degrees of freedom of a mean over the
    same users (`bell_mccaffrey_df`). Of a mean of users of one size it is the interval of `cluster_mean`.

    Args:
        estimate: Of all users.
        without: G estimates, each without one of the users; NaN where it has none.
        sizes: Samples of each user.
        n: Number of samples.
        bounds: The ends of the scale, between which the limits are set on the logit (`logit_limits`); from −1 to 1
            that is Fisher's z.

    Returns:
        The interval. Without limits with one user, where there is no estimate without one of the users, and where
        it is the same without any of them; `reason` says so.
    """
    values = np.asarray(without, dtype=float)
    users = len(values)
    if users < 2 or np.isnan(values).any():
        return Interval.without_limits(ONE_USER if users < 2 else ONE_DECIDES, estimate, n, users)
    error = float(np.sqrt((users - 1) * values.var()))
    return t_interval(estimate, error, bell_mccaffrey_df(sizes), n, users, 1.0, bounds=bounds)
