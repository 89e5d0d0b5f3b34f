"""Logs of real Inspect runs with ratings that are known."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog

from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

# By what the judge is asked: a rating 1–5, or a reply that is no verdict.
REPLIES = [f'{{"rationale": "because", "rating": {rating}}}' for rating in range(1, 6)]
BAD = ["", "no idea", '{"rationale": "because", "rating": 9}']


def reply(prompt: str) -> str:
    """The judge's reply to a prompt, drawn by a hash: most are verdicts, some are not."""
    draw = int(hashlib.sha256(prompt.encode()).hexdigest(), 16)
    return BAD[draw // 8 % 3] if draw % 8 == 0 else REPLIES[draw // 8 % 5]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed logs are kept in a folder of the test's own."""
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def judged() -> Callable[[list[Any]], str]:
    """A judge's script: its reply depends on the first question only, so a repair changes nothing."""
    return lambda messages: reply(messages[1].text)


@pytest.fixture
def run_task(
    tmp_path: Path,
    scripted: Callable[..., Any],
    judged: Callable[[list[Any]], str],
    make_conversation: Callable[..., dict[str, Any]],
    write: Callable[..., Path],
) -> Callable[..., EvalLog]:
    data = write(*(make_conversation(f"user{n}", task, turns=1 + n % 5) for n in range(9) for task in (1, 2)))

    def run(kind: str = "reason", model: str = "m", judge: Any = None, folder: str = "logs", **options: Any) -> EvalLog:
        task = {"reason": infer_reason, "reaction": infer_reaction}[kind](data=str(data))
        (log,) = inspect_eval(
            task,
            model=scripted(model, lambda messages: f"guess of {model}"),
            model_roles={"grader": scripted("j", judge or judged)},
            log_dir=str(tmp_path / folder),
            display="none",
            **options,
        )
        return log

    return run
