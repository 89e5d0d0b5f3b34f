"""The next message over each provider's real protocol: what the model and the judge are shown."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from loopback import Reply
from loopback.layouts import PROVIDERS, Provider, schema_of

from thoughttrace.scorers.message_similarity import message_rubric
from thoughttrace.tasks.predict_message import predict_message

CANARY = "xyzzy-canary"
USERS = ("ann", "bob")


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return request.param


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(*(make_conversation(user, turns=3, canary=CANARY) for user in USERS)))


def run(task: Any, provider: Provider, folder: Path) -> EvalLog:
    (log,) = inspect_eval(
        task, model=provider.model, model_roles={"grader": provider.judge}, log_dir=str(folder), display="none",
        max_retries=0,
    )  # fmt: skip
    assert log.status == "success"
    assert log.samples
    return log


def asked(loopback: Any, model: str) -> list[Any]:
    return [request for request in loopback.requests if request.model == model.rpartition("/")[2]]


@pytest.mark.parametrize("thoughts", ["none", "reasons", "reactions", "both", "shuffled"])
def test_a_model_is_shown_the_past_and_the_thoughts_of_the_arm(
    thoughts: str, provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    run(predict_message(data=data, thoughts=thoughts), provider, tmp_path)
    requests = asked(loopback, provider.model)
    assert len(requests) == 4
    assert {request.provider for request in requests} == {provider.protocol}
    for request in requests:
        assert request.schema is None
        (user,) = {name for name in USERS if f"question 0 of {name}" in request.text}
        (reply,) = {int(index) for index in re.findall(r"The last reply shown is \[\w{8} m0(\d)", request.text)}
        turns = (reply + 1) // 2
        assert re.findall(rf"question (\d) of {user}", request.text) == [str(turn) for turn in range(turns)]
        assert re.findall(rf"answer (\d) to {user}", request.text) == [str(turn) for turn in range(turns)]
        # Neither the message nor a thought on it, nor anything after it.
        kinds = {"none": 0, "reasons": 1, "reactions": 1, "both": 2, "shuffled": 2}[thoughts]
        assert request.text.count(CANARY) == kinds * turns
        noted = re.findall(r"\[\w{8} m0(\d) user's private note\]", request.text)
        assert noted == [
            str(index)
            for index in range(2 * turns)
            if kinds == 2 or (thoughts == "reasons" and index % 2 == 0) or (thoughts == "reactions" and index % 2)
        ]


def test_the_judge_compares_messages_and_is_held_to_steps_of_five(
    provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    judge = provider.judge.rpartition("/")[2]
    verdict = json.dumps({"rationale": "The same want.", "rating": 85})
    loopback.reply = lambda request: Reply(verdict if request.model == judge else "Which of these is the cheapest?")
    log = run(predict_message(data=data, thoughts="both"), provider, tmp_path)
    requests = asked(loopback, provider.judge)
    assert len(requests) == 4
    for request in requests:
        schema = schema_of(request, "nearness")
        assert list(schema["properties"]) == schema["required"] == ["rationale", "rating"]
        assert schema["properties"]["rating"]["enum"] == list(range(0, 101, 5))
        system = "developer" if request.provider == "responses" else "system"
        assert provider.roles(request.body) == [system, "user"]
        assert request.blocks[0] == message_rubric()
        assert CANARY not in request.text  # what the user thought is no matter of the judge's
        assert request.text.count("Which of these is the cheapest?") == 1
        assert not {"temperature", "top_p", "topP", "top_k", "topK", "seed"} & set(provider.sampling(request.body))
    for sample in log.samples or []:
        score = (sample.scores or {})["message_similarity"]
        assert (score.value, score.answer, score.explanation) == (
            85,
            "Which of these is the cheapest?",
            "The same want.",
        )


def test_a_refusal_is_the_lowest_rating_and_no_judge_is_asked(
    provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    loopback.reply = lambda request: Reply("", stop="refusal")
    log = run(predict_message(data=data), provider, tmp_path)
    scores = [(sample.scores or {})["message_similarity"] for sample in log.samples or []]
    assert {(score.value, score.reason) for score in scores} == {(0, "refusal")}
    assert asked(loopback, provider.judge) == []
