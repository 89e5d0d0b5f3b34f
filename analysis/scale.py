"""What the scale means: where its floor and ceiling lie, and how far between them each model comes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.comparison import LEVEL, holm
from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.stats.intervals import paired_difference, ratio_of_means

FLOOR = "someone_else"
CEILINGS = ("reworded", "target")
"""The ceiling is the target in other words; where nobody reworded it, the target itself."""

MEMORY = 6
"""Words in a row that a short note and a guess hardly share by chance, however few samples tell what chance gives."""


def recovered(runs: Sequence[Run]) -> pd.DataFrame:
    """Each model's recovered share: (agreement − floor) / (ceiling − floor).

    Numerator and denominator are means over the samples that the model, the floor and the ceiling all have; the
    interval of their ratio is Fieller's, clustered by user (`ratio_of_means`).

    Args:
        runs: Models and controls. A control serves every model of the same kind, judge, rubric, task version
            and data, in whatever context: it reads no conversation.

    Returns:
        One row per model run with a floor and a ceiling: `model`, `kind`, `context`, `judge`, `agreement`, `floor`,
        `ceiling` (means on the shared samples), `ceiling_is`, `share`, `lower`, `upper`, `n`, `users`, `note`.
    """
    rows = [row for run in runs if not run.control if (row := _share(run, runs))]
    return pd.DataFrame(rows)


def against_controls(runs: Sequence[Run]) -> pd.DataFrame:
    """Every model against every control, on the samples both have.

    Args:
        runs: Models and controls.

    Returns:
        `model`, `kind`, `context`, `judge`, `control`, `mean_model`, `mean_control`, `difference` (model − control),
        `lower`, `upper`, `p_value`, `p_holm` (over all rows of a kind), `n`, `users`, `note`.
    """
    rows = [
        _against(run, control)
        for run in runs
        if not run.control
        for control in runs
        if control.control and _serves(control, run)
    ]
    table = pd.DataFrame([row for row in rows if row])
    if len(table):
        table["p_holm"] = table.groupby("kind")["p_value"].transform(holm)
    return table


def in_words(table: pd.DataFrame) -> list[str]:
    """Say which models do not beat the message itself, or somebody else's thought.

    Args:
        table: What `against_controls` returns.
    """
    named = {
        "parrot": "repeating the message",
        FLOOR: "another user's thought of the same type",
        "typical": "one typical sentence per type",
    }
    sentences: list[str] = []
    for _, row in table.iterrows() if len(table) else ():
        if row["control"] not in named:
            continue
        what = f"{named[row['control']]} ({row['control']})"
        numbers = f"{row['mean_control']:.2f} against {row['mean_model']:.2f}, p = {row['p_holm']:.3f} (Holm)"
        if row["p_holm"] < LEVEL and row["difference"] < 0:
            sentences.append(f"On {row['kind']}s, {what} beats {row['model']}: {numbers}.")
        elif not row["p_holm"] < LEVEL:
            sentences.append(f"On {row['kind']}s, {row['model']} cannot be told from {what}: {numbers}.")
    return sentences


def leaked(runs: Sequence[Run]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Inferences that repeat their target word for word more than chance does.

    The dataset is public, so a model may have read it. Chance is what `someone_else` gives: another user's words
    share a run with the target too. Flagged is a longer run than any of the control's, of `MEMORY` words or more.

    Args:
        runs: Models and controls.

    Returns:
        Per model run with a floor: `model`, `kind`, `context`, `judge`, `longest_by_chance`, `flagged`, `n`, `mean`,
        `mean_without` (the flagged). And the flagged samples: `model`, `kind`, `id`, `overlap`, `agreement`.
    """
    rows, found = [], []
    for run in runs:
        floor = next((c for c in runs if c.control == FLOOR and _serves(c, run)), None)
        if run.control or floor is None:
            continue
        chance = int(floor.rows["overlap"].max())
        flagged = run.rows[run.rows["overlap"] >= max(MEMORY, chance + 1)]
        without = run.samples[~run.samples["id"].isin(flagged["id"])]
        named = {"model": run.model, "kind": run.kind}
        rows.append(
            named
            | {"context": run.context, "judge": run.judge, "longest_by_chance": chance}
            | {"flagged": flagged["id"].nunique(), "n": len(run.samples)}
            | {"mean": run.samples["agreement"].mean(), "mean_without": without["agreement"].mean()}
        )
        found += [named | dict(row) for _, row in flagged[["id", "overlap", "agreement"]].iterrows()]
    return pd.DataFrame(rows), pd.DataFrame(found)


def _share(run: Run, runs: Sequence[Run]) -> dict[str, Any] | None:
    serving = {control.control: control for control in runs if control.control and _serves(control, run)}
    name = next((ceiling for ceiling in CEILINGS if ceiling in serving), None)
    if FLOOR not in serving or name is None:
        return None
    three = pd.concat(
        {key: which.scored["agreement"] for key, which in (("a", run), ("f", serving[FLOOR]), ("c", serving[name]))},
        axis=1,
        join="inner",
    )
    row = {"model": run.model, "kind": run.kind, "context": run.context, "judge": run.judge, "ceiling_is": name}
    if three.empty:
        return row | dict.fromkeys(("agreement", "floor", "ceiling", "share", "lower", "upper"), np.nan) | {
            "n": 0, "users": 0, "note": "no scored sample in common with floor and ceiling",
        }  # fmt: skip
    users = run.scored.loc[three.index, "user"].to_numpy()
    found = ratio_of_means(three["a"] - three["f"], three["c"] - three["f"], users, denominator_name="ceiling − floor")
    return row | {
        "agreement": three["a"].mean(),
        "floor": three["f"].mean(),
        "ceiling": three["c"].mean(),
        "share": found.estimate,
        "lower": found.lower,
        "upper": found.upper,
        "n": found.n,
        "users": found.clusters,
        "note": found.reason or "",
    }


def _against(run: Run, control: Run) -> dict[str, Any] | None:
    both = pd.concat({"a": run.scored["agreement"], "c": control.scored["agreement"]}, axis=1, join="inner")
    if both.empty:
        return None
    found = paired_difference(both["a"], both["c"], run.scored.loc[both.index, "user"].to_numpy())
    return {
        "model": run.model,
        "kind": run.kind,
        "context": run.context,
        "judge": run.judge,
        "control": control.control,
        "mean_model": both["a"].mean(),
        "mean_control": both["c"].mean(),
        "difference": found.estimate,
        "lower": found.lower,
        "upper": found.upper,
        "p_value": found.p_value,
        "n": found.n,
        "users": found.clusters,
        "note": found.reason or "",
    }


def _serves(control: Run, run: Run) -> bool:
    """Whether a control was rated as the model was: everything but what the model saw."""
    same = ("kind", "judge", "version", "rubric_hash", "data_revision")
    return all(getattr(control, name) == getattr(run, name) for name in same)
