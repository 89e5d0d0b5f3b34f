"""What the judges are like: how far they agree, how severe each is, and whether it prefers its own family."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm

from thoughttrace.analysis.headline import estimate
from thoughttrace.analysis.stats.interrater import alpha, kappa
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.analysis.votes import by_judge
from thoughttrace.core.model_names import family


def means(table: pd.DataFrame) -> pd.DataFrame:
    """The mean rating that each judge gives each model.

    Args:
        table: What `votes` returns.

    Returns:
        `kind`, `judge`, `model`, `context`, `own_family`, `mean`, `lower`, `upper` (95 %, CR2 by user), `n`
        (inferences), `users`, `note`.
    """
    rows = []
    for key, own in table.groupby(["kind", "judge", "model", "context", "own_family"], sort=False):
        units = own.groupby("unit", sort=False).agg({"rating": "mean", "user": "first"})
        named = dict(zip(("kind", "judge", "model", "context", "own_family"), key, strict=True))
        rows.append(named | estimate(units["rating"].to_numpy(), units["user"].to_numpy()))
    return pd.DataFrame(rows)


def agreements(table: pd.DataFrame) -> pd.DataFrame:
    """Krippendorff's alpha of all judges together, and quadratic kappa of every two.

    Args:
        table: What `votes` returns.

    Returns:
        `kind`, `judges`, `statistic` (`alpha, ordinal` or `kappa, quadratic`), `estimate`, `lower`, `upper` (95 %,
        seeded bootstrap of users), `n` (inferences that two or more judges rated), `users`, `note`.
    """
    rows = []
    for kind, own in table.groupby("kind", sort=False):
        wide = by_judge(own)
        users = own.drop_duplicates("unit").set_index("unit")["user"].loc[wide.index]
        if wide.shape[1] < 2:
            continue
        everyone = ", ".join(wide.columns)
        rows.append(_reliability(kind, everyone, "alpha, ordinal", alpha(wide, users)))
        for a, b in combinations(wide.columns, 2):
            both = wide[[a, b]].dropna()
            if len(both):
                found = kappa(both[a], both[b], users.loc[both.index])
                rows.append(_reliability(kind, f"{a}, {b}", "kappa, quadratic", found))
    return pd.DataFrame(rows)


def severity(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How severe each judge is, and each model's mean as the average judge would rate it.

    An additive two-way model, rating = model + judge, by least squares over all votes, with standard errors
    clustered by user (CR1, t with users − 1 degrees of freedom).

    Args:
        table: What `votes` returns.

    Returns:
        Judges: `kind`, `judge`, `severity` (points that it rates below the average judge), `lower`, `upper`, `n`.
        Models: `kind`, `model`, `context`, `adjusted`, `lower`, `upper`, `mean` (unadjusted). Both are empty where a
        kind has one judge, and leave out what no judge shares with the others.
    """
    judges: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []
    for kind, own in table.groupby("kind", sort=False):
        if own["judge"].nunique() < 2 or own["user"].nunique() < 2:
            continue
        rated = own.assign(what=own["model"] + "|" + own["context"])
        of_judge, of_model = (pd.get_dummies(rated[name], dtype=float) for name in ("judge", "what"))
        # All models, and the judges but the first, whose effect is 0.
        design = np.hstack([of_model, of_judge.iloc[:, 1:]])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            continue  # judges and models fall apart into groups that share nothing
        clusters = pd.factorize(rated["user"])[0]
        fit = sm.OLS(rated["rating"].to_numpy(), design).fit(
            cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
        )
        m, j = of_model.shape[1], of_judge.shape[1]
        effects = np.hstack([np.zeros((j, m)), np.eye(j)[:, 1:]])
        average = effects.mean(axis=0)
        for name, (value, lower, upper) in zip(of_judge, _contrasts(fit, average - effects), strict=True):
            row = {"kind": kind, "judge": name, "severity": value, "lower": lower, "upper": upper}
            judges.append(row | {"n": int(of_judge[name].sum())})
        whole = np.hstack([np.eye(m), np.zeros((m, j - 1))]) + average
        plain = rated.groupby("what")["rating"].mean()
        for name, (value, lower, upper) in zip(of_model, _contrasts(fit, whole), strict=True):
            model, _, context = str(name).rpartition("|")
            row = {"kind": kind, "model": model, "context": context, "adjusted": value, "lower": lower, "upper": upper}
            models.append(row | {"mean": plain[str(name)]})
    return pd.DataFrame(judges), pd.DataFrame(models)


def self_preference(table: pd.DataFrame) -> pd.DataFrame:
    """How much more a judge gives to its own family than the other judges do.

    On each inference, the judge's rating less the mean of the others'; on each sample, that of its own family's
    inferences less that of all others'. The mean over samples, clustered by user (CR2).

    Args:
        table: What `votes` returns.

    Returns:
        `kind`, `judge`, `family`, `preference`, `lower`, `upper`, `n` (samples), `users`, `note`.
    """
    rows = []
    for kind, own in table.groupby("kind", sort=False):
        wide = by_judge(own)
        about = own.drop_duplicates("unit").set_index("unit").loc[wide.index, ["id", "user", "model"]]
        for judge in wide.columns if wide.shape[1] > 1 else ():
            excess = wide[judge] - wide.drop(columns=judge).mean(axis=1)
            rated = about.assign(excess=excess, mine=about["model"].map(family) == family(judge)).dropna()
            sides = rated.pivot_table(index="id", columns="mine", values="excess", aggfunc="mean")
            row = {"kind": kind, "judge": judge, "family": family(judge)}
            both = sides.dropna()
            if sides.shape[1] < 2 or both.empty:
                note = "rates none of its family beside others, with another judge to compare with"
                nothing = dict.fromkeys(("preference", "lower", "upper"), np.nan)
                rows.append(row | nothing | {"n": 0, "users": 0, "note": note})
                continue
            users = rated.drop_duplicates("id").set_index("id")["user"].loc[both.index]
            found = cluster_mean(both[True] - both[False], users)
            rows.append(row | {
                "preference": found.estimate, "lower": found.lower, "upper": found.upper,
                "n": found.n, "users": found.clusters, "note": found.reason or "",
            })  # fmt: skip
    return pd.DataFrame(rows)


def _contrasts(fit: Any, contrasts: np.ndarray) -> Sequence[tuple[float, float, float]]:
    """Estimates of linear combinations of a fit's coefficients, with 95 % limits."""
    test = fit.t_test(contrasts)
    return list(zip(test.effect, *test.conf_int().T, strict=True))


def _reliability(kind: object, judges: str, statistic: str, found: Interval) -> dict[str, Any]:
    return {
        "kind": kind, "judges": judges, "statistic": statistic, "estimate": found.estimate, "lower": found.lower,
        "upper": found.upper, "n": found.n, "users": found.clusters, "note": found.reason or "",
    }  # fmt: skip
