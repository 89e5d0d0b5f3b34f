"""The tasks on single thoughts over each provider's real protocol."""

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

from thoughttrace.core.record import TYPES
from thoughttrace.datasets.taxonomy import SUBTOPICS
from thoughttrace.tasks.classify_thought import classify_thought, type_form
from thoughttrace.tasks.cover_thought import cover_thought
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.rate_thought import rate_thought
from thoughttrace.tasks.relate_messages import relate_messages

TASKS = (classify_thought, cover_thought, rate_thought)
CANARY = "xyzzy-canary"
MESSAGES = re.compile(r"^\[[0-9a-f]{8} m(\d+) (?:user|assistant)\]$", re.MULTILINE)
"""The header lines of messages in a prompt."""


MESSAGES = re.compile(r"^\[[0-9a-f]{8} m(\d+) (?:user|assistant)\]$", re.MULTILINE)


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return request.param


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(make_conversation("user1", turns=3, canary=CANARY)))


def run(task: Any, provider: Provider, folder: Path) -> EvalLog:
    (log,) = inspect_eval(task, model=provider.model, log_dir=str(folder), display="none", max_retries=0)
    assert log.status == "success"
    assert log.samples
    return log


def score(sample: Any) -> Any:
    (found,) = sample.scores.values()
    return found


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("task", TASKS)
def test_a_model_is_held_to_the_form_and_told_who_speaks(
    task: Any, kind: Any, provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    log = run(task(kind=kind, data=data), provider, tmp_path)
    assert log.samples
    assert len(loopback.requests) == len(log.samples) == (2 if (task, kind) == (cover_thought, "reaction") else 3)
    typed = task is classify_thought
    name, field = ("label", "type") if typed else ("rating", "rating")
    choices: list[Any] = [*TYPES[kind]] if typed else [1, 2, 3, 4, 5]
    for request in loopback.requests:
        schema = schema_of(request, name)
        # Models write the fields in the order of the schema: the choice follows from the rationale.
        assert list(schema["properties"]) == schema["required"] == ["rationale", field]
        assert schema["properties"][field]["enum"] == choices
        assert schema["additionalProperties"] is False
        # OpenAI's reasoning models know no system role.
        system = "developer" if request.provider == "responses" else "system"
        assert provider.roles(request.body) == [system, "user"]
        assert json.dumps(request.blocks[0])[1:-1] in json.dumps(provider.system(request.body))
        assert CANARY not in request.blocks[0]
        assert request.text.count(CANARY) == 1
        # Reasoning models refuse any temperature, and the others are measured as they come.
        assert not {"temperature", "top_p", "topP", "top_k", "topK", "seed"} & set(provider.sampling(request.body))
        assert request.body.get("store") is (False if request.provider == "responses" else None)
    # The server answers with the middle of the choices.
    answer = choices[len(choices) // 2]
    assert {score(sample).answer for sample in log.samples} == {str(answer)}
    assert {score(sample).value for sample in log.samples} == ({0} if typed else {3})


def test_a_reply_out_of_form_is_asked_for_once_more(
    provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    repair = type_form("reason").repair
    loopback.reply = lambda request: Reply() if repair in request.text else Reply("Let me think.")
    log = run(classify_thought(data=data), provider, tmp_path)
    assert len(loopback.requests) == 6
    for sample in log.samples or []:
        assert [message.role for message in sample.messages] == ["system", "user", "assistant", "user", "assistant"]
        assert score(sample).answer == "content_expectation"


def test_a_refusal_in_the_protocol_is_known_as_one(
    provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    loopback.reply = lambda request: Reply("", stop="refusal")
    log = run(classify_thought(data=data), provider, tmp_path)
    assert {(score(sample).value, score(sample).reason) for sample in log.samples or []} == {(0, "refused")}


def test_messages_and_conversations_are_labelled(provider: Provider, loopback: Any, data: str, tmp_path: Path) -> None:
    named = {"relation": "variation", "topics": ["travel", "food_and_cooking"]}
    asked: dict[str, list[Any]] = {"relation": [], "topics": []}
    for task, name in ((relate_messages, "relation"), (label_topic, "topics")):
        field = "subtopics" if name == "topics" else name
        loopback.reply = lambda _, field=field, name=name: Reply(json.dumps({"rationale": "x", field: named[name]}))
        sent = len(loopback.requests)
        log = run(task(data=data), provider, tmp_path)
        asked[name] = loopback.requests[sent:]
        answers = {str(sample.id).rpartition("/")[0][-4:]: score(sample).answer for sample in log.samples or []}
        if task is relate_messages:
            assert answers == {"/m00": "first", "/m02": "variation", "/m04": "variation"}
        else:
            assert list(answers.values()) == ["travel; food_and_cooking"]
        for request in asked[name]:
            schema = schema_of(request, name)
            assert list(schema["properties"]) == schema["required"] == ["rationale", field]
            assert CANARY not in request.text  # no thought is shown
    enum = schema_of(asked["relation"][0], "relation")["properties"]["relation"]["enum"]
    assert enum == ["extend", "re_attempt", "variation", "new_request"]
    (request,) = asked["topics"]
    assert schema_of(request, "topics")["properties"]["subtopics"]["items"]["enum"] == [*SUBTOPICS]
    assert len(MESSAGES.findall(request.text)) == 6
    # Nothing after the message that is related.
    assert sorted(len(MESSAGES.findall(request.text)) for request in asked["relation"]) == [3, 5]
