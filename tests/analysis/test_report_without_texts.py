"""A report without text: what people and models wrote is in none of its files."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval

from thoughttrace.cli.main import main
from thoughttrace.tasks.infer_reason import infer_reason

CANARIES = ("inmessage", "inreply", "inthought", "ininference", "inrationale", "insummary", "injob", "inpurpose")


def record(conversation: Callable[..., dict[str, Any]], user: str) -> dict[str, Any]:
    made = conversation(user, turns=4, canary="inthought")
    for message in made["messages"]:
        message["content"] += " inmessage" if message["type"] == "user" else " inreply"
    survey = {"age": "31", "gender": "Male", "education": "School", "occupation": "injob", "purposes": "inpurpose"}
    return made | {"task_summary": "insummary", "task_expectation": "insummary", "survey_answers": [survey]}


def leak(messages: list[Any]) -> str:
    """Repeat the target, which the invented conversations give away, and add a word."""
    turn, user = re.findall(r"question (\d+) of (\w+),", messages[-1].text)[-1]
    return f"reason inthought secret {user} 1 {turn} ininference"


@pytest.fixture
def logs(
    tmp_path: Path,
    scripted: Callable[..., Any],
    write: Callable[..., Path],
    make_conversation: Callable[..., dict[str, Any]],
) -> Path:
    data = str(write(*(record(make_conversation, f"user{n}") for n in range(8))))
    judges = [
        scripted("j1", lambda messages: '{"rationale": "inrationale", "rating": 4}'),
        scripted("j2", lambda messages: f'{{"rationale": "inrationale", "rating": {1 + len(messages[1].text) % 5}}}'),
        scripted("j3", lambda messages: "inrationale, and no verdict"),
    ]
    told = infer_reason(data=data, context="profile")
    runs = ((told, "m1"), (told, "m2"), (infer_reason(data=data, control="someone_else"), "m1"))
    for task, model in runs:
        (log,) = inspect_eval(
            task,
            model=scripted(model, leak),
            model_roles={"grader": judges},
            log_dir=str(tmp_path / "logs"),
            display="none",
        )
        assert log.status == "success"
    return tmp_path / "logs"


def report(logs: Path, *options: str) -> Path:
    folder = logs.parent / "report"
    done = CliRunner().invoke(main, ["report", str(logs), "-o", str(folder), *options])
    assert done.exit_code == 0, done.output
    assert not [word for word in CANARIES if word in done.output]
    return folder


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    for file in folder.rglob("*"):
        yield file.name, file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".parquet":  # compressed
            yield file.name, pd.read_parquet(file).to_csv()


def test_a_report_without_text_holds_ids_ratings_and_counts_alone(logs: Path) -> None:
    folder = report(logs)
    page = (folder / "index.html").read_text(encoding="utf-8")
    shown = {word for word in CANARIES if word in page}
    assert shown == {"inmessage", "inreply", "inthought", "ininference", "inrationale"}, "the canaries do not sing"
    tables = {file.name: file.read_bytes() for file in folder.glob("*.csv")}
    report(logs, "--no-text")  # over the other report
    found = [(name, word) for name, text in contents(folder) for word in CANARIES if word in text]
    assert found == []

    del tables["example_samples.csv"]
    assert {name: (folder / name).read_bytes() for name in tables} == tables
    flagged = pd.read_csv(folder / "flagged.csv")
    assert list(flagged.columns) == ["model", "kind", "id", "overlap", "agreement"]
    assert len(flagged) == 2 * 8 * 4
    page = (folder / "index.html").read_text(encoding="utf-8")
    samples = page[page.index('id="example_samples-table"') : page.index('id="chapter_methods"')]
    assert re.findall(r'<th scope="col"[^>]*>([^<]+)', samples) == ["Why", "Kind", "Model", "Agreement", "Sample"]
    assert re.search(r"user\d_task1_conversation1/m\d\d/reason", samples)
    assert "--no-text" in page
