"""The mean agreement of groups of samples: by type, stage, assistant model, and what else is known of them."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.headline import SCALE, kind_of, run_names
from thoughttrace.analysis.page.plots import SERIES, Dot, dots
from thoughttrace.analysis.page.table import Chapter, Picture, Section, count, limits, name, number, share, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.groupings import GROUPINGS, by_types
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import STAGE_RULE, STAGES, group_mean
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class GroupRow:
    """The mean agreement of one group of a run's samples."""

    model: str
    kind: Kind
    context: str
    judge: str
    by: str
    """What samples are grouped by."""
    group: str
    order: int
    """Of the group within the grouping, from 0."""
    mean: float
    """NaN where the group is too small; `note` says so."""
    lower: float
    """95 % limit, CR2 by user, clipped to 1–5."""
    upper: float
    n: int
    """Scored samples."""
    users: int
    note: str
    samples: int
    coverage: float
    """n / samples."""


COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    short("By", "by"),
    name("Group", lambda row: row.group.replace("_", " ")),
    number("Agreement", "mean"),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the breakdown."""
    rows = breakdown(evidence.runs.models)
    return Chapter(
        "breakdown",
        "Breakdown",
        "",
        [
            Section(
                "breakdown", "Agreement by group", rows, COLUMNS,
                "A message with thoughts of several types counts in each of them. Types are an LLM's labels. "
                f"{STAGE_RULE}",
                [
                    Picture("types", group_plot(rows, "type"), f"Mean agreement by type of thought. {_DRAWN}"),
                    Picture("stages", group_plot(rows, "stage", joined=True),
                            f"Mean agreement by stage of the conversation. {_DRAWN}"),
                ] if rows else [],
            ),
        ],
    )  # fmt: skip


_DRAWN = f"95 % intervals by user; of more than {SERIES} runs those with the highest means are drawn."


def breakdown(runs: Sequence[Run]) -> list[GroupRow]:
    """Estimate the mean agreement of every group of samples.

    Returns:
        One row per run, grouping and group. A message with thoughts of several types counts in each of them.
    """
    rows: list[GroupRow] = []
    for run in runs:
        samples = run.samples.reset_index(drop=True)
        for by, group in GROUPINGS.items():
            labels = group(samples).explode()
            if by == "type":
                labels = by_types(labels, kind_of(run))
            rows += grouped(run, samples, by, labels)
        rows += grouped(run, samples, "context", pd.Series(run.context, index=samples.index))
    return rows


def grouped(run: Run, samples: pd.DataFrame, by: str, labels: pd.Series) -> list[GroupRow]:
    """Estimate the mean agreement of the groups of one grouping.

    Args:
        run: The run.
        samples: Its samples, numbered from 0.
        by: What they are grouped by.
        labels: The group of samples by their numbers; a sample may be in several, or in none.

    Returns:
        A row per group, in the order of the labels.
    """
    scores, users = samples["score"].to_numpy(), pd.factorize(samples["user"])[0]
    members: dict[Hashable, pd.Index] = labels.groupby(labels, sort=True, observed=True).groups
    rows = []
    for order, (group, numbers) in enumerate(members.items()):
        scored = [number for number in numbers if not np.isnan(scores[number])]
        mean = group_mean(scores[scored], users[scored], SCALE)
        rows.append(
            GroupRow(
                model=run.name,
                kind=kind_of(run),
                context=run.context,
                judge=run.judge,
                by=by,
                group=str(group),
                order=order,
                **mean.as_row("mean"),
                samples=len(numbers),
                coverage=len(scored) / len(numbers),
            )
        )
    return rows


def group_plot(rows: Sequence[GroupRow], by: str, joined: bool = False) -> Figure:
    """Draw mean agreement by group, a series per run, a panel per kind.

    Args:
        rows: Of one or several groupings.
        by: Which grouping of them.
        joined: Whether the groups follow each other, as stages do: they stand side by side, joined by a line.
    """
    members = sorted((row for row in rows if row.by == by), key=lambda row: (row.kind != "reason", row.order))
    points = [
        Dot(
            row.group.replace("_", " "),
            row.mean,
            row.lower,
            row.upper,
            panel=f"{row.kind}s",
            series=", ".join(run),
        )
        for run, row in zip(run_names(members), members, strict=True)
    ]
    if joined:
        panels = dict.fromkeys(point.panel for point in points)
        points = [
            Dot(name, math.nan, panel=panel, series=points[0].series) for panel in panels for name in STAGES
        ] + points
    return dots(points, "mean agreement, 95 % interval", scale=SCALE, upright=joined, joined=joined)
