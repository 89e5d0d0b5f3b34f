"""The shift as sections of a page."""

from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.shift import figures
from thoughttrace.analysis.shift.clouds import DRAWS
from thoughttrace.analysis.shift.measure import Shift
from thoughttrace.analysis.shift.pairs import Pairs
from thoughttrace.analysis.shift.probe import FOLDS
from thoughttrace.analysis.shift.words import cloud_rows, comparison_rows, in_words, radius_rows, relation_rows


def chapter(shift: Shift, pairs: Pairs, embedder: str, data: str, seed: int) -> Chapter:
    """All sections of the shift.

    Args:
        shift: What was measured.
        pairs: On what.
        embedder: The embedder's name.
        data: The dataset's name and revision.
        seed: Of everything random.
    """
    sections = [_relations(shift), _clouds(shift), _compared(shift), _steps(shift), _differences(shift)]
    about = [
        f"How far a thought lies from the messages around it: {len(pairs.table):,} pairs of "
        f"{pairs.table['user'].nunique():,} users in {data}, as {embedder} embeds them (seed {seed}).",
        "Message → next message is what a conversation says by itself; message → reason and reaction → next message "
        "are what only the thoughts say.",
        *shift.notes,
    ]
    if pairs.joined:
        about.append(f"Of {pairs.joined:,} pairs one side is several thoughts on one message, taken as one text.")
    if pairs.blank:
        about.append(f"{pairs.blank:,} pairs with an empty side are left out.")
    return Chapter("shift", "Semantic shift", " ".join(about), [section for section in sections if section.rows])


def _relations(shift: Shift) -> Section:
    note = (
        f"{' '.join(in_words(shift))} Published: centroid distance, MMD and probe AUC rise from message → next "
        "message over message → reason to reaction → next message (text-embedding-3-large; no figures). Cosine "
        "distance: 1 − cosine, the mean over pairs with its CR2 interval by user. AUC: a logistic regression tells "
        f"targets from sources, {FOLDS} folds that split no user; its interval holds for these {FOLDS} fits. AUC of "
        "words: the same from the number of words alone. Like length: neither text has more than twice the words "
        "of the other."
    )
    return Section("shift_relations", "Distance of pairs", shift.relations, relation_rows(shift.relations), note)


def _clouds(shift: Shift) -> Section:
    note = (
        "Centroids apart: Euclidean distance of the mean source from the mean target. Without noise: the same from "
        "products of different users' pairs only, for the plain distance grows as pairs get fewer; its limits by a "
        "seeded bootstrap of users. In spreads: that over the root mean squared distance of a text from its own "
        "cloud's centroid. MMD²: RBF kernel, the bandwidth the median distance of all texts "
        f"({shift.bandwidth:.2f}), unbiased, over pairs of different users; p by {DRAWS} permutations that exchange "
        "sources and targets of whole users. In message → next message a text is target of one pair and source of "
        "the next, so its clouds differ by the first and last messages only."
    )
    return Section("shift_clouds", "Distance of the clouds", shift.relations, cloud_rows(shift.relations), note)


def _compared(shift: Shift) -> Section:
    note = (
        "Differences of mean cosine distances, CR2 by user, Holm over the comparisons of a way. As they are: all "
        "pairs. Turn by turn: the pairs of the same user message (and the reply to it), so that message → reason "
        "and message → next message have one source, reaction → next message and message → next message one "
        "target. Equal length: only classes of words of source and of target (1, 2–3, 4–7 … 64 and more) in which "
        "both relations occur, compared within them by a regression that also takes out the logarithm of both "
        "lengths; the share of pairs kept is beside."
    )
    rows = comparison_rows(shift.comparisons)
    figure = figures.differences(shift.comparisons) if rows else None
    return Section("shift_compared", "Shifts compared", shift.comparisons, rows, note, figure)


def _steps(shift: Shift) -> Section:
    note = (
        "All texts laid on a plane by one UMAP (15 neighbours, minimal distance 0.1, cosine metric, seeded); a "
        "point is the step from a source to its target there, the cross no step at all, and the circles hold 25, "
        "50 and 75 % of a relation's pairs. Distances on such a plane are not to scale and depend on the texts, so "
        "only their order can be held against the published ones, whose settings are not stated; the plain norm of "
        "the difference of embeddings is beside."
    )
    return _drawn(shift, "steps", "shift_steps", "Steps on a plane of texts", note)


def _differences(shift: Shift) -> Section:
    note = (
        "The other reading of the published figure: the difference vectors (target − source) themselves laid on a "
        "plane by one UMAP (15 neighbours, minimal distance 0.1, Euclidean metric, seeded), the cross where the "
        "zero vector comes to lie. Not to scale, and less steady: on the 20 published example conversations the "
        "order of the relations changed with the seed, that of the steps above did not."
    )
    return _drawn(shift, "differences", "shift_differences", "Difference vectors on a plane", note)


def _drawn(shift: Shift, plane: str, name: str, title: str, note: str) -> Section:
    figure = figures.plane(shift, plane) if shift.planes else None
    return Section(name, title, shift.radii, radius_rows(shift.radii, plane), note, figure)
