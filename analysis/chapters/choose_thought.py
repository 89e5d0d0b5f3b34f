"""Which of several notes is the user's own: how often models find it, and which other note they take for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.chapters.headline import PROVENANCE_COLUMNS, kind_of, provenance_of
from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    limits,
    name,
    number,
    p,
    share,
    short,
    spread,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import group_mean
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, paired_difference
from thoughttrace.core.record import CHOOSE, LETTERS, NO_LABEL, OPTIONS, Kind, Option

OPTION_TEXTS: dict[Option, str] = {
    "target": "the user's own note",
    "elsewhere": "the same user's, on another message",
    "other_user": "another user's, of the same type",
    "constant": "a sentence that fits nearly every message",
}
"""What tables call an option."""


@dataclass(frozen=True)
class ChoiceRow:
    """How often one run chose the user's own note."""

    kind: Kind
    model: str
    context: str
    accuracy: float
    """Share of scored replies that chose it, 0 to 1; limits CR2 by user, on the logit."""
    accuracy_lower: float
    accuracy_upper: float
    accuracy_note: str
    """Why there is no interval; else empty."""
    chance: float
    """The accuracy of choosing blindly: the mean of 1 / options over the same replies."""
    p_value: float
    """Of the paired t test (CR2 by user) of accuracy against chance; NaN where there is none."""
    n: int
    """Scored replies."""
    users: int
    samples: int
    """Planned replies."""
    coverage: float
    """n / samples."""
    chosen_a: int
    """Replies that chose the note at each letter, whatever it was."""
    chosen_b: int
    chosen_c: int
    chosen_d: int
    declined: int
    """Replies that named no letter, wrong by rule."""
    missing: str
    """How many replies have no score, by reason."""
    selection: str
    task_version: str
    data: str
    data_revision: str
    prompt_hash: str
    package_version: str
    date: str
    log: str


@dataclass(frozen=True)
class OptionRow:
    """How often one run chose one of the notes."""

    kind: Kind
    model: str
    context: str
    option: Option
    mean: float
    """Share of the scored replies to samples with this option that chose it; limits CR2 by user, on the logit."""
    lower: float
    upper: float
    n: int
    """These replies."""
    users: int
    note: str
    chance: float
    """The share that choosing blindly gives."""


_RUN_COLUMNS = [short("Kind", "kind"), name("Model", "model"), short("Context", "context")]

