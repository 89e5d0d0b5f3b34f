"""What a form asks of a model, how its reply is read, and what is kept of it for the scorer."""

import asyncio
import json
from typing import Any, Literal

import pytest
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageUser,
    ContentText,
    GenerateConfig,
    ModelCall,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target
from inspect_ai.solver import TaskState
from pydantic import BaseModel

from thoughttrace.core.record import Unscored
from thoughttrace.scorers.agreement import VERDICT
from thoughttrace.scorers.labels import rating, relation, topic, type_match
from thoughttrace.scorers.message_similarity import NEARNESS
from thoughttrace.scorers.structured_output import Form, FormReply, ask, bounds, keep_form, read_form
from thoughttrace.tasks._labelling import RATING


class Colour(BaseModel):
    rationale: str
    colour: Literal["red", "blue"]


FORM = Form("colour", Colour, "Reply again with a colour.")
RED = '{"rationale": "as seen", "colour": "red"}'


def reply_to(*outputs: ModelOutput | str, **config: Any) -> tuple[FormReply[Colour], list[Any]]:
    """Ask a model that gives these outputs; return what came back and the requests it got."""
    texts = iter(outputs)
    model = get_model("scripted/m", script=lambda _: "", memoize=False, config=GenerateConfig(**config))
    requests: list[Any] = []

    async def generate(input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        requests.append((input, config))
        output = next(texts)
        return ModelOutput.from_content("m", output) if isinstance(output, str) else output

    model.api.generate = generate  # type: ignore[method-assign]
    return asyncio.run(ask(model, [ChatMessageUser(content="Which?")], FORM)), requests


def refusal() -> ModelOutput:
    return ModelOutput.from_message(ChatMessageAssistant(content=[ContentText(text="No.", refusal=True)]))


def test_a_valid_reply_is_asked_for_once() -> None:
    reply, requests = reply_to(RED)
    assert (reply.filled, reply.replies, reply.reason, reply.unscored) == (
        Colour.model_validate_json(RED),
        [RED],
        None,
        None,
    )
    assert len(requests) == 1
    schema = requests[0][1].response_schema
    assert list(schema.json_schema.properties) == ["rationale", "colour"]


def test_an_invalid_reply_is_repaired_once() -> None:
    reply, requests = reply_to("Red!", RED)
    assert (reply.filled, reply.replies) == (Colour.model_validate_json(RED), ["Red!", RED])
    assert [message.text for message in requests[1][0]] == ["Which?", "Red!", "Reply again with a colour."]
    _, requests = reply_to("", RED)  # some providers refuse an empty assistant message
    assert [message.text for message in requests[1][0]] == ["Which?", "Reply again with a colour."]


@pytest.mark.parametrize("form", [VERDICT, NEARNESS, RATING], ids=["verdict", "nearness", "label"])
@pytest.mark.parametrize(
    ("values", "rating"),
    [
        ('"rating": 5', 5),
        ('"rating": 5.0', 5),
        ('"rating": 5, "sure": true', 5),
        ('"rating": true', None),
        ('"rating": false', None),
        ('"rating": "5"', None),
        ('"rating": [5]', None),
        ('"rating": 5, "rating": 5', None),
        ('"rating": 0, "rating": 5', None),
        ('"rating": 5, "rationale": "y"', None),
        ('"rating": 5, "x": {"a": 1, "a": 2}', None),
        ('"rating": 5, "x": ' + "[" * 5_000 + "]" * 5_000, None),
        ('"rating": ' + "5" * 5_000, None),
    ],
)  # fmt: skip
def test_a_rating_is_one_number(form: Form[Any], values: str, rating: int | None) -> None:
    filled = form.parse(f'{{"rationale": "x", {values}}}')
    assert (filled and filled.rating) == rating


CASES: dict[str, tuple[ModelOutput, Unscored, Unscored]] = {
    "prose": (ModelOutput.from_content("m", "Red!"), Unscored.FORM_UNPARSABLE, Unscored.FORM_UNPARSABLE),
    "nothing": (ModelOutput.from_content("m", " "), Unscored.FORM_EMPTY, Unscored.FORM_EMPTY),
    "refusal": (refusal(), Unscored.FORM_REFUSED, Unscored.FORM_REFUSED),
    "filter": (
        ModelOutput.from_content("m", "x", stop_reason="content_filter"), Unscored.FORM_REFUSED, Unscored.FORM_REFUSED,
    ),
    "max_tokens": (
        ModelOutput.from_content("m", "{", stop_reason="max_tokens"), Unscored.TRUNCATED, Unscored.TRUNCATED,
    ),
    "context": (
        ModelOutput.from_content("m", "", stop_reason="model_length"), Unscored.FORM_EMPTY, Unscored.PROMPT_TOO_LONG,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("output", "reason", "unscored"), CASES.values(), ids=CASES)
def test_a_reply_without_a_form_has_a_reason(output: ModelOutput, reason: Unscored, unscored: Unscored) -> None:
    reply, requests = reply_to(*[output] * 4)
    assert (reply.filled, reply.reason, reply.unscored) == (None, reason, unscored)
    assert len(reply.replies) == 2
    # A prompt that does not fit may fit without the room for a reply.
    assert len(requests) == (4 if unscored is Unscored.PROMPT_TOO_LONG else 2)


def test_a_reply_that_was_cut_off_is_not_gone_on_with() -> None:
    cut = ModelOutput.from_content("m", '{"rationale": "and so on', stop_reason="max_tokens")
    reply, requests = reply_to(cut, RED)
    assert (reply.filled and reply.filled.colour, reply.replies) == ("red", [cut.completion, RED])
    assert [message.text for message in requests[1][0]] == ["Which?", "Reply again with a colour."]


BOUNDS: dict[str, tuple[dict[str, Any], int]] = {
    "nothing said": ({}, 4_096),
    "its own": ({"max_tokens": 77}, 77),
    "its own, and effort": ({"max_tokens": 77, "reasoning_effort": "high"}, 77),
    "no effort": ({"reasoning_effort": "none"}, 4_096),
    "some effort": ({"reasoning_effort": "low"}, 16_384),
    "high effort": ({"reasoning_effort": "high"}, 32_768),
    "reasoning tokens": ({"reasoning_tokens": 8_000}, 24_384),
}


@pytest.mark.parametrize(("config", "bound"), BOUNDS.values(), ids=BOUNDS)
def test_a_reply_is_bounded_unless_the_user_bounds_it(config: dict[str, Any], bound: int) -> None:
    _, requests = reply_to(RED, **config)
    assert requests[0][1].max_tokens == bound


@pytest.mark.parametrize(
    ("name", "bound", "length"),
    [
        ("openai/gpt-5-mini", 16_384, None),
        ("openai/gpt-4.1", 4_096, None),
        ("google/gemini-2.5-flash", 16_384, None),
        ("anthropic/claude-opus-4-6", None, None),  # Inspect's 32,000
        ("openai-api/loop/judge", 4_096, 500),
        ("ollama/some", 4_096, 500),
    ],
)
def test_each_provider_gets_the_bounds_it_takes(
    name: str, bound: int | None, length: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "LOOP_API_KEY"):
        monkeypatch.setenv(key, "none")
    monkeypatch.setenv("LOOP_BASE_URL", "http://127.0.0.1:1/v1")
    config = bounds(get_model(name, memoize=False), VERDICT)
    schema = (config.extra_body or {}).get("response_format", {}).get("json_schema", {}).get("schema", {})
    assert config.max_tokens == bound
    assert schema.get("properties", {}).get("rationale", {}).get("maxLength") == length


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("http://localhost:1234/v1", True),
        ("http://127.0.0.1:1234/v1", True),
        ("http://192.168.0.7:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://ollama:11434/v1", True),
        ("http://host.docker.internal:11434/v1", True),
        ("https://api.example.com/v1", False),
        ("https://8.8.8.8/v1", False),
    ],
)
def test_only_a_server_of_ones_own_is_sent_lengths(address: str, own: bool) -> None:
    extra = {"top_k": 5}
    model = get_model(
        "openai-api/x/judge", base_url=address, api_key="k", memoize=False, config=GenerateConfig(extra_body=extra)
    )
    sent = bounds(model, VERDICT).extra_body
    assert (sent is not None) is own
    assert not sent or sent["top_k"] == 5


