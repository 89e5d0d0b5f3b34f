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

from thoughttrace.analysis.classified_sections import labels_chapter
from thoughttrace.analysis.confused import NO_TYPE
from thoughttrace.analysis.rated_sections import informative_chapter, told_chapter
from thoughttrace.analysis.runs import Runs, read_runs
from thoughttrace.cli.main import main
from thoughttrace.core.record import TYPES
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.rate_thought import rate_thought

CHAPTERS = (labels_chapter, told_chapter, informative_chapter)


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, name: str = "m", kind: str = "reason", silent: bool = False) -> EvalLog:
        """A model whose answers are drawn by a hash, on the bundled sample."""

        def script(messages: list[Any]) -> str:
            draw = hashlib.sha256(f"{name}{messages[1].text}".encode()).digest()[0]
            named: dict[str, Any] = {"type": TYPES[kind][draw % len(TYPES[kind])]}  # type: ignore[index]
            choice = named if task is classify_thought else {"rating": 1 + draw % 5}
            return "" if silent else json.dumps({"rationale": "because", **choice})

        (log,) = inspect_eval(
            task(kind=kind), model=scripted(name, script), log_dir=str(tmp_path / "logs"), display="none"
        )
        assert log.status == "success"
        return log

    return run


@pytest.fixture
def found(tmp_path: Path) -> Callable[[], Runs]:
    return lambda: read_runs([str(tmp_path / "logs")], others=True)


def alike(rows: list[dict[str, str]]) -> bool:
    return len({tuple(row) for row in rows}) == 1


def test_types_have_rows_and_a_figure_per_kind(run: Callable[..., EvalLog], found: Callable[[], Runs]) -> None:
    for name in "abcde":
        run(classify_thought, name, silent=name == "e")
    run(classify_thought, kind="reaction")
    chapter = labels_chapter(found())
    models, pairs, types, reasons, reactions = chapter.sections
    assert [section.name for section in chapter.sections] == [
        "labels_models", "labels_pairs", "labels_types", "labels_confused_reason", "labels_confused_reaction",
    ]  # fmt: skip
    assert "language model's" in chapter.intro
    assert "language model's" in models.note
    assert [row["Kind"] for row in models.rows] == ["reason"] * 5 + ["reaction"]
    silent = next(row for row in models.rows if row["Model"] == "scripted/e")
    assert (silent["Accuracy"], silent["Kappa"], silent["Coverage"]) == ("0.0 %", "0.00", "100 %")
    assert silent["Named no type"] == silent["n"]
    assert [len(section.rows) for section in (pairs, types, reasons, reactions)] == [10, 5 * 7 + 5, 5 * 7, 5]
    named = {name.replace("_", " ") for name in TYPES["reaction"]}
    assert set(reactions.rows[0]) == {"Model", "Context", "The dataset's type", NO_TYPE} | named
    assert reasons.figure
    assert len([axes for axes in reasons.figure.axes if axes.get_visible()]) == 4
    assert "Drawn are the 4 runs with the highest kappa, of 5" in reasons.note
    assert reactions.figure
    assert {str(n) for n in reactions.table["n"] if n} <= {text.get_text() for text in reactions.figure.axes[0].texts}
    assert all(alike(section.rows) for section in chapter.sections)


def test_what_is_said_stands_beside_what_is_published(run: Callable[..., EvalLog], found: Callable[[], Runs]) -> None:
    run(cover_thought, "a")
    run(cover_thought, "b", silent=True)
    run(cover_thought, "a", kind="reaction")
    means, spread, grouped = told_chapter(found()).sections
    assert [(row["Kind"], row["Rater"], row["Mean"]) for row in means.rows if "published" in row["Rater"]] == [
        ("reason", "published, Jin et al. 2026", "3.22"),
        ("reaction", "published, Jin et al. 2026", "2.00"),
    ]
    assert [row["Rater"] for row in means.rows] == [
        "scripted/a", "scripted/b", "published, Jin et al. 2026", "scripted/a", "published, Jin et al. 2026",
    ]  # fmt: skip
    silent = means.rows[1]
    assert (silent["Mean"], silent["95 % interval"], silent["Coverage"]) == ("none rated", "none scored", "0.0 %")
    assert silent["Missing"].endswith(" empty")
    assert "not the same measurement" in means.note
    assert means.figure
    assert spread.figure
    assert len(means.figure.axes) == 2
    (line,) = (line for line in means.figure.axes[1].lines if line.get_linestyle() == "--")
    assert set(line.get_xdata()) == {2.0}  # type: ignore[arg-type]
    assert {row["By"] for row in grouped.rows} == {"type", "stage", "words of the thought"}
    assert all(alike(section.rows) for section in (means, spread, grouped))


def test_how_informative_thoughts_are(run: Callable[..., EvalLog], found: Callable[[], Runs]) -> None:
    log = run(rate_thought)
    ratings = [(sample.scores or {})["rating"].as_int() for sample in log.samples or []]
    means, grouped = informative_chapter(found()).sections
    (row,) = means.rows
    assert row["4 or 5"] == f"{sum(rating > 3 for rating in ratings) / len(ratings):.1%}".replace("%", " %")
    assert row["Rated 1·2·3·4·5"] == "·".join(str(ratings.count(rating)) for rating in range(1, 6))
    assert means.figure
    assert alike(grouped.rows)


def test_without_logs_there_is_no_chapter() -> None:
    assert [chapter(Runs()).sections for chapter in CHAPTERS] == [[], [], []]


@pytest.mark.parametrize(
    ("task", "chapter"), zip((classify_thought, cover_thought, rate_thought), CHAPTERS, strict=True)
)
def test_a_log_without_scores_has_no_number(
    task: Any, chapter: Any, run: Callable[..., EvalLog], found: Callable[[], Runs]
) -> None:
    log = read_eval_log(run(task).location)
    for sample in log.samples or []:
        sample.scores = {}
    write_eval_log(log, log.location)
    row = chapter(found()).sections[0].rows[0]
    assert (row["n"], row["Coverage"]) == ("0", "0.0 %")
    assert row["Missing"].endswith(" not scored")


def test_the_page_shows_the_chapters(run: Callable[..., EvalLog], tmp_path: Path) -> None:
    for task in (classify_thought, cover_thought, rate_thought):
        run(task, "<b>m</b>")
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report/index.html").read_text()
    assert [f'<h2 id="{name}">' in page for name in ("labels", "told", "informative")] == [True] * 3
    assert page.count("<svg") == 4
    assert "<b>m</b>" not in page
    assert {"labels_models.csv", "told_means.tex", "informative_groups.md", "labels_confused_reason.png"} <= {
        file.name for file in (tmp_path / "report").iterdir()
    }
