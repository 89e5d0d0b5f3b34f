"""The mean agreement of groups of samples: by type, stage, assistant model, and what else is known of them."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.headline import SCALE, kind_of, run_names
from thoughttrace.analysis.page.plots import SERIES, Dot, dots
from thoughttrace.analysis.page.table import Chapter, Picture, Section, count, limits, name, number, p, share, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.groupings import GROUPINGS, by_types
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import MIN_USERS, STAGE_RULE, STAGES, group_difference, group_mean
from thoughttrace.analysis.stats.multiplicity import LEVEL, benjamini_hochberg_by_family
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
    """95 % limit, CR2 by user, on the logit."""
    upper: float
    n: int
    """Scored samples."""
    users: int
    note: str
    samples: int
    coverage: float
    """n / samples."""
    difference: float
    """From the run's other samples that are in a group of this grouping; NaN where these, or the group's, are too
    few."""
    compared: str
    """Whether the difference is "within users" or "between users"; empty where there is none."""
    p_value: float
    """Against no difference, clustered by user; NaN also where nothing varies between users."""
    p_fdr: float = math.nan
    """Adjusted by Benjamini–Hochberg over the groups of the run in the table."""


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
    number("Less the rest", "difference", "+.2f"),
    short("Compared", "compared"),
    p("p (FDR)", "p_fdr"),
]

TEST_NOTE = (
    "Less the rest: the difference from the run's other samples, within users where at least "
    f"{MIN_USERS} users have samples on both sides (a regression with an intercept for every user, clustered by user, "
    "CR3), else between the two means. p (FDR) is adjusted by Benjamini–Hochberg over all groups of the same run in "
    f"this table: of the differences below {LEVEL} (marked), {100 * LEVEL:.0f} % at most are expected to be false."
)


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
                f"{TEST_NOTE} {STAGE_RULE}",
                [
                    Picture("types", group_plot(rows, "type"), f"Mean agreement by type of thought. {_DRAWN}"),
                    Picture("stages", group_plot(rows, "stage", joined=True),
                            f"Mean agreement by stage of the conversation. {_DRAWN}"),
                ] if rows else [],
                parquet=True,
                row_class=row_class,
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
    return with_p_fdr(rows)


def with_p_fdr(rows: Sequence[GroupRow]) -> list[GroupRow]:
    """Adjust the p-values of a table for the false discovery rate; all groups of one run are a family."""
    families = [(row.kind, row.model, row.context, row.judge) for row in rows]
    adjusted = benjamini_hochberg_by_family([row.p_value for row in rows], families)
    return [replace(row, p_fdr=p_fdr) for row, p_fdr in zip(rows, adjusted, strict=True)]


def row_class(row: GroupRow) -> str:
    """Mark the groups that differ significantly from the rest."""
    return "clear" if row.p_fdr < LEVEL else ""


def grouped(run: Run, samples: pd.DataFrame, by: str, labels: pd.Series) -> list[GroupRow]:
    """Estimate the mean agreement of the groups of one grouping.

    Args:
        run: The run.
        samples: Its samples, numbered from 0.
        by: What they are grouped by.
        labels: The group of samples by their numbers; a sample may be in several, or in none.

    Returns:
        A row per group, in the order of the labels; `p_fdr` is for `with_p_fdr`.
    """
    scores, users = samples["score"].to_numpy(), pd.factorize(samples["user"])[0]
    members: dict[Hashable, pd.Index] = labels.groupby(labels, sort=True, observed=True).groups
    labelled = np.isin(samples.index, labels.dropna().index) & ~np.isnan(scores)
    rows = []
    for order, (group, numbers) in enumerate(members.items()):
        scored = [number for number in numbers if not np.isnan(scores[number])]
        mean = group_mean(scores[scored], users[scored], SCALE)
        inside = np.isin(samples.index[labelled], scored)
        difference, compared = group_difference(scores[labelled], users[labelled], inside)
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
                difference=difference.estimate,
                compared="" if math.isnan(difference.estimate) else compared,
                p_value=difference.p_value,
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
