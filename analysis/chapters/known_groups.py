"""Whether a judge puts the controls of a run in the order that they must have, whatever the judge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pandas as pd

from thoughttrace.analysis.chapters.headline import kind_of
from thoughttrace.analysis.page.table import Chapter, Section, count, format_p, name, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import measurement
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import paired_difference
from thoughttrace.core.record import CEILINGS, Kind

RANKS: dict[str, int] = {"target": 0, "reworded": 1, "typical": 2, "someone_else": 2, "constant": 3, "anyone": 3}
"""The place of each control: the note itself; the note in other words; a note of the same type; any note, or one
sentence for all, which by the rubric of reasons is worth nothing. Of two with one place neither must be higher;
`parrot` has none, for a note can say what its message says."""

CLEAR = 0.05
"""A pair is in the wrong order if its p is below this; else it may be by chance."""


@dataclass(frozen=True)
class KnownGroupsRow:
    """The mean ratings that one judge gave to the controls of one kind of thought."""

    judge: str
    kind: Kind
    means: str
    """Such as "target 4.98 · reworded 4.41 · constant 2.02", in the order that they must have."""
    in_order: Literal["yes", "no", "not clear"]
    """Whether each is higher than all that must be lower; the two ceilings may be equal. "no" if a pair is the other
    way round beyond chance, "not clear" if it may be by chance."""
    broken: str
    """The pairs that are not, such as "constant 2.43 < anyone 2.50 (p = 0.312)"; two-sided, clustered by user."""
    n: int
    """Samples, which all of these controls share."""


COLUMNS = [
    name("Judge", "judge"),
    short("Kind", "kind"),
    short("In order", "in_order"),
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
                "the note in other words, this higher than a note of the same type, and this higher than any note of "
                "another user, or one sentence for all. “No”: a pair is the other way round with p < 0.05, of the "
                "paired difference, two-sided, clustered by user. Means over the samples that all controls of a row "
                "share.",
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
    rows = (_row(str(key[0]), members) for key, members in groups.items() if len(members) > 1)
    return [row for row in rows if row.n]


def _row(judge: str, members: dict[str, Run]) -> KnownGroupsRow:
    inorder = sorted(members, key=lambda control: RANKS[control])
    shared = pd.concat({name: members[name].scored["score"] for name in inorder}, axis=1, join="inner")
    means, users = shared.mean(), members[inorder[0]].scored.loc[shared.index, "user"]
    broken, clear = [], False
    for better, worse in combinations(inorder, 2):
        equal_ceilings = worse in CEILINGS and means[better] == means[worse]
        if RANKS[better] == RANKS[worse] or equal_ceilings or not means[better] <= means[worse]:
            continue
        p = paired_difference(shared[better], shared[worse], users).p_value
        sign = "=" if means[better] == means[worse] else "<"
        chance = f" (p = {format_p(p)})" if sign == "<" and not math.isnan(p) else ""
        broken.append(f"{better} {means[better]:.2f} {sign} {worse} {means[worse]:.2f}{chance}")
        clear = clear or (sign == "<" and p < CLEAR)
    return KnownGroupsRow(
        judge=judge,
        kind=kind_of(members[inorder[0]]),
        means=" · ".join(f"{name} {means[name]:.2f}" for name in inorder),
        in_order="no" if clear else "not clear" if broken else "yes",
        broken="; ".join(broken),
        n=len(shared),
    )
