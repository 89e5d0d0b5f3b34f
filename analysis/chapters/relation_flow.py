"""How messages relate to the ones before over the course of conversations: by turn, by stage, and step by step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from thoughttrace.analysis.page.plots import Dot, Matrix, confusion, dots
from thoughttrace.analysis.page.table import Chapter, Column, Picture, Section, count, limits, name, number
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import STAGE_RULE, bands, group_mean, stage
from thoughttrace.core.record import RELATE
from thoughttrace.datasets.taxonomy import RELATIONS

_NAMED = RELATIONS[1:]
"""The relations that a model names; the first message's is given by definition."""

_TURNS = (2, 3, 4, 5, 9)

_INTERVALS = "95 % intervals are clustered by user (CR2)."

_MOST_PANELS = 4
"""The matrices drawn in one figure."""


@dataclass(frozen=True)
class PlaceRow:
    """The share of one relation among the messages at some turns, or at a stage."""

    model: str
    place: str
    """Turns, such as "5–8", or a stage."""
    relation: str
    count: int
    n: int
    """Labelled messages there, of all epochs."""
    users: int
    mean: float
    """The share; NaN where there are too few, and `note` says so."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    note: str


@dataclass(frozen=True)
class StepRow:
    """How often a message of one relation is followed by one of another."""

    model: str
    before: str
    """The relation of a message."""
    after: str
    """That of the user's next message."""
    count: int
    n: int
    """Messages with the first relation after which the user's next message has a label."""
    users: int
    mean: float
    """count / n; NaN where there are too few, and `note` says so."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    note: str


_SHARE = [
    count("Count", "count"),
    count("Out of", "n"),
    number("Share", "mean", ".1%"),
    limits("95 % interval", percent=True),
    count("Users", "users"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how relations change over conversations."""
    runs = evidence.runs.of(RELATE)
    turns, stages, steps = by_turn(runs), by_stage(runs), transitions(runs)
    return Chapter(
        "relation_flow",
        "How conversations go on",
        "How users' messages relate to the ones before, over the course of conversations." if turns else "",
        [
            Section(
                "relations_by_turn", "Relations by turn", turns,
                _place_columns("Turn"),
                "Shares of the labelled messages at a turn: the user's first message, second, and so on. At "
                "turn 1 every message is a first one. Later turns are those of longer conversations, so a change from "
                f"turn to turn is also one of conversations. {_INTERVALS}",
                _place_picture("relations_by_turn", turns),
            ),
            Section(
                "relations_by_stage", "Relations by stage", stages, _place_columns("Stage"),
                f"Shares of the labelled messages at a stage, without first messages. {STAGE_RULE} {_INTERVALS}",
                _place_picture("relations_by_stage", stages),
            ),
            Section(
                "relation_transitions", "From one message to the next", steps,
                [name("Labeller", "model"), name("A message that is …", lambda row: _words(row.before)),
                 name("… is followed by", lambda row: _words(row.after)), *_SHARE],
                "Of the user's messages of one relation, the share of each relation among the user's next messages "
                f"in the same conversation, where both are labelled. {_INTERVALS}",
                _steps_picture(steps),
            ),
        ],
    )  # fmt: skip


def by_turn(runs: Sequence[Run]) -> list[PlaceRow]:
    """Estimate the share of each relation at each turn after the first.

    Args:
        runs: Of `relate_messages`.
    """
    return _by_place(runs, lambda rows: bands(_TURNS, "")(_turn(rows)))


def _turn(rows: pd.DataFrame) -> pd.Series:
    """Which of the user's messages each is; in logs that do not say, as if the user wrote every other one."""
    return rows["turn"].astype(float).fillna(rows["message_index"] // 2 + 1)


def by_stage(runs: Sequence[Run]) -> list[PlaceRow]:
    """Estimate the share of each relation at each stage, of all messages but first ones.

    Args:
        runs: Of `relate_messages`.
    """
    return _by_place(runs, lambda rows: stage(rows["position"]))


def _by_place(runs: Sequence[Run], place_of: Callable[[pd.DataFrame], pd.Series]) -> list[PlaceRow]:
    rows = []
    for run in runs:
        later = run.rows[(run.rows["answer"] != "") & ~run.rows["first"].astype(bool)]
        places = place_of(later)
        for place in places.cat.categories:
            members = later[places == place]
            for relation in _NAMED if len(members) else ():
                has = (members["answer"] == relation).to_numpy()
                mean = group_mean(has, members["user"].to_numpy(), (0, 1), unit="messages").as_row("mean")
                rows.append(PlaceRow(run.name, place.strip(), relation, int(has.sum()), **mean))
    return rows


def transitions(runs: Sequence[Run]) -> list[StepRow]:
    """Estimate how often a message of each relation is followed by one of each.

    Args:
        runs: Of `relate_messages`. Of several epochs, the labels of one and the same epoch follow each other.
    """
    rows = []
    for run in runs:
        labelled = run.rows[run.rows["answer"] != ""]
        labelled = labelled.assign(turn=_turn(labelled))
        place = ["conversation", "epoch", "turn"]
        following = labelled[[*place, "answer"]].assign(turn=labelled["turn"] - 1)
        steps = labelled.merge(following, on=place, suffixes=("", "_next"))
        for relation in RELATIONS:
            members = steps[steps["answer"] == relation]
            for after in _NAMED if len(members) else ():
                has = (members["answer_next"] == after).to_numpy()
                mean = group_mean(has, members["user"].to_numpy(), (0, 1), unit="messages").as_row("mean")
                rows.append(StepRow(run.name, relation, after, int(has.sum()), **mean))
    return rows


def _words(relation: str) -> str:
    return relation.replace("_", " ")


def _place_columns(title: str) -> list[Column]:
    return [
        name("Labeller", "model"),
        name(title, "place"),
        name("Relation", lambda row: _words(row.relation)),
        *_SHARE,
    ]


def _place_picture(picture: str, rows: Sequence[PlaceRow]) -> list[Picture]:
    if all(math.isnan(row.mean) for row in rows):
        return []
    points = [
        Dot(row.place, 100 * row.mean, 100 * row.lower, 100 * row.upper, panel=row.model, series=_words(row.relation))
        for row in rows
    ]
    figure = dots(points, "share of the messages there, %", scale=(0, 100), upright=True, joined=True)
    return [Picture(picture, figure, "Relations with 95 % intervals, clustered by user.")]


def _steps_picture(rows: Sequence[StepRow]) -> list[Picture]:
    counts: dict[str, np.ndarray] = {}
    for row in rows:
        matrix = counts.setdefault(row.model, np.zeros((len(RELATIONS), len(_NAMED))))
        matrix[RELATIONS.index(row.before), _NAMED.index(row.after)] = row.count
    if not counts:
        return []
    before, after = [*map(_words, RELATIONS)], [*map(_words, _NAMED)]
    matrices = [Matrix(model, before, after, matrix.tolist()) for model, matrix in [*counts.items()][:_MOST_PANELS]]
    figure = confusion(matrices, "a message", "the user's next message")
    caption = "Counts of neighbouring messages, shaded by the share of their row."
    return [Picture("relation_transitions", figure, caption)]
