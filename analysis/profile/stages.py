"""Types of thoughts over the conversation, by two rules, compared with the paper's figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from thoughttrace.analysis.page.plots import Reference, dots
from thoughttrace.analysis.page.style import COLOURS, STYLE
from thoughttrace.analysis.page.table import Picture, Section, count, limits, name, number, share, short
from thoughttrace.analysis.profile.tables import Mean, OfType, dot, mean_by_user, readable, sort_by
from thoughttrace.analysis.stats.groups import STAGE_RULE, STAGES, stage
from thoughttrace.core.published import published_types
from thoughttrace.core.record import TYPES

SAMPLED, NEAREST = "four of each conversation", "nearest position"
"""The rules: a conversation's thoughts read at four places; every thought at the stage it is nearest to."""

_SAMPLED_RULE = (
    "The thoughts of a kind in a conversation are put in their order and read at 0, 1/3, 2/3 and all of the way "
    "through them (the nearest thought), so that every conversation with a thought of the kind counts once at each "
    "stage, and the thought at one stage flows to the thought at the next. Where there are fewer than four "
    "thoughts, one is read several times."
)

_BAR, _GAP = 0.16, 0.012
"""The width of a bar, where stages are 1 apart, and the gap between types, as a share of the bars' height."""


def stage_sections(thoughts: pd.DataFrame) -> list[Section]:
    """Write the sections of types by stage and of the flow between stages.

    Args:
        thoughts: Of `Tables`, at least one.
    """
    sampled = at_four_places(thoughts)
    nearest_rows, sampled_rows = stage_rows(at_nearest(thoughts), NEAREST), stage_rows(sampled, SAMPLED)
    rows = [row for kind in TYPES for row in (*nearest_rows, *sampled_rows) if row.kind == kind]
    return [_stages_section(rows), _flow_section(sampled)]


def at_nearest(thoughts: pd.DataFrame) -> pd.DataFrame:
    """Place every thought at the stage nearest to its message's position.

    Args:
        thoughts: Of `Tables`.

    Returns:
        `conversation`, `user`, `kind`, `type`, `stage`.
    """
    return thoughts.assign(stage=stage(thoughts["position"]))[["conversation", "user", "kind", "type", "stage"]]


def at_four_places(thoughts: pd.DataFrame) -> pd.DataFrame:
    """Read the thoughts of each conversation and kind at four places of their sequence.

    Args:
        thoughts: Of `Tables`, in the order of the conversations.

    Returns:
        Four rows for each conversation and kind: `conversation`, `user`, `kind`, `type`, `stage`.
    """
    columns = ["conversation", "user", "kind", "type"]
    sequence = thoughts.sort_values(["kind", "conversation"], kind="stable", ignore_index=True)[columns]
    groups = sequence.groupby(["kind", "conversation"])
    first, size = groups.head(1).index.to_numpy(), groups.size().to_numpy()
    parts = []
    for index in range(len(STAGES)):
        # The halves go to the later thought, as in the other rule.
        place = np.floor(index / (len(STAGES) - 1) * (size - 1) + 0.5).astype(int)
        parts.append(sequence.iloc[first + place])
    stages = np.repeat(STAGES, len(size))
    placed: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return placed.assign(stage=pd.Categorical(stages, list(STAGES), ordered=True))


@dataclass(frozen=True)
class StageRow(Mean, OfType):
    """The share of a type among the thoughts of its kind at a stage."""

    stage: str
    published: float
    """The published share; NaN for a type that the paper does not have."""
    rule: str
    """`SAMPLED` or `NEAREST`."""


def stage_rows(placed: pd.DataFrame, rule: str) -> list[StageRow]:
    """Estimate the share of each type at each stage.

    Args:
        placed: What `at_nearest` or `at_four_places` returns.
        rule: Its name.
    """
    rows = []
    for kind, types in TYPES.items():
        of_kind = placed[placed["kind"] == kind]
        for label in sort_by([*types, *of_kind["type"]], types) if len(of_kind) else []:
            published = published_types()[kind].get(label)
            for index, at in enumerate(STAGES):
                at_stage = of_kind[of_kind["stage"] == at]
                mean = mean_by_user(at_stage["type"] == label, at_stage["user"])
                share_published = published.stages[index] if published else np.nan
                rows.append(StageRow(kind, label, **mean, stage=at, published=share_published, rule=rule))
    return rows


def _stages_section(rows: Sequence[StageRow]) -> Section:
    columns = [
        short("Kind", "kind"), short("Type", "type"), short("Rule", "rule"), short("Stage", "stage"),
        share("Share", "mean"), limits("95 % interval", percent=True),
        number("Published", lambda row: "< 1 %" if row.published < 0.01 else row.published, ".0%"), count("n", "n"),
        count("Users", "users"),
    ]  # fmt: skip
    note = (
        "Shares with 95 % intervals (CR2 by user), and those of the paper's figure, which are in whole per cent. "
        f"Rule “{NEAREST}”, of thoughts: {STAGE_RULE} Rule “{SAMPLED}”: {_SAMPLED_RULE} Splitting positions into "
        "quarters would make task_motivation fall throughout, which the paper's figure does not show; its bars are "
        "equal in height and joined by flows, which suggests that it reads each conversation at four places."
    )
    points = [dot(row, row.stage, _panel(row), row.rule) for row in rows]
    published = [
        Reference(100 * row.published, "published", panel=_panel(row), at=row.stage)
        for row in rows
        if row.rule == NEAREST and not np.isnan(row.published)
    ]
    figure = dots(points, "share, %", published, scale=(0, None), upright=True, joined=True, columns=4)
    picture = Picture("thoughts_stages", figure, "Share of each type at each stage, with 95 % intervals.")
    return Section("thoughts_stages", "Types by stage", rows, columns, note, [picture])


