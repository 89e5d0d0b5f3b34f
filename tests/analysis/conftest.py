"""Logs of real Inspect runs with ratings that are known, and a real browser."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, write_eval_log
from inspect_ai.model import get_model
from playwright.sync_api import Browser, Page

from thoughttrace.analysis.read.task_log import USAGE, Run
from thoughttrace.core.record import INFER, KINDS, TYPES, Kind
from thoughttrace.datasets.taxonomy import SUBTOPICS
from thoughttrace.protocols.manifest import Manifest, checksum
from thoughttrace.protocols.protocol import Protocol, read_protocol
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


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return read_protocol("infer-v1")


@pytest.fixture(scope="session")
def manifest(protocol: Protocol) -> Manifest:
    """The manifest of a `mini-v1` of 20 users, as if of the release."""
    samples: dict[Kind, dict[str, str]] = {
        kind: {f"user{n}_task1_conversation1/m00/{kind}": f"{n:016x}" for n in range(20)} for kind in KINDS
    }
    return Manifest(
        name="mini-v1", rule="made up", data="hub", data_revision=protocol.data.revision, data_content="sha256:c",
        sha256=checksum("mini-v1", samples), samples=samples,
    )  # fmt: skip


@pytest.fixture(scope="session")
def follows(protocol: Protocol, manifest: Manifest) -> Callable[..., Run]:
    """Make a run that follows the protocol on the manifest's samples, with whatever else is given in its place."""

    def make(kind: Kind = "reason", model: str = "xai/grok-4.20", **other: Any) -> Run:
        judge = other.get("judge", "anthropic/claude-opus-4-6, google/gemini-3.1-pro-preview, openai/gpt-5.4")
        ids = list(manifest.samples[kind])
        rows = pd.DataFrame({
            "id": ids, "epoch": 1, "user": [name.partition("_")[0] for name in ids], "file": "x.eval",
            "score": 4.0, "reason": None, "ratings": json.dumps({name: [4] for name in judge.split(", ")}),
            "thoughts": 1, "similarity": math.nan, "words": 5.0, "equals_note": False,
        } | dict.fromkeys(USAGE, 0.0))  # fmt: skip
        asked = protocol.tasks[kind]
        return Run(**{
            "task": INFER[kind].name, "kind": kind, "model": model, "evaluated": model, "answers_file": "",
            "control": "", "baseline": False, "effort": "high", "generation": "", "solver": "", "context": "history",
            "context_words": "", "arm": "", "stands_for": "", "selection": "", "task_version": f"{asked.version}-A",
            "prompt_hash": asked.prompt_hash, "prompt_file": "", "confidence": False, "probes_hash": "",
            "probe_rubrics": {}, "probe_rubric_file": "", "judge_message": True, "judge_scale": "sampled",
            "judge_configs": {}, "data": "hub", "data_revision": protocol.data.revision, "data_content": "sha256:c",
            "person": False, "subset": "mini-v1", "subset_sha256": manifest.sha256, "subset_samples": 20,
            "commit": "", "against": "",
            "package_version": "0", "inspect_version": "0", "date": "2026-11-29", "status": "success",
            "epochs": 1, "planned": 20, "planned_replies": 20, "absent": [], "file": f"{kind}.eval", "judge": judge,
            "rubric_hash": asked.rubric_hash, "rows": rows, "contributions": (),
        } | other)  # fmt: skip

    return make
