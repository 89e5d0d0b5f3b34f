"""Whether the judges of the runs are qualified by a card in the logs: the report's first line."""

from collections.abc import Sequence
from dataclasses import dataclass

from thoughttrace.analysis.page.table import Chapter, Section, name, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.judge_quality import RULE, judge_cards
from thoughttrace.core.record import INFER, PROBE, Kind

QUALIFIED, NOT_QUALIFIED, UNTESTED = "qualified", "not qualified", "untested"


@dataclass(frozen=True)
class QualificationRow:
    """Whether one judge is qualified to rate one kind of thought, as the runs had it rate."""

    judge: str
    kind: Kind
    status: str
    """`QUALIFIED`, `NOT_QUALIFIED` or `UNTESTED`."""
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
    cards = sorted(judge_cards(evidence.runs.of(PROBE)), key=lambda card: card.run.date)
    rows = {}
    for run in evidence.runs.models:
        kind = next(kind for kind, spec in INFER.items() if spec.name == run.task)
        for judge in run.judges:
            config = run.judge_configs.get(judge, "")
            own = [card for card in cards if card.is_of(run, judge, kind) and kind in card.by_kind]
            if own:
                faults = own[-1].by_kind[kind].faults
                status = NOT_QUALIFIED if faults else QUALIFIED
                why, log = "; ".join(faults), own[-1].run.log
            else:
                of_judge = any(card.run.evaluated == judge for card in cards)
                why = "its card is of another rubric or configuration" if of_judge else "no card in these logs"
                status, log = UNTESTED, ""
            row = QualificationRow(judge, kind, status, run.rubric, config, why, log)
            rows[judge, kind, run.rubric_hash, config] = row
    return list(rows.values())


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
