"""Columns over rows of a dataclass, and the forms a table takes: HTML, CSV, Markdown, LaTeX, terminal.

A chapter declares its columns as one list, one line each:

    COLUMNS = [short("Kind", "kind"), name("Model", "model"), number("Agreement", "mean"), limits("95 % interval"),
               count("n", "n"), share("Coverage", "coverage"), note()]
    Section("headline", "Headline", rows, COLUMNS, "What the numbers are.")
"""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from thoughttrace.core.terminal import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Nature = Literal["name", "short", "number", "text", "quotes"]
"""What a column holds, which decides how it is aligned and wrapped: a `name` may wrap, a `short` word and a `number`
may not (numbers stand to the right), `text` is running text, and `quotes` is a list of (who, text)."""

Read = str | Callable[[Any], object]
"""Where a value comes from: a field or property of the row, or a function of the row."""

Cell = str | list[tuple[str, str]]


@dataclass(frozen=True)
class Column:
    """One column of a table; made by the constructors below."""

    title: str
    reads: tuple[Read, ...]
    """Where its values come from; most columns have one."""
    format: Callable[..., Cell]
    """Turns these values into a cell."""
    nature: Nature
    estimate: bool = False
    """Whether it holds estimates, which need enough samples and users; counts do not."""


def name(title: str, read: Read) -> Column:
    """Make a column of names, such as those of models: to the left, wrapped where they are long."""
    return Column(title, (read,), _word, "name")


def short(title: str, read: Read) -> Column:
    """Make a column of short words, such as the kind: to the left, never wrapped."""
    return Column(title, (read,), _word, "short")


def text(title: str, read: Read) -> Column:
    """Make a column of sentences: to the left, its line breaks kept."""
    return Column(title, (read,), _word, "text")


def note(title: str = "Note", read: Read = "note") -> Column:
    """Make the column of remarks, which reads `note`."""
    return text(title, read)


def number(title: str, read: Read, spec: str = ".2f", empty: str = "") -> Column:
    """Make a column of numbers.

    Args:
        title: Of the column.
        read: Where the number comes from; what is text already is shown as it is.
        spec: A format specification, such as `.2f`, `+.1f`, `,.0f` or `+.1%`.
        empty: What stands for NaN and None.
    """
    return Column(title, (read,), lambda value: format_number(value, spec) or empty, "number", estimate=True)


def count(title: str, read: Read) -> Column:
    """Make a column of counts, with a comma for thousands."""
    return Column(title, (read,), lambda value: format_number(value, ",.0f"), "number")


def share(title: str, read: Read, empty: str = "") -> Column:
    """Make a column of shares of 1, shown in per cent.

    Args:
        title: Of the column.
        read: Where the share comes from.
        empty: What stands for NaN and None.
    """
    return Column(title, (read,), lambda value: format_share(value) or empty, "number", estimate=True)


def limits(title: str, prefix: str = "", spec: str = "", percent: bool = False) -> Column:
    """Make a column of intervals, or of the short reason why there is none.

    Args:
        title: Of the column.
        prefix: Of the fields it reads, `lower`, `upper` and, where the row has it, `note`: with "accuracy_" it reads
            `accuracy_lower`, `accuracy_upper` and `accuracy_note`.
        spec: Of each limit; `.2f`, in per cent `.1f`.
        percent: The limits are shares of 1, to be shown in per cent.
    """

    def reason(row: Any) -> object:
        return getattr(row, f"{prefix}note", "")

    def show(lower: Any, upper: Any, why: Any) -> str:
        return format_interval(lower, upper, spec, percent) or str(why or "").partition(":")[0]

    return Column(title, (f"{prefix}lower", f"{prefix}upper", reason), show, "number", estimate=True)


def p(title: str, read: Read) -> Column:
    """Make a column of p-values as papers print them."""
    return Column(title, (read,), format_p, "number")


def dollars(title: str, read: Read) -> Column:
    """Make a column of costs; NaN and None are "no price", not nothing."""
    return Column(title, (read,), format_dollars, "number")


def pair(title: str, first: Read, second: Read, spec: str = ",.0f", between: str = " / ") -> Column:
    """Make a column of two numbers side by side, such as "1,234 / 56" or "3 of 17".

    Args:
        title: Of the column.
        first: Where the first number comes from.
        second: Where the second number comes from.
        spec: Of both.
        between: Stands between them.
    """
    return _joined(title, (first, second), spec, between)


def spread(title: str, *reads: Read) -> Column:
    """Make a column of counts with a dot between them, such as "12·0·3"."""
    return _joined(title, reads, ",.0f", "·")


