"""Votes that fail: what costs a vote, what ends the sample, and what is never swallowed."""

import asyncio
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ChatMessageAssistant, ContentText, ModelName, ModelOutput, get_model
from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState
from inspect_ai.util import LimitExceededError

from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.core.inspect_private import PrerequisiteError, TerminateSampleError
from thoughttrace.core.record import InferenceMetadata
from thoughttrace.scorers import agreement as agreement_module
from thoughttrace.scorers.agreement import agreement
from thoughttrace.tasks.infer_reason import infer_reason

GOOD = '{"rationale": "same", "rating": 4}'
Scripted = Callable[..., Any]


def raising(*errors: BaseException) -> Callable[[Any], str]:
    left: Iterator[BaseException] = iter(errors)

    def script(messages: Any) -> str:
        for error in left:
            raise error
        return GOOD

    return script


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Score one inference by a panel, without a run around it."""

    def score(panel: list[Any], output: ModelOutput | None = None, **metadata: Any) -> Any:
        monkeypatch.setattr(agreement_module, "judges", lambda *choices: panel)
        sample = InferenceMetadata(user="u", conversation="c", message_index=0, kind="reason", message="the message")
        state = TaskState(
            ModelName("scripted/m"), "s", 1, "input", [], target=Target("the note"),
            output=output or ModelOutput.from_content("m", "I wanted it."), metadata=sample.to_log() | metadata,
        )  # fmt: skip
        return asyncio.run(agreement()(state, Target("the note")))

    return score


def test_a_member_that_raises_loses_its_vote(score: Callable[..., Any], scripted: Scripted) -> None:
    found = score([scripted("j1", raising(ValueError("sk-secret"))), scripted("j2", raising())])
    assert (found.value, found.reason) == (4, None)
    first, second = found.metadata["votes"]
    assert (first["rating"], first["reason"], first["error"]) == (None, "judge_failed", "ValueError")
    assert (second["rating"], second["reason"]) == (4, None)
    assert "sk-secret" not in str(found)


def test_when_no_judge_could_vote_the_sample_fails(score: Callable[..., Any], scripted: Scripted) -> None:
    with pytest.raises(ValueError, match="no access"):
        score([scripted("j1", raising(ValueError("no access")))])
    with pytest.raises(ValueError, match="no access"):
        score([scripted("j1", raising(ValueError("no access"))), scripted("j2", lambda _: "prose")])


def test_reasons_that_differ_are_named_by_the_votes_alone(score: Callable[..., Any], scripted: Scripted) -> None:
    found = score([scripted("j1", lambda _: "prose"), scripted("j2", lambda _: "")])
    assert math.isnan(found.as_float())
    assert found.reason == "grader_failed"
    assert [vote["reason"] for vote in found.metadata["votes"]] == ["judge_unparsable", "judge_empty"]


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        LimitExceededError("token", value=2, limit=1),
        TerminateSampleError("stopped by hand"),
        PrerequisiteError("a mistake in the command"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_interruption_is_no_failed_vote(error: BaseException, score: Callable[..., Any], scripted: Scripted) -> None:
    second = scripted("j2", raising())
    with pytest.raises(type(error)):
        score([scripted("j1", raising(error)), second])
    assert second.api.requests == []


def refused(text: str = "I can't help with that.") -> ModelOutput:
    said = ChatMessageAssistant(content=[ContentText(text=text, refusal=True)])
    return ModelOutput.from_message(said)


CASES = {
    "refusal": (refused(), 1, "refusal"),
    "filter": (ModelOutput.from_content("m", "BLOCKED: SAFETY", stop_reason="content_filter"), 1, "refusal"),
    "empty": (ModelOutput.from_content("m", " \n"), 1, "no_response"),
    "thinking only": (ModelOutput.from_content("m", "<think>Hm.</think>"), 1, "no_response"),
    "no candidate": (ModelOutput.from_content("m", "(no content)"), 1, "no_response"),
    "cut off": (ModelOutput.from_content("m", "<think>Hm", stop_reason="max_tokens"), None, "truncated"),
    "too long": (
        ModelOutput.from_content("m", "prompt is too long", stop_reason="model_length"), None, "prompt_too_long",
    ),
    "a limit came first": (ModelOutput(), None, "no_output"),
}  # fmt: skip


@pytest.mark.parametrize(("output", "value", "reason"), CASES.values(), ids=CASES)
def test_what_is_no_inference_is_never_judged(
    output: ModelOutput, value: int | None, reason: str, score: Callable[..., Any], scripted: Scripted
) -> None:
    judge = scripted("j", raising())
    found = score([judge], output)
    assert judge.api.requests == []
    assert found.reason == reason
    assert (None if math.isnan(found.as_float()) else found.value) == value
    # A control that has nothing to say measures nothing.
    for control in ({"recited": ""}, {"reworded": True}):
        assert math.isnan(score([judge], output, **control).as_float())


def test_a_time_limit_within_the_judgement_ends_the_sample(
    tmp_path: Path, write: Callable[..., Path], make_conversation: Callable[..., Any], scripted: Scripted
) -> None:
    data = str(write(make_conversation(turns=1)))
    judge = scripted("j", raising())

    async def hang(*arguments: Any) -> ModelOutput:
        await asyncio.sleep(60)
        return ModelOutput.from_content("j", GOOD)

    judge.api.generate = hang
    shared: dict[str, Any] = {"log_dir": str(tmp_path), "display": "none", "time_limit": 1}
    (log,) = inspect_eval(
        infer_reason(data=data), model=scripted("m", lambda _: "guess"), model_roles={"grader": judge}, **shared
    )
    (sample,) = log.samples or []
    assert "votes" not in str(sample.scores)
    assert (sample.limit and sample.limit.type == "time") or sample.error


def test_a_model_that_never_answers_still_has_a_run(tmp_path: Path, scripted: Scripted) -> None:
    model = get_model("scripted/m", script=lambda _: "", memoize=False)
    roles = {"grader": scripted("j", raising())}
    (log,) = inspect_eval(
        infer_reason(), model=model, model_roles=roles, limit=4, log_dir=str(tmp_path), display="none"
    )
    (run,) = read_runs([log.location]).counted
    (row,) = headline([run])
    assert (run.judge, row.mean, row.coverage, row.refused_or_empty) == ("scripted/j", 1, 1, 4)
