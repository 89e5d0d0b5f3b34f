"""What thoughts add to the prediction of the next message: paired differences, and how much of it guesses recover."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.comparison import holm
from thoughttrace.analysis.messages.cells import cells, settings
from thoughttrace.analysis.messages.logs import SETTING, Predicted
from thoughttrace.analysis.stats.intervals import paired_difference, ratio_of_means

ALL, BEFORE = "all", "written before"
"""Over which messages: all; those before which no thought shown was written after the message itself."""

_OWN = ("reasons", "reactions", "both")
_ORDER = ("none", *_OWN, "shuffled")
_NO_SHARE = "what the user's own thoughts add cannot be told from 0: no share can be told"
_NO_RATIO = "the mean without them cannot be told from 0: no ratio can be told"


def gains(runs: Sequence[Predicted]) -> pd.DataFrame:
    """What each arm adds to the history alone, and the user's thoughts to other users' and to inferred ones.

    Args:
        runs: Runs.

    Returns:
        One row per setting, model, pair of arms and choice of messages; only runs with the same judge, rubric, prompt,
        data and selection are paired. `model` and `judge`; or `pooled` (how many models; else 0), then a sample's
        value is the mean over these models, each within its own judges, and all have rated it in both arms. `arm`,
        `against`, `subset` (`ALL` or `BEFORE`), `n`, `users`, `mean_arm`, `mean_against`, `gain` with 95 % limits
        `lower` and `upper` (clipped to ±100), `p_value`, `p_holm` (Holm over the rows of a setting and subset; pooled
        rows apart), `relative` (ratio of the means − 1) with Fieller's limits `relative_lower` and `relative_upper`,
        `cosine_gain` (NaN where not scored), `note`, and `SETTING`.
    """
    rows = [
        row | cell
        for setting, own in settings(runs)
        for arm, against in _pairs(own)
        for cell, frames in cells(own, (arm, against))
        for subset in ((ALL, BEFORE) if arm in _OWN and against == "none" else (ALL,))
        if (row := {"arm": arm, "against": against} | _gain(frames, subset) | setting)["n"]
    ]
    table = pd.DataFrame(rows)
    if len(table):
        family = [table["pooled"] > 0, table["subset"], *(table[name] for name in SETTING)]
        table["p_holm"] = table.groupby(family)["p_value"].transform(holm)
        # A model's rows stand together, those over models last.
        table = table.sort_values([*SETTING, "pooled", "model", "judge"], kind="stable", ignore_index=True)
    return table


def shares(runs: Sequence[Predicted]) -> pd.DataFrame:
    """How much of what the user's own thoughts add a model's inferences recover.

    Args:
        runs: Runs.

    Returns:
        One row per setting and model (and pooled, as in `gains`) with inferences: `arm`, `truth` (the arm of the
        thoughts in whose place they stand), `n`, `users` (rated in all three arms), `mean_none`, `mean_inferred`,
        `mean_truth`, `share` ((inferred − none) / (truth − none), a ratio of means) with Fieller's 95 % limits `lower`
        and `upper` from the CR2 covariance by user (not clipped: guesses may help more, or harm), `note`, `SETTING`.
    """
    return pd.DataFrame(
        [
            {"arm": arm, "truth": truth} | _share(*frames) | cell | setting
            for setting, own in settings(runs)
            for arm, truth in _stand_ins(own).items()
            for cell, frames in cells(own, ("none", arm, truth))
            if len(frames[0])
        ]
    )


def unpaired(runs: Sequence[Predicted]) -> list[str]:
    """One sentence for every run that nothing can be compared with, though there are runs of other arms."""
    said = []
    for run in runs:
        header = run.header
        others = [one for one in runs if one.header["model"] == header["model"] and one.header["arm"] != header["arm"]]
        if others and not any(_same(run, one) for one in others):
            said.append(
                f"{header['log']} ({header['model']}, {header['arm']}) is compared with no other: judge, rubric, "
                "prompt, data or choice of messages differ."
            )
    return said


def _same(a: Predicted, b: Predicted) -> bool:
    return (a.setting, a.header["judge"]) == (b.setting, b.header["judge"])


def _stand_ins(runs: Sequence[Predicted]) -> dict[str, str]:
    """The arms of inferences, and the arms of the thoughts in whose place they stand."""
    return {run.header["arm"]: run.header["stands_for"] for run in runs if run.header["stands_for"]}


def _pairs(runs: Sequence[Predicted]) -> list[tuple[str, str]]:
    arms = sorted({run.header["arm"] for run in runs}, key=lambda arm: (rank(arm), arm))
    guesses = [(truth, arm) for arm, truth in _stand_ins(runs).items()]
    return [*((arm, "none") for arm in arms if arm != "none"), ("both", "shuffled"), *guesses]


def rank(arm: str) -> int:
    """The place of an arm among all, as they are shown."""
    return _ORDER.index(arm) if arm in _ORDER else len(_ORDER)


def _gain(frames: Sequence[pd.DataFrame], subset: str) -> dict[str, Any]:
    arm, against = frames
    if subset == BEFORE:
        kept = arm["hindsight"] == False  # noqa: E712 - None is not known
        arm, against = arm[kept], against[kept]
    if arm.empty:
        return {"n": 0}
    x, y, users = arm["rating"].to_numpy(), against["rating"].to_numpy(), arm["user"].to_numpy()
    found, ratio = paired_difference(x, y, users), ratio_of_means(x, y, users)
    return {
        "subset": subset,
        "n": found.n,
        "users": found.clusters,
        "mean_arm": x.mean(),
        "mean_against": y.mean(),
        "gain": found.estimate,
        "lower": float(np.clip(found.lower, -100, 100)),
        "upper": float(np.clip(found.upper, -100, 100)),
        "p_value": found.p_value,
        "relative": ratio.estimate - 1,
        "relative_lower": ratio.lower - 1,
        "relative_upper": ratio.upper - 1,
        "relative_note": "" if not ratio.reason else ratio.reason if ratio.clusters < 2 else _NO_RATIO,
        "cosine_gain": (arm["cosine"] - against["cosine"]).mean(),
        "note": found.reason or "",
    }


def _share(none: pd.DataFrame, guessed: pd.DataFrame, told: pd.DataFrame) -> dict[str, Any]:
    base = none["rating"].to_numpy()
    found = ratio_of_means(guessed["rating"] - base, told["rating"] - base, none["user"])
    unclear = bool(found.reason) and found.clusters > 1
    return {
        "n": found.n,
        "users": found.clusters,
        "mean_none": base.mean(),
        "mean_inferred": guessed["rating"].mean(),
        "mean_truth": told["rating"].mean(),
        "share": np.nan if unclear else found.estimate,
        "lower": found.lower,
        "upper": found.upper,
        "note": _NO_SHARE if unclear else found.reason or "",
    }
