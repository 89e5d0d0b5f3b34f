"""The page of the report: one file that opens from disk and loads nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from thoughttrace.analysis.breakdown import STAGE_RULE
from thoughttrace.analysis.comparison import LEVEL
from thoughttrace.analysis.drawing import INK
from thoughttrace.analysis.headline import PUBLISHED_LABEL, PUBLISHED_NOTE, price_note
from thoughttrace.analysis.methods import methods
from thoughttrace.analysis.reading import to_read
from thoughttrace.analysis.runs import Run, Runs
from thoughttrace.analysis.sections import Section
from thoughttrace.analysis.tables import (
    NUMBERS,
    Rows,
    breakdown_rows,
    comparison_rows,
    headline_rows,
    ranking_rows,
    visible,
    without_empty,
)

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Tables:
    """What a report is made of."""

    headline: pd.DataFrame
    comparisons: pd.DataFrame
    ranking: pd.DataFrame
    breakdown: pd.DataFrame
    scale: list[Section]
    judges: list[Section]
    people: list[Section]


def write_page(runs: Runs, tables: Tables, folder: Path, figures: Sequence[str], text: bool = True) -> None:
    """Write `index.html`.

    Args:
        runs: The runs that count, and what was left out.
        tables: Their tables.
        folder: Where to; the figures' SVG files are in it already and go into the page.
        figures: Their names.
        text: Show what people and models wrote.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.globals["NUMBERS"] = NUMBERS
    shown = without_empty(headline_rows(tables.headline))
    page = environment.get_template("report.html").render(
        css=Markup((_HERE / "report.css").read_text(encoding="utf-8")),
        script=Markup((_HERE / "report.js").read_text(encoding="utf-8")),
        headline=shown,
        published=[number for number, row in enumerate(shown) if row["Model"] == PUBLISHED_LABEL],
        note=f"{PUBLISHED_NOTE} {price_note(runs.models)}".strip(),
        spread=_spread(tables.headline),
        comparisons=without_empty(comparison_rows(tables.comparisons)),
        clear=list((tables.comparisons["p_holm"] < LEVEL).to_numpy().nonzero()[0]) if len(tables.comparisons) else [],
        level=LEVEL,
        ranking=without_empty(ranking_rows(tables.ranking)),
        breakdown=breakdown_rows(tables.breakdown),
        scale=tables.scale,
        judges=tables.judges,
        people=tables.people,
        stage_rule=STAGE_RULE,
        models=tables.headline["model"].nunique(),
        figures={name: _inline(folder, name) for name in figures},
        readings=to_read(runs.models, text),
        text=text,
        methods=methods(runs),
        runs=[_run(run) for run in runs.counted],
        left_out=runs.left_out,
        self_judged=dict.fromkeys(run.model for run in runs.counted if run.self_judged),
    )
    (folder / "index.html").write_text(page, encoding="utf-8", errors="replace")


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


def _inline(folder: Path, name: str) -> Markup:
    """A figure's SVG element, in the page's own ink and with ids of its own."""
    text = (folder / f"{name}.svg").read_text(encoding="utf-8")
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{name}"', 1))


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