def yes(title: str, read: Read) -> Column:
    """Make a column that says "yes" where something is true and nothing where it is not."""
    return Column(title, (read,), lambda value: "yes" if not _missing(value) and value else "", "short")


def quotes(title: str, read: Read) -> Column:
    """Make a column of quoted passages; each value is a sequence of (who, text)."""
    return Column(title, (read,), lambda value: [(str(who), str(what)) for who, what in value or ()], "quotes")


def _joined(title: str, reads: tuple[Read, ...], spec: str, between: str) -> Column:
    def show(*values: object) -> str:
        numbers = [format_number(value, spec) for value in values]
        return between.join(numbers) if all(numbers) else ""

    return Column(title, reads, show, "number")


def format_number(value: Any, spec: str = ".2f") -> str:
    """Format a number as print does: a true minus, a space before the per cent sign; "" for NaN and None."""
    if isinstance(value, str):
        return value
    if _missing(value):
        return ""
    digits = format(value, spec).replace("-", "−").replace("%", " %")
    # A minus before nothing but zeros would claim a direction that the digits do not show.
    return digits if re.search("[1-9]|inf", digits) else digits.replace("−", "+" if "+" in spec else "")


def format_share(value: Any) -> str:
    """Format a share of 1 in per cent; only what is exactly whole is "100 %"."""
    if isinstance(value, str) or _missing(value):
        return format_number(value)
    return "100 %" if value == 1 else format_number(0.999 if 0.999 < value < 1 else value, ".1%")


def format_interval(lower: Any, upper: Any, spec: str = "", percent: bool = False) -> str:
    """Format an interval, such as "−0.02 – 1.10"; "" where there is none.

    Args:
        lower: Its lower limit.
        upper: Its upper limit.
        spec: Of each limit; `.2f`, in per cent `.1f`.
        percent: The limits are shares of 1, to be shown in per cent.
    """
    if _missing(lower) or _missing(upper):
        return ""
    scale, spec = (100, spec or ".1f") if percent else (1, spec or ".2f")
    return f"{format_number(scale * lower, spec)} – {format_number(scale * upper, spec)}" + " %" * percent


def format_p(value: Any) -> str:
    """Format a p-value; what is below 0.001 is "< 0.001"."""
    return "" if _missing(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_dollars(value: Any) -> str:
    """Format a cost; NaN and None are "no price"."""
    if isinstance(value, str):
        return value
    return "no price" if _missing(value) else f"${value:,.2f}"


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, _FLOATS) and bool(np.isnan(value)))


_FLOATS = (float, np.floating)


def _word(value: object) -> str:
    return "" if _missing(value) else str(value)


