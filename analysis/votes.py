"""What judges say of the same inferences: every vote of every judge, gathered from all runs."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.core.model_names import family


def votes(runs: Sequence[Run]) -> pd.DataFrame:
    """Gather the votes.

    Args:
        runs: Runs of models and controls.

    Returns:
        One row per vote: `kind`, `model`, `context`, `unit` (the inference: model, context, prompt, sample, epoch),
        `id`, `user`, `judge`, `repeat` (0 …), `rating` (1–5; a vote that was no verdict is left out), `own_family`
        (of judge and evaluated model).
    """
    rows = []
    for run in runs:
        what = f"{run.model}|{run.context}|{run.prompt_hash}|{run.date}"
        known = run.rows[run.rows["ratings"].notna()]
        for sample, epoch, user, rated in known[["id", "epoch", "user", "ratings"]].itertuples(index=False):
            for judge, ratings in json.loads(rated).items():
                for repeat, rating in enumerate(ratings):
                    if rating is not None:
                        rows.append((run.kind, run.model, run.context, f"{what}|{sample}|{epoch}", sample, user, judge,
                                     repeat, float(rating)))  # fmt: skip
    columns = ["kind", "model", "context", "unit", "id", "user", "judge", "repeat", "rating"]
    table = pd.DataFrame(rows, columns=columns).drop_duplicates(["unit", "judge", "repeat"])
    families = {name: family(name) for name in {*table["judge"], *table["model"]}}
    return table.assign(own_family=table["judge"].map(families) == table["model"].map(families))


def by_judge(table: pd.DataFrame) -> pd.DataFrame:
    """Inferences as rows, judges as columns, each the mean of its votes; NaN where a judge did not vote.

    Args:
        table: Votes of one kind.
    """
    return table.pivot_table(index="unit", columns="judge", values="rating", aggfunc="mean")


def repeated(table: pd.DataFrame) -> pd.DataFrame:
    """How much each judge differs from itself on the same inference.

    Args:
        table: Votes.

    Returns:
        Per kind and judge that voted more than once on an inference: `kind`, `judge`, `inferences`, `repeats` (mean),
        `sd_within` (pooled standard deviation of its votes on one inference), `share` (of the variance of its
        mean over all inferences, clustered by user, that its own noise explains), and `advice`.
    """
    rows = []
    for (kind, judge), own in table.groupby(["kind", "judge"], sort=False):
        units = own.groupby("unit")["rating"]
        counts = units.size()
        several = counts[counts > 1].index
        if not len(several):
            continue
        freedom = float((counts[several] - 1).sum())
        variance = float((units.var(ddof=1)[several] * (counts[several] - 1)).sum() / freedom)
        means = units.mean()
        error = _error(means.to_numpy(), own.drop_duplicates("unit").set_index("unit").loc[means.index, "user"])
        noise = variance * float((1 / counts).mean()) / len(counts)
        share = noise / error**2 if error > 0 else np.nan
        rows.append({
            "kind": kind, "judge": judge, "inferences": len(several), "repeats": float(counts.mean()),
            "sd_within": variance**0.5, "share": min(1.0, share), "advice": _advice(share),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _advice(share: float) -> str:
    """Whether more votes or more samples would make the interval narrower."""
    if np.isnan(share):
        return ""
    most = 1 - (1 - min(share, 1)) ** 0.5
    better = "more repeats help" if most >= 0.1 else "more samples help, more repeats hardly"
    return f"without any judge noise the interval would be {most:.0%} narrower: {better}"


def _error(values: np.ndarray, users: pd.Series) -> float:
    return cluster_mean(values, users.to_numpy()).standard_error
