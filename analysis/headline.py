"""The headline table: for each model and kind of thought, the mean agreement and how sure it is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from thoughttrace.analysis.intervals import cluster_mean
from thoughttrace.analysis.runs import Run
from thoughttrace.datasets.conversation import Kind

SCALE = (1.0, 5.0)

PUBLISHED: dict[Kind, float] = {"reason": 2.93, "reaction": 2.54}
PUBLISHED_LABEL = "published, Jin et al. 2026"
PUBLISHED_NOTE = (
    "Published: Jin et al. 2026 (arXiv:2605.20087) report 2.93 for reasons and 2.54 for reactions, the mean of "
    "GPT-5.4, Gemini 3.1 Pro and Claude Opus 4.6, with other judges, other prompts, and no interval. They stand "
    "beside our numbers for orientation; they are not the same measurement."
)


def headline(runs: Sequence[Run]) -> pd.DataFrame:
    """Estimate the mean agreement of every run.

    Args:
        runs: Finished runs.

    Returns:
        One row per run: `model`, `kind`, `context`, `judge`, `mean` and its 95 % limits `lower` and `upper`
        (CR2, clustered by user, clipped to 1–5; NaN with fewer than two users), `n` (scored samples),
        `users`, `samples` (planned), `coverage` (n / samples), `mean_if_missing_1` and `_5` (the mean if every
        missing rating were the lowest or highest), `rated_1` … `rated_5` (counts; a panel's mean goes to the
        nearest rating, halves up), `similarity` (mean cosine; NaN where not scored), `self_judged`.
    """
    return pd.DataFrame([_row(run) for run in runs])


def _row(run: Run) -> dict[str, object]:
    scored = run.samples.dropna(subset="agreement")
    values = scored["agreement"].to_numpy()
    row: dict[str, object] = {
        "model": run.model,
        "kind": run.kind,
        "context": run.context,
        "judge": run.judge,
    }
    if len(scored):
        interval = cluster_mean(values, scored["user"].to_numpy(), bounds=SCALE)
        row |= {
            "mean": interval.estimate,
            "lower": interval.lower,
            "upper": interval.upper,
            "users": interval.clusters,
        }
    else:
        row |= {"mean": np.nan, "lower": np.nan, "upper": np.nan, "users": 0}
    missing = run.planned - len(scored)
    nearest = np.floor(values + 0.5)
    return (
        row
        | {"n": len(scored), "samples": run.planned, "coverage": len(scored) / run.planned}
        | {f"mean_if_missing_{end:.0f}": (values.sum() + missing * end) / run.planned for end in SCALE}
        | {f"rated_{rating}": int((nearest == rating).sum()) for rating in range(1, 6)}
        | {"similarity": run.samples["similarity"].mean(), "self_judged": run.self_judged}
    )
