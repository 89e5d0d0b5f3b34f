"""Pages of chapters, and a report that shows them, with or without inference runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from matplotlib.figure import Figure

from thoughttrace.analysis.page.page import write_page
from thoughttrace.analysis.page.table import Chapter, Picture, Section, name, number
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


@dataclass(frozen=True)
class WordsRow:
    what: str
    words: float


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A page as `profile` or `shift` writes it, with hostile text in a table."""
    figure = Figure()
    figure.subplots().plot([0, 1])
    rows = [WordsRow("<b>words\u202e</b>", 3.25)]
    columns = [name("What", "what"), number("Mean", "words")]
    sections = [
        Section("data_words", "Words", rows, columns, "A note.", [Picture("data_words", figure, "A line.")]),
        Section("data_more", "More", rows, columns),
    ]
    write_page(tmp_path / "data", "What it holds", "Of a sample.", [Chapter("data", "The data", "An intro.", sections)])
    return tmp_path / "data"


def test_a_report_shows_a_page_too(
    run_task: Callable[..., EvalLog], described: Path, invoke: Invoke, tmp_path: Path
) -> None:
    run_task()
    invoke("--add", str(described))
    page = (tmp_path / "report/index.html").read_text()
    assert '<h2 id="chapter_data">The data</h2>' in page
    assert page.index('id="headline"') < page.index('id="data_words"')
    assert page.count("<svg") == 5
    assert "&lt;b&gt;words" in page
    assert (tmp_path / "report/data_words.csv").exists()
    said = invoke("--add", str(tmp_path / "logs"), fails=True)
    assert "no page here" in said
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
    assert '<h3 id="cards"' in page
    assert 'id="headline"' not in page
    files = {file.name for file in (tmp_path / "report").iterdir()}
    assert files == {
        "index.html", "page.json", "cards.csv", "judge_quality.csv", "judge_intended.csv", "judge_intended.svg",
        "judge_intended.png", "runs.csv", "logs.csv",
    }  # fmt: skip
