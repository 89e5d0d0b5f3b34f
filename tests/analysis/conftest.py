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
from thoughttrace.tasks.predict_message import predict_message

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
