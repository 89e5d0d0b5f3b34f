"""What ratings of reactions are made of: whether the verdict of the note is told, and its cause."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, share, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.analysis.stats.probabilities import balanced_accuracy
from thoughttrace.core.reaction_verdict import REPLY_VERDICTS
from thoughttrace.core.record import INFER

_CAUSE_IN_NOTE = ("same", "part", "other")
"""The choices that say that the note names a cause."""


@dataclass(frozen=True)
class VerdictRow:
    """How often the inferences of one run tell a reaction's verdict and its cause, as its judges see it.

    `…_lower` and `…_upper` are 95 % limits, NaN where there is no interval, and then `…_note` says why.
    """

    model: str
    context: str
    judge: str
    balanced: float
    """Mean over the three verdicts of notes of the share of guesses with the same one; limits by a jackknife of
    users."""
    balanced_lower: float
    balanced_upper: float
    balanced_note: str
    told_pleased: float
    """Of the notes that are pleased, the share of guesses that are too; NaN without such notes."""
    told_mixed: float
    told_displeased: float
    cause: float
    """Where the note names a cause, the share of guesses that name it or a part of it; limits CR2 by user."""
    cause_lower: float
    cause_upper: float
    cause_note: str
    cause_same: float
    """Where the note names a cause, the share of guesses that name just it."""
    notes_pleased: float
    """Share of votes that find the note pleased."""
    notes_with_cause: float
    """Share of votes that find a cause in the note."""
    votes: int
    users: int
    log: str


COLUMNS = [
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    share("Verdict told, balanced", lambda row: row.balanced if row.votes else "none"),
    limits("95 % interval", "balanced_", percent=True),
    share("Of the pleased", "told_pleased"),
    share("Of the mixed", "told_mixed"),
    share("Of the displeased", "told_displeased"),
    share("Cause told", "cause"),
    limits("Cause, 95 %", "cause_", percent=True),
    share("Just the cause", "cause_same"),
    share("Notes pleased", "notes_pleased"),
    share("Notes with a cause", "notes_with_cause"),
    count("Votes", "votes"),
    count("Users", "users"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how often inferences tell the verdict and the cause of a reaction."""
    rows = verdicts(evidence.runs.of(INFER["reaction"]))
    if not rows:
        return Chapter("reaction_verdicts", "Verdict and cause", "")
    return Chapter(
        "reaction_verdicts",
        "Verdict and cause",
        "A judge of a reaction gives no rating: it says what the note and the guess think of the reply, and whether "
        "the guess names the note's cause; the rating follows by a fixed table (see the rubric). So the same votes "
        "show both parts. A guess that always praises tells the verdict of most notes, for most are pleased, and a "
        "third of them in the balanced share.",
        [
            Section(
                "reaction_verdicts", "What inferences tell of a reaction", rows, COLUMNS,
                "Balanced: the mean over pleased, mixed and displeased notes of the share of guesses with that "
                "verdict; a third for a guess that does not depend on the note. Interval: a jackknife of users. Cause "
                "told: of the notes that name a cause, the share whose guess names it or a part of it, whatever its "
                "verdict (CR2 by user); just the cause: all of it and no other. Every vote counts; replies that a rule "
                "rated have none.",
            ),
        ],
    )  # fmt: skip


def verdicts(runs: Sequence[Run]) -> list[VerdictRow]:
    """Sum up what the judges of each run say of verdict and cause.

    Args:
        runs: Runs of `infer_reaction`; those whose judges gave ratings instead, by a rubric of a user's or of an
            earlier version, have no row.
    """
    return [_row(run, votes) for run in runs if len(votes := pd.DataFrame(_votes(run)))]


def _votes(run: Run) -> Iterator[dict[str, str]]:
    for user, written in zip(run.rows["user"], run.rows["verdicts"], strict=True):
        # A sample that was never scored has none at all.
        of_judges = json.loads(written)["verdicts"] if isinstance(written, str) and written else {}
        for of_judge in of_judges.values():
            yield from ({"user": user, **vote} for vote in of_judge if vote)


def _row(run: Run, votes: pd.DataFrame) -> VerdictRow:
    note, guess = (votes[column].map(REPLY_VERDICTS.index) for column in ("note_verdict", "guess_verdict"))
    told = (note == guess).groupby(votes["note_verdict"]).mean().reindex(REPLY_VERDICTS)
    named = votes[votes["cause"].isin(_CAUSE_IN_NOTE)]
    cause = Interval.without_limits("no note names a cause")
    if len(named):
        cause = cluster_mean((named["cause"] != "other").to_numpy(float), named["user"].to_numpy(), bounds=(0, 1))
    return VerdictRow(
        model=run.name,
        context=run.context,
        judge=run.judge,
        **balanced_accuracy(note, guess, votes["user"], len(REPLY_VERDICTS)).as_columns("balanced"),
        told_pleased=float(told["pleased"]),
        told_mixed=float(told["mixed"]),
        told_displeased=float(told["displeased"]),
        **cause.as_columns("cause"),
        cause_same=float((named["cause"] == "same").mean()),
        notes_pleased=float((votes["note_verdict"] == "pleased").mean()),
        notes_with_cause=len(named) / len(votes),
        votes=len(votes),
        users=votes["user"].nunique(),
        log=run.log,
    )
