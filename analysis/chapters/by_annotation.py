"""Mean agreement by what annotations say of the message, or of the conversation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from thoughttrace.analysis.chapters.breakdown import (
    COLUMNS,
    TEST_NOTE,
    GroupRow,
    group_plot,
    grouped,
    row_class,
    with_p_fdr,
)
from thoughttrace.analysis.page.table import Chapter, Picture, Section
from thoughttrace.analysis.read.annotations import TASK_OF
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS

_TITLES = {
    "relation": "By relation of the message to the ones before",
    "domains": "By domain of the conversation",
    "type": "By type as a model named it",
    "coverage": "By how much of the thought the messages express",
    "quality": "By how informative the thought is",
}
_NOTES = {
    "relation": "Of a reaction: the relation of the user's message that the reply answers.",
    "domains": "A conversation with several domains counts in each of them.",
    "type": "A message with thoughts of several types counts in each of them.",
    "coverage": "Rated from 1 (nothing) to 5 (all); of several thoughts the mean.",
    "quality": "Rated from 1 (empty) to 5 (specific and telling); of several thoughts the highest.",
}
_BANDS = ("1 to below 2", "2 to below 3", "3 to below 4", "4 to 5")


def chapter(evidence: Evidence) -> Chapter:
    """Write agreement by annotation.

    Raises:
        UserError: There are annotations, and none is of a sample of the runs.
    """
    sections = []
    annotations, runs = evidence.annotations, evidence.runs.models
    if annotations is not None and runs:
        sections = [
            section for column in _TITLES if column in annotations and (section := _section(runs, annotations, column))
        ]
        if not sections:
            raise UserError(
                "--annotations: no sample of these logs is annotated. Annotate the conversations that the logs are of."
            )
    return Chapter("by_annotation", "Agreement by annotation", "", sections)


def _section(runs: Sequence[Run], annotations: pd.DataFrame, column: str) -> Section | None:
    rows: list[GroupRow] = []
    without = total = 0
    for run in runs:
        samples = run.samples.reset_index(drop=True)
        labels = _labels(samples, run, annotations, column)
        without, total = without + int(labels.isna().sum()), total + len(samples)
        rows += grouped(run, samples, column, _ordered(labels.dropna().explode(), column))
    if not rows:
        return None
    labellers = f"{column}_model"
    by = ", ".join(sorted(annotations[labellers].dropna().unique())) if labellers in annotations else "?"
    missing = f" {without:,} of {total:,} samples of all runs have no such annotation and are in no group."
    drawn = any(not np.isnan(row.mean) for row in rows)
    return Section(
        f"by_{column}",
        _TITLES[column],
        with_p_fdr(rows),
        COLUMNS,
        f"Annotated by {by} ({TASK_OF[column].name}). {_NOTES[column]} 95 % intervals are clustered by user (CR2); the "
        f"groups differ in much else, so a difference does not show a cause. {TEST_NOTE}" + missing * (without > 0),
        [Picture(f"by_{column}", group_plot(rows, column), "Mean agreement by group.")] if drawn else [],
        row_class=row_class,
    )


def _labels(samples: pd.DataFrame, run: Run, annotations: pd.DataFrame, column: str) -> pd.Series:
    """Find the annotation of each sample, a list where several apply; missing where there is none."""
    annotated = annotations.dropna(subset=[column])
    if column == "domains":
        conversations = annotated[annotated["message_index"].isna()].set_index("conversation")[column]
        return samples["conversation"].map(conversations).str.split("; ")
    annotated = annotated.dropna(subset=["message_index"])
    places = zip(annotated["conversation"], annotated["message_index"].astype(int), strict=True)
    by_place = dict(zip(places, annotated[column], strict=True))
    back = 1 if column == "relation" and run.kind == "reaction" else 0
    wanted = zip(samples["conversation"], samples["message_index"].astype(int) - back, strict=True)
    values = pd.Series([by_place.get(place) for place in wanted], index=samples.index, dtype=object)
    return values.str.split("; ") if column == "type" else values


def _ordered(labels: pd.Series, column: str) -> pd.Series:
    if column in {"coverage", "quality"}:
        return pd.cut(labels.astype(float), [1, 2, 3, 4, np.inf], right=False, labels=list(_BANDS))
    first = {"relation": RELATIONS, "domains": DOMAINS}.get(column, ())
    return labels.astype(pd.CategoricalDtype([*first, *sorted(set(labels) - set(first))]))
