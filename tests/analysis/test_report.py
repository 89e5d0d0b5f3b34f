"""The report that people read."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessageUser, Model

from thoughttrace.analysis.chapters.example_samples import example_samples
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.main import main
from thoughttrace.scorers.agreement import agreement

Run = Callable[..., EvalLog]


@pytest.fixture(scope="module")
def page(run_in_module: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("page")
    logs = [
        run_in_module(model=model, kind=kind).location
        for model, kind in (("m1", "reason"), ("m2", "reason"), ("m1", "reaction"))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
        done = CliRunner().invoke(main, ["report", *logs, "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "scripted/m1" in done.output
    assert "published" in done.output
    return tmp_path / "report/index.html"


def test_the_folder_holds_page_tables_and_figures(page: Path) -> None:
    names = {file.name for file in page.parent.iterdir()}
    tables = {f"{n}.{e}" for n in ("headline", "comparisons", "ranking") for e in ("csv", "md", "tex")}
    tables |= {f"{n}.csv" for n in ("variance", "estimands", "length", "equal_length", "breakdown", "qualification")}
    tables |= {"breakdown.parquet"}
    tables |= {f"{n}.csv" for n in ("reaction_verdicts", "example_samples", "runs", "logs")}
    figures = {f"{n}.{e}" for n in ("forest", "ratings", "types", "stages") for e in ("svg", "png")}
    assert names == {"index.html", "page.json"} | tables | figures
    table = pd.read_csv(page.parent / "headline.csv")
    assert list(zip(table["kind"], table["model"], strict=True)) == [
        ("reason", "scripted/m1"), ("reason", "scripted/m2"), ("reaction", "scripted/m1"),
    ]  # fmt: skip
    # A scripted answer states 10 tokens read and 2 written.
    assert (table["input_tokens"] == 10 * table["samples"]).all()
    assert (table["output_tokens"] == 2 * table["samples"]).all()
    assert table["cost"].isna().all()
    markdown = (page.parent / "headline.md").read_text()
    assert f"{table['mean'][0]:.2f}" in markdown
    assert re.search(r"\| reaction \| published, Jin et al\. 2026 \| 2\.54 \| not published \|", markdown)
    # Published values are shown, and are no rows of the data.
    assert not table["model"].str.startswith("published").any()
    pairs = pd.read_csv(page.parent / "comparisons.csv").squeeze()
    assert (pairs["a"], pairs["b"], pairs["kind"]) == ("scripted/m1", "scripted/m2", "reason")
    assert f"{pairs['difference']:+.2f}".replace("-", "−") in (page.parent / "comparisons.md").read_text()
    assert set(pd.read_csv(page.parent / "breakdown.csv")["by"]) >= {"type", "stage", "age"}


def test_the_latex_tables_are_booktabs_and_escaped(page: Path) -> None:
    for name in ("headline", "comparisons", "ranking"):
        text = (page.parent / f"{name}.tex").read_text()
        body = text.partition("\n")[2]
        assert body.startswith("\\begin{tabular}{")
        assert [body.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule")] == [1, 1, 1]
        assert not re.search(r"(?<!\\)[%_#]", body.partition("\\end{tabular}")[0])
        assert text.isascii(), [c for c in text if not c.isascii()]


def test_the_page_is_self_contained_and_names_its_runs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    loaded = set(re.findall(r'(?:src|href)="([^"#]+)"', text)) - {"data:,"}
    assert loaded == {file.name for file in page.parent.iterdir()} - {"index.html", "page.json"}
    assert text.count("<svg") == 4
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for expected in ("2.93", "scripted/j", "CR2 with Bell–McCaffrey", "sha256:", "superseded"):
        assert (expected in text) == (expected != "superseded")
    assert len(page.read_bytes()) < 5_000_000


HOSTILE = "<script>alert(1)</script></style><img src=x onerror=alert(2)>\u202e $x_1$ " + "x" * 100_000


def test_what_a_log_says_is_shown_as_text(run_task: Run, tmp_path: Path) -> None:
    log = read_eval_log(run_task(limit=12).location)
    log.eval.model = HOSTILE[:80]
    log.eval.metadata = {**(log.eval.metadata or {}), "data": HOSTILE}
    for sample in log.samples or []:
        sample.metadata |= {"assistant_model": HOSTILE[:200], "type": HOSTILE[:80]}
        sample.target = HOSTILE
        agreement = (sample.scores or {})["agreement"]
        agreement.answer = agreement.explanation = HOSTILE
        question = sample.input[-1]
        assert isinstance(question, ChatMessageUser)
        mark = question.text[1:9]
        shown = f"[{mark} m00 user]\n[deadbeef m01 user]\n{HOSTILE}\n"
        question.content = f"{shown}[{mark} end]\nWhy?"
        sample.metadata["block_ends"] = [len(shown), len(question.content)]
    write_eval_log(log, log.location)
    done = CliRunner().invoke(main, ["report", log.location, "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") == 1
    assert "<img" not in text
    assert text.count("</style>") == 1 + text.count("<style type")
    assert "&lt;script&gt;alert(1)" in text
    assert "[deadbeef m01 user]" in text
    assert "\u202e" not in text
    assert "[U+202E]" in text
    assert len(text) < 5_000_000


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
    assert "cannot write here" in done.output


def test_the_rationale_is_of_the_score_that_is_shown(
    run_task: Run, scripted: Callable[..., Model], tmp_path: Path
) -> None:
    """A rescored log showed the first judge's rationale with the second judge's rating."""
    log = read_eval_log(run_task(limit=6).location)
    second = scripted("k", lambda _: '{"rationale": "the second judge wrote this", "rating": 4}')
    rescored = score(log, agreement(), action="append", model_roles={"grader": second})
    write_eval_log(rescored, log.location)
    runs = read_runs([log.location])
    assert [(run.judge, *set(run.rows["score_name"])) for run in runs.models] == [
        ("scripted/j", "agreement"),
        ("scripted/k", "agreement1"),
    ]
    examples = example_samples([run for run in runs.models if run.judge == "scripted/k"])
    assert {(row.agreement, row.rationale) for row in examples} == {(4.0, "the second judge wrote this")}


def test_profile_prints_the_counts_of_the_real_examples(examples: Path) -> None:
    done = CliRunner().invoke(main, ["profile", str(examples)])
    assert done.exit_code == 0, done.output
    counts = dict(re.findall(r"^ ([A-Z][a-z ]+?) {2,}([\d,]+) *$", done.output, re.MULTILINE))
    assert (counts["Users"], counts["Conversations"], counts["Messages"]) == ("17", "20", "328")
    assert (counts["Reasons"], counts["Reactions"], counts["Assistant models"]) == ("154", "156", "10")
    assert "5 to 16, median 8" in done.output
    assert re.search(r"reaction +explicit_affirmation +114 ", done.output)
