"""How well each run predicts the next message, and what is published."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.headline import NO_ANSWER, USAGE
from thoughttrace.analysis.messages.logs import SETTING, Predicted
from thoughttrace.analysis.stats.intervals import cluster_mean

SCALE = (0.0, 100.0)
"""The ends of the similarity scale."""

PUBLISHED: dict[str, dict[str, float]] = {
    "GPT": {"none": 21.4, "both": 27.4},
    "Gemini": {"none": 22.1, "both": 28.9},
    "Opus": {"none": 21.3, "both": 35.5},
    "mean of 3 models": {"none": 21.6, "both": 30.6},
}
"""What Jin et al. 2026 report by model, with the history alone and with the user's thoughts."""


def means(runs: Sequence[Predicted]) -> pd.DataFrame:
    """The mean similarity of every run.

    Args:
        runs: Runs.

    Returns:
        One row per run: `model`, `arm`, `judge`, `self_judged`, `mean` with its 95 % limits `lower` and `upper` (CR2,
        clustered by user, clipped to 0–100; NaN where there is no interval, and then `note` says why), `n` (scored
        samples), `users`, `samples` (planned), `coverage`, `missing` (by reason), `refused_or_empty` (rated 0 by rule),
        `cosine` (mean; NaN where not scored), `note_words` (mean words of the notes shown), `not_inferred` (messages
        shown, with a thought and without an inference; sum), tokens and cost (sums), `SETTING`, `data` and `log`.
    """
    return pd.DataFrame([_mean(run) for run in runs])


def _mean(run: Predicted) -> dict[str, Any]:
    scored, planned = run.scored, run.header["planned"]
    found = cluster_mean(scored["rating"], scored["user"], bounds=SCALE) if len(scored) else None
    unrated = run.rows.loc[run.rows["rating"].isna(), "reason"].fillna("not said").value_counts()
    lost = planned - len(run.samples)
    missing = [f"{count} {reason}" for reason, count in unrated.items()] + [f"{lost} not in the log"] * (lost > 0)
    return (
        {name: run.header[name] for name in ("model", "arm", "judge", "self_judged")}
        | {
            "mean": found.estimate if found else np.nan,
            "lower": found.lower if found else np.nan,
            "upper": found.upper if found else np.nan,
            "n": len(scored),
            "users": scored["user"].nunique(),
            "note": (found.reason or "") if found else "none scored",
            "samples": planned,
            "coverage": len(scored) / planned,
            "missing": ", ".join(missing),
            "refused_or_empty": int((run.rows["reason"].isin(NO_ANSWER) & run.rows["rating"].notna()).sum()),
            "cosine": run.samples["cosine"].mean(),
            "note_words": run.samples["note_words"].mean(),
            "not_inferred": int(run.samples["not_inferred"].sum()),
        }
        | {name: run.rows[name].sum(skipna=False) for name in USAGE}
        | {name: run.header[name] for name in (*SETTING, "data", "log")}
    )
