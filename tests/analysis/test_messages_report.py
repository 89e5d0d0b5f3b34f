"""The next message in the report: which runs count, which are compared, and what the page says."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from inspect_ai.log import read_eval_log, write_eval_log

from thoughttrace.analysis.finished import log_files
from thoughttrace.analysis.messages.gains import gains, unpaired
from thoughttrace.analysis.messages.logs import predictions
from thoughttrace.cli.main import main

ADDED = {"none": 0, "reasons": 5, "both": 20, "shuffled": 0, "inferred": 10}


def judge(messages: list[Any]) -> str:
    said = re.search(r"prediction\]\n(\w+) (\w+)\n", messages[1].text)
    assert said
    spread = hashlib.sha256(messages[1].text.encode()).digest()[0] % 3
    return f'{{"rationale": "because", "rating": {20 + 5 * spread + ADDED[said[2]]}}}'


def test_runs_that_differ_in_more_than_thoughts_are_not_compared(tmp_path: Path, predict: Callable[..., Path]) -> None:
    predict("ann", "none", tmp_path / "logs", judge)
    predict("ann", "both", tmp_path / "logs", judge, grader="other")
    predict("ann", "reasons", tmp_path / "logs", judge, max_context_words=1)
    predict("ann", "shuffled", tmp_path / "logs", judge, judge_reply=False)
    found, _ = predictions(log_files([str(tmp_path / "logs")]))
    assert gains(found).empty
    assert len(unpaired(found)) == 4
    assert all("is compared with no other: judge, rubric, prompt" in sentence for sentence in unpaired(found))


def test_the_newest_of_a_measurement_counts(tmp_path: Path, predict: Callable[..., Path]) -> None:
    for _ in range(2):
        predict("ann", "none", tmp_path / "logs", judge)
    failed = read_eval_log(log_files([str(tmp_path / "logs")])[0])
    failed.status = "error"
    write_eval_log(failed, str(tmp_path / "logs/failed.eval"))
    found, left_out = predictions(log_files([str(tmp_path / "logs")]))
    assert len(found) == 1
    assert sorted(re.sub(r".*eval: ", "", sentence)[:14] for sentence in left_out) == [
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
    assert '<h2 id="messages">Next message</h2>' in page
    assert "The user's own thoughts help more than other users' in their places (mean of 2 models: +" in page.replace(
        "&#39;", "'"
    )
    for name in ("messages_means", "messages_gains"):
        assert {f"{name}.{ending}" for ending in ("csv", "md", "tex", "svg", "png")} <= {f.name for f in out.iterdir()}
    told = (out / "messages_gains.md").read_text()
    table = gains(predictions(log_files([str(tmp_path / "logs")]))[0])
    pooled = table[(table["pooled"] == 2) & (table["arm"] == "both") & (table["against"] == "none")]
    (gain,) = pooled.loc[pooled["subset"] == "all", "gain"]
    assert f"| mean of 2 models | both | none | all | +{gain:.1f} |" in told
    assert re.search(r"\| published, Jin et al\. 2026: Opus \| both \| none \|  \| \+14\.2 \| not published \|", told)
    published = (out / "messages_means.md").read_text()
    assert re.search(
        r"\| published, Jin et al\. 2026: mean of 3 models \| none \| 21\.6 \| not published \|", published
    )
    assert (out / "messages_shares.md").read_text().count("inferred reasons") == 3


def test_without_shuffled_thoughts_the_page_says_what_it_cannot_tell(
    tmp_path: Path, predict: Callable[..., Path]
) -> None:
    for arm in ("none", "both"):
        predict("ann", arm, tmp_path / "logs", judge)
    done = CliRunner().invoke(main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "it cannot be told whether thoughts help by what they say" in (tmp_path / "report/index.html").read_text()
