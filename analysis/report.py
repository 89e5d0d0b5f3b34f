"""The report: one folder with a page, the tables, and the figures."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis import figures
from thoughttrace.analysis.annotated import annotated_chapter
from thoughttrace.analysis.breakdown import breakdown
from thoughttrace.analysis.comparison import BYS, compare, ranking
from thoughttrace.analysis.drawing import save
from thoughttrace.analysis.files import write_tables
from thoughttrace.analysis.headline import PUBLISHED_NOTE, headline, price_note
from thoughttrace.analysis.others import other_chapters
from thoughttrace.analysis.old_page import Tables, write_page
from thoughttrace.analysis.pages import Chapter, copy_chapters, write_chapter
from thoughttrace.analysis.people import human_sections
from thoughttrace.analysis.read.annotations import read_annotations
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.sections import judge_sections, scale_sections
from thoughttrace.analysis.tables import (
    breakdown_rows,
    comparison_rows,
    headline_rows,
    ranking_rows,
)
from thoughttrace.core.errors import UserError


def write_report(
    runs: Runs,
    folder: Path,
    ratings: Sequence[Path] = (),
    text: bool = True,
    pages: Sequence[Path] = (),
    annotations: Path | None = None,
) -> Tables:
    """Write the report of some runs.

    Args:
        runs: The runs that count, the logs of other tasks, and what was left out.
        folder: Made if absent; files of an earlier report in it are overwritten.
        ratings: Files of human ratings of the same inferences.
        text: Show some conversations, thoughts, inferences and rationales. Without, nothing that a person or a model
            wrote is in any file, only ids, ratings and counts, and the survey's groups.
        pages: Folders that `profile` or `shift` wrote, to be shown too.
        annotations: A file that `annotate` wrote, to group agreement by.

    Returns:
        The tables.

    Raises:
        UserError: The folder cannot be written, the runs are all controls, or the annotations are of other data.
    """
    if runs.controls and not runs.models:
        raise UserError("There are only controls in these logs: add the logs of a model.")
    tables = _tables(runs, ratings, annotations)
    drawn = _drawn(tables) if runs.models else {}
    own = [
        Chapter("scale", "What the scale means", "", tables.scale),
        Chapter("judges", "Judges", "", tables.judges),
        Chapter("people", "Human ratings", "", tables.people),
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if runs.models:
            _write_inference(folder, runs, tables)
        for name, figure in drawn.items():
            save(figure, folder, name)
        chapters = [write_chapter(folder, chapter) for chapter in [*own, *tables.others] if chapter.sections]
        chapters += [chapter for page in pages for chapter in copy_chapters(page, folder)]
        write_page(runs, tables, chapters, folder, list(drawn), text)
    except OSError as error:
        raise UserError(
            f"{folder}: the report cannot be written ({error.strerror or error}); choose another folder with -o."
        ) from error
    return tables


def _tables(runs: Runs, ratings: Sequence[Path], annotations: Path | None) -> Tables:
    by_annotation = [annotated_chapter(runs.models, read_annotations(annotations))] if annotations else []
    if not runs.models:
        return Tables(judges=judge_sections(runs), others=other_chapters(runs))
    pairs = [compare(runs.models, by)[0] for by in BYS if by != "date"]
    compared = pd.concat(pairs, ignore_index=True)
    return Tables(
        headline=headline(runs.models),
        comparisons=compared,
        ranking=ranking(compared),
        breakdown=breakdown(runs.models),
        scale=scale_sections(runs),
        judges=judge_sections(runs),
        people=human_sections(runs, ratings),
        others=[*by_annotation, *other_chapters(runs)],
    )


def _drawn(tables: Tables) -> dict[str, Figure]:
    """The figures on inference, by their names."""
    controls = next((section.table for section in tables.scale if section.name == "controls"), pd.DataFrame())
    return {
        "forest": figures.forest(tables.headline, controls),
        "ratings": figures.ratings(tables.headline),
        "types": figures.groups(tables.breakdown, "type"),
        "stages": figures.stages(tables.breakdown),
    }


def _write_inference(folder: Path, runs: Runs, tables: Tables) -> None:
    note = f"{PUBLISHED_NOTE} {price_note(runs.models)}".strip()
    write_tables(folder, "headline", tables.headline, headline_rows(tables.headline), note)
    write_tables(folder, "comparisons", tables.comparisons, comparison_rows(tables.comparisons))
    write_tables(folder, "ranking", tables.ranking, ranking_rows(tables.ranking))
    write_tables(folder, "breakdown", tables.breakdown, breakdown_rows(tables.breakdown))
    tables.breakdown.to_parquet(folder / "breakdown.parquet", index=False)