def _panel(row: StageRow) -> str:
    return f"{row.kind}: {readable(row.type)}"


@dataclass(frozen=True)
class FlowRow:
    """How many conversations go from a type at a stage to a type at the next."""

    kind: str
    from_stage: str
    from_type: str
    to_stage: str
    to_type: str
    count: int
    share: float
    """Of the conversations that come from the type."""


def flows(placed: pd.DataFrame) -> list[FlowRow]:
    """Count flows between neighbouring stages, reasons first, and the most frequent first.

    Args:
        placed: What `at_four_places` returns.
    """
    rows = []
    for kind in TYPES:
        wide = _by_conversation(placed[placed["kind"] == kind])
        for before, after in pairwise(STAGES):
            if before in wide:
                for start, members in wide.groupby(before):
                    for end, n in members[after].value_counts().items():
                        rows.append(FlowRow(kind, before, str(start), after, str(end), int(n), n / len(members)))
    rows.sort(key=lambda row: (row.kind, row.count), reverse=True)
    return rows


def _flow_section(placed: pd.DataFrame) -> Section:
    columns = [
        short("Kind", "kind"), short("Stages", lambda row: f"{row.from_stage} → {row.to_stage}"),
        name("From", "from_type"), name("To", "to_type"), count("Conversations", "count"), share("Share", "share"),
    ]  # fmt: skip
    note = (
        f"{_SAMPLED_RULE} The table counts the conversations that go from a type to a type; shares are of those that "
        "come from the type."
    )
    picture = Picture("thoughts_flow", draw_flows(placed), "Flow between stages; wider bands are more conversations.")
    return Section("thoughts_flow", "Flow between stages", flows(placed), columns, note, [picture])


def _by_conversation(placed: pd.DataFrame) -> pd.DataFrame:
    """Lay out the types with a row per conversation and a column per stage."""
    return placed.pivot_table(index="conversation", columns="stage", values="type", aggfunc="first", observed=True)


def draw_flows(placed: pd.DataFrame) -> Figure:
    """Draw a bar of types at each stage and the flows between neighbours, a panel per kind.

    Args:
        placed: What `at_four_places` returns.
    """
    kinds = [kind for kind in TYPES if (placed["kind"] == kind).any()]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6 * len(kinds), 5.4), layout="constrained")
        for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
            of_kind = placed[placed["kind"] == kind]
            wide = _by_conversation(of_kind)
            labels = sort_by(of_kind["type"], TYPES[kind])
            colours = {label: COLOURS[min(place, len(COLOURS) - 1)] for place, label in enumerate(labels)}
            bottoms = [_draw_bar(axes, place, wide[at], colours) for place, at in enumerate(STAGES)]
            for place in range(len(STAGES) - 1):
                _draw_bands(axes, place, wide.iloc[:, place : place + 2], colours, bottoms)
            axes.set_xticks(range(len(STAGES)), STAGES)
            axes.set_xlim(-0.15, len(STAGES) - 0.85)
            axes.set_yticks([])
            axes.tick_params(axis="x", length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(f"{kind}s, {len(wide):,} conversations", loc="left", fontweight="bold")
            handles = [Patch(color=colours[label], label=readable(label)) for label in labels]
            axes.legend(
                handles=handles, frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.07)
            )
    return figure


def _draw_bar(axes: Axes, place: int, types: pd.Series, colours: Mapping[str, str]) -> dict[str, float]:
    """Draw the types at a stage, the first on top, and return the height at which each begins."""
    bottoms, top = {}, 1.0 + _GAP * (len(colours) - 1)
    for label, colour in colours.items():
        height = (types == label).sum() / len(types)
        bottoms[label] = top - height
        axes.bar(place, height, _BAR, bottom=top - height, color=colour)
        if height >= 0.035:
            axes.text(place, top - height / 2, f"{100 * height:.0f}", ha="center", va="center", fontsize=8,
                      color="black")  # fmt: skip
        top -= height + _GAP
    return bottoms


def _draw_bands(
    axes: Axes, place: int, pair: pd.DataFrame, colours: Mapping[str, str], bottoms: Sequence[Mapping[str, float]]
) -> None:
    """Draw the flows from a stage to the next, stacked as the bars are."""
    labels = list(colours)
    counts = pd.crosstab(pair.iloc[:, 0], pair.iloc[:, 1]).reindex(index=labels, columns=labels, fill_value=0)
    widths = counts.to_numpy() / len(pair)
    left = {label: bottoms[place][label] + width for label, width in zip(labels, widths.sum(axis=1), strict=True)}
    right = {label: bottoms[place + 1][label] + width for label, width in zip(labels, widths.sum(axis=0), strict=True)}
    x = np.linspace(0, 1, 40)
    eased = x * x * (3 - 2 * x)
    for row, start in enumerate(labels):
        for column, end in enumerate(labels):
            width = widths[row, column]
            if width:
                upper = left[start] + (right[end] - left[start]) * eased
                across = place + _BAR / 2 + x * (1 - _BAR)
                axes.fill_between(across, upper - width, upper, color=colours[start], alpha=0.4, linewidth=0)
            left[start] -= width
            right[end] -= width
