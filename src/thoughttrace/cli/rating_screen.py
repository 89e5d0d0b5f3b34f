"""Ask a person to rate inferences, in a terminal.

Imported only once `thoughttrace rate` starts to ask: it needs a POSIX terminal, and packages that take seconds to
import.
"""

import sys
import termios
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from thoughttrace.analysis.read.human_ratings import append
from thoughttrace.cli.people.ratings import SCALES, Question, Texts, human_rubric, parts_of, rating_of, read_texts
from thoughttrace.core.record import Kind
from thoughttrace.core.terminal import visible

_MOST_COLUMNS = 100
"""Longer lines are hard to read."""
_FEWEST_LINES = (1, 2, 2, 2)
"""Lines that a low screen keeps of the message before, the message, the thoughts, and the inference. The first ones
are shortened first."""
_KEYS = "1–5 rate   s skip   u undo   ? rubric   m full texts   q quit"


class Session:
    """Ask one rater, in one terminal, until all questions are answered or the rater quits.

    Args:
        console: The terminal.
        file: The ratings file, to which each rating is appended at once.
        rater: The rater's name.
    """

    def __init__(self, console: Console, file: Path, rater: str) -> None:
        self.console, self.file, self.rater = console, file, rater

    def run(self, questions: Sequence[Question], rated_before: int) -> int:
        """Ask one question after the other; those whose texts cannot be read are passed over.

        Args:
            questions: Those that this rater has not rated yet.
            rated_before: How many this rater has rated in earlier sessions.

        Returns:
            How many of the questions have been rated.
        """
        answers: list[bool] = []
        """Of each question so far: whether it was rated, not skipped."""
        readable = list(questions)
        hint = ""
        while len(answers) < len(readable):
            question = readable[len(answers)]
            texts = read_texts(question)
            if not texts:
                readable.remove(question)
                hint = f"{question.id} is passed over: {Path(question.file).name} is damaged there."
                continue
            rated, total = rated_before + sum(answers), rated_before + len(readable)
            self._draw(lambda: _page(self.console, question.kind, texts, rated, total, hint))  # noqa: B023
            key, hint = _key(), ""
            if key in {"1", "2", "3", "4", "5"}:
                self._record(question, int(key))
                answers.append(True)
            elif key == "s":
                answers.append(False)
            elif key == "u" and answers:
                if answers.pop():
                    self._record(readable[len(answers)], None)
            elif key == "u":
                hint = "Nothing to undo in this session."
            elif key == "q":
                break
            elif key == "?":
                self._read(human_rubric(question.kind))
            elif key == "m":
                self._read("\n\n".join(f"{title.upper()}\n{text}" for title, text in _parts(question.kind, texts)))
            else:
                hint = "That key does nothing here."
        self.console.clear()
        return sum(answers)

    def _record(self, question: Question, rating: int | None) -> None:
        append(self.file, [rating_of(question, self.rater, rating)])

    def _draw(self, page: Callable[[], RenderableType]) -> None:
        self.console.clear()
        self.console.print(page(), width=_width(self.console), end="")

    def _read(self, text: str) -> None:
        """Show a text screen by screen."""
        lines = _wrapped(self.console, text, _width(self.console))
        step = max(1, self.console.height - 2)
        for start in range(0, len(lines), step):
            last = start + step >= len(lines)
            below = Text("any key: back" if last else "any key: next page", style="dim")
            page = Group(*lines[start : start + step], below)
            self._draw(lambda: page)  # noqa: B023
            _key()


def _key() -> str:
    """Wait for a key; one pressed before the question was on the screen does not count."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return click.getchar()
    except (KeyboardInterrupt, EOFError):
        return "q"


def _parts(kind: Kind, texts: Texts) -> list[tuple[str, str]]:
    return [(title, _plain(text)) for title, text in parts_of(kind, texts)]


def _page(console: Console, kind: Kind, texts: Texts, rated: int, total: int, hint: str) -> RenderableType:
    """Lay out the whole screen, never higher or wider than the terminal."""
    width = _width(console)
    scale = [Text(line, no_wrap=True, overflow="ellipsis", style="dim") for line in SCALES[kind].splitlines()]
    parts, fewest = _parts(kind, texts), list(_FEWEST_LINES)
    if not parts[0][1]:
        parts, fewest = parts[1:], fewest[1:]
    free = console.height - 3 - len(scale) - 2 * len(parts)
    if free < sum(fewest):
        free, scale = free + len(scale), []
    if free < sum(fewest) and len(parts) == len(_FEWEST_LINES):
        parts, fewest, free = parts[1:], fewest[1:], free + 2
    wrapped = [_wrapped(console, text, width - 4) for _, text in parts]
    heights = _heights([len(lines) for lines in wrapped], fewest, free)
    styles = ("dim", "dim", "green", "yellow")[-len(parts) :]
    panels = [
        Panel(_shortened(lines, height), title=title, title_align="left", border_style=style)
        for (title, _), lines, height, style in zip(parts, wrapped, heights, styles, strict=True)
    ]
    keys = Text(hint or _KEYS, style="bold yellow" if hint else "bold", no_wrap=True, overflow="ellipsis")
    return Group(_progress(kind, rated, total), *panels, *scale, keys)


def _progress(kind: Kind, rated: int, total: int) -> RenderableType:
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", width=24)
    table.add_row(Text(f"{rated:,} of {total:,} rated · a {kind}", style="bold"), ProgressBar(total, rated, width=24))
    return table


def _heights(needed: Sequence[int], fewest: Sequence[int], free: int) -> list[int]:
    """Share the free lines among the parts.

    Args:
        needed: Lines that each part would fill.
        fewest: Lines that each part keeps, unless it needs fewer; the first parts are shortened first.
        free: Lines that there are.
    """
    heights = list(needed)
    for part, lowest in enumerate(fewest):
        excess = sum(heights) - free
        heights[part] -= max(0, min(excess, heights[part] - lowest))
    return heights


def _shortened(lines: Sequence[Text], height: int) -> Text:
    fitting = [*lines[: height - 1], Text("… m shows all", style="dim")] if len(lines) > height else lines
    return Text("\n").join(fitting)


def _wrapped(console: Console, text: str, width: int) -> list[Text]:
    return list(Text(text).wrap(console, width))


def _plain(text: str) -> str:
    """Return a text that cannot steer the terminal: control characters become �."""
    lines = (
        "".join("�" if unicodedata.category(c) == "Cc" and c != "\t" else c for c in line) for line in text.splitlines()
    )
    return visible("\n".join(lines).strip()) or "(empty)"


def _width(console: Console) -> int:
    return min(console.width, _MOST_COLUMNS)