@pytest.mark.parametrize("named", ["'maxLength' is not permitted", "max_tokens is too large", "Invalid schema"])
def test_a_server_that_refuses_a_bound_is_asked_without(named: str) -> None:
    model = get_model("scripted/m", script=lambda _: "", memoize=False)
    sent: list[Any] = []

    async def generate(input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> Any:
        sent.append(config.max_tokens)
        if config.max_tokens:
            return ValueError(named), ModelCall.create({}, {})
        return ModelOutput.from_content("m", RED)

    model.api.generate = generate  # type: ignore[method-assign]
    reply = asyncio.run(ask(model, [ChatMessageUser(content="Which?")], FORM))
    assert (reply.replies, sent) == ([RED], [4_096, None])


def state_of(**store: Any) -> TaskState:
    state = TaskState("m", "s", 1, "input", [], target=Target("x"), metadata={"user": "user1"})  # type: ignore[arg-type]
    for key, value in store.items():
        state.store.set(key, value)
    return state


def score(scorer: Scorer, state: TaskState) -> Score:
    result = asyncio.run(scorer(state, state.target))
    assert isinstance(result, Score)
    return result


@pytest.mark.parametrize("scorer", [rating, type_match, relation, topic])
def test_a_sample_that_ended_before_its_form_has_no_output(scorer: Any) -> None:
    # A limit came before the solver's end: the value is that of the other tasks, and of the enum.
    assert score(scorer(), state_of()).reason == "no_output"


def test_a_form_is_kept_under_the_keys_that_old_logs_have() -> None:
    state = state_of()
    keep_form(state, {"rationale": "r", "rating": 4})
    assert json.loads(json.dumps(dict(state.store.items()))) == {
        "filled": {"rationale": "r", "rating": 4},
        "unfilled": None,
    }
    assert read_form(state) == {"rationale": "r", "rating": 4}
    keep_form(state, None, Unscored.TRUNCATED)
    assert json.loads(json.dumps(dict(state.store.items()))) == {"filled": None, "unfilled": "truncated"}
    assert read_form(state) is Unscored.TRUNCATED


@pytest.mark.parametrize(
    ("unfilled", "type_score"), [("refused", 0), ("empty", 0), ("unparsable", 0), ("truncated", None)]
)
def test_forms_of_old_logs_are_scored_as_they_were(unfilled: str, type_score: int | None) -> None:
    state = state_of(filled=None, unfilled=unfilled)
    assert score(rating(), state).reason == unfilled
    typed = score(type_match(), state)
    assert typed.reason == unfilled
    assert (None if typed.value != typed.value else typed.value) == type_score
