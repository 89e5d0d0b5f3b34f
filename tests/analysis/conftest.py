"""Logs of real Inspect runs with ratings that are known, and a real browser."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, write_eval_log
from inspect_ai.model import get_model
from playwright.sync_api import Browser, Page

from thoughttrace.core.record import TYPES
from thoughttrace.datasets.taxonomy import SUBTOPICS
from thoughttrace.tasks.classify_thought import classify_thought
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.predict_message import predict_message
from thoughttrace.tasks.rate_thought import rate_thought
from thoughttrace.tasks.relate_messages import relate_messages

NAMED = ("extend", "re_attempt", "variation", "new_request")
TASKS: dict[Any, dict[str, Any]] = {
    relate_messages: {}, label_topic: {}, classify_thought: {"kind": "reason"}, cover_thought: {"kind": "reaction"},
    rate_thought: {"kind": "reaction"},
}  # fmt: skip


def labels(messages: list[Any]) -> str:
    """A reply to any of the forms, drawn by a hash of what is asked."""
    system, asked = messages[0].text, messages[1].text
    draw = hashlib.sha256(asked.encode()).digest()[0]
    choice: dict[str, Any] = {"rating": 1 + draw % 5}
    if '"relation"' in system:
        choice = {"relation": NAMED[draw % 4]}
    elif '"subtopics"' in system:
        choice = {"subtopics": [*SUBTOPICS][draw % 30 : draw % 30 + 1 + draw % 3]}
    elif '"type"' in system:
        choice = {"type": TYPES["reason"][draw % 7]}
    return "no idea" if draw % 11 == 0 else json.dumps({"rationale": "because", **choice})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed logs are kept in a folder of the test's own."""
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def backdated() -> Callable[[EvalLog], EvalLog]:
    """Start a log an hour earlier: two that start within a second have the same date, and neither is the newest."""

    def backdated(log: EvalLog) -> EvalLog:
        log.eval.created = (datetime.fromisoformat(log.eval.created) - timedelta(hours=1)).isoformat()
        write_eval_log(log, log.location)
        return log

    return backdated


@pytest.fixture
def predict(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], scripted: Callable[..., Any]
) -> Callable[..., Path]:
    """Run `predict_message` by a scripted model that says its name and arm, with a scripted judge, into a folder."""
    turns = {f"user{n}": 3 + n % 3 for n in range(6)}
    records = [make_conversation(user, turns=number) for user, number in turns.items()]
    records[0]["messages"][1]["reactions"][0]["timestamp"] = "2026-01-02T00:00:00Z"  # user0 wrote it in hindsight
    data = str(write(*records))

    def run(task: Any, model: str, said: str, grader: str, folder: Path, verdict: Any) -> None:
        (log,) = inspect_eval(
            task, model=scripted(model, lambda _: said), model_roles={"grader": scripted(grader, verdict)},
            log_dir=str(folder), display="none",
        )  # fmt: skip
        assert log.status == "success"

    def predict(model: str, arm: str, folder: Path, judge: Any, grader: str = "j", **arguments: Any) -> Path:
        if arm == "inferred":
            guessed = folder / f"guesses/{model}"
            run(infer_reason(data=data), model, "I guess", "g", guessed, lambda _: '{"rationale": "x", "rating": 3}')
            arguments["inferred"] = str(guessed)
        run(predict_message(data=data, thoughts=arm, **arguments), model, f"{model} {arm}", grader, folder, judge)
        return folder

    return predict


@pytest.fixture(scope="session")
def labelled_data(make_conversation: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    records = [make_conversation(f"user{n}", turns=3 + n % 3) for n in range(12)]
    records[0]["messages"][1]["reactions"].append(records[0]["messages"][3]["reactions"][0])  # two on one reply
    path = tmp_path_factory.mktemp("labelled") / "data.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def label_logs(labelled_data: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., EvalLog]:
    """Run a task by a labeller; the same run is made once."""

    @cache
    def run(task: Any, model: str, reply: Callable[[list[Any]], str]) -> EvalLog:
        (log,) = inspect_eval(
            task(data=labelled_data, **TASKS[task]),
            model=get_model(f"scripted/{model}", script=reply, memoize=False),
            log_dir=str(tmp_path_factory.mktemp("label")), display="none",
        )  # fmt: skip
        return log

    return run


@pytest.fixture
def label(label_logs: Callable[..., EvalLog], tmp_path: Path) -> Callable[..., dict[str, tuple[str, Any]]]:
    """Put logs of the tasks into the folder `labels`, and give the answer and value of each sample."""

    def label(*tasks: Any, model: str = "ann", reply: Any = None) -> dict[str, tuple[str, Any]]:
        logs = [label_logs(task, model, reply or labels) for task in tasks or TASKS]
        (tmp_path / "labels").mkdir(exist_ok=True)
        said = {}
        for log in logs:
            shutil.copy(log.location, tmp_path / "labels")
            assert log.status == "success"
            for sample in log.samples or []:
                for name, score in (sample.scores or {}).items():
                    said[f"{name}:{log.eval.task}:{sample.id}"] = (score.answer or "", score.value)
        return said

    return label


@pytest.fixture(scope="module")
def browser(folder: Path, chromium: Callable[[], AbstractContextManager[Browser]]) -> Iterator[Browser]:
    """Started after the module's `folder` is made: its event loop and that of Inspect's runs do not go together."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Callable[[str], Page]]:
    """Open the page of `folder` in a colour scheme; afterwards nothing was requested and nothing complained."""
    events: list[str] = []
    pages: list[Page] = []

    def open_page(scheme: Any) -> Page:
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1300, "height": 900})
        page.on("console", lambda message: events.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: events.append(str(error)))
        page.on("dialog", lambda dialog: events.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: events.append(f"request: {request.url[:200]}"))
        page.goto((folder / "index.html").as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert events == [f"request: {(folder / 'index.html').as_uri()}"[:209]] * len(pages)
