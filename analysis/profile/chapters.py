"""Everything the profile shows, in the order in which it is read."""

from collections.abc import Sequence

from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.profile.annotators import annotator_sections
from thoughttrace.analysis.profile.contents import contents_sections
from thoughttrace.analysis.profile.duplicates import duplicate_sections
from thoughttrace.analysis.profile.findings import findings, findings_section
from thoughttrace.analysis.profile.frames import Frames
from thoughttrace.analysis.profile.lengths import Lengths, lengths_section, own_lengths
from thoughttrace.analysis.profile.people import people_section
from thoughttrace.analysis.profile.stage_sections import stage_sections
from thoughttrace.analysis.profile.types import hindsight_section, length_section, types_section
from thoughttrace.analysis.section import Section
from thoughttrace.datasets.sources import Source


def profile_chapters(source: Source, made: Frames, others: Sequence[Lengths]) -> list[Chapter]:
    """Profile a dataset.

    Args:
        source: The conversations and where they are from.
        made: The same as tables.
        others: Lengths of other datasets, to stand beside.
    """
    told = made.thoughts
    thoughts = []
    if len(told):
        thoughts = [types_section(told), *stage_sections(told), length_section(told), hindsight_section(made)]
    odd = findings_section(findings(source.conversations, source.skipped))
    return [
        _chapter("contents", "What is in it",
            [*contents_sections(source, made), lengths_section([own_lengths(source.name, made), *others])]),
        _chapter("thoughts", "Thoughts", thoughts),
        _chapter("annotators", "Who writes thoughts", [*annotator_sections(made), people_section(made)]),
        _chapter("quality", "Data quality", [*duplicate_sections(source.conversations), odd]),
    ]  # fmt: skip


def _chapter(name: str, title: str, sections: Sequence[Section]) -> Chapter:
    return Chapter(name, title, "", [section for section in sections if section.rows])
