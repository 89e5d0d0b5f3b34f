"""The headline table: for each model and kind of thought, the mean agreement and how sure it is."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.stats.intervals import Numbers, cluster_mean
from thoughttrace.analysis.stats.variance import components
from thoughttrace.core.prices import LOCAL, Prices, our_prices
from thoughttrace.core.record import Kind

SCALE = (1.0, 5.0)
"""The ends of the agreement scale."""

PUBLISHED: dict[Kind, float] = {"reason": 2.93, "reaction": 2.54}
PUBLISHED_LABEL = "published, Jin et al. 2026"
PUBLISHED_NOTE = (
    "Published: Jin et al. 2026 (arXiv:2605.20087) report 2.93 for reasons and 2.54 for reactions, the mean of "
    "GPT-5.4, Gemini 3.1 Pro and Claude Opus 4.6, with other judges, other prompts, and no interval. They stand "
    "beside our numbers for orientation; they are not the same measurement."
)

NO_ANSWER = ("refusal", "no_response")
"""The reasons of ratings that a rule gave, because the model gave no answer."""

USAGE = ("input_tokens", "output_tokens", "cost", "judge_input_tokens", "judge_output_tokens", "judge_cost")


def headline(runs: Sequence[Run]) -> pd.DataFrame:
    """Estimate the mean agreement of every run.

    Args:
        runs: Finished runs.

    Returns:
        One row per run: `model`, `kind`, `context`, `judge`, `mean` and its 95 % limits `lower` and `upper`
        (CR2, clustered by user, clipped to 1–5; NaN where there is no interval, and then `note` says why), `n`
        (scored samples), `users`, `samples` (planned), `coverage` (n / samples), `mean_if_missing_1` and `_5`
        (the mean if every missing rating were the lowest or highest), `rated_1` … `rated_5` (counts; a mean of
        several ratings goes to the nearest, halves up), `refused_or_empty` (replies that were no answer, rated 1 by
        rule), `missing` (how many replies have no rating, by reason), `similarity` (mean cosine; NaN where not scored),
        `self_judged`, `USAGE` (sums over samples; cost in US dollars, NaN where no price is known), and the
        variance between users, samples and epochs (`var_users`, `var_samples`, `var_epochs`, `icc`).
    """
    return pd.DataFrame([_row(run) for run in runs])


def _row(run: Run) -> dict[str, object]:
    scored = run.samples.dropna(subset="agreement")
    values = scored["agreement"].to_numpy()
    missing = run.planned - len(scored)
    nearest = np.floor(values + 0.5)
    return (
        {"model": run.model, "kind": run.kind, "context": run.context, "judge": run.judge}
        | estimate(values, scored["user"].to_numpy())
        | {"samples": run.planned, "coverage": len(scored) / run.planned}
        | {f"mean_if_missing_{end:.0f}": (values.sum() + missing * end) / run.planned for end in SCALE}
        | {f"rated_{rating}": int((nearest == rating).sum()) for rating in range(1, 6)}
        | _without_answer(run)
        | {"similarity": run.samples["similarity"].mean(), "self_judged": run.self_judged}
        | {name: run.rows[name].sum(skipna=False) for name in USAGE}
        | _variance(run)
    )


def estimate(values: Numbers, users: npt.NDArray[Any]) -> dict[str, object]:
    """The mean agreement of scored samples: `mean`, `lower`, `upper`, `n`, `users`, `note`.

    Args:
        values: Their agreement, none of them NaN.
        users: Whose they are.
    """
    if not len(values):
        return {"mean": np.nan, "lower": np.nan, "upper": np.nan, "n": 0, "users": 0, "note": "none scored"}
    found = cluster_mean(values, users, bounds=SCALE)
    return {
        "mean": found.estimate,
        "lower": found.lower,
        "upper": found.upper,
        "n": found.n,
        "users": found.clusters,
        "note": found.reason or "",
    }


def _without_answer(run: Run) -> dict[str, object]:
    """Replies that were no answer, and those that have no rating; of every epoch."""
    missing = run.rows["agreement"].isna()
    reasons = run.rows.loc[missing, "reason"].fillna("not said").value_counts()
    lost = run.planned - run.rows["id"].nunique()
    counts = [f"{count} {reason}" for reason, count in reasons.items()] + [f"{lost} not in the log"] * (lost > 0)
    answered = missing | ~run.rows["reason"].isin(NO_ANSWER)
    return {"refused_or_empty": int((~answered).sum()), "missing": ", ".join(counts)}


def _variance(run: Run) -> dict[str, float]:
    scored = run.rows.dropna(subset="agreement")
    if scored.empty:
        return dict.fromkeys(("var_users", "var_samples", "var_epochs", "icc"), np.nan)
    parts = components(scored["agreement"], scored["user"], scored["id"])
    return {"var_users": parts.users, "var_samples": parts.samples, "var_epochs": parts.epochs, "icc": parts.icc}


def price_note(runs: Sequence[Run], prices: Prices | None = None) -> str:
    """Say of which day the prices are, and for which models there are none.

    Args:
        runs: Runs.
        prices: What their costs were reckoned with; None for ours.
    """
    table = prices or our_prices()
    paid: dict[str, datetime.date] = {}
    for run in runs:
        for model in [run.evaluated] * (run.control in {"", "reworded"}) + run.judge.split(", "):
            if model.partition("/")[0] not in LOCAL:
                paid[model] = datetime.date.fromisoformat(run.date[:10])
    known = {model: price for model, day in paid.items() if (price := table.find(model, day))}
    days = [f"{model} of {price.date}" for model, price in sorted(known.items()) if price.date]
    without = sorted(set(paid) - set(known))
    said = f"Cost: tokens of the logs at the prices of {', '.join(days)}. " if days else ""
    return said + (f"No price is known for {', '.join(without)}." if without else "")
