"""The report's chapters on single thoughts: rows, figures, notes, and the page."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from thoughttrace.analysis.chapters import thought_types
from thoughttrace.analysis.chapters.thought_ratings import coverage, informativeness
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.cli.main import main
from thoughttrace.core.record import TYPES
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.rate_thought import rate_thought

CHAPTERS = (thought_types.chapter, coverage, informativeness)


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, name: str = "m", kind: str = "reason", silent: bool = False) -> EvalLog:
        """A model whose answers are drawn by a hash, on the bundled sample."""

        def script(messages: list[Any]) -> str:
            draw = hashlib.sha256(f"{name}{messages[1].text}".encode()).digest()[0]
            named: dict[str, Any] = {"type": TYPES[kind][draw % len(TYPES[kind])]}
            choice = named if task is classify_thought else {"rating": 1 + draw % 5}
            return "" if silent else json.dumps({"rationale": "because", **choice})

        (log,) = inspect_eval(
            task(kind=kind), model=scripted(name, script), log_dir=str(tmp_path / "logs"), display="none"
        )
        assert log.status == "success"
        return log

    return run


@pytest.fixture
def found(tmp_path: Path) -> Callable[[], Evidence]:
    return lambda: Evidence(read_runs([str(tmp_path / "logs")]))


def cells(section: Section) -> list[dict[str, str]]:
    """Give a table as people read it."""
    titles = [column.title for column in section.table.filled_columns]
    return [dict(zip(titles, row, strict=True)) for row in section.table.cells()]


def test_types_have_rows_and_a_figure_per_kind(run: Callable[..., EvalLog], found: Callable[[], Evidence]) -> None:
    for name in "abcde":
        run(classify_thought, name, silent=name == "e")
    run(classify_thought, kind="reaction")
    chapter = thought_types.chapter(found())
    models, pairs, types, reasons, reactions = chapter.filled
    assert [section.name for section in chapter.filled] == [
        "thought_types_models", "thought_types_pairs", "thought_types_by_type", "thought_types_confusion_reason",
        "thought_types_confusion_reaction",
    ]  # fmt: skip
    assert "language model's" in chapter.intro
    assert "language model's" in models.note
    assert [row.kind for row in models.rows] == ["reason"] * 5 + ["reaction"]
    silent = next(row for row in cells(models) if row["Model"] == "scripted/e")
    assert (silent["Accuracy"], silent["Kappa"], silent["Coverage"]) == ("0.0 %", "0.00", "100 %")
    assert silent["Named no type"] == silent["n"]
    assert [len(cells(section)) for section in (pairs, types)] == [10, 5 * 7 + 5]
    # A row a cell of the matrix; the figure shows it as a matrix.
    assert [len(section.rows) for section in (reasons, reactions)] == [5 * 7 * 8, 5 * 6]
    (picture,) = reasons.pictures
    assert len([axes for axes in picture.figure.axes if axes.get_visible()]) == 4
    assert "4 runs with the highest kappa, of 5" in reasons.note + picture.caption


def test_published_means_are_shown_with_ours(run: Callable[..., EvalLog], found: Callable[[], Evidence]) -> None:
    run(cover_thought, "a")
    run(cover_thought, "b", silent=True)
    run(cover_thought, "a", kind="reaction")
    means, distribution, grouped = coverage(found()).filled
    rows = cells(means)
    assert [(row["Kind"], row["Rater"], row["Mean"]) for row in rows if "published" in row["Rater"]] == [
        ("reason", "published, Jin et al. 2026", "3.22"),
        ("reaction", "published, Jin et al. 2026", "2.00"),
    ]
    assert [row["Rater"] for row in rows] == [
        "scripted/a", "scripted/b", "published, Jin et al. 2026", "scripted/a", "published, Jin et al. 2026",
    ]  # fmt: skip
    silent = rows[1]
    assert (silent["Mean"], silent["95 % interval"], silent["Coverage"]) == ("none rated", "none scored", "0.0 %")
    assert silent["Missing"].endswith(" empty")
    assert "not the same measurement" in means.note
    assert [len(section.pictures) for section in (means, distribution)] == [1, 1]
    (picture,) = means.pictures
    assert len(picture.figure.axes) == 2
    (line,) = (line for line in picture.figure.axes[1].lines if line.get_linestyle() == "--")
    assert set(line.get_xdata()) == {2.0}  # type: ignore[arg-type]
    assert {row["By"] for row in cells(grouped)} == {"type", "stage", "words of the thought"}


def test_how_informative_thoughts_are(run: Callable[..., EvalLog], found: Callable[[], Evidence]) -> None:
    log = run(rate_thought)
    ratings = [(sample.scores or {})["rating"].as_int() for sample in log.samples or []]
    means, grouped = informativeness(found()).filled
    (row,) = cells(means)
    assert row["4 or 5"] == f"{sum(rating > 3 for rating in ratings) / len(ratings):.1%}".replace("%", " %")
    assert row["Rated 1·2·3·4·5"] == "·".join(str(ratings.count(rating)) for rating in range(1, 6))
    assert len(means.pictures) == 1
    assert "4 or 5" in cells(grouped)[0]


def test_without_logs_there_is_no_chapter() -> None:
    assert [chapter(Evidence(Runs())).filled for chapter in CHAPTERS] == [[], [], []]


@pytest.mark.parametrize(
    ("task", "chapter"), zip((classify_thought, cover_thought, rate_thought), CHAPTERS, strict=True)
)
def test_a_log_without_scores_has_no_number(
    task: Any, chapter: Any, run: Callable[..., EvalLog], found: Callable[[], Evidence]
) -> None:
    log = read_eval_log(run(task).location)
    for sample in log.samples or []:
        sample.scores = {}
    write_eval_log(log, log.location)
    row = cells(chapter(found()).filled[0])[0]
    assert (row["n"], row["Coverage"]) == ("0", "0.0 %")
    assert row["Missing"].endswith(" not scored")


def test_the_page_shows_the_chapters(run: Callable[..., EvalLog], tmp_path: Path) -> None:
    for task in (classify_thought, cover_thought, rate_thought):
        run(task, "<b>m</b>")
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report/index.html").read_text()
    chapters = ("thought_types", "thought_coverage", "thought_informativeness")
    assert [f'<h2 id="chapter_{name}">' in page for name in chapters] == [True] * 3
    assert page.count("<svg") == 4
    assert "<b>m</b>" not in page
    assert {"thought_types_models.csv", "thought_coverage_means.csv", "thought_types_confusion_reason.png"} <= {
        file.name for file in (tmp_path / "report").iterdir()
    }
