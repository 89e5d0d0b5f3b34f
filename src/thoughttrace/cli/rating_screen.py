"""Ask a person to rate inferences: which ones, in which order, and on which screen.

Imported only once `thoughttrace rate` starts to ask: it needs a POSIX terminal, and packages that take seconds to
import.
"""

import hashlib
import sys
import termios
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from thoughttrace.analysis.read.human_ratings import Rating, append, inferences
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.whole_samples import read_inference
from thoughttrace.core.record import INFER, Kind
from thoughttrace.core.terminal import visible
from thoughttrace.scorers.agreement import rubric

_MOST_COLUMNS = 100
"""Longer lines are hard to read."""
_FEWEST_LINES = (1, 2, 2, 2)
"""Lines that a low screen keeps of the message before, the message, the thoughts, and the inference. The first ones
are shortened first."""
_KEYS = "1–5 rate   s skip   u undo   ? rubric   m full texts   q quit"
_TITLES: dict[Kind, tuple[str, str, str]] = {
    "reason": ("The reply before", "The user's message", "The user's note: why they sent it"),
    "reaction": ("The user's message before", "The reply", "The user's note: what they thought of the reply"),
}


@dataclass(frozen=True)
class Question:
    """One inference for one sample; several models may have written it."""

    kind: Kind
    id: str
    """Of the sample."""
    inference: str
    """The hash of its text."""
    model: str
    """One that wrote it; never shown."""
    epoch: int
    file: str
    """The log that holds it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two questions the same."""
        return self.kind, self.id, self.inference


@dataclass(frozen=True)
class Texts:
    """What the screen shows of a question."""

    before: str
    """The message before the annotated one; empty where there is none, the model did not see it, or the log was written
    before logs said where messages end in a prompt."""
    message: str
    thoughts: list[str]
    """What the user really thought: the target."""
    inference: str


def questions_for(runs: Sequence[Run], rater: str, seed: int, limit: int | None) -> list[Question]:
    """List every inference that judges rated, each once, in a rater's order.

    First comes one epoch of each sample, the same for all models, then what other epochs say otherwise: whoever stops
    early, or sets a limit, has rated a random draw of samples. A draw of texts would rarely have samples whose epochs
    all say the same, and the corrected mean (`stats.ppi`) rests on samples drawn at random.

    Within that the order is by hash, so it mixes models and kinds, and stays the same when logs are added. Which
    inferences a limit selects depends on the seed alone: raters with the same seed and limit rate the same ones.

    Args:
        runs: Finished runs.
        rater: The rater's name.
        seed: Of the order and the selection.
        limit: Maximum number of questions; None for all.
    """
    questions: dict[tuple[str, str, str], Question] = {}
    first_asked: dict[tuple[str, str, str], int] = {}
    """In which round: the place of its epoch among those of the sample."""
    for run in runs:
        assert run.kind, "only inferences are rated"
        rated = inferences(run)
        drawn = [
            _random_key(seed, run.kind, sample, epoch)
            for sample, epoch in zip(rated["id"], rated["epoch"], strict=True)
        ]
        rated["round"] = rated.assign(drawn=drawn).groupby("id")["drawn"].rank().astype(int)
        for row in rated.to_dict("records"):
            question = Question(run.kind, row["id"], row["inference"], run.name, row["epoch"], row["file"])
            questions.setdefault(question.key, question)
            first_asked[question.key] = min(row["round"], first_asked.get(question.key, row["round"]))
    selected = sorted(
        questions.values(), key=lambda question: (first_asked[question.key], _random_key(seed, *question.key))
    )
    return sorted(
        selected[:limit],
        key=lambda question: (first_asked[question.key], _random_key(seed, rater, *question.key)),
    )


def _random_key(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def read_texts(question: Question) -> Texts | None:
    """Read from its log what the screen shows of a question; None if that part of the log is damaged."""
    inference = read_inference(question.file, question.id, question.epoch, INFER[question.kind].score)
    if not inference:
        return None
    index, _, message = inference.message
    shown = {index: text for index, _, text in inference.shown}
    return Texts(
        before=shown.get(index - 1, ""), message=message, thoughts=inference.thoughts, inference=inference.text
    )


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
        record = {
            "rater": self.rater,
            "kind": question.kind,
            "id": question.id,
            "model": question.model,
            "epoch": question.epoch,
            "inference": question.inference,
            "rating": rating,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        append(self.file, [Rating.model_validate(record)])

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


_SCALES: dict[Kind, str] = {
    "reason": """\
1 = another reason, the opposite, or what would fit any message
2 = no point of the note, but what the message asks or shows
3 = a point of the note, but not the main one; or half of the main one
4 = the main point, but vaguer, or another point is missing or added
5 = every point and no other, in whatever words""",
    "reaction": """\
1 = opposite verdicts; or one is mixed, the other is not, and the cause is "other"
2 = the same verdict, "other"; or one is mixed, the other is not, and "part", "none" or "added"
3 = one is mixed, the other is not, and the cause is "same"
4 = the same verdict, and the cause is "part" or "added"
5 = the same verdict, and "same" cause, or "none\"""",
}
"""A line for each rating. A person sums up verdicts and cause, as `reaction_rating` does for a judge."""


def human_rubric(kind: Kind) -> str:
    """Return the judges' rubric, with the scale in place of its last two paragraphs, on marked texts and the reply."""
    return "\n\n".join([*rubric(kind).split("\n\n")[:-2], _SCALES[kind]])


def _key() -> str:
    """Wait for a key; one pressed before the question was on the screen does not count."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return click.getchar()
    except (KeyboardInterrupt, EOFError):
        return "q"


def _parts(kind: Kind, texts: Texts) -> list[tuple[str, str]]:
    """Return titles and texts, from the context to what is rated."""
    before, message, note = _TITLES[kind]
    several = len(texts.thoughts) > 1
    thoughts = "\n".join(f"• {text}" for text in texts.thoughts) if several else texts.thoughts[0]
    title = f"{note} (several: the best match counts)" if several else note
    parts = [(before, texts.before), (message, texts.message), (title, thoughts), ("The guess", texts.inference)]
    return [(title, _plain(text)) for title, text in parts]


def _page(console: Console, kind: Kind, texts: Texts, rated: int, total: int, hint: str) -> RenderableType:
    """Lay out the whole screen, never higher or wider than the terminal."""
    width = _width(console)
    scale = [Text(line, no_wrap=True, overflow="ellipsis", style="dim") for line in _SCALES[kind].splitlines()]
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
