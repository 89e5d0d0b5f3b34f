"""Pages of chapters, and a report that shows them, with or without inference runs."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from matplotlib.figure import Figure

from thoughttrace.analysis.pages import Chapter, write_pages
from thoughttrace.analysis.section import Section
from thoughttrace.analysis.tables import numeric
from thoughttrace.cli.main import main
from thoughttrace.tasks.judge_agreement import judge_agreement

Invoke = Callable[..., str]


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    def invoke(*arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report"), *arguments])
        assert (done.exit_code != 0) is fails, done.output
        return done.output

    return invoke


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A page as `profile` or `shift` writes it, with hostile text in a table."""
    figure = Figure()
    figure.subplots().plot([0, 1])
    table = pd.DataFrame({"words": [3.25]})
    rows = [{"What": "<b>words\u202e</b>", "Mean": "3.25", "Empty": ""}]
    sections = [
        Section("data_words", "Words", table, rows, "A note.", figure),
        Section("data_more", "More", table, rows, ""),
    ]
    write_pages(
        tmp_path / "data", [Chapter("data", "The data", "An intro.", sections)], "What it holds", "Of a sample."
    )
    return tmp_path / "data"


def test_a_page_holds_tables_figures_and_escaped_text(described: Path) -> None:
    page = (described / "index.html").read_text()
    assert not re.search(r'(?:src|href)="(?:http|//)', page)
    assert '<a href="#data_words">Words</a>' in page
    assert page.count("<svg") == 1
    assert "&lt;b&gt;words[U+202E]&lt;/b&gt;" in page
    assert "Empty" not in page
    endings = {file.name for file in described.iterdir()}
    tables = {f"{name}.{ending}" for name in ("data_words", "data_more") for ending in ("csv", "md", "tex")}
    assert endings == {"index.html", "sections.json", "data_words.svg", "data_words.png"} | tables


def test_a_report_shows_a_page_too(
    run_task: Callable[..., EvalLog], described: Path, invoke: Invoke, tmp_path: Path
) -> None:
    run_task()
    invoke("--add", str(described))
    page = (tmp_path / "report/index.html").read_text()
    assert '<h2 id="data">The data</h2>' in page
    assert page.index('id="headline"') < page.index('id="data_words"') < page.index('id="methods"')
    assert page.count("<svg") == 5
    assert "&lt;b&gt;words" in page
    assert (tmp_path / "report/data_words.tex").exists()
    said = invoke("--add", str(tmp_path / "logs"), fails=True)
    assert "holds no page to add" in said
    assert "Traceback" not in said


def test_a_report_needs_no_inference_where_there_is_something_else(
    scripted: Callable[..., object], invoke: Invoke, tmp_path: Path
) -> None:
    judge = scripted("judge", lambda messages: '{"rationale": "because", "rating": 3}')
    inspect_eval(
        judge_agreement(per_family=0, families="half"),
        model=judge,  # type: ignore[arg-type]
        log_dir=str(tmp_path / "logs"),
        display="none",
    )
    invoke()
    page = (tmp_path / "report/index.html").read_text()
    assert '<h3 id="cards">' in page
    assert 'id="headline"' not in page
    assert {file.name for file in (tmp_path / "report").iterdir()} == {
        "index.html",
        "cards.csv",
        "cards.md",
        "cards.tex",
    }


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["2.93", "2.54", ""], True),
        (["1,234", "< 0.001", "−0.02 – 1.10", "12.3 %", "$0.72", "± 0.05"], True),
        (["57 / 41 / 18", "12·0·3", "3 of 17", "85 (67–100)"], True),
        (["2.10 – 3.40", "too small", "2.00 – 2.20"], True),
        (["under 10 thoughts or 5 users", "too small", "0.41 – 1.00"], True),
        (["too small", "not published"], False),
        (["Graduate", "3"], False),
        (["gpt-5.4", "2.93"], False),
        (["2026-11-23", "2026-11-24"], False),
        (["5f65ca88b506"], False),
        (["", ""], False),
    ],
)
def test_columns_of_numbers_stand_to_the_right(cells: list[str], right: bool) -> None:
    assert numeric([{"a": cell} for cell in cells]) == ({"a"} if right else set())
