"""The same estimate for groups of samples: by type, stage, assistant model, and what else is known of them."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from thoughttrace.analysis.headline import estimate
from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.stats.groups import MIN_SAMPLES as MIN_SAMPLES  # noqa: PLC0414
from thoughttrace.analysis.stats.groups import MIN_USERS as MIN_USERS  # noqa: PLC0414
from thoughttrace.analysis.stats.groups import STAGE_RULE as STAGE_RULE  # noqa: PLC0414
from thoughttrace.analysis.stats.groups import STAGES as STAGES  # noqa: PLC0414
from thoughttrace.analysis.stats.groups import bands
from thoughttrace.analysis.stats.groups import stage as stage  # noqa: PLC0414
from thoughttrace.analysis.stats.intervals import Numbers
from thoughttrace.core.record import TYPES

_WORDS = (1, 6, 11, 21, 41)
_AGES = (10, 18, 25, 35, 45, 55)


def breakdown(runs: Sequence[Run]) -> pd.DataFrame:
    """Estimate the mean agreement of every group of samples.

    Args:
        runs: Finished runs.

    Returns:
        One row per run, grouping and group: `model`, `kind`, `context`, `judge`, `by` (the grouping), `group`, `order`
        (of the group within the grouping), `n` (scored), `users`, `samples`, `coverage`, `mean`, `lower`, `upper`
        (95 %, CR2 by user, clipped to 1–5), `note`. A message with thoughts of several types counts in each of
        them. Groups under the minimum have no estimate and say so in `note`.
    """
    rows: list[dict[str, object]] = []
    for run in runs:
        samples = run.samples.reset_index(drop=True)
        for by, group in GROUPINGS.items():
            labels = group(samples).explode()
            if by == "type":
                unknown = sorted(set(labels) - set(TYPES[run.kind]))
                labels = labels.astype(pd.CategoricalDtype([*TYPES[run.kind], *unknown]))
            rows += grouped(run, samples, by, labels)
        rows += grouped(run, samples, "context", pd.Series(run.context, index=samples.index))
    return pd.DataFrame(rows)


def grouped(run: Run, samples: pd.DataFrame, by: str, labels: pd.Series) -> list[dict[str, object]]:
    """Estimate the mean agreement of the groups of one grouping.

    Args:
        run: A finished run.
        samples: Its samples, numbered from 0.
        by: What they are grouped by.
        labels: The group of samples by their numbers; a sample may be in several, or in none.

    Returns:
        The rows of `breakdown`, in the order of the labels.
    """
    named = {"model": run.model, "kind": run.kind, "context": run.context, "judge": run.judge}
    values, users = samples["agreement"].to_numpy(), pd.factorize(samples["user"])[0]
    members = labels.groupby(labels, sort=True, observed=True).groups
    return [
        named | {"by": by, "group": str(name), "order": order} | _row(values[own], users[own])
        for order, (name, own) in enumerate(members.items())
    ]


def _row(values: Numbers, users: npt.NDArray[np.intp]) -> dict[str, object]:
    scored = ~np.isnan(values)
    found = estimate(values[scored], users[scored])
    if scored.sum() < MIN_SAMPLES or len(set(users[scored])) < MIN_USERS:
        note = f"too small: under {MIN_SAMPLES} scored samples or {MIN_USERS} users"
        found |= {"mean": np.nan, "lower": np.nan, "upper": np.nan, "note": note}
    return found | {"samples": len(values), "coverage": scored.mean()}


def _told(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Group by a column as it is, missing values apart."""

    def group(samples: pd.DataFrame) -> pd.Series:
        values = samples[column]
        text = values.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value).strip())
        return text.mask(values.isna() | text.isin(["", "None"]), "not told")

    return group


GROUPINGS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "type": lambda samples: samples["type"].str.split(" + ", regex=False),
    "stage": lambda samples: stage(samples["position"]),
    "turn": lambda samples: bands((1, 2, 3, 4, 5, 9), "of the conversation")(samples["message_index"] // 2 + 1),
    "assistant model": _told("assistant_model"),
    "hindsight": lambda samples: (
        samples["hindsight"].map({True: "written after the next message", False: "before"}).fillna("cannot be told")
    ),
    "target length": lambda samples: bands(_WORDS, "words")(samples["target_words"]),
    "age": lambda samples: bands(_AGES, "years")(samples["age"]).cat.add_categories("not told").fillna("not told"),
    "gender": _told("gender"),
    "education": _told("education"),
    "AI use, 1 to 5": _told("frequency"),
}
"""How samples are grouped: a name, and the group (or groups) of each sample. Occupation and purposes, free text
that hardly repeats, are not among them."""
