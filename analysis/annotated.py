"""Mean agreement by what annotations say of the message, or of the conversation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from thoughttrace.analysis.breakdown import grouped
from thoughttrace.analysis.figures import groups
from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.read.annotations import COLUMNS
from thoughttrace.analysis.runs import Run
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import breakdown_rows
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS

_TITLES = {
    "relation": "By relation of the message to the ones before",
    "domains": "By domain of the conversation",
    "type": "By type as a model named it",
    "coverage": "By how much the messages say of the thought",
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


def annotated_chapter(runs: Sequence[Run], table: pd.DataFrame) -> Chapter:
    """Group runs by annotations.

    Args:
        runs: Finished runs of models.
        table: Of `read_annotations`.

    Raises:
        UserError: No sample of the runs is annotated.
    """
    sections = []
    for column, title in _TITLES.items():
        if column not in table.columns:
            continue
        rows: list[dict[str, object]] = []
        without = total = 0
        for run in runs:
            samples = run.samples.reset_index(drop=True)
            labels = _labels(samples, run, table, column)
            without, total = without + int(labels.isna().sum()), total + len(samples)
            rows += grouped(run, samples, column, _ordered(labels.dropna().explode(), column))
        if rows:
            found = pd.DataFrame(rows)
            by = ", ".join(sorted(table[f"{column}_model"].dropna().unique())) if f"{column}_model" in table else "?"
            note = f"Annotated by {by} ({COLUMNS[column]}). {_NOTES[column]} {_INTERVALS}" + (
                f" {without:,} of {total:,} samples of all runs have no such annotation and are in no group."
            ) * (without > 0)
            drawn = groups(found, column) if found["mean"].notna().any() else None
            told = breakdown_rows(found.assign(group=found["group"].str.replace("_", " ")))
            sections.append(Section(f"annotated_{column}", title, found, told, note, drawn))
    if not sections:
        raise UserError(
            "--annotations: says nothing of any sample of these logs; annotate the conversations that they are of."
        )
    return Chapter("annotated", "Agreement by annotation", "", sections)


_INTERVALS = "95 % intervals are clustered by user (CR2); the groups differ in much else, so a difference is no cause."


def _labels(samples: pd.DataFrame, run: Run, table: pd.DataFrame, column: str) -> pd.Series:
    """The annotation of each sample, a list where several apply; missing where there is none."""
    known = table.dropna(subset=[column])
    if column == "domains":
        whole = known[known["message_index"].isna()].set_index("conversation")[column]
        return samples["conversation"].map(whole).str.split("; ")
    known = known.dropna(subset=["message_index"])
    keys = zip(known["conversation"], known["message_index"].astype(int), strict=True)
    told = dict(zip(keys, known[column], strict=True))
    back = 1 if column == "relation" and run.kind == "reaction" else 0
    places = zip(samples["conversation"], samples["message_index"].astype(int) - back, strict=True)
    values = pd.Series([told.get(place) for place in places], index=samples.index, dtype=object)
    return values.str.split("; ") if column == "type" else values


def _ordered(labels: pd.Series, column: str) -> pd.Series:
    if column in {"coverage", "quality"}:
        return pd.cut(labels.astype(float), [1, 2, 3, 4, np.inf], right=False, labels=list(_BANDS))
    first = {"relation": RELATIONS, "domains": DOMAINS}.get(column, ())
    return labels.astype(pd.CategoricalDtype([*first, *sorted(set(labels) - set(first))]))
