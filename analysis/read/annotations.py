"""Labels and ratings of messages and conversations as one table, for analyses to group by."""

from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import CLASSIFY, COVER, RATE, RELATE, TOPIC, TaskSpec, place_of
from thoughttrace.datasets.sources import from_where_started
from thoughttrace.datasets.taxonomy import SUBTOPICS

TASK_OF: dict[str, TaskSpec] = {
    "relation": RELATE,
    "domains": TOPIC,
    "subtopics": TOPIC,
    "type": CLASSIFY,
    "coverage": COVER,
    "quality": RATE,
}
"""The columns of annotations, and the task whose logs give each."""

KEYS = ("conversation", "message_index", "user")

Annotation = tuple[str, Any, str, Any]
"""Conversation, message index (NA for a conversation as a whole), user, and the value, None if it was not labelled."""


def annotate(paths: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Make a table of the labels and ratings in logs.

    Args:
        paths: Log files, or folders of them; paths or fsspec URLs.

    Returns:
        One row per message, and one per conversation (`message_index` NA), with `KEYS` and, for each column of
        `TASK_OF` that there is a log for, the column and `COLUMN_model`, the model that gave it: `relation`; `domains`
        and `subtopics` (joined by "; ", on the conversation's row); `type` as the model named it, of several thoughts
        on a message joined by "; "; `coverage` (how much of a thought is expressed), the mean over the thoughts;
        `quality` (informativeness), the highest. Of several epochs the most frequent label, or the mean rating. What
        was not labelled is missing. And a sentence for every log that does not count.

    Raises:
        UserError: There is no such log, or several models, prompts or datasets give the same column.
    """
    runs = read_runs(paths, tasks=tuple(TASK_OF.values()))
    table = pd.DataFrame(columns=list(KEYS)).astype({"message_index": "Int64"})
    for column in TASK_OF:
        sources = _sources(runs, column)
        if not sources:
            continue
        rows = [(*annotation, run.model) for run in sources for annotation in _VALUES[column](run.rows)]
        values = pd.DataFrame(rows, columns=[*KEYS, column, f"{column}_model"]).astype({"message_index": "Int64"})
        values[f"{column}_model"] = values[f"{column}_model"].where(values[column].notna(), None)
        table = table.merge(values, on=list(KEYS), how="outer")
    return table.sort_values(["conversation", "message_index"], ignore_index=True), runs.left_out


def read_annotations(path: Path) -> pd.DataFrame:
    """Read what `thoughttrace annotate` wrote.

    Args:
        path: A Parquet file.

    Raises:
        UserError: It cannot be read, is no such table, holds something else than `annotate` writes, or has two rows for
            one message.
    """
    try:
        table = pd.read_parquet(from_where_started(str(path)))
    except Exception as error:  # a file that is no Parquet fails in any layer of the reader
        raise UserError(f"{path}: cannot be read as a Parquet file ({type(error).__name__}).") from error
    lacking = [name for name in KEYS[:2] if name not in table.columns]
    if lacking or not any(name in table.columns for name in TASK_OF):
        raise UserError(
            f"{path}: has no column {' and '.join(lacking) or ', '.join(TASK_OF)}. "
            "Make the file with thoughttrace annotate LOGS -o FILE.parquet."
        )
    for name in table.columns.intersection([*KEYS, *TASK_OF]):
        number = name in {"message_index", "coverage", "quality"}
        if not table[name].dropna().map(lambda value: isinstance(value, Real if number else str)).all():  # noqa: B023
            raise UserError(f"{path}: the column {name} must hold {'numbers' if number else 'text'} only.")
    try:
        table = table.astype({"message_index": "Int64"})
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: the column message_index must hold whole numbers only.") from error
    repeated = table[table.duplicated(list(KEYS[:2]))]
    if len(repeated):
        row = repeated.iloc[0]
        place = "the conversation" if row["message_index"] is pd.NA else f"message {row['message_index']} of"
        raise UserError(f"{path}: has several rows for {place} {row['conversation']}; keep one.")
    return table


def _sources(runs: Runs, column: str) -> list[Run]:
    """Choose the runs that give a column: one of each kind of thought, a model's rather than the baseline's.

    Reasons and reactions are on different messages, so each may have a source of its own.
    """
    found = runs.of(TASK_OF[column])
    sources = [run for run in found if not run.baseline] or found
    first: dict[str | None, Run] = {}
    for run in sources:
        other = first.setdefault(run.kind, run)
        if other is not run:
            raise UserError(
                f"Two logs give the column {column}: {_source(other)}, and {_source(run)}. "
                "Give annotate the logs of only one of them."
            )
    return sources


def _source(run: Run) -> str:
    context = f", context {run.context}" if run.context else ""
    return f"{run.name}{context} on {run.data} ({run.log})"


def _labels(value: Callable[[str], str]) -> Callable[[pd.DataFrame], Iterator[Annotation]]:
    """Make a function from rows of messages or conversations to their most frequent labels."""

    def values(rows: pd.DataFrame) -> Iterator[Annotation]:
        for _, epochs in rows.groupby("id", sort=False):
            label = _most_frequent(epochs)
            first = epochs.iloc[0]
            yield first["conversation"], first.get("message_index"), first["user"], value(label) if label else None

    return values


def _thoughts(
    of_thought: Callable[[pd.DataFrame], Any], of_message: Callable[[pd.Series], Any]
) -> Callable[[pd.DataFrame], Iterator[Annotation]]:
    """Make a function from rows of thoughts to a value for each message, over its thoughts that have one."""

    def values(rows: pd.DataFrame) -> Iterator[Annotation]:
        for place, thoughts in rows.groupby(rows["id"].map(place_of), sort=False):
            by_thought = pd.Series([of_thought(epochs) for _, epochs in thoughts.groupby("id", sort=True)]).dropna()
            yield *place, thoughts["user"].iloc[0], of_message(by_thought) if len(by_thought) else None

    return values


def _most_frequent(epochs: pd.DataFrame) -> str | None:
    answers = epochs.loc[epochs["answer"] != "", "answer"]
    return answers.mode().iloc[0] if len(answers) else None


def _mean_rating(epochs: pd.DataFrame) -> float:
    return float(epochs["score"].mean())


def _domains(subtopics: str) -> str:
    return "; ".join(dict.fromkeys(SUBTOPICS[name] for name in subtopics.split("; ") if name in SUBTOPICS))


_VALUES: dict[str, Callable[[pd.DataFrame], Iterator[Annotation]]] = {
    "relation": _labels(str),
    "domains": _labels(_domains),
    "subtopics": _labels(str),
    "type": _thoughts(_most_frequent, "; ".join),
    "coverage": _thoughts(_mean_rating, pd.Series.mean),
    "quality": _thoughts(_mean_rating, pd.Series.max),
}
