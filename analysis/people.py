"""The report's section on human ratings."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from thoughttrace.analysis.human import (
    HUMAN_NOTE,
    confusion,
    confusion_rows,
    human,
    human_rows,
    labels,
    left_out,
)
from thoughttrace.analysis.read.human_ratings import read_ratings
from thoughttrace.analysis.runs import Run, Runs
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.stats.ppi import labels_needed
from thoughttrace.analysis.tables import Rows
from thoughttrace.core.errors import UserError

_RUN = ["kind", "model", "context", "judge"]
HALF_WIDTHS = (0.2, 0.15, 0.1, 0.05)
"""Of the corrected mean's interval, for which the ratings needed are told."""


def human_sections(runs: Runs, files: Sequence[Path]) -> list[Section]:
    """What people's ratings say of the runs: the corrected mean, agreement with the judge, and confusion matrices.

    Args:
        runs: Models and controls; ratings of inferences that are in none of them are named in `left_out`.
        files: What `thoughttrace rate` wrote; none gives no section.

    Raises:
        UserError: A file cannot be read, or none of its ratings is of an inference in these runs.
    """
    if not files:
        return []
    ratings = read_ratings(files)
    joined = labels(runs.counted, ratings)
    runs.left_out += left_out(ratings, joined)
    table, counts = human(runs.counted, joined), confusion(joined)
    wanted = needed(runs.counted, joined)
    return [
        Section("human", "People and judge", table, human_rows(table), HUMAN_NOTE),
        Section("needed", "Human ratings that a half-width needs", wanted, _needed_rows(wanted),
            "Samples that people have to rate, those rated already among them, for the corrected mean's 95 % interval "
            "to reach as far to each side; from these ratings as a pilot."),
        Section("confusion", "How the judge rated what people rated", counts, confusion_rows(counts), ""),
    ]  # fmt: skip


def needed(runs: Sequence[Run], joined: pd.DataFrame) -> pd.DataFrame:
    """Say how many samples people have to rate for the corrected mean to be as sure as wanted.

    Args:
        runs: The runs that were joined.
        joined: What `labels` returns.

    Returns:
        One row per run with human ratings and half-width: `kind`, `model`, `context`, `judge`, `half_width`,
        `samples` (to rate; NA where it cannot be reached or told), `note` (why).
    """
    rows = []
    for place, run in enumerate(runs):
        own = joined[joined["run"] == place]
        scored = run.scored
        people = own.groupby("id")["human"].mean().reindex(scored.index)
        for half_width in HALF_WIDTHS if len(own) else ():
            row: dict[str, object] = {name: getattr(run, name) for name in _RUN} | {"half_width": half_width}
            try:
                row |= {"samples": labels_needed(scored["agreement"], people, scored["user"], half_width), "note": ""}
            except UserError as error:
                row |= {"samples": None, "note": str(error)}
            rows.append(row)
    return pd.DataFrame(rows).astype({"samples": "Int64"}) if rows else pd.DataFrame()


def _needed_rows(table: pd.DataFrame) -> Rows:
    rows = []
    for (kind, model, context, judge), own in table.groupby(_RUN, sort=False):
        counts = {
            f"± {row['half_width']:g}": f"{row['samples']:,}" if pd.notna(row["samples"]) else "—"
            for _, row in own.iterrows()
        }
        why = next(iter(own.loc[own["samples"].isna(), "note"]), "")
        rows.append({"Kind": kind, "Model": model, "Context": context, "Judge": judge} | counts | {"Where not": why})
    return rows
