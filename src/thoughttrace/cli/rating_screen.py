"""The screen on which a person rates inferences, one key each."""

import sys
import termios
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from thoughttrace.analysis.read.human_ratings import Rating, append
from thoughttrace.analysis.tables import visible
from thoughttrace.cli.questions import Question, Texts, texts
from thoughttrace.core.record import Kind
from thoughttrace.scorers.agreement import rubric

_WIDTH = 100
"""Lines longer than this are hard to read."""
_LEAST = (1, 2, 2, 2)
"""Lines that remain on a low screen of the message before, the message, the notes, the guess; cut in this order."""
_KEYS = "1–5 rate   s skip   u undo   ? rubric   m whole text   q quit"
_TITLES: dict[Kind, tuple[str, str, str]] = {
    "reason": ("The reply before", "The user's message", "The user's note: why they sent it"),
    "reaction": ("The user's message before", "The reply", "The user's note: what they thought of the reply"),
}


class Session:
    """One sitting of one rater.

    Args:
        console: The terminal.
        file: Where each rating is appended at once.
        rater: The rater's name.
    """

    def __init__(self, console: Console, file: Path, rater: str) -> None:
        self.console, self.file, self.rater = console, file, rater

    def run(self, asked: Sequence[Question], done: int) -> int:
        """Ask one question after the other until all are asked or the rater quits.

        Args:
            asked: What this rater has not rated yet.
            done: How many the rater has rated before.

        Returns:
            How many of those asked are rated now.
        """
        given: list[bool] = []
        hint = ""
        while len(given) < len(asked):
            question = asked[len(given)]
            shown = texts(question)
            total = done + len(asked)
            self._draw(lambda: _page(self.console, question.kind, shown, done + sum(given), total, hint))  # noqa: B023
            key, hint = _key(), ""
            if key in {"1", "2", "3", "4", "5"}:
                self._record(question, int(key))
                given.append(True)
            elif key == "s":
                given.append(False)
            elif key == "u" and given:
                if given.pop():
                    self._record(asked[len(given)], None)
            elif key == "u":
                hint = "Nothing to undo since you started."
            elif key == "q":
                break
            elif key == "?":
                self._read(human_rubric(question.kind))
            elif key == "m":
                self._read("\n\n".join(f"{title.upper()}\n{text}" for title, text in _parts(question.kind, shown)))
            else:
                hint = "That key does nothing here."
        self.console.clear()
        return sum(given)

    def _record(self, question: Question, rating: int | None) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        given = {"rater": self.rater, "kind": question.kind, "id": question.id, "model": question.model}
        given |= {"inference": question.inference, "time": now}
        append(self.file, [Rating.model_validate(given | {"epoch": question.epoch, "rating": rating})])

    def _draw(self, page: Callable[[], RenderableType]) -> None:
        self.console.clear()
        self.console.print(page(), width=_width(self.console), end="")

    def _read(self, text: str) -> None:
        """Show a text screen by screen."""
        lines = _wrapped(self.console, text, _width(self.console))
        step = max(1, self.console.height - 2)
        for start in range(0, len(lines), step):
            last = start + step >= len(lines)
            below = Text("any key: back" if last else "any key: go on", style="dim")
            page = Group(*lines[start : start + step], below)
            self._draw(lambda: page)  # noqa: B023
            _key()


def human_rubric(kind: Kind) -> str:
    """The judges' rubric without its last two paragraphs, which say how texts are marked and how to reply."""
    return "\n\n".join(rubric(kind).split("\n\n")[:-2])


def _scale(kind: Kind) -> list[str]:
    """One line for each rating, without the examples."""
    lines = [line.partition(" Guess:")[0] for line in human_rubric(kind).splitlines()]
    return [line for line in lines if line[:4] in {f"{rating} = " for rating in range(1, 6)}]


def _key() -> str:
    """The next key; a key pressed before the question was on the screen does not count."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return click.getchar()
    except (KeyboardInterrupt, EOFError):
        return "q"


def _parts(kind: Kind, shown: Texts) -> list[tuple[str, str]]:
    """Titles and texts, from the context to what is rated."""
    before, message, note = _TITLES[kind]
    several = len(shown.notes) > 1
    notes = "\n".join(f"• {text}" for text in shown.notes) if several else shown.notes[0]
    title = f"{note} (several: the best match counts)" if several else note
    parts = [(before, shown.before), (message, shown.message), (title, notes), ("The guess", shown.inference)]
    return [(title, _plain(text)) for title, text in parts]


def _page(console: Console, kind: Kind, shown: Texts, done: int, total: int, hint: str) -> RenderableType:
    """The whole screen, as wide and as high as it may be."""
    width = _width(console)
    scale = [Text(line, no_wrap=True, overflow="ellipsis", style="dim") for line in _scale(kind)]
    parts, least = _parts(kind, shown), list(_LEAST)
    if not parts[0][1]:
        parts, least = parts[1:], least[1:]
    free = console.height - 3 - len(scale) - 2 * len(parts)
    if free < sum(least):
        free, scale = free + len(scale), []
    if free < sum(least) and len(parts) == len(_LEAST):
        parts, least, free = parts[1:], least[1:], free + 2
    wrapped = [_wrapped(console, text, width - 4) for _, text in parts]
    heights = _fitted([len(lines) for lines in wrapped], least, free)
    styles = ("dim", "dim", "green", "yellow")[-len(parts) :]
    panels = [
        Panel(_cut(lines, height), title=title, title_align="left", border_style=style)
        for (title, _), lines, height, style in zip(parts, wrapped, heights, styles, strict=True)
    ]
    keys = Text(hint or _KEYS, style="bold yellow" if hint else "bold", no_wrap=True, overflow="ellipsis")
    return Group(_progress(kind, done, total), *panels, *scale, keys)


def _progress(kind: Kind, done: int, total: int) -> RenderableType:
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", width=24)
    table.add_row(Text(f"{done:,} of {total:,} rated · a {kind}", style="bold"), ProgressBar(total, done, width=24))
    return table


def _fitted(needed: Sequence[int], least: Sequence[int], free: int) -> list[int]:
    """Lines for each part: the first ones give way first, none below its least unless it needs less."""
    heights = list(needed)
    for place, lowest in enumerate(least):
        over = sum(heights) - free
        heights[place] -= max(0, min(over, heights[place] - lowest))
    return heights


def _cut(lines: Sequence[Text], height: int) -> Text:
    shown = [*lines[: height - 1], Text("… m shows all", style="dim")] if len(lines) > height else lines
    return Text("\n").join(shown)


def _wrapped(console: Console, text: str, width: int) -> list[Text]:
    return list(Text(text).wrap(console, width))


def _plain(text: str) -> str:
    """A text that cannot steer the terminal: control characters become �."""
    lines = (
        "".join("�" if unicodedata.category(c) == "Cc" and c != "\t" else c for c in line) for line in text.splitlines()
    )
    return visible("\n".join(lines).strip()) or "(empty)"


def _width(console: Console) -> int:
    return min(console.width, _WIDTH)
