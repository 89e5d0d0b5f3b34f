"""The stages as people read them: shares by each rule, which rule fits the published figure, and the flow."""

import numpy as np
import pandas as pd

from thoughttrace.analysis.breakdown import STAGE_RULE, STAGES
from thoughttrace.analysis.profile.shares import per_cent, whole
from thoughttrace.analysis.profile.stage_figures import alluvial, over_stages
from thoughttrace.analysis.profile.stages import (
    NEAREST,
    SAMPLED,
    SAMPLED_LONG,
    SAMPLED_RULE,
    by_nearest,
    flows,
    sampled,
    stage_fits,
    stage_shares,
)
from thoughttrace.analysis.section import Section
from thoughttrace.core.record import TYPES

_EQUAL_BARS = (
    "The bars of the paper's figure are equal in height and joined by flows, which speaks for reading each "
    "conversation at four places."
)


def stage_sections(thoughts: pd.DataFrame) -> list[Section]:
    """Types by stage, which rule comes nearest to the published figure, and the flow between stages.

    Args:
        thoughts: Of `Frames`, at least one.
    """
    placed = {NEAREST: by_nearest(thoughts), SAMPLED: sampled(thoughts, 1), SAMPLED_LONG: sampled(thoughts, 4)}
    shares = pd.concat([stage_shares(rows).assign(rule=rule) for rule, rows in placed.items()], ignore_index=True)
    kinds, rules = list(TYPES), list(placed)
    shown = shares[shares["rule"] != SAMPLED_LONG].sort_values(
        ["kind", "rule"], key=lambda names: names.map([*kinds, *rules].index), kind="stable", ignore_index=True
    )
    fits, flowing = stage_fits(shares), flows(placed[SAMPLED])
    return [
        Section("thoughts_stages", "Types by stage", shown, _stage_rows(shown),
            "Shares in per cent with 95 % intervals (CR2 by user), beside those of the paper's figure, in whole per "
            f"cent. Rule “{NEAREST}”, of thoughts: {STAGE_RULE} Rule “{SAMPLED}”: {SAMPLED_RULE} {_EQUAL_BARS}",
            over_stages(shown)),
        Section("thoughts_fit", "Which rule fits the published stages", fits, _fit_rows(fits),
            "Mean absolute difference between the shares here and those of the paper's figure, in percentage "
            "points, over types and stages; the figure is rounded to whole per cent, so about 0.25 is as near as "
            "can be. It tells the rule only on the full release: on any other data the differences are the data's."),
        Section("thoughts_flow", "Flow between stages", flowing, _flow_rows(flowing),
            f"{SAMPLED_RULE} Shown: how many conversations go from a type to a type; shares are of those that come "
            "from the type. Wider bands are more conversations.", alluvial(placed[SAMPLED])),
    ]  # fmt: skip


def _stage_rows(shares: pd.DataFrame) -> list[dict[str, str]]:
    rows = []
    for _, own in shares.groupby(["kind", "rule", "type"], sort=False):
        named = {name.capitalize(): str(own[name].iloc[0]) for name in ("kind", "type", "rule")}
        cells = {str(row["stage"]): _cell(row) for _, row in own.iterrows()}
        told = own["published"]
        published = "" if told.isna().any() else " / ".join("<1" if one < 0.01 else f"{100 * one:.0f}" for one in told)
        rows.append(named | cells | {"Published": published})
    return rows


def _cell(row: pd.Series) -> str:
    if np.isnan(row["mean"]):
        return str(row["note"]).partition(":")[0]
    reach = "" if np.isnan(row["lower"]) else f" ({100 * row['lower']:.0f}–{100 * row['upper']:.0f})"
    return f"{100 * row['mean']:.0f}{reach}"


def _fit_rows(fits: pd.DataFrame) -> list[dict[str, str]]:
    def points(share: float) -> str:
        return "too small" if np.isnan(share) else f"{100 * share:.1f}"

    return [
        {"Rule": row["rule"], "Kind": row["kind"], "Difference, points": points(row["difference"])}
        | {at: points(row[at]) for at in STAGES}
        | {"n": whole(row["n"])}
        for _, row in fits.iterrows()
    ]


def _flow_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "Kind": row["kind"],
            "Stages": f"{row['from_stage']} → {row['to_stage']}",
            "From": row["from"],
            "To": row["to"],
            "Conversations": whole(row["count"]),
            "Share": per_cent(row["share"]),
        }
        for _, row in table.iterrows()
    ]
