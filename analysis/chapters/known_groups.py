"""Whether a judge puts the controls of a run in the order that they must have, whatever the judge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.page.table import Chapter, Section, count, format_p, name, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import measurement
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import paired_difference
from thoughttrace.core.record import CEILINGS, Kind

RANKS: dict[str, int] = {"target": 0, "reworded": 1, "typical": 2, "someone_else": 2, "constant": 2, "anyone": 3}
"""The place of each control: the note itself; the note in other words; a note of the same type, or one sentence that
was written to suit most notes; any note. Of two with one place neither must be higher; `parrot` has none, for a note
can say what its message says."""


@dataclass(frozen=True)
class KnownGroupsRow:
    """The mean ratings that one judge gave to the controls of one kind of thought."""

    judge: str
    kind: Kind
    means: str
    """Such as "target 4.98 · reworded 4.41 · constant 2.02", in the order that they must have."""
    monotone: bool
    """Whether each is higher than all that must be lower; the two ceilings may be equal."""
    broken: str
    """The pairs that are not, such as "constant 2.43 < anyone 2.50 (p = 0.312)"; two-sided, clustered by user."""
    n: int
    """Samples, which all of these controls share."""


COLUMNS = [
    name("Judge", "judge"),
    short("Kind", "kind"),
    short("In order", lambda row: "yes" if row.monotone else "no"),
    text("Means, in the order that they must have", "means"),
    text("Not in order", "broken"),
    count("n", "n"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Check the order of the controls of each judge."""
    return Chapter(
        "known_groups",
        "Do judges put what is known in order?",
        "",
        [
            Section(
                "known_groups", "Order of the controls", known_groups(evidence.runs.controls), COLUMNS,
                "Without any probe, by the judges' own votes in these runs: the note itself must be rated higher than "
                "the note in other words, this higher than a note of the same type or one sentence for all, and these "
                "higher than any note of another user. Means over the samples that all controls of a row share; p is "
                "of the paired difference, two-sided, clustered by user: with few samples, neighbours can change "
                "places by chance.",
            )
        ],
    )  # fmt: skip


def known_groups(controls: Sequence[Run]) -> list[KnownGroupsRow]:
    """Compare the means that each judge gave to the controls of one kind, rubric and data.

    Args:
        controls: Runs of controls.
    """
    groups: dict[tuple[object, ...], dict[str, Run]] = {}
    for run in controls:
        if run.control in RANKS:
            setting = measurement(run, "model", "effort", "generation", "context", "context_words", "prompt", "judge")
            for judge in run.judges:
                key = (judge, run.judge_configs.get(judge, ""), *setting)
                groups.setdefault(key, {})[run.control] = run.rated_by([judge])
    return [_row(str(key[0]), members) for key, members in groups.items() if len(members) > 1]


def _row(judge: str, members: dict[str, Run]) -> KnownGroupsRow:
    inorder = sorted(members, key=lambda control: RANKS[control])
    shared = pd.concat({name: members[name].scored["score"] for name in inorder}, axis=1, join="inner")
    means, users = shared.mean(), members[inorder[0]].scored.loc[shared.index, "user"]
    broken = [
        f"{better} {means[better]:.2f} < {worse} {means[worse]:.2f}{_p(shared[better], shared[worse], users)}"
        if means[better] < means[worse]
        else f"{better} {means[better]:.2f} = {worse} {means[worse]:.2f}"
        for better, worse in combinations(inorder, 2)
        if RANKS[better] < RANKS[worse]
        and (means[better] < means[worse] or (means[better] == means[worse] and worse not in CEILINGS))
    ]
    return KnownGroupsRow(
        judge=judge,
        kind=kind_of(members[inorder[0]]),
        means=" · ".join(f"{name} {means[name]:.2f}" for name in inorder),
        monotone=not broken,
        broken="; ".join(broken),
        n=len(shared),
    )


def _p(better: pd.Series, worse: pd.Series, users: pd.Series) -> str:
    """Say how likely such a difference is where there is none; nothing where it cannot be told."""
    difference = paired_difference(better, worse, users)
    return "" if math.isnan(difference.p_value) else f" (p = {format_p(difference.p_value)})"
