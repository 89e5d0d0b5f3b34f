"""Labels of messages and conversations as one table, for analyses to group by."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from thoughttrace.analysis.finished import Header, Read, log_files
from thoughttrace.analysis.label_logs import label_logs
from thoughttrace.analysis.runs import Runs
from thoughttrace.analysis.thought_logs import thought_logs
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.sources import from_where_started
from thoughttrace.datasets.taxonomy import SUBTOPICS

COLUMNS = {
    "relation": "relate_messages",
    "domains": "label_topic",
    "subtopics": "label_topic",
    "type": "classify_thought",
    "coverage": "cover_thought",
    "quality": "rate_thought",
}
"""What can be known of a message or a conversation, and the task whose logs tell it."""

KEYS = ("conversation", "message_index", "user")

Cell = tuple[str, Any, str, Any]
"""Conversation, message index (NA for a conversation as a whole), user, and the value, None if it was not labelled."""


def annotations(paths: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Make a table of the labels and ratings in logs.

    Args:
        paths: Log files, or folders of them; paths or fsspec URLs.

    Returns:
        One row per message, and one per conversation (`message_index` NA), with `KEYS` and for each of `COLUMNS` that
        any log tells the column and `COLUMN_model`, the model that said so: `relation`; `domains` and `subtopics`
        (joined by "; ", on the conversation's row); `type` as the model named it, of several thoughts on a message
        joined by "; "; `coverage`, the mean of the thoughts; `quality`, the highest. Of several epochs the most
        frequent label, or the mean rating. What was not labelled is missing. And a sentence for every log that does
        not count.

    Raises:
        UserError: No log tells anything, or several models, prompts or datasets tell the same column.
    """
    files = log_files(paths)
    runs = Runs(others=dict.fromkeys(COLUMNS.values(), files))
    table = pd.DataFrame(columns=list(KEYS)).astype({"message_index": "Int64"})
    for column, task in COLUMNS.items():
        found = _READ[column](runs, task)
        # A model's labels go before those of the baseline beside it.
        found = [log for log in found if not log[0].get("baseline")] or found
        if not found:
            continue
        _require_one_source(column, found)
        rows = [(*cell, header["model"]) for header, told in found for cell in _CELLS[column](told)]
        own = pd.DataFrame(rows, columns=[*KEYS, column, f"{column}_model"]).astype({"message_index": "Int64"})
        own[f"{column}_model"] = own[f"{column}_model"].where(own[column].notna(), None)
        table = table.merge(own, on=list(KEYS), how="outer")
    if table.empty:
        tasks = ", ".join(dict.fromkeys(COLUMNS.values()))
        raise UserError(f"No finished log of {tasks} in {', '.join(paths)}: run one of these tasks first.")
    return table.sort_values(["conversation", "message_index"], ignore_index=True), runs.left_out


def read_annotations(path: Path) -> pd.DataFrame:
    """Read what `thoughttrace annotate` wrote.

    Args:
        path: A Parquet file.

    Raises:
        UserError: It cannot be read, or is no such table.
    """
    try:
        table = pd.read_parquet(from_where_started(str(path)))
    except Exception as error:  # a file that is no Parquet fails in any layer of the reader
        raise UserError(f"{path}: cannot be read as a Parquet file ({type(error).__name__}).") from error
    lacking = [name for name in KEYS[:2] if name not in table.columns]
    if lacking or not any(name in table.columns for name in COLUMNS):
        raise UserError(
            f"{path}: has no column {' and '.join(lacking) or ', '.join(COLUMNS)}; "
            "make it with thoughttrace annotate LOGS -o FILE.parquet."
        )
    return table


def _require_one_source(column: str, found: Sequence[Read]) -> None:
    """Reasons and reactions are on different messages, so each may have a source of its own."""
    kept: dict[str, Header] = {}
    for header, _ in found:
        other = kept.setdefault(str(header.get("kind")), header)
        if other is not header:
            raise UserError(
                f"Two logs tell the column {column}: {_source(other)}, and {_source(header)}; "
                "give annotate the logs of one only."
            )


def _source(header: Header) -> str:
    context = f", context {header['context']}" if header.get("context") else ""
    return f"{header['model']}{context} on {header['data']} ({header['log']})"


def _labels(answer: Callable[[str], str]) -> Callable[[pd.DataFrame], Iterator[Cell]]:
    def cells(rows: pd.DataFrame) -> Iterator[Cell]:
        for _, own in rows.groupby("id", sort=False):
            said = own.loc[own["answer"] != "", "answer"]
            first = own.iloc[0]
            value = answer(said.mode().iloc[0]) if len(said) else None
            yield first["conversation"], first["message_index"], first["user"], value

    return cells


def _thoughts(of_thought: Callable[[pd.DataFrame], Any], of_message: Callable[[pd.Series], Any]) -> Any:
    """From rows of thoughts and epochs to a value for each message, over its thoughts that have one."""

    def cells(rows: pd.DataFrame) -> Iterator[Cell]:
        for (conversation, index), own in rows.groupby(rows["id"].map(_message), sort=False):
            told = pd.Series([of_thought(one) for _, one in own.groupby("id", sort=True)]).dropna()
            yield conversation, index, own["user"].iloc[0], of_message(told) if len(told) else None

    return cells


def _message(thought: str) -> tuple[str, int]:
    conversation, message, *_ = thought.rsplit("/", 3)
    return conversation, int(message.removeprefix("m"))


def _named(rows: pd.DataFrame) -> str | None:
    said = rows.loc[rows["answer"] != "", "answer"]
    return said.mode().iloc[0] if len(said) else None


def _rated(rows: pd.DataFrame) -> float:
    return float(rows["value"].mean())


def _domains(subtopics: str) -> str:
    return "; ".join(dict.fromkeys(SUBTOPICS[name] for name in subtopics.split("; ") if name in SUBTOPICS))


_READ: dict[str, Callable[[Runs, str], list[Read]]] = {
    "relation": label_logs,
    "domains": label_logs,
    "subtopics": label_logs,
    "type": thought_logs,
    "coverage": thought_logs,
    "quality": thought_logs,
}
_CELLS: dict[str, Callable[[pd.DataFrame], Iterator[Cell]]] = {
    "relation": _labels(str),
    "domains": _labels(_domains),
    "subtopics": _labels(str),
    "type": _thoughts(_named, "; ".join),
    "coverage": _thoughts(_rated, pd.Series.mean),
    "quality": _thoughts(_rated, pd.Series.max),
}
