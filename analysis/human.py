"""What people's ratings say of a run: how far the judge agrees with them, and the mean they would have given."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.headline import SCALE
from thoughttrace.analysis.read.human_ratings import inferences
from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.stats.interrater import alpha, kappa
from thoughttrace.analysis.stats.intervals import Interval
from thoughttrace.analysis.stats.ppi import corrected_mean, tuned
from thoughttrace.analysis.tables import Rows, interval
from thoughttrace.core.errors import UserError

HUMAN_NOTE = (
    "The corrected mean is what people would have rated on average: the judge's ratings of all samples, less the bias "
    "seen where people rated too (prediction-powered inference, clustered by user). It holds where the samples that "
    "people rated are a random part of all. Alpha and kappa of human and judge take each human rating and the "
    "judge's of the same inference, a mean of several judges to the nearest; 95 % intervals by a seeded bootstrap of "
    "users."
)

_RUN = ["kind", "model", "context", "judge"]


def labels(runs: Sequence[Run], ratings: pd.DataFrame) -> pd.DataFrame:
    """Join human ratings to the runs whose inferences they are of.

    Args:
        runs: Finished runs.
        ratings: What `read_ratings` returns.

    Returns:
        One row per run, human rating and epoch it is of: `run` (its place in `runs`), `kind`, `model`, `context`,
        `judge`, `id`, `epoch`, `user`, `inference`, `rater`, `human` (1–5), `agreement` (the judge's).

    Raises:
        UserError: There are ratings, and none is of an inference in these runs.
    """
    given = ratings.rename(columns={"rating": "human"})[["kind", "id", "inference", "rater", "human"]]
    found = []
    for place, run in enumerate(runs):
        own = given[given["kind"] == run.kind].drop(columns="kind")
        if len(own):
            about = {"run": place} | {name: getattr(run, name) for name in _RUN}
            found.append(inferences(run).merge(own, on=["id", "inference"]).assign(**about))
    if not sum(map(len, found)):
        if len(given):
            raise UserError(
                f"None of the {len(given):,} human ratings is of an inference in these logs: give the logs that were "
                "rated."
            )
        return pd.DataFrame(columns=["run", *_RUN, "id", "epoch", "user", "agreement", "inference", "rater", "human"])
    return pd.concat(found, ignore_index=True).astype({"human": float})


def left_out(ratings: pd.DataFrame, joined: pd.DataFrame) -> list[str]:
    """Say how many ratings are of no inference in the runs.

    Args:
        ratings: What `read_ratings` returns.
        joined: What `labels` returns.
    """
    key = ["kind", "id", "inference", "rater"]
    missing = len(ratings) - len(joined.drop_duplicates(key))
    if not missing:
        return []
    return [f"{missing:,} of {len(ratings):,} human ratings are of inferences that are in none of these runs."]


def human(runs: Sequence[Run], joined: pd.DataFrame) -> pd.DataFrame:
    """Compare the judge of each run with people, and correct its mean by them.

    Args:
        runs: The runs that were joined.
        joined: What `labels` returns.

    Returns:
        One row per run with human ratings: `kind`, `model`, `context`, `judge`; `labels` (human ratings), `raters`,
        `rated` (samples with one); `alpha` (ordinal Krippendorff, human and judge), `kappa` (quadratic weights) and
        `alpha_humans` (of people among themselves; NaN with one rater), each with `_lower` and `_upper`;
        `judge_mean` (of all samples), `human_mean` (of those rated), `slope` (how far the judge is relied on, 0–1),
        `mean` (corrected) with `lower` and `upper`, `n` (scored samples), `users`, `note`.
    """
    return pd.DataFrame(
        [_row(run, own) for place, run in enumerate(runs) if len(own := joined[joined["run"] == place])]
    )


def confusion(joined: pd.DataFrame) -> pd.DataFrame:
    """Count how the judge rated what people rated 1, 2, 3, 4 and 5.

    Args:
        joined: What `labels` returns.

    Returns:
        Five rows per run: `kind`, `model`, `context`, `judge`, `human` (1–5), `judged_1` … `judged_5` (counts; a
        judge's mean goes to the nearest, halves up).
    """
    rows = []
    for _, own in joined.groupby("run"):
        judged = np.floor(own["agreement"] + 0.5)
        for rating in range(1, 6):
            counts = {f"judged_{n}": int(((own["human"] == rating) & (judged == n)).sum()) for n in range(1, 6)}
            rows.append(dict(own.iloc[0][_RUN]) | {"human": rating} | counts)
    return pd.DataFrame(rows)


def human_rows(table: pd.DataFrame) -> Rows:
    """The comparison with people.

    Args:
        table: What `human` returns.
    """
    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Context": row["context"],
            "Judge": row["judge"],
            "Human ratings": f"{row['labels']:,}",
            "Raters": f"{row['raters']:,}",
            "Judge's mean": f"{row['judge_mean']:.2f}",
            "Corrected mean": f"{row['mean']:.2f}",
            "95 % interval": interval(row["lower"], row["upper"], row["note"]),
            "Alpha, human–judge": _reliability(row, "alpha"),
            "Kappa, human–judge": _reliability(row, "kappa"),
            "Alpha, humans": _reliability(row, "alpha_humans"),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
        }
        for _, row in table.iterrows()
    ]


def confusion_rows(table: pd.DataFrame) -> Rows:
    """The confusion matrices.

    Args:
        table: What `confusion` returns.
    """
    return [
        {name.capitalize(): str(row[name]) for name in (*_RUN, "human")}
        | {f"Judge {n}": f"{row[f'judged_{n}']:,}" for n in range(1, 6)}
        for _, row in table.iterrows()
    ]


def _row(run: Run, own: pd.DataFrame) -> dict[str, Any]:
    scored = run.scored
    people = own.groupby("id")["human"].mean().reindex(scored.index)
    found = corrected_mean(scored["agreement"], people, scored["user"], bounds=SCALE)
    units = own.drop_duplicates(["id", "epoch"]).set_index(["id", "epoch"])["user"]
    wide = own.pivot_table(index=["id", "epoch"], columns="rater", values="human")
    return (
        {name: getattr(run, name) for name in _RUN}
        | {"labels": len(own), "raters": own["rater"].nunique(), "rated": int(people.notna().sum())}
        | _limits("alpha", alpha(own[["human", "agreement"]], own["user"]))
        | _limits("kappa", kappa(own["human"], own["agreement"], own["user"]))
        | _limits("alpha_humans", alpha(wide, units.loc[wide.index]))
        | {"judge_mean": scored["agreement"].mean(), "human_mean": people.mean()}
        | {"slope": tuned(scored["agreement"], people), "mean": found.estimate}
        | {"lower": found.lower, "upper": found.upper, "n": found.n, "users": found.clusters}
        | {"note": found.reason or ""}
    )


def _limits(name: str, found: Interval) -> dict[str, float]:
    return {name: found.estimate, f"{name}_lower": found.lower, f"{name}_upper": found.upper}


def _reliability(row: "pd.Series[Any]", name: str) -> str:
    value, lower = row[name], row[f"{name}_lower"]
    limits = f" ({interval(lower, row[f'{name}_upper'], '')})" if pd.notna(lower) else ""
    return f"{value:.2f}{limits}".replace("-", "−") if pd.notna(value) else ""
