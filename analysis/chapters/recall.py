"""Whether models know notes by heart: how much of a note they recall, beyond what they recall of others' notes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from thoughttrace.analysis.chapters.headline import PROVENANCE_COLUMNS, kind_of, provenance_of
from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    format_p,
    limits,
    name,
    p,
    share,
    short,
    text,
    yes,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import group_difference
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, paired_difference
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.core.record import NO_ANSWER, RECALL, Given, Kind, NoteSource

EXACT_WORDS = 5
"""Words from which a note that is recalled as a whole is counted: shorter ones are guessed."""

_DATA: NoteSource = "data"
_HALF: Given = "half"


@dataclass(frozen=True)
class RecallRow:
    """How much of the notes one run recalled."""

    kind: Kind
    model: str
    context: Given
    """What was given of a note: its `place`, or its first `half`."""
    recalled: float
    """Mean share of a note's words that the answer has in order, 0 to 1; limits CR2 by user."""
    recalled_lower: float
    recalled_upper: float
    recalled_note: str
    """Why there is no interval; else empty."""
    others: float
    """The same answers' share of other users' notes, 0 to 1."""
    difference: float
    """`recalled` less `others`."""
    invented: float
    """The same difference on invented notes, where they were asked for; else NaN."""
    memory: float
    """`difference`, less `invented` where there is one; limits CR2 by user. Above 0: a sign of memory."""
    memory_lower: float
    memory_upper: float
    memory_note: str
    p_value: float
    """Two-sided, of `memory` against 0; NaN where there is no interval."""
    remembers: bool
    """Whether the interval of `memory` is above 0."""
    exact: int
    """Notes of `EXACT_WORDS` words or more that were recalled word for word."""
    n: int
    """Scored replies on notes of the data."""
    users: int
    no_answer: int
    """Of them refused or empty: nothing recalled, by rule."""
    samples: int
    """Planned replies, those on invented notes included."""
    coverage: float
    """Scored of the planned replies."""
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
class ExactRow:
    """A note that one run recalled word for word."""

    kind: Kind
    model: str
    id: str
    words: int
    """Words of the note that were asked for."""
    recalled: str | None
    """What the model wrote; None where texts are left out of the report."""


COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Given", "context"),
    share("Recalled", lambda row: row.recalled if row.n else "none scored"),
    limits("95 % interval", "recalled_", percent=True),
    share("Of others' notes", "others"),
    share("Difference", "difference"),
    share("On invented notes", "invented", empty="–"),
    share("Sign of memory", "memory"),
    limits("Its 95 % interval", "memory_", percent=True),
    p("p", "p_value"),
    yes("Above 0", "remembers"),
    count("Word for word", "exact"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    count("Refused or empty", "no_answer"),
    text("Missing", "missing"),
    short("Other notes", "selection"),
    *PROVENANCE_COLUMNS,
]

