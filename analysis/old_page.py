"""The page of the report: one file that opens from disk and loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from thoughttrace.analysis.breakdown import STAGE_RULE
from thoughttrace.analysis.comparison import LEVEL
from thoughttrace.analysis.headline import PUBLISHED_LABEL, PUBLISHED_NOTE, price_note
from thoughttrace.analysis.methods import methods
from thoughttrace.analysis.pages import Chapter, Shown, environment, inline, inlined, looks
from thoughttrace.analysis.reading import to_read
from thoughttrace.analysis.runs import Run, Runs
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import (
    Rows,
    breakdown_rows,
    comparison_rows,
    headline_rows,
    ranking_rows,
    without_empty,
)


@dataclass(frozen=True)
class Tables:
    """What a report is made of; without inference runs there are no tables of them."""

    headline: pd.DataFrame = field(default_factory=pd.DataFrame)
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranking: pd.DataFrame = field(default_factory=pd.DataFrame)
    breakdown: pd.DataFrame = field(default_factory=pd.DataFrame)
    scale: list[Section] = field(default_factory=list)
    judges: list[Section] = field(default_factory=list)
    people: list[Section] = field(default_factory=list)
    others: list[Chapter] = field(default_factory=list)
    """What the logs of the other tasks say."""


def write_page(
    runs: Runs, tables: Tables, chapters: Sequence[Shown], folder: Path, figures: Sequence[str], text: bool = True
) -> None:
    """Write `index.html`.

    Args:
        runs: The runs that count, and what was left out.
        tables: Their tables.
        chapters: What else is shown; in the report's own place where their names are those of its parts.
        folder: Where to; the figures' SVG files are in it already and go into the page.
        figures: The names of the figures on inference.
        text: Show what people and models wrote.
    """
    parts = {chapter["name"]: inlined(folder, chapter) for chapter in chapters}
    own = {name: parts.pop(name, None) for name in ("scale", "judges", "people")}
    page = (
        environment()
        .get_template("report.html")
        .render(
            **looks(),
            **_inference(runs, tables, folder, figures, text),
            **own,
            others=list(parts.values()),
            text=text,
            left_out=runs.left_out,
            self_judged=dict.fromkeys(run.model for run in runs.counted if run.self_judged),
        )
    )
    (folder / "index.html").write_text(page, encoding="utf-8", errors="replace")


def _inference(runs: Runs, tables: Tables, folder: Path, figures: Sequence[str], text: bool) -> dict[str, Any]:
    """What the page says of inferences."""
    if not runs.models:
        return {"headline": [], "comparisons": []}
    shown = without_empty(headline_rows(tables.headline))
    return {
        "headline": shown,
        "published": [number for number, row in enumerate(shown) if row["Model"] == PUBLISHED_LABEL],
        "note": f"{PUBLISHED_NOTE} {price_note(runs.models)}".strip(),
        "spread": _spread(tables.headline),
        "comparisons": without_empty(comparison_rows(tables.comparisons)),
        "clear": list((tables.comparisons["p_holm"] < LEVEL).to_numpy().nonzero()[0])
        if len(tables.comparisons)
        else [],
        "level": LEVEL,
        "ranking": without_empty(ranking_rows(tables.ranking)),
        "breakdown": breakdown_rows(tables.breakdown),
        "stage_rule": STAGE_RULE,
        "models": tables.headline["model"].nunique(),
        "figures": {name: inline(folder, name) for name in figures},
        "readings": to_read(runs.models, text),
        "methods": methods(runs),
        "runs": [_run(run) for run in runs.counted],
    }


def _spread(table: pd.DataFrame) -> Rows:
    def figure(value: float) -> str:
        return f"{value:.2f}" if pd.notna(value) else "–"

    return [
        {
            "Kind": row["kind"],
            "Model": row["model"],
            "Users": figure(row["var_users"]),
            "Samples": figure(row["var_samples"]),
            "Epochs": figure(row["var_epochs"]),
            "ICC": figure(row["icc"]),
        }
        for _, row in table.iterrows()
    ]


def _run(run: Run) -> dict[str, str]:
    return {
        "Model": run.model,
        "Kind": run.kind,
        "Started": run.date,
        "Data, revision": f"{run.data}, {run.data_revision}",
        "Context": run.context,
        "Judge": run.judge,
        "Prompt": run.prompt_hash,
        "Rubric": run.rubric_hash,
        "Task version": run.task_version,
        "Epochs": str(run.epochs),
        "ThoughtTrace": run.package_version,
        "Inspect": run.inspect_version,
        "Not scored": _missing(run),
        "Log": run.log,
    }


def _missing(run: Run) -> str:
    """Why samples of a run have no rating, with counts."""
    reasons = run.samples.loc[run.samples["agreement"].isna(), "reason"].value_counts()
    absent = run.planned - len(run.samples)
    parts = [f"{count} {reason}" for reason, count in reasons.items()]
    return ", ".join(parts + [f"{absent} failed"] * bool(absent)) or "none"
