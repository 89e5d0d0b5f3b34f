"""What the logs of the other tasks say, a chapter each."""

from collections.abc import Callable

from thoughttrace.analysis.classified_sections import labels_chapter
from thoughttrace.analysis.conversation_sections import conversations_chapter
from thoughttrace.analysis.messages.chapter import message_chapter
from thoughttrace.analysis.pages import Chapter
from thoughttrace.analysis.rated_sections import informative_chapter, told_chapter
from thoughttrace.analysis.runs import Runs

_CHAPTERS: tuple[Callable[[Runs], Chapter], ...] = (
    message_chapter,
    labels_chapter,
    told_chapter,
    informative_chapter,
    conversations_chapter,
)
"""Each reads its logs from `Runs.others`, and adds to `Runs.left_out` a sentence for every log that does not count."""


def other_chapters(runs: Runs) -> list[Chapter]:
    """The chapters of tasks that there are logs of.

    Args:
        runs: What was found; sentences on logs that do not count are added.
    """
    return [chapter for make in _CHAPTERS if (chapter := make(runs)).sections]
