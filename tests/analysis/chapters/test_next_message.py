"""The next message in the report: which runs count, which are compared, and what the page says."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from click.testing import CliRunner
from inspect_ai.log import read_eval_log, write_eval_log

from thoughttrace.analysis.chapters.next_message_gains import gains, unpaired
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.main import main
from thoughttrace.core.log_files import log_files
from thoughttrace.core.record import PREDICT

ADDED = {"none": 0, "reasons": 5, "both": 20, "shuffled": 0, "inferred": 10}


def judge(messages: list[Any]) -> str:
    said = re.search(r"prediction\]\n(\w+) (\w+)\n", messages[1].text)
    assert said
    spread = hashlib.sha256(messages[1].text.encode()).digest()[0] % 3
    return f'{{"rationale": "because", "rating": {20 + 5 * spread + ADDED[said[2]]}}}'


def test_arms_of_different_panels_are_paired_by_the_judges_of_both(
    tmp_path: Path, predict: Callable[..., Path]
) -> None:
    for arm in ("none", "both"):
        predict("ann", arm, tmp_path / "logs", judge)
    none, both = sorted(read_runs([str(tmp_path / "logs")]).counted, key=lambda run: run.arm, reverse=True)
    (expected,) = [row for row in gains([none, both]) if row.subset == "all"]
    rows = both.rows.copy()
    rows["ratings"] = [json.dumps(json.loads(votes) | {"scripted/k": [100]}) for votes in rows["ratings"]]
    panel = replace(both, judge="scripted/j, scripted/k", rows=rows.assign(score=(rows["score"] + 100) / 2))
    (row,) = [row for row in gains([none, panel]) if row.subset == "all"]
    assert (row.gain, row.lower, row.upper, row.judge) == (expected.gain, expected.lower, expected.upper, "scripted/j")
    assert unpaired([none, panel]) == []


def test_runs_that_differ_in_more_than_thoughts_are_not_compared(tmp_path: Path, predict: Callable[..., Path]) -> None:
    predict("ann", "none", tmp_path / "logs", judge)
    predict("ann", "both", tmp_path / "logs", judge, grader="other")
    predict("ann", "reasons", tmp_path / "logs", judge, max_context_words=1)
    predict("ann", "shuffled", tmp_path / "logs", judge, judge_reply=False)
    runs = read_runs([str(tmp_path / "logs")]).counted
    assert gains(runs) == []
    assert len(unpaired(runs)) == 4
    assert all("is compared with no other: judge, rubric, prompt" in sentence for sentence in unpaired(runs))


def test_the_newest_of_a_measurement_counts(tmp_path: Path, predict: Callable[..., Path]) -> None:
    for _ in range(2):
        predict("ann", "none", tmp_path / "logs", judge)
    failed = read_eval_log(log_files([str(tmp_path / "logs")])[0])
    failed.status = "error"
    write_eval_log(failed, str(tmp_path / "logs/failed.eval"))
    runs = read_runs([str(tmp_path / "logs")])
    assert len(runs.counted) == 1
    assert sorted(re.sub(r".*eval: ", "", sentence)[:14] for sentence in runs.left_out) == [
        "did not finish",
        "superseded by ",
    ]


def test_the_report_has_a_chapter(predict: Callable[..., Path], tmp_path: Path) -> None:
    for model in ("ann", "bob"):
        for arm in ADDED:
            predict(model, arm, tmp_path / "logs", judge)
    out = tmp_path / "report"
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    page = (out / "index.html").read_text()
    assert '<h2 id="chapter_next_message">Next message</h2>' in page
    assert "The user's own thoughts help more than other users' in their places (mean of 2 models: +" in page.replace(
        "&#39;", "'"
    )
    files = {file.name for file in out.iterdir()}
    assert {f"next_message_means.{ending}" for ending in ("csv", "svg", "png")} <= files
    assert {f"next_message_gains.{ending}" for ending in ("csv", "md", "tex", "svg", "png")} <= files
    told = (out / "next_message_gains.md").read_text()
    table = pd.DataFrame(gains(read_runs([str(tmp_path / "logs")], [PREDICT]).counted))
    pooled = table[(table["pooled"] == 2) & (table["arm"] == "both") & (table["against"] == "none")]
    (gain,) = pooled.loc[pooled["subset"] == "all", "gain"]
    assert f"| mean of 2 models | both | none | all | +{gain:.1f} |" in told
    assert re.search(r"\| published, Jin et al\. 2026: Opus \| both \| none \|  \| \+14\.2 \| not published \|", told)
    assert re.search(r"published, Jin et al\. 2026: mean of 3 models.*?none.*?21\.6.*?not published", page, re.DOTALL)
    shares = pd.read_csv(out / "next_message_inferred_share.csv")
    assert list(shares["arm"]) == 3 * ["inferred reasons"]
    # Published values are shown, and are no rows of the data.
    assert not pd.read_csv(out / "next_message_means.csv")["model"].str.startswith("published").any()


def test_without_shuffled_thoughts_the_page_says_what_is_not_known(
    tmp_path: Path, predict: Callable[..., Path]
) -> None:
    for arm in ("none", "both"):
        predict("ann", arm, tmp_path / "logs", judge)
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "it is not known whether thoughts help by what they say" in (tmp_path / "report/index.html").read_text()