EXACT_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    name("Note", "id"),
    count("Words", "words"),
    text("Recalled", "recalled"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write whether models know notes by heart."""
    runs = evidence.runs.of(RECALL)
    if not runs:
        return Chapter("recall", "Notes by heart", "")
    rows = recalls(runs)
    of_place = [row for row in rows if row.context != _HALF]
    adjusted = holm_by_family([row.p_value for row in of_place], [""] * len(of_place))
    without_texts = " Texts are left out of this report (--no-text)." * (not evidence.texts)
    return Chapter(
        "recall",
        "Notes by heart",
        "A model that was trained on ThoughtTrace can know notes that it should infer. It is asked for notes without "
        "the chat: from the place where a note stands, or from its first half. No judge is involved.",
        [
            Section(
                "recall_models", "What models recall", rows, COLUMNS,
                "Recalled: the share of a note's words, or of its second half's, that the answer has in the same order "
                "(recall of ROUGE-L; Lin 2004), without words that stand in a half that was given; nothing for a "
                "refusal or an empty answer. Of others' notes: the same of up to four notes of other users, of the "
                "same type and about as long: what notes have in common. Difference: the first less the second, by "
                "reply. Given its place alone, a model that has not read a note is as near to the others: the "
                "difference is the sign of memory. Given a half, which tells what follows, it is nearer; so what the "
                "same model reaches on invented notes, which nobody can know, is subtracted. These may be easier or "
                "harder to continue than people's: a small excess proves little. Intervals are clustered by user "
                "(CR2). No sign is no proof that a model has not read the notes: few texts are known by heart.",
                _pictures(rows),
                terminal=True,
            ),
            Section(
                "recall_exact", "Recalled word for word", exact_recalls(runs, evidence.texts), EXACT_COLUMNS,
                f"Notes, or second halves, of {EXACT_WORDS} words or more that stand in the answer as a whole, "
                f"capitals and punctuation aside.{without_texts}",
            ),
        ],
        # Given a half, the excess rests on how foreseeable people's and invented notes are, which may differ.
        warnings=[
            f"{row.model} recalls more of people's {row.kind}s than of other notes, given their place alone "
            f"(p = {format_p(p_value)} by Holm): it may have read them in its training, and recall where it should "
            "infer."
            for row, p_value in zip(of_place, adjusted, strict=True)
            if row.remembers and p_value < LEVEL
        ],
    )  # fmt: skip


def recalls(runs: Sequence[Run]) -> list[RecallRow]:
    """Estimate how much of the notes each run recalled, and whether that is a sign of memory.

    Args:
        runs: Runs of `recall_note`.
    """
    return [_row(run) for run in runs]


def exact_recalls(runs: Sequence[Run], texts: bool = True) -> list[ExactRow]:
    """List the notes that runs recalled word for word, each once for a run.

    Args:
        runs: Runs of `recall_note`.
        texts: Whether what the models wrote may be quoted.
    """
    return [
        ExactRow(kind_of(run), run.name, row["id"], row["target_words"], row["answer"] if texts else None)
        for run in runs
        for _, row in _exact(_scored(run)).iterrows()
    ]


def _scored(run: Run) -> pd.DataFrame:
    """Return the scored replies, with `difference`: how much more of the note than of others' notes they hold."""
    scored = run.rows.dropna(subset="score")
    return scored.assign(difference=scored["score"] - scored["others"]) if len(scored) else scored


def _exact(scored: pd.DataFrame) -> pd.DataFrame:
    if scored.empty:
        return scored
    whole = (scored["run"] == scored["target_words"]) & (scored["target_words"] >= EXACT_WORDS)
    return scored[whole & (scored["source"] == _DATA)].drop_duplicates("id")


def _row(run: Run) -> RecallRow:
    scored, half = _scored(run), run.context == _HALF
    own = scored[scored["source"] == _DATA]
    recalled = memory = Interval.without_limits("none scored")
    others = difference = invented = math.nan
    if len(own):
        users = own["user"].to_numpy()
        recalled = cluster_mean(own["score"].to_numpy(), users, bounds=RECALL.scale)
        others, difference = float(own["others"].mean()), float(own["difference"].mean())
        memory = paired_difference(own["score"].to_numpy(), own["others"].to_numpy(), users)
    if half:
        rest = scored[scored["source"] != _DATA]
        invented = float(rest["difference"].mean()) if len(rest) else math.nan
        memory, _ = group_difference(scored["difference"], scored["user"], scored["source"] == _DATA)
    return RecallRow(
        kind=kind_of(run),
        model=run.name,
        context="half" if half else "place",
        **recalled.as_columns("recalled"),
        others=others,
        difference=difference,
        invented=invented,
        **memory.as_columns("memory"),
        p_value=memory.p_value,
        remembers=bool(memory.lower > 0),
        exact=len(_exact(scored)),
        n=len(own),
        users=own["user"].nunique(),
        no_answer=int(own["reason"].isin(NO_ANSWER).sum()),
        samples=run.planned_replies,
        coverage=len(scored) / run.planned_replies,
        missing=run.missing,
        selection=run.selection,
        **provenance_of(run),
    )


def _pictures(rows: Sequence[RecallRow]) -> list[Picture]:
    """Draw the signs of memory, a panel per kind."""
    points = [
        Dot(
            f"{row.model}\ngiven: {row.context}", 100 * row.memory, 100 * row.memory_lower, 100 * row.memory_upper,
            panel=f"{row.kind}s", text="" if row.n else "none scored",
        )
        for row in rows
    ]  # fmt: skip
    references = [
        Reference(0, "no memory", kind="control", panel=f"{kind}s") for kind in dict.fromkeys(row.kind for row in rows)
    ]
    figure = dots(points, "share recalled beyond what can be guessed, %, 95 % interval", references)
    return [Picture("recall", figure, "Signs of memory. Dotted: a model that has not read the notes.")]
