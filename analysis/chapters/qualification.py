"""Whether the judges of the runs are qualified by a card in the logs: the report's first line."""

from collections.abc import Sequence
from dataclasses import dataclass

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.page.table import Chapter, Section, name, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.judge_quality import RULE, JudgeCard, judge_cards
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.core.record import PROBE, Kind
from thoughttrace.core.result import Qualification

QUALIFIED: Qualification = "qualified"
NOT_QUALIFIED: Qualification = "not qualified"
UNTESTED: Qualification = "untested"


@dataclass(frozen=True)
class QualificationRow:
    """Whether one judge is qualified to rate one kind of thought, as the runs had it rate."""

    judge: str
    kind: Kind
    status: Qualification

    rubric: str
    """The file that a user gave, or the hash of ours."""
    config: str
    """What of its configuration differs from the defaults."""
    why: str = ""
    """Why it is not qualified, or not tested."""
    card: str = ""
    """The log of its card."""


COLUMNS = [
    name("Judge", "judge"),
    short("Kind", "kind"),
    short("Verdict", "status"),
    text("Why not", "why"),
    name("Rubric", "rubric"),
    name("Configuration", "config"),
    name("Card", "card"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Say whether the judges of the runs are qualified."""
    rows = qualifications(evidence)
    invented = any(run.data == "sample" for run in evidence.runs.models)
    return Chapter(
        "qualification",
        "Are the judges qualified?",
        " ".join([_sentence(rows), _INVENTED] if invented else [_sentence(rows)]),
        [
            Section(
                "qualification", "The judges of these runs", rows, COLUMNS,
                f"By the newest card in these logs (judge_agreement) of the same judge, configured alike, with the "
                f"same rubric, shown the same. {RULE}",
            )
        ],
        terminal=True,
    )  # fmt: skip


_INVENTED = "The bundled sample is invented: its numbers say nothing about users or about language models."


def qualifications(evidence: Evidence) -> list[QualificationRow]:
    """Look for the card of each judge of each run of a model."""
    cards = judge_cards(evidence.runs.of(PROBE))
    rows = {}
    for run in evidence.runs.models:
        for judge in run.judges:
            row = qualification(run, judge, cards)
            rows[judge, row.kind, run.rubric_hash, row.config] = row
    return list(rows.values())


def qualification(run: Run, judge: str, cards: Sequence[JudgeCard]) -> QualificationRow:
    """Say whether one judge of a run is qualified to rate its kind of thought.

    Args:
        run: A run that infers thoughts.
        judge: One of its judges.
        cards: The cards among which its own is looked for.
    """
    kind, config = kind_of(run), run.judge_configs.get(judge, "")
    card = card_of(run, judge, cards)
    if card:
        faults = card.faults
        status, why, log = NOT_QUALIFIED if faults else QUALIFIED, "; ".join(faults), card.run.log
    else:
        of_judge = any(other.run.evaluated == judge for other in cards)
        why = "its card is of another rubric or configuration" if of_judge else "no card in these logs"
        status, log = UNTESTED, ""
    return QualificationRow(judge, kind, status, run.rubric, config, why, log)


def card_of(run: Run, judge: str, cards: Sequence[JudgeCard]) -> JudgeCard | None:
    """Return the newest card of one judge of a run, on the probes of the run's kind; None where there is none.

    Args:
        run: A run that infers thoughts.
        judge: One of its judges.
        cards: The cards among which it is looked for.
    """
    kind = kind_of(run)
    own = [card for card in cards if card.is_of(run, judge, kind) and kind in card.by_kind]
    return max(own, key=lambda card: card.run.date).by_kind[kind] if own else None


def _sentence(rows: Sequence[QualificationRow]) -> str:
    """Say it of each judge; with the kind where a judge's verdicts differ."""
    judges = {
        status: ", ".join(dict.fromkeys(_name(row, rows) for row in rows if row.status == status))
        for status in (NOT_QUALIFIED, UNTESTED, QUALIFIED)
        if any(row.status == status for row in rows)
    }
    if not judges:
        return ""
    if len(judges) > 1:
        each = " ".join(f"{status.capitalize()}: {names}." for status, names in judges.items())
        return f"Not every judge of these runs is qualified. {each}"
    ((status, names),) = judges.items()
    sentence = f"The judges of these runs are {status}: {names}."
    if status == UNTESTED:
        sentence += (
            f" Before you rely on a number below, run {PROBE.name} with each judge as the model, and add its log here."
        )
    return sentence


def _name(row: QualificationRow, rows: Sequence[QualificationRow]) -> str:
    differs = len({other.status for other in rows if other.judge == row.judge}) > 1
    return f"{row.judge} for {row.kind}s" if differs else row.judge
