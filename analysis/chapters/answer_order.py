"""Whether a judge of two answers prefers the one that stands first."""

from collections.abc import Sequence
from dataclasses import dataclass

from thoughttrace.analysis.page.table import Chapter, Section, count, format_share, limits, name, share, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.pair_verdicts import pair_verdicts
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.analysis.stats.win_rates import of_prompts
from thoughttrace.core.record import ARENA, WINS


@dataclass(frozen=True)
class OrderRow:
    """How far one judge's verdicts on one run depend on the order."""

    model: str
    against: str
    judge: str
    changed: float
    """Share of the prompts whose win, tie or loss changes with the order; limits by prompt."""
    changed_lower: float
    changed_upper: float
    changed_note: str
    first: float
    """The mean win of the answer that stands first, 0 to 1; limits by prompt."""
    first_lower: float
    first_upper: float
    first_note: str
    verdicts: dict[str, int]
    """How often each verdict was given, A being the answer that stands first."""
    n: int
    """Pairs of verdicts."""


MOSTLY = 0.5
"""The share of verdicts that change with the order from which on a judge says little of the answers."""

COLUMNS = [
    name("Judge", "judge"),
    name("Model", "model"),
    name("Against", "against"),
    share("Changed by order", "changed"),
    limits("95 % interval", "changed_", percent=True),
    share("First wins", "first"),
    limits("Its 95 % interval", "first_", percent=True),
    short("A>>B · A>B · A=B · B>A · B>>A", lambda row: " · ".join(str(row.verdicts[verdict]) for verdict in WINS)),
    count("Pairs", "n"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how far judges' verdicts on two answers depend on their order."""
    title = "Whether the order of two answers counts"
    rows = orders(evidence.runs.of(ARENA))
    if not rows:
        return Chapter("answer_order", title, "")
    return Chapter(
        "answer_order",
        title,
        "Each judge compares two answers twice, with another one first. Win rates are the mean of both orders.",
        [
            Section(
                "arena_order", "Judges", rows, COLUMNS,
                "Changed by order: win, tie or loss is another when the answers change places. First wins: mean win of "
                "the answer that stands first; 50 % where its place does not count. Verdicts: A stands first. Limits "
                "are by prompt.",
            )
        ],
        warnings=[
            f"{row.judge} says otherwise of {format_share(row.changed)} of {row.model}'s answers when they change "
            "places with the baseline's: its win rate says little of the answers, and is drawn to 50 %."
            for row in rows
            if row.changed >= MOSTLY
        ],
    )  # fmt: skip


def orders(runs: Sequence[Run]) -> list[OrderRow]:
    """Estimate how far each judge's verdicts on each run depend on the order of the answers.

    Args:
        runs: Runs of `arena`.
    """
    rows = []
    for run in runs:
        for judge, pairs in pair_verdicts(run).groupby("judge"):
            changed, first = (
                cluster_mean(pairs[column], pairs["id"], bounds=(0, 1)) for column in ("changed", "first")
            )
            given = [verdict for verdicts in pairs["verdicts"] for verdict in verdicts]
            rows.append(
                OrderRow(
                    model=run.name,
                    against=run.against,
                    judge=str(judge),
                    **of_prompts(changed).as_columns("changed"),
                    **of_prompts(first).as_columns("first"),
                    verdicts={verdict: given.count(verdict) for verdict in WINS},
                    n=len(pairs),
                )
            )
    return rows
