"""The report's chapters on ratings of thoughts: what messages say of them, and how informative they are."""

from typing import Any

import pandas as pd

from thoughttrace.analysis.figures import ratings
from thoughttrace.analysis.headline import PUBLISHED_LABEL
from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.rated import SAID, groups, means
from thoughttrace.analysis.rated_figures import said
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import Rows, interval, percent, percents
from thoughttrace.analysis.thought_logs import thought_logs

_INTERVALS = "Intervals are clustered by user (CR2). Missing ratings have no number; the coverage counts them."


def told_chapter(runs: Runs) -> Chapter:
    """How much messages say of thoughts, from logs of `cover_thought`.

    Args:
        runs: What was found; sentences on logs that do not count are added.
    """
    name, title = "told", "What messages say of thoughts"
    intro = (
        "A model rates from 1 (nothing) to 5 (all) how much of its reason a message itself says, and how much of a "
        "reaction the user's next message says. Low ratings: thoughts are not in the messages."
    )
    found = thought_logs(runs, "cover_thought")
    if not found:
        return Chapter(name, title, intro, [])
    table, grouped = means(found), groups(found)
    note = (
        f"{_INTERVALS} Published: 3.22 for reasons and 2.00 for reactions are reported second-hand of Jin et al. 2026 "
        "(arXiv:2605.20087), rated by GPT-5.4 with a prompt that is not public, without an interval. They stand here "
        "for orientation; they are not the same measurement."
    )
    return Chapter(name, title, intro, [
        Section("told_means", "How much is said", table, _said_rows(table), note, said(table)),
        Section("told_ratings", "How the ratings are spread", table, _spread_rows(table),
                "Share of all valid ratings, in per cent.", ratings(table)),
        Section("told_groups", "What is said, by type, stage and length of the thought", grouped, _group_rows(grouped),
                f"{_INTERVALS} Stage: where in the conversation the annotated message stands. Length: words of the "
                "thought; a long thought has more that a message can leave out."),
    ])  # fmt: skip


def informative_chapter(runs: Runs) -> Chapter:
    """How informative thoughts are, from logs of `rate_thought`.

    Args:
        runs: What was found; sentences on logs that do not count are added.
    """
    name, title = "informative", "How informative thoughts are"
    intro = (
        "A model rates from 1 (empty) to 5 (specific and telling) what a thought tells that the message it is on does "
        "not. The paper is reported to predict next messages only from thoughts rated 4 or 5; its prompt is not public."
    )
    found = thought_logs(runs, "rate_thought")
    if not found:
        return Chapter(name, title, intro, [])
    table, grouped = means(found), groups(found)
    return Chapter(name, title, intro, [
        Section("informative_means", "How informative", table, _informative_rows(table), _INTERVALS, ratings(table)),
        Section("informative_groups", "How informative, by type, stage and length", grouped,
                _group_rows(grouped, high=True), f"{_INTERVALS} Length: words of the thought."),
    ])  # fmt: skip


def _said_rows(table: pd.DataFrame) -> Rows:
    """The means, what is published last of each kind."""
    rows: Rows = []
    for kind, value in SAID.items():
        own = [_mean_row(row) for row in table[table["kind"] == kind].to_dict("records")]
        if own:
            told = {"Kind": kind, "Rater": PUBLISHED_LABEL, "Mean": f"{value:.2f}", "95 % interval": "not published"}
            rows += [*own, dict.fromkeys(own[0], "") | told]
    return rows


def _informative_rows(table: pd.DataFrame) -> Rows:
    return [
        _mean_row(row)
        | {
            "4 or 5": percent(row["high"]) if row["n"] else "",
            "4 or 5, 95 %": percents(row["high_lower"], row["high_upper"], row["high_note"]),
            "Rated 1·2·3·4·5": _counts(row),
        }
        for row in table.to_dict("records")
    ]


def _mean_row(row: dict[Any, Any]) -> dict[str, str]:
    return {
        "Kind": row["kind"],
        "Rater": row["model"],
        "Mean": f"{row['mean']:.2f}" if row["n"] else "none rated",
        "95 % interval": interval(row["lower"], row["upper"], row["note"]),
        "n": f"{row['n']:,}",
        "Users": f"{row['users']:,}",
        "Coverage": percent(row["coverage"]),
        "Missing": row["missing"],
        "Prompt": row["prompt_hash"],
        "Data, revision": f"{row['data']}, {row['data_revision']}",
    }


def _spread_rows(table: pd.DataFrame) -> Rows:
    return [
        {"Kind": row["kind"], "Rater": row["model"], "Rated 1·2·3·4·5": _counts(row)}
        | {f"{rating}, %": f"{100 * row[f'rated_{rating}'] / max(row['n'], 1):.1f}" for rating in range(1, 6)}
        for row in table.to_dict("records")
    ]


def _counts(row: dict[Any, Any]) -> str:
    return "·".join(str(row[f"rated_{rating}"]) for rating in range(1, 6))


def _group_rows(table: pd.DataFrame, high: bool = False) -> Rows:
    rows = []
    for row in table.to_dict("records"):
        share = {"4 or 5": percent(row["high"]) if pd.notna(row["high"]) else ""} if high else {}
        rows.append(
            {
                "Kind": row["kind"],
                "Rater": row["model"],
                "By": "words of the thought" if row["by"] == "target length" else row["by"],
                "Group": row["group"].replace("_", " "),
                "Mean": f"{row['mean']:.2f}" if pd.notna(row["mean"]) else "",
                "95 % interval": interval(row["lower"], row["upper"], row["note"]),
                **share,
                "n": f"{row['n']:,}",
                "Users": f"{row['users']:,}",
            }
        )
    return rows
