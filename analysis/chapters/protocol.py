"""In which points runs that took the samples of a protocol do not follow it."""

from collections.abc import Sequence
from dataclasses import dataclass

from thoughttrace.analysis.page.table import Chapter, Section, name, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.protocol_check import check_models


@dataclass(frozen=True)
class DeviationRow:
    """One point that a system's runs do not follow."""

    model: str
    protocol: str
    point: str
    asked: str
    found: str


COLUMNS = [
    name("Model", "model"),
    short("Point", "point"),
    text("Found", "found"),
    text("Asked", "asked"),
    short("Protocol", "protocol"),
]


def chapter(evidence: Evidence) -> Chapter:
    """List the points that are not followed."""
    rows = deviations(evidence)
    return Chapter(
        "protocol",
        "Protocol",
        "",
        [
            Section(
                "protocol", "Points of the protocol that are not followed", rows, COLUMNS,
                "Runs that took a protocol's samples, compared with it point by point, as thoughttrace check does. "
                "Numbers that follow the same protocol on the same subset stand in one table; these do not.",
                terminal=True,
            )
        ],
    )  # fmt: skip


def deviations(evidence: Evidence) -> Sequence[DeviationRow]:
    """Compare the runs with the protocol whose subset they took."""
    return [
        DeviationRow(entry.name, check.protocol, point.name, point.asked, point.found)
        for entry, check in check_models(evidence.runs)
        for point in check.deviations
    ]
