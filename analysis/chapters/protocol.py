"""In which points runs that took the samples of a protocol do not follow it."""

from collections.abc import Sequence
from dataclasses import dataclass

from thoughttrace.analysis.page.table import Chapter, Section, name, short, text
from thoughttrace.analysis.read.entries import tell_apart
from thoughttrace.analysis.read.evidence import Evidence


@dataclass(frozen=True)
class DeviationRow:
    """One point that a system's runs do not follow."""

    model: str
    protocol: str
    point: str
    asked: str
    found: str
    context: str
    """Where entries of the same model differ in it; else empty; so is `judge`."""
    judge: str


COLUMNS = [
    name("Model", "model"),
    short("Point", "point"),
    text("Found", "found"),
    text("Asked", "asked"),
    short("Protocol", "protocol"),
    short("Context", "context"),
    name("Judge", "judge"),
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
    checks = evidence.protocol_checks
    return [
        DeviationRow(entry.name, check.protocol, point.name, point.asked, point.found, context, judge)
        for (entry, check), (context, judge) in zip(checks, tell_apart([entry for entry, _ in checks]), strict=True)
        for point in check.deviations
    ]
