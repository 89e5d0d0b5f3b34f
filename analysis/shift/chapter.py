"""The chapter on the shift: sections, figures, and a summary in sentences."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.style import COLOURS, INK, SOFT, STYLE
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    format_interval,
    format_number,
    limits,
    note,
    number,
    p,
    short,
)
from thoughttrace.analysis.shift.geometry import DRAWS, FEWEST_USERS
from thoughttrace.analysis.shift.measure import (
    ALL,
    BY_TURN,
    EQUAL_LENGTH,
    FOLDS,
    PERCENTILES,
    SIMILAR_LENGTH,
    ComparisonRow,
    RelationRow,
    Shift,
)
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON, RELATIONS, Pairs
from thoughttrace.analysis.stats.multiplicity import LEVEL

_MEASURES = {
    "distance": "mean cosine distance",
    "centroids_debiased": "debiased distance of the centroids",
    "mmd": "MMD² (× 1,000)",
    "auc": "AUC",
}

_RELATION = [short("Relation", "relation"), short("Pairs", "pairs")]
_SIZES = [count("n", "n"), count("Users", "users")]


def shift_chapter(shift: Shift, pairs: Pairs, embedder: str, data: str, seed: int, notes: Sequence[str]) -> Chapter:
    """Write the chapter on the shift.

    Args:
        shift: What was measured.
        pairs: The pairs that it was measured on.
        embedder: The embedder's name.
        data: The dataset's name and revision.
        seed: Of everything random.
        notes: Sentences for the introduction.
    """
    intro = [
        f"How far a thought lies from the messages around it: {len(pairs.table):,} pairs of "
        f"{pairs.table['user'].nunique():,} users in {data}, embedded by {embedder} (seed {seed}).",
        "Message → next message is what a conversation shows by itself; message → reason and reaction → next message "
        "are what only the thoughts show.",
        *notes,
    ]
    if pairs.joined:
        intro.append(f"In {pairs.joined:,} pairs one side is several thoughts on one message, joined to one text.")
    if pairs.blank:
        intro.append(f"{pairs.blank:,} pairs with an empty side are left out.")
    sections = [_pairs_section(shift), _clouds_section(shift), _comparisons_section(shift), _steps_section(shift)]
    return Chapter("shift", "Semantic shift", " ".join(intro), sections)


def _pairs_section(shift: Shift) -> Section:
    columns = [
        *_RELATION, number("Cosine distance", "distance", ".3f"), limits("95 % interval", spec=".3f"),
        number("AUC", "auc", ".3f"), number("AUC of words", "auc_words", ".3f"),
        *_SIZES, note(),
    ]  # fmt: skip
    words = (
        f"{' '.join(summarize(shift))} Published: centroid distance, MMD and probe AUC rise from message → next "
        "message over message → reason to reaction → next message (text-embedding-3-large; no numbers). Cosine "
        "distance: 1 − cosine, the mean over pairs with its CR2 interval by user. AUC: a logistic regression separates "
        f"targets from sources, {FOLDS} folds that split no user; it has no interval, because other users would give "
        "other fits: whether the clouds differ is what MMD tests. AUC of words: the same from the number of words "
        "alone. Similar length: neither text has more than twice the words of the other."
    )
    return Section("shift_relations", "Distance of pairs", shift.relations, columns, words)


def _clouds_section(shift: Shift) -> Section:
    columns = [
        *_RELATION, number("Centroids", "centroids", ".3f"), number("Debiased", "centroids_debiased", ".3f"),
        number("MMD² × 1,000", lambda row: 1000 * row.mmd), p("MMD p", "mmd_p"),
        limits("Debiased, 95 %", "centroids_", ".3f"), number("Standardized", "centroids_standardized"), *_SIZES,
    ]  # fmt: skip
    words = (
        "Centroids: Euclidean distance of the mean source from the mean target. Debiased: the same from products of "
        "different users' pairs only, because the plain distance grows as pairs get fewer; its limits by a jackknife "
        "of users. Standardized: the debiased distance over the root mean squared distance of a text from "
        "its own cloud's centroid. MMD²: RBF kernel, with the median distance of all texts "
        f"({shift.bandwidth:.2f}) as bandwidth, unbiased, over pairs of different users; p by {DRAWS} permutations "
        f"that exchange sources and targets of whole users; with fewer than {FEWEST_USERS} users it cannot be below "
        "0.05. In message → next message a text is target of one pair and source of the next, so its clouds differ by "
        "the first and last messages only."
    )
    return Section("shift_clouds", "Distance of the clouds", shift.relations, columns, words)


def _comparisons_section(shift: Shift) -> Section:
    columns = [
        short("A", "a"), short("B", "b"), short("Pairs", "way"), number("A − B", "difference", "+.3f"),
        limits("95 % interval", spec=".3f"), p("p (Holm)", "p_holm"), p("p", "p_value"),
        number("Pairs of A", lambda row: f"{row.n_a:,} ({row.share_a:.0%})"),
        number("Pairs of B", lambda row: f"{row.n_b:,} ({row.share_b:.0%})"), count("Users", "users"), note(),
    ]  # fmt: skip
    words = (
        "Differences of mean cosine distances, CR2 by user, Holm over the comparisons of a way. As they are: all "
        "pairs. Turn by turn: the pairs of the same user message (and the reply to it), so that message → reason "
        "and message → next message have one source, reaction → next message and message → next message one "
        "target. Equal length: only classes of words of source and of target (1, 2–3, 4–7 … 64 and more) in which "
        "both relations occur, compared within them by a regression that also adjusts for the logarithm of both "
        "lengths; in brackets the share of pairs that are used."
    )
    pictures = []
    if shift.comparisons:
        points = [
            Dot(f"{row.a}\nagainst {row.b}", row.difference, row.lower, row.upper, series=row.way)
            for row in shift.comparisons
        ]
        figure = dots(points, "difference of mean cosine distances, with 95 % interval", [Reference(0, kind="zero")])
        pictures.append(Picture("shift_comparisons", figure, "How much farther apart A is than B."))
    return Section("shift_comparisons", "Relations compared", shift.comparisons, columns, words, pictures)


def _steps_section(shift: Shift) -> Section:
    columns = [
        short("Relation", "relation"),
        number("25 / 50 / 75 % within", lambda row: _join(row.quartiles("steps"))),
        number("Published (other model and settings)", lambda row: _join(row.quartiles("published"))),
        number("Norm of the difference", lambda row: _join(row.quartiles("norm"))),
        count("n", "n"),
    ]
    words = (
        "All texts on a plane by one UMAP (15 neighbours, minimal distance 0.1, cosine metric, seeded). Distances on "
        "such a plane are not to scale and depend on the texts, so only their order can be compared with the published "
        "ones, whose settings are not stated; the norm of the difference of embeddings is for comparison."
    )
    pictures = []
    if shift.steps:
        caption = (
            "A point is the step from a source to its target, the cross is no step, and the circles hold 25, 50 and "
            "75 % of a relation's pairs."
        )
        pictures.append(Picture("shift_steps", _draw_steps(shift), caption))
    return Section("shift_steps", "Steps on a plane of texts", shift.steps, columns, words, pictures)


def _draw_steps(shift: Shift) -> Figure:
    """Draw the steps, a panel per relation, with the radii that hold 25, 50 and 75 % of them."""
    points = shift.plane
    radii = np.linalg.norm(points, axis=1)
    members = {row: shift.drawn == row.relation for row in shift.steps}
    # A few pairs lie so far out that the others would be a speck.
    reach = 1.15 * max(float(np.percentile(radii[chosen], 95)) for chosen in members.values())
    size = float(np.clip(6000 / len(points), 2, 12))
    styles: tuple[Any, ...] = (":", "--", "-")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(shift.steps), 5.2))
        figure.set_layout_engine("constrained", wspace=0.06)
        panels = figure.subplots(1, len(shift.steps), squeeze=False)[0]
        for axes, (row, chosen) in zip(panels, members.items(), strict=True):
            colour = COLOURS[RELATIONS.index(row.relation)]
            axes.scatter(*points[chosen].T, s=size, color=colour, alpha=0.6, linewidths=0, rasterized=True)
            for radius, style in zip(row.quartiles("steps"), styles, strict=True):
                axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=INK, linewidth=1.1, linestyle=style))
            axes.plot(0, 0, "+", color=INK, markersize=10, markeredgewidth=1.4)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
            axes.spines[:].set_color(SOFT)
            outside = int((np.abs(points[chosen]) > reach).any(axis=1).sum())
            beyond = f", {outside:,} beyond the frame" if outside else ""
            axes.set_title(f"n = {row.n:,}{beyond}", loc="left", fontsize=9)
            axes.text(0, 1.075, row.relation, transform=axes.transAxes, fontweight="bold", fontsize=11)
            quartiles = _join(row.quartiles("steps")), _join(row.quartiles("published"))
            axes.set_xlabel("25 / 50 / 75 %: {}\npublished: {}".format(*quartiles), fontsize=9)
        lines = [Line2D([], [], color=INK, linewidth=1.1, linestyle=style) for style in styles]
        within = [f"{percentile} % of the pairs within" for percentile in PERCENTILES]
        figure.legend(lines, within, loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def _join(quartiles: Sequence[float]) -> str:
    return " / ".join(f"{quartile:.2f}" for quartile in quartiles)


def summarize(shift: Shift) -> list[str]:
    """Write one sentence on each measure: whether it rises in the published order, on all pairs and at equal length.

    Args:
        shift: With at least two relations.
    """
    sentences = []
    for measure, title in _MEASURES.items():
        values = _in_published_order(shift.relations, measure, ALL)
        if values:
            sentence = f"The {title} {_rises(values)} in the published order: {_list(values)}."
            if similar := _in_published_order(shift.relations, measure, SIMILAR_LENGTH):
                sentence += f" Over pairs of similar length it {_rises(similar)}: {_list(similar)}."
            sentences.append(sentence)
    for relation in (REASON, REACTION):
        rows = {row.way: row for row in shift.comparisons if (row.a, row.b) == (relation, NEXT)}
        if rows:
            by_turn, equal = rows[BY_TURN], rows[EQUAL_LENGTH]
            sentences.append(
                f"Turn by turn, the mean cosine distance of {relation} {_verdict(by_turn)} that of {NEXT} "
                f"({_estimate(by_turn)}); at equal length it {_verdict(equal)} it ({_estimate(equal)})."
            )
    if len(shift.steps) == len(RELATIONS):
        medians = [row.steps_50 for row in shift.steps]
        sentences.append(
            f"The median step on the plane of texts {_rises(medians)} in the published order: {_list(medians, '.2f')}."
        )
    return sentences


def _rises(values: Sequence[float]) -> str:
    return "rises" if list(values) == sorted(values) else "does not rise"


def _list(values: Sequence[float], spec: str = ".3f") -> str:
    return ", ".join(format_number(value, spec) for value in values)


def _in_published_order(rows: Sequence[RelationRow], measure: str, pairs: str) -> list[float] | None:
    """Give a measure of the three relations, MMD² times 1,000; None if one is missing."""
    by_relation = {row.relation: getattr(row, measure) for row in rows if row.pairs == pairs}
    values = [by_relation.get(relation, np.nan) * (1000 if measure == "mmd" else 1) for relation in RELATIONS]
    return None if np.isnan(values).any() else values


def _verdict(row: ComparisonRow) -> str:
    if np.isnan(row.p_holm):
        return "cannot be compared with"
    if row.p_holm >= LEVEL:
        return "does not differ significantly from"
    return "exceeds" if row.difference > 0 else "is below"


def _estimate(row: ComparisonRow) -> str:
    if np.isnan(row.lower):
        return row.note
    return f"{format_number(row.difference, '+.3f')}, 95 % interval {format_interval(row.lower, row.upper, '.3f')}"
