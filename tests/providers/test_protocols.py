"""Every task and the judge over each provider's real protocol: what reaches the wire, and what the log says of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from loopback import Reply, default_text
from loopback.layouts import PROVIDERS, Provider, schema_of

from thoughttrace.analysis.read.task_log import read_task_log
from thoughttrace.core.record import Context
from thoughttrace.scorers.agreement import rubric, verdict_form
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.judge_agreement import judge_agreement

TASKS = {"reason": infer_reason, "reaction": infer_reaction}
CANARY = "xyzzy-canary"


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return request.param


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(make_conversation("user1", turns=3, canary=CANARY)))


def run(task: Any, provider: Provider, folder: Path, **options: Any) -> EvalLog:
    shared: dict[str, Any] = {"log_dir": str(folder), "display": "none", "max_retries": 0}
    (log,) = inspect_eval(task, model=provider.model, model_roles={"grader": provider.judge}, **shared, **options)
    assert log.status == "success"
    assert log.samples
    return log


def asked(loopback: Any, model: str) -> list[Any]:
    return [request for request in loopback.requests if request.model == model.rpartition("/")[2]]


def shown(text: str) -> set[int]:
    """The messages of the conversation that stand in a prompt, by what each alone says."""
    questions = {2 * int(turn) for turn in re.findall(r"question (\d) of user1", text)}
    return questions | {2 * int(turn) + 1 for turn in re.findall(r"answer (\d) to user1", text)}


@pytest.mark.parametrize("kind", TASKS)
def test_a_model_is_shown_its_context_and_nothing_else(
    kind: str, provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    for context in get_args(Context):
        loopback.requests.clear()
        run(TASKS[kind](data=data, context=context), provider, tmp_path)
        requests = asked(loopback, provider.model)
        assert {request.provider for request in requests} == {provider.protocol}
        annotated = []
        for request in requests:
            assert CANARY not in str(request.body)
            (index,) = {int(number) for number in re.findall(r"\[\w{8} m(\d\d) \w+\] is the one", request.text)}
            annotated.append(index)
            last = min(index + (context in ("lookahead", "profile")), 5)
            assert shown(request.text) == ({index} if context == "message" else set(range(last + 1)))
            told = ["Interpreter", "age: 31", "the summary", "the expectation"]
            assert [word in str(request.body) for word in told] == [context == "profile"] * 4
        assert sorted(annotated) == ([0, 2, 4] if kind == "reason" else [1, 3, 5])
        judged = asked(loopback, provider.judge)
        assert len(judged) == 3
        assert all(request.text.count(CANARY) == 1 for request in judged)
        assert len(loopback.requests) == 6


def check_judge(request: Any, provider: Provider) -> None:
    form = verdict_form("reason" if request.blocks[0] == rubric("reason") else "reaction")
    schema, fields = schema_of(request, form.name), form.fields.model_fields
    # Models write the fields in the order of the schema: the rating follows from the rationale.
    assert list(schema["properties"]) == schema["required"] == list(fields)
    last = list(fields)[-1]
    assert schema["properties"][last]["enum"] == list(get_args(fields[last].annotation))
    assert schema["additionalProperties"] is False
    # Hosted providers may refuse it; a server of one's own keeps to it.
    assert schema["properties"]["rationale"].get("maxLength") == (500 if "/loop/" in provider.judge else None)
    body = request.body | provider.sampling(request.body)
    bound = next(body[name] for name in ("max_output_tokens", "maxOutputTokens", "max_tokens") if name in body)
    assert bound == {"responses": 16_384, "chat": 4_096, "anthropic": 32_000, "google": 16_384}[request.provider]
    check_prompt(request, provider, {rubric("reason"), rubric("reaction")})


def check_prompt(request: Any, provider: Provider, instructions: set[str]) -> None:
    # OpenAI's reasoning models know no system role.
    assert provider.roles(request.body) == ["developer" if request.provider == "responses" else "system", "user"]
    assert request.blocks[0] in instructions
    assert request.blocks[0] in strings(provider.system(request.body))
    assert request.body.get("store") is (False if request.provider == "responses" else None)
    sampling = provider.sampling(request.body)
    # Reasoning models refuse any temperature, and the others are measured as they come.
    assert not {"temperature", "top_p", "topP", "top_k", "topK", "seed"} & set(sampling)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_the_judge_is_held_to_the_verdict_and_both_are_told_who_speaks(
    provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    log = run(infer_reason(data=data), provider, tmp_path)
    assert log.samples
    instructions = {log.samples[0].messages[0].text}
    for request in asked(loopback, provider.model):
        assert request.schema is None
        check_prompt(request, provider, instructions)
    judged = asked(loopback, provider.judge)
    assert len(judged) == 3
    for request in judged:
        check_judge(request, provider)
    assert {(sample.scores or {})["agreement"].value for sample in log.samples} == {3}


def test_the_log_counts_the_tokens_that_the_provider_counts(
    provider: Provider, loopback: Any, data: str, tmp_path: Path
) -> None:
    spent = Reply(input_tokens=1000, cached_tokens=600, cache_write_tokens=100, output_tokens=50, reasoning_tokens=20)
    judged = Reply(input_tokens=500, output_tokens=30)
    judge = provider.judge.rpartition("/")[2]
    loopback.reply = lambda request: replace(judged if request.model == judge else spent)
    log = run(infer_reason(data=data), provider, tmp_path)
    written = 0 if provider.protocol == "google" else 100  # Google does not say what it writes to a cache
    used = log.stats.model_usage[provider.model]
    assert used.input_tokens == 3 * (1000 - 600 - written)
    assert (used.input_tokens_cache_read, used.input_tokens_cache_write or 0) == (3 * 600, 3 * written)
    assert (used.output_tokens, used.reasoning_tokens, used.total_tokens) == (3 * 50, 3 * 20, 3 * 1050)
    assert log.stats.model_usage[provider.judge].total_tokens == 3 * 530
    (read,) = read_task_log(log.location)
    rows = read.rows
    assert set(rows["input_tokens"]) == {1000}
    assert set(rows["output_tokens"]) == {50}
    assert set(rows["judge_input_tokens"]) == {500}
    assert set(rows["judge_output_tokens"]) == {30}


@pytest.mark.parametrize("name", ["responses", "chat", "anthropic", "google"])
def test_streaming_makes_no_difference(name: str, loopback: Any, data: str, tmp_path: Path) -> None:
    log = run(infer_reason(data=data), PROVIDERS[name], tmp_path, model_args={"streaming": True})
    assert {request.stream for request in asked(loopback, PROVIDERS[name].model)} == {True}
    assert log.samples
    said = {sample.output.completion for sample in log.samples}
    assert said == {default_text(asked(loopback, PROVIDERS[name].model)[0])}


def test_the_judges_own_task_asks_just_as_a_judge_does(provider: Provider, loopback: Any, tmp_path: Path) -> None:
    log = run(judge_agreement(), provider, tmp_path, limit=4)
    assert log.samples
    ratings = {(sample.metadata["kind"], (sample.scores or {})["probe"].value["rating"]) for sample in log.samples}
    assert ratings
    assert ratings <= {("reason", 3), ("reaction", 5)}  # the middle of each choice
    assert len(loopback.requests) == 4
    for request in loopback.requests:
        check_judge(request, provider)
