"""The report: the ordered list of its chapters, written as one folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from thoughttrace.analysis.chapters import (
    breakdown,
    by_annotation,
    choose_thought,
    comparison,
    confidence,
    conversation_labels,
    estimands,
    example_samples,
    headline,
    human_ratings,
    judge_card,
    judge_severity,
    judges,
    known_groups,
    length,
    lost_votes,
    methods,
    next_message,
    next_message_gains,
    outcome_order,
    predict_satisfaction,
    protocol,
    qualification,
    raters,
    reaction_verdicts,
    recall,
    recovered_share,
    several_guesses,
    thought_ratings,
    thought_types,
)
from thoughttrace.analysis.page.added import read_page
from thoughttrace.analysis.page.page import write_page
from thoughttrace.analysis.page.table import Chapter
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.core.errors import UserError

CHAPTERS: tuple[Callable[[Evidence], Chapter], ...] = (
    qualification.chapter,
    headline.chapter,
    protocol.chapter,
    outcome_order.chapter,
    estimands.chapter,
    reaction_verdicts.chapter,
    recovered_share.chapter,
    comparison.chapter,
    length.chapter,
    confidence.chapter,
    several_guesses.chapter,
    lost_votes.chapter,
    judges.chapter,
    judge_severity.chapter,
    judge_card.chapter,
    known_groups.chapter,
    human_ratings.chapter,
    raters.chapter,
    breakdown.chapter,
    by_annotation.chapter,
    example_samples.chapter,
    next_message.chapter,
    next_message_gains.chapter,
    choose_thought.chapter,
    predict_satisfaction.chapter,
    recall.chapter,
    thought_types.chapter,
    thought_ratings.coverage,
    thought_ratings.informativeness,
    conversation_labels.chapter,
    methods.chapter,
    methods.sources,
)
"""The chapters, in the order in which they are shown; one that has nothing to show is left out."""

TITLE = "How much of what users were thinking can a model tell?"
INTRO = (
    "A model reads a conversation and infers the thought a user privately noted; a judge rates how far the inference "
    "agrees with that thought: 1 (another thought) to 5 (the same thought)."
)


def write_report(evidence: Evidence, folder: Path, pages: Sequence[Path] = ()) -> list[Chapter]:
    """Write the report.

    Args:
        evidence: What it is written from.
        folder: Made if absent. Files of an earlier report in it are replaced or removed; other files stay.
        pages: Folders that `profile` or `shift` wrote, whose chapters are added.

    Returns:
        The chapters that have something to show.

    Raises:
        UserError: The folder cannot be written, the runs are all controls, or the annotations or human ratings are of
            other data.
    """
    if evidence.runs.controls and not evidence.runs.models:
        raise UserError("There are only controls in these logs: add the logs of a model.")
    chapters = [write(evidence) for write in CHAPTERS]
    write_page(folder, TITLE, INTRO, chapters, [chapter for page in pages for chapter in read_page(page)])
    return [chapter for chapter in chapters if chapter.shown]