COLUMNS = [
    *_RUN_COLUMNS,
    share("Accuracy", lambda row: row.accuracy if row.n else "none scored"),
    limits("95 % interval", "accuracy_", percent=True),
    share("Chance", "chance"),
    p("p against chance", "p_value"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    spread("Chosen A·B·C·D", *(f"chosen_{letter.lower()}" for letter in LETTERS)),
    count("Named no letter", "declined"),
    text("Missing", "missing"),
    short("Options", "selection"),
    *PROVENANCE_COLUMNS,
]

OPTION_COLUMNS = [
    *_RUN_COLUMNS,
    name("Note", lambda row: OPTION_TEXTS[row.option]),
    number("Chosen", "mean", ".1%"),
    limits("95 % interval", percent=True),
    share("Chance", "chance"),
    count("n", "n"),
    count("Users", "users"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how often models find the user's own note."""
    runs = evidence.runs.of(CHOOSE)
    if not runs:
        return Chapter("chosen_notes", "Which note is this user's", "")
    rows, options = accuracies(runs), by_option(runs)
    return Chapter(
        "chosen_notes",
        "Which note is this user's",
        "A model reads the conversation and chooses the note that the user wrote on one message from up to four: that "
        "one, a note of the same user on another message, a note of another user of the same type, and a sentence that "
        "fits nearly every message. No judge is involved. A reply that names no letter is wrong.",
        [
            Section(
                "chosen_notes_models", "How often models choose it", rows, COLUMNS,
                "Accuracy: the share of replies that chose the user's own note; interval clustered by user (CR2). "
                "Chance: the accuracy of choosing blindly, one in as many as there are notes. All models choose from "
                "the same notes, and the own note is at each letter equally often: a model that prefers a letter shows "
                "in how often each was chosen.",
                _pictures(rows),
                terminal=True,
            ),
            Section(
                "chosen_notes_options", "What is chosen", options, OPTION_COLUMNS,
                "Of the replies to samples that have such a note, the share that chose it; interval clustered by user "
                "(CR2). Notes of the same user are mistaken for the own one by a model that knows the person but not "
                "the moment, the sentence that fits nearly everything by one that knows neither.",
            ),
        ],
    )  # fmt: skip


def accuracies(runs: Sequence[Run]) -> list[ChoiceRow]:
    """Estimate how often each run chose the user's own note.

    Args:
        runs: Runs of `choose_thought`.
    """
    return [_accuracy(run) for run in runs]


def by_option(runs: Sequence[Run]) -> list[OptionRow]:
    """Estimate how often each run chose each of the notes.

    Args:
        runs: Runs of `choose_thought`.
    """
    rows = []
    for run in runs:
        scored = _scored(run)
        for option in OPTIONS:
            offered = scored[[option in options for options in scored["options"]]]
            chosen = (offered["chosen"] == option).to_numpy()
            found = group_mean(chosen, offered["user"].to_numpy(), CHOOSE.scale, "replies")
            chance = float(offered["chance"].mean()) if len(offered) else math.nan
            rows.append(
                OptionRow(
                    kind=kind_of(run),
                    model=run.name,
                    context=run.context,
                    option=option,
                    **found.as_row("mean"),
                    chance=chance,
                )
            )
    return rows


def _scored(run: Run) -> pd.DataFrame:
    """Return the scored replies with `options` (names by letter), `chosen` (a name; empty for none) and `chance`."""
    scored = run.rows.dropna(subset="score")
    options = [names.split() for names in scored["option_names"]]
    chosen = [
        dict(zip(LETTERS, names, strict=False)).get(letter, "")
        for names, letter in zip(options, scored["answer"], strict=True)
    ]
    return scored.assign(options=options, chosen=chosen, chance=[1 / len(names) for names in options])


def _accuracy(run: Run) -> ChoiceRow:
    scored = _scored(run)
    right, users = scored["score"].to_numpy(), scored["user"].to_numpy()
    mean, p_value = Interval.without_limits("none scored"), math.nan
    if len(scored):
        mean = cluster_mean(right, users, bounds=CHOOSE.scale)
        p_value = paired_difference(right, scored["chance"].to_numpy(), users).p_value
    letters: dict[str, Any] = {f"chosen_{a.lower()}": int((scored["answer"] == a).sum()) for a in LETTERS}
    return ChoiceRow(
        kind=kind_of(run),
        model=run.name,
        context=run.context,
        **mean.as_columns("accuracy"),
        chance=float(scored["chance"].mean()) if len(scored) else math.nan,
        p_value=p_value,
        n=len(scored),
        users=scored["user"].nunique(),
        samples=run.planned_replies,
        coverage=len(scored) / run.planned_replies,
        **letters,
        declined=int(scored["reason"].isin(NO_LABEL).sum()),
        missing=run.missing,
        selection=run.selection,
        **provenance_of(run),
    )


def _pictures(rows: Sequence[ChoiceRow]) -> list[Picture]:
    """Draw the accuracies, a panel per kind."""
    points = [
        Dot(
            f"{row.model}\nshown: {row.context}", 100 * row.accuracy, 100 * row.accuracy_lower,
            100 * row.accuracy_upper, panel=f"{row.kind}s", text="" if row.n else "none scored",
        )
        for row in rows
    ]  # fmt: skip
    references = [
        Reference(100 * float(np.mean(chances)), "chance", kind="control", panel=f"{kind}s")
        for kind in dict.fromkeys(row.kind for row in rows)
        if (chances := [row.chance for row in rows if row.kind == kind and row.n])
    ]
    figure = dots(points, "replies that chose the user's own note, %, 95 % interval", references, scale=(0, 100))
    return [Picture("chosen_notes", figure, "How often the user's own note was chosen. Dotted: choosing blindly.")]
