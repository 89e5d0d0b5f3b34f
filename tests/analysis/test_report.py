"""The report that people read."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from thoughttrace.cli.main import main

Run = Callable[..., EvalLog]


@pytest.fixture
def page(run_task: Run, tmp_path: Path) -> Path:
    run_task(model="m1")
    run_task(model="m2")
    run_task(model="m1", kind="reaction")
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "scripted/m1" in done.output
    assert "published" in done.output
    return tmp_path / "report/index.html"


def test_the_folder_holds_page_tables_and_figures(page: Path) -> None:
    names = {file.name for file in page.parent.iterdir()}
    assert names == {
        "index.html", "headline.csv", "headline.md", "forest.svg", "forest.png", "ratings.svg", "ratings.png",
    }  # fmt: skip
    table = pd.read_csv(page.parent / "headline.csv")
    assert list(zip(table["kind"], table["model"], strict=True)) == [
        ("reason", "scripted/m1"), ("reason", "scripted/m2"), ("reaction", "scripted/m1"),
    ]  # fmt: skip
    markdown = (page.parent / "headline.md").read_text()
    assert f"{table['mean'][0]:.2f}" in markdown
    assert re.search(r"\| reaction \| published, Jin et al\. 2026 \| 2\.54 \| not published \|", markdown)


def test_the_page_is_self_contained_and_names_its_runs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert set(loaded) == {
        "headline.csv", "headline.md", "forest.svg", "forest.png", "ratings.svg", "ratings.png",
    }  # fmt: skip
    assert text.count("<svg") == 2
    assert "2.93" in text
    assert "scripted/j" in text
    assert "<script" not in text


def test_what_a_log_says_is_shown_as_text(run_task: Run, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script></style>\u202e"
    log = read_eval_log(run_task(limit=3).location)
    log.eval.model = hostile
    log.eval.metadata = {**(log.eval.metadata or {}), "data": hostile}
    write_eval_log(log, log.location)
    done = CliRunner().invoke(main, ["report", log.location, "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("</style>") == 1 + text.count("<style type")
    assert "&lt;script&gt;alert(1)" in text


def test_self_judged_runs_are_marked(run_task: Run, tmp_path: Path) -> None:
    log = read_eval_log(run_task(limit=3).location)
    log.eval.model = "scripted/j"
    write_eval_log(log, log.location)
    done = CliRunner().invoke(main, ["report", log.location, "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "judged its own inferences" in (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "judges itself" in done.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "nowhere"], "Error: nowhere: no such log file or folder."),
        (["profile", "nowhere.jsonl"], "nowhere.jsonl: no such file or folder"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert sentence in done.output


def test_an_output_that_cannot_be_written_is_said(run_task: Run, tmp_path: Path) -> None:
    log = run_task(limit=3)
    (tmp_path / "taken").write_text("a file")
    done = CliRunner().invoke(main, ["report", log.location, "-o", str(tmp_path / "taken/report")])
    assert done.exit_code == 1
    assert "the report cannot be written" in done.output


def test_profile_prints_the_counts_of_the_real_examples(examples: Path) -> None:
    done = CliRunner().invoke(main, ["profile", str(examples)])
    assert done.exit_code == 0, done.output
    counts = dict(re.findall(r"│ +([a-z ,/()]+?) +│ +([\d,]+) │", done.output))
    assert (counts["users"], counts["conversations"], counts["messages"]) == ("17", "20", "328")
    assert (counts["reasons"], counts["reactions"], counts["assistant models"]) == ("154", "156", "10")
    assert "5 / 8 / 16" in done.output
    assert re.search(r"reaction │ explicit_affirmation +│ +114 │", done.output)
