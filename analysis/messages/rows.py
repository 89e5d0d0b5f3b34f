"""The tables on the next message as people read them."""

from typing import Any

import pandas as pd

from thoughttrace.analysis.headline import PUBLISHED_LABEL
from thoughttrace.analysis.messages.means import PUBLISHED
from thoughttrace.analysis.tables import Rows, dollars, p_value, percent, percents

_UNPUBLISHED = "not published"


def mean_rows(table: pd.DataFrame) -> Rows:
    """The means, the published ones last and marked as such.

    Args:
        table: What `means` returns.
    """
    rows = [
        {
            "Model": row["model"] + " (judges itself)" * row["self_judged"],
            "Thoughts": row["arm"],
            "Similarity, 0–100": f"{row['mean']:.1f}" if row["n"] else "none scored",
            "95 % interval": _limits(row["lower"], row["upper"], row["note"]),
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Coverage": percent(row["coverage"]),
            "Missing": row["missing"],
            "Refused or empty": f"{row['refused_or_empty']:,}",
            "Cosine": f"{row['cosine']:.2f}" if pd.notna(row["cosine"]) else "",
            "Words of thoughts": f"{row['note_words']:.0f}",
            "Not inferred": f"{row['not_inferred']:,}" if row["arm"].startswith("inferred") else "",
            "Tokens in / out": f"{row['input_tokens']:,.0f} / {row['output_tokens']:,.0f}",
            "Judge's tokens": f"{row['judge_input_tokens']:,.0f} / {row['judge_output_tokens']:,.0f}",
            "Cost": dollars(row["cost"]),
            "Judge's cost": dollars(row["judge_cost"]),
            "Judge": row["judge"],
            **_setting(table, row),
        }
        for row in table.to_dict("records")
    ]
    return rows + [
        _published(rows, model, arm, {"Similarity, 0–100": f"{value:.1f}", "95 % interval": _UNPUBLISHED})
        for model, told in PUBLISHED.items()
        for arm, value in told.items()
    ]


def gain_rows(table: pd.DataFrame) -> Rows:
    """The gains; below them, where there are any over the history alone, the published ones.

    Args:
        table: What `gains` returns.
    """
    rows = [
        {
            "Model": row["model"],
            "Thoughts": row["arm"],
            "Against": row["against"],
            "Messages": row["subset"],
            "Gain": _signed(row["gain"]),
            "95 % interval": _limits(row["lower"], row["upper"], row["note"]),
            "p (Holm)": p_value(row["p_holm"]),
            "Relative": _relative(row["relative"]),
            "Relative, 95 %": percents(row["relative_lower"], row["relative_upper"], row["relative_note"]),
            "With": f"{row['mean_arm']:.1f}",
            "Without": f"{row['mean_against']:.1f}",
            "Cosine gain": f"{row['cosine_gain']:+.3f}".replace("-", "−") if pd.notna(row["cosine_gain"]) else "",
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Judge": row["judge"],
            **_setting(table, row),
        }
        for row in table.to_dict("records")
    ]
    if not rows:
        return rows
    return rows + [
        _published(rows, model, "both", {
            "Against": "none",
            "Gain": _signed(told["both"] - told["none"]),
            "95 % interval": _UNPUBLISHED,
            "Relative": _relative(told["both"] / told["none"] - 1),
            "With": f"{told['both']:.1f}",
            "Without": f"{told['none']:.1f}",
        })
        for model, told in PUBLISHED.items()
    ]  # fmt: skip


def share_rows(table: pd.DataFrame) -> Rows:
    """The shares.

    Args:
        table: What `shares` returns.
    """
    return [
        {
            "Model": row["model"],
            "Thoughts": row["arm"],
            "Own": row["truth"],
            "Recovered share": f"{row['share']:.1%}".replace("%", " %").replace("-", "−")
            if pd.notna(row["share"])
            else "",
            "95 % interval": percents(row["lower"], row["upper"], row["note"]),
            "With none": f"{row['mean_none']:.1f}",
            "With inferred": f"{row['mean_inferred']:.1f}",
            "With own": f"{row['mean_truth']:.1f}",
            "n": f"{row['n']:,}",
            "Users": f"{row['users']:,}",
            "Judge": row["judge"],
            **_setting(table, row),
        }
        for row in table.to_dict("records")
    ]


def span(value: float, lower: Any, upper: Any) -> str:
    """A difference with its interval, in words."""
    return f"{_signed(value)} points, 95 % interval {_limits(lower, upper, 'none')}"


def _published(rows: Rows, model: str, arm: str, said: dict[str, str]) -> dict[str, str]:
    named = {"Model": f"{PUBLISHED_LABEL}: {model}", "Thoughts": arm, "Judge": "others"}
    return dict.fromkeys(rows[0], "") | named | said


def _setting(table: pd.DataFrame, row: dict[Any, Any]) -> dict[str, str]:
    """What runs of this report differ in, besides their models; nothing where they agree."""
    named = {"selection": "Chosen", "data_revision": "Data", "rubric_hash": "Rubric", "prompt_hash": "Prompt"}
    return {title: str(row[name]) for name, title in named.items() if table[name].nunique() > 1}


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _relative(value: float) -> str:
    return f"{value:+.1%}".replace("%", " %").replace("-", "−")


def _limits(lower: float, upper: float, note: str) -> str:
    return f"{lower:.1f} – {upper:.1f}".replace("-", "−") if pd.notna(lower) else note.partition(":")[0]