@dataclass(frozen=True)
class Table:
    """Rows of a dataclass, seen through columns.

    Raises:
        ValueError: A column reads a field that the rows do not have.
    """

    rows: Sequence[Any]
    columns: Sequence[Column]
    row_class: Callable[[Any], str] | None = None
    """Names the class of a row, such as "published" or "clear"; "" for none."""

    def __post_init__(self) -> None:
        for kind in dict.fromkeys(map(type, self.rows)):
            if not dataclasses.is_dataclass(kind):
                raise ValueError(f"rows must be dataclasses, not {kind.__name__}")
            readable = {field.name for field in dataclasses.fields(kind)}
            readable |= {key for key in dir(kind) if isinstance(getattr(kind, key), (property, cached_property))}
            for column in self.columns:
                for read in column.reads:
                    if isinstance(read, str) and read not in readable:
                        raise ValueError(f"column {column.title!r} reads {read!r}, which {kind.__name__} does not have")

    @cached_property
    def filled_columns(self) -> list[Column]:
        """The columns in which something stands; what people read has no others."""
        return [column for column, cells in zip(self.columns, self._by_column, strict=True) if any(cells)]

    @cached_property
    def filled_cells(self) -> list[list[Cell]]:
        """The cells of these columns, row by row; those of quotes are lists of (who, text)."""
        kept = [cells for cells in self._by_column if any(cells)]
        return [list(row) for row in zip(*kept, strict=True)] if kept else [[] for _ in self.rows]

    @cached_property
    def without_estimates(self) -> bool:
        """Whether it has columns of estimates, and no row a number in any of them."""
        reads = [column.reads[0] for column in self.columns if column.estimate]
        values = [getattr(row, read) if isinstance(read, str) else read(row) for row in self.rows for read in reads]
        # Beside intervals a text says why there is none; elsewhere it is what the column shows.
        with_intervals = any(len(column.reads) > 1 and column.estimate for column in self.columns)
        return bool(reads) and all(_missing(value) or (with_intervals and isinstance(value, str)) for value in values)

    @cached_property
    def classes(self) -> list[str]:
        """The class of each row."""
        return [self.row_class(row) if self.row_class else "" for row in self.rows]

    def cells(self) -> list[list[str]]:
        """Give the table as people read it, row by row, without the titles."""
        return [[_flat(cell) for cell in row] for row in self.filled_cells]

    def to_frame(self) -> pd.DataFrame:
        """Give every field of every row, with every digit; nested values become JSON.

        Published rows are left out: a mean over a column must not mix them with measurements.
        """
        rows = [row for row, css in zip(self.rows, self.classes, strict=True) if css != "published"]
        fields = dict.fromkeys(field.name for row in rows for field in dataclasses.fields(row))
        return pd.DataFrame({key: _series([getattr(row, key, None) for row in rows]) for key in fields})

    def to_csv(self, path: Path) -> None:
        """Write every field of every row, with every digit.

        Text that a spreadsheet would take for a formula begins with an apostrophe, as OWASP advises against "CSV
        injection": labels and names come from data and logs, and a formula can send the file elsewhere.
        """
        frame = self.to_frame()
        for name in frame.select_dtypes(object):
            cells = [_csv(cell) if isinstance(cell, str) else cell for cell in frame[name]]
            frame[name] = pd.Series(cells, dtype=object)
        frame.to_csv(path, index=False, errors="replace")

    def to_parquet(self, path: Path) -> None:
        """Write every field of every row, with its type, and text as it is but for half a surrogate pair."""
        frame = self.to_frame()
        for name in frame.select_dtypes(object):
            cells = [cell.encode(errors="replace").decode() if isinstance(cell, str) else cell for cell in frame[name]]
            frame[name] = pd.Series(cells, dtype=object)
        frame.to_parquet(path, index=False)

    def to_markdown(self, note: str = "") -> str:
        """Give the table in Markdown.

        Args:
            note: Stands below it.
        """
        if not self.filled_columns:
            return "Nothing to show.\n"
        titles = [_markdown(column.title) for column in self.filled_columns]
        rule = ["---:" if column.nature == "number" else "---" for column in self.filled_columns]
        lines = [titles, rule, *([_markdown(cell) for cell in row] for row in self.cells())]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n" + f"\n{visible(note)}\n" * bool(note)

    def to_latex(self, note: str = "") -> str:
        """Give the table in LaTeX, with the rules of booktabs.

        Args:
            note: Stands below it, as a comment.
        """
        if not self.filled_columns:
            return "% Nothing to show.\n"
        align = "".join("r" if column.nature == "number" else "l" for column in self.filled_columns)
        titles, *rows = (
            " & ".join(map(_latex, line)) + r" \\" for line in [[c.title for c in self.filled_columns], *self.cells()]
        )
        lines = [r"% Needs \usepackage{booktabs}.", rf"\begin{{tabular}}{{{align}}}", r"\toprule", titles, r"\midrule"]
        # Of several lines, all but the first would be printed.
        comment = [f"% {' '.join(visible(note).split())}"] * bool(note)
        return "\n".join([*lines, *rows, r"\bottomrule", r"\end{tabular}", *comment]) + "\n"

    def to_terminal(self, title: str, width: int) -> RichTable:
        """Give the first columns that a terminal has room for; published rows are in italics.

        Args:
            title: Stands above the table.
            width: Of the terminal, in characters.
        """
        table = RichTable(title=Text(visible(title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
                          pad_edge=False)  # fmt: skip
        cells, fitting = self.cells(), 0
        width += 1  # of n columns: two spaces and a line between each two, and the edges
        for place, column in enumerate(self.filled_columns):
            longest = max(cell_len(line) for words in (column.title, *(row[place] for row in cells))
                          for line in words.split("\n"))  # fmt: skip
            width -= 3 + min(longest, _FOLDED.get(column.nature, longest))
            if width < 0:
                break
            fitting += 1
            table.add_column(Text(visible(column.title)), justify="right" if column.nature == "number" else "left",
                             overflow="fold", no_wrap=column.nature not in _FOLDED)  # fmt: skip
        for row, css in zip(cells, self.classes, strict=True):
            table.add_row(*map(Text, row[:fitting]), style="italic" if css == "published" else "")
        return table

    @cached_property
    def _by_column(self) -> list[list[Cell]]:
        return [[_cell(row, column) for row in self.rows] for column in self.columns]


_FOLDED: dict[str, int] = {"name": 26, "text": 40, "quotes": 40}
"""How many characters these columns need at least in a terminal; what is longer goes on in the next line."""


def _cell(row: Any, column: Column) -> Cell:
    values = (getattr(row, read) if isinstance(read, str) else read(row) for read in column.reads)
    cell = column.format(*values)
    return visible(cell) if isinstance(cell, str) else [(visible(who), visible(what)) for who, what in cell]


def _csv(words: str) -> str:
    # Python's writer does not quote a lone \r, at which readers begin a new row.
    words = re.sub("\r\n?", "\n", words)
    return f"'{words}" if _FORMULA(words) else words


_FORMULA = re.compile("[=+\\-@\t\n＝＋－＠]").match


def _flat(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "\n".join(f"{who}: {what}" for who, what in cell)


def _series(values: list[Any]) -> pd.Series:
    nested = any(isinstance(value, (list, tuple, dict, set)) or dataclasses.is_dataclass(value) for value in values)
    if nested:
        return pd.Series([None if value is None else _json(value) for value in values], dtype=object)
    present = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in present):
        return pd.Series(values, dtype=object)  # pandas' own type for text refuses lone surrogates
    # Without this, one row without a count would make 24 of another row "24.0".
    whole = all(isinstance(value, Integral) and not isinstance(value, bool) for value in present)
    return pd.Series(values, dtype="Int64" if whole and 0 < len(present) < len(values) else None)


def _json(value: Any) -> str:
    def plain(other: Any) -> Any:
        if dataclasses.is_dataclass(other) and not isinstance(other, type):
            return dataclasses.asdict(other)
        return sorted(other) if isinstance(other, set) else other.item() if hasattr(other, "item") else str(other)

    return json.dumps(value, ensure_ascii=False, default=plain)


def _markdown(words: str) -> str:
    escaped = re.sub(r"([\\|`*\[\]]|<(?=[A-Za-z/!?]))", r"\\\1", visible(words))
    return " ".join(escaped.split("\n"))


_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\n": " ",
    "<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$", "–": "--", "·": r"$\cdot$", "±": r"$\pm$",
    "≥": r"$\geq$", "≤": r"$\leq$", "→": r"$\to$", "²": r"$^2$", "|": r"\textbar{}",
    "[": "{[}", "*": "{*}",  # at the start of a row, `\\` would take them as its own argument
}  # fmt: skip


def _latex(words: str) -> str:
    return "".join(_LATEX.get(character, character) for character in visible(words))


@dataclass(frozen=True)
class Picture:
    """A figure with its caption."""

    name: str
    """Of its files, `NAME.svg` and `NAME.png`."""
    figure: "Figure"
    caption: str

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class Section:
    """A table with its note and its pictures; without rows, or without any estimate in them, it is not shown."""

    name: str
    """Of its files and its place in the page; of small letters, digits and `_`."""
    title: str
    rows: Sequence[Any]
    columns: Sequence[Column]
    note: str = ""
    pictures: Sequence[Picture] = ()
    """Stand above the table."""
    row_class: Callable[[Any], str] | None = None
    """Names the class of a row, "published" or "clear"; "" for none."""
    paper: bool = False
    """Write the table in Markdown and LaTeX too, not only as CSV."""
    parquet: bool = False
    """Write the table as Parquet too, for those who compute with it."""
    terminal: bool = False
    """Print the table in the terminal too."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        _ = self.table  # a misspelled field fails here

    @cached_property
    def table(self) -> Table:
        """The table as all its forms see it."""
        return Table(self.rows, self.columns, self.row_class)


@dataclass(frozen=True)
class Chapter:
    """Sections under one heading; one with neither a filled section nor an intro is not shown, nor one too small."""

    name: str
    """Of its place in the page."""
    title: str
    intro: str
    sections: Sequence[Section] = ()
    warnings: Sequence[str] = ()
    """Sentences that stand at the top of the page."""
    help: Sequence[tuple[str, str]] = ()
    """Terms and what they mean, folded under the first section as "How to read it"."""
    terminal: bool = False
    """Print the intro in the terminal too."""

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def filled(self) -> list[Section]:
        """The sections that have rows, and an estimate if they are for estimates."""
        return [section for section in self.sections if section.rows and not section.table.without_estimates]

    @property
    def shown(self) -> bool:
        """Whether there is something to show."""
        return bool(self.filled or (self.intro and not self.too_small))

    @property
    def too_small(self) -> list[Section]:
        """The sections in whose rows no estimate could be made; they are named, and not shown."""
        return [section for section in self.sections if section.rows and section.table.without_estimates]


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(f"{name!r} is no name for a file and a place in a page (small letters, digits and _ only)")
