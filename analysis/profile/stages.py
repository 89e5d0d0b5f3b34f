"""Types of thoughts over the conversation, by two rules, beside the paper's figure."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.breakdown import STAGES, stage
from thoughttrace.analysis.profile.figures import ordered
from thoughttrace.analysis.profile.shares import mean_of
from thoughttrace.core.published import published_types
from thoughttrace.core.record import TYPES

SAMPLED, NEAREST = "four of each conversation", "nearest position"
"""The rules: a conversation's thoughts read at four places; every thought at the stage it is nearest to."""

SAMPLED_LONG = f"{SAMPLED}, of those with 4 thoughts or more"

SAMPLED_RULE = (
    "The thoughts of a kind in a conversation are put in their order and read at 0, 1/3, 2/3 and all of the way "
    "through them (the nearest thought), so that every conversation with a thought of the kind counts once at each "
    "stage, and the thought at one stage flows to the thought at the next. Where there are fewer than four "
    "thoughts, one is read several times."
)


def by_nearest(thoughts: pd.DataFrame) -> pd.DataFrame:
    """Every thought at the stage nearest to its message's position.

    Args:
        thoughts: Of `Frames`.

    Returns:
        `conversation`, `user`, `kind`, `type`, `stage`.
    """
    return thoughts.assign(stage=stage(thoughts["position"]))[["conversation", "user", "kind", "type", "stage"]]


def sampled(thoughts: pd.DataFrame, least: int) -> pd.DataFrame:
    """The thoughts of each conversation and kind, read at four places of their sequence.

    Args:
        thoughts: Of `Frames`, in the order of the conversations.
        least: Conversations with fewer thoughts of a kind are left out for that kind.

    Returns:
        Four rows for each conversation and kind: `conversation`, `user`, `kind`, `type`, `stage`.
    """
    columns = ["conversation", "user", "kind", "type"]
    sequence = thoughts.sort_values(["kind", "conversation"], kind="stable", ignore_index=True)[columns]
    groups = sequence.groupby(["kind", "conversation"])
    first, size = groups.head(1).index.to_numpy(), groups.size().to_numpy()
    first, size = first[size >= least], size[size >= least]
    parts = []
    for number in range(len(STAGES)):
        # The halves go to the later thought, as in the other rule.
        place = np.floor(number / (len(STAGES) - 1) * (size - 1) + 0.5).astype(int)
        parts.append(sequence.iloc[first + place])
    at = np.repeat(STAGES, len(size))
    placed: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return placed.assign(stage=pd.Categorical(at, list(STAGES), ordered=True))


def stage_shares(placed: pd.DataFrame) -> pd.DataFrame:
    """The share of each type at each stage.

    Args:
        placed: What `by_nearest` or `sampled` returns.

    Returns:
        `kind`, `type`, `stage`, what `mean_of` returns (0 to 1), and `published` (NaN for a type the paper does not
        know).
    """
    rows = []
    for kind in TYPES:
        own = placed[placed["kind"] == kind]
        published = published_types()[kind]
        for name in ordered([*TYPES[kind], *own["type"].unique()], TYPES[kind]) if len(own) else []:
            for number, at in enumerate(STAGES):
                there = own[own["stage"] == at]
                told = published[name].stages[number] if name in published else np.nan
                named = {"kind": kind, "type": name, "stage": at}
                rows.append(named | mean_of(there["type"] == name, there["user"]) | {"published": told})
    return pd.DataFrame(rows)


def stage_fits(shares: pd.DataFrame) -> pd.DataFrame:
    """How far the shares are from the published ones.

    Args:
        shares: What `stage_shares` returns, with `rule`.

    Returns:
        `rule`, `kind`, `difference` (mean absolute, 0 to 1, over all types and stages; NaN where a stage is too small),
        `n` (thoughts over the four stages), and one column of differences per stage.
    """
    rows = []
    known = shares.dropna(subset="published")
    for (rule, kind), own in known.groupby(["rule", "kind"], sort=False):
        off = (own["mean"] - own["published"]).abs()
        stages = {str(at): off[own["stage"] == at].mean(skipna=False) for at in STAGES}
        n = int(own.drop_duplicates("stage")["n"].sum())
        rows.append({"rule": rule, "kind": kind, "difference": off.mean(skipna=False), "n": n} | stages)
    return pd.DataFrame(rows, columns=["rule", "kind", "difference", "n", *STAGES])


def flows(placed: pd.DataFrame) -> pd.DataFrame:
    """How many conversations go from a type at a stage to a type at the next.

    Args:
        placed: What `sampled` returns.

    Returns:
        `kind`, `from_stage`, `from`, `to_stage`, `to`, `count`, `share` (of those that come from the type), reasons
        first, and the most frequent first.
    """
    rows: list[dict[str, Any]] = []
    for kind in TYPES:
        own = placed[placed["kind"] == kind]
        wide = own.pivot_table(index="conversation", columns="stage", values="type", aggfunc="first", observed=True)
        for before, after in pairwise(STAGES):
            for start, those in wide.groupby(before):
                for end, count in those[after].value_counts().items():
                    places = {"from_stage": before, "from": start, "to_stage": after, "to": end}
                    rows.append({"kind": kind} | places | {"count": count, "share": count / len(those)})
    rows.sort(key=lambda row: (row["kind"], row["count"]), reverse=True)
    return pd.DataFrame(rows)
