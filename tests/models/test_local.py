"""The provider `local/…` with a real model: SmolLM2 runs here in under a second."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, ModelOutput, ResponseSchema, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate
from inspect_ai.util import json_schema
from pydantic import BaseModel, Field

from thoughttrace.core.errors import UserError
from thoughttrace.models import local
from thoughttrace.models.weights import CATALOGUE
from thoughttrace.scorers.expected_rating import expect

MODEL = "local/smollm2-135m"
ONE_THREAD = {"threads": 1}  # several wait for each other by spinning, for minutes where other tests have the cores


def test_the_missing_extra_is_named_before_weights_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    monkeypatch.setattr(local, "fetch_weights", lambda name: pytest.fail("weights were fetched"))
    with pytest.raises(UserError, match=r'needs xllamacpp: install it with pip install "thoughttrace\[local\]"'):
        get_model(MODEL, memoize=False)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere.gguf", "local/nowhere.gguf: there is no file "),
        ("junk.gguf", "the file is no GGUF model that it supports"),
        ("smollm", "choose from smollm2-135m"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.gguf").write_text("no model")
    with pytest.raises(UserError, match=sentence):
        get_model(f"local/{name}", memoize=False)


def test_an_eval_records_usage_and_what_was_in_effect(tmp_path: Path) -> None:
    task = Task(
        dataset=[Sample("Count: one, two,", target="three"), Sample("Say hello.", target="hello")],
        solver=generate(max_tokens=8),
        scorer=includes(),
    )
    arguments = {"cache_prompt": False, **ONE_THREAD}
    (log,) = inspect_eval(task, model=MODEL, model_args=arguments, log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    assert log.eval.model == MODEL
    assert log.eval.model_args == arguments
    assert not [key for key in (server.api_key for server in local._servers.values()) if key in log.model_dump_json()]
    assert log.eval.model_base_url is None  # the port is this run's alone: eval-retry must not look for it
    assert 0 < log.stats.model_usage[MODEL].output_tokens <= 16
    assert log.samples is not None
    sample = log.samples[0]
    assert sample.output.metadata is not None
    assert sample.output.metadata["cache_prompt"] is False
    assert sample.output.metadata["weights_sha256"] == CATALOGUE["smollm2-135m"].sha256
    assert sample.output.metadata["n_ctx"] == 8192
    (call,) = [event.call for event in sample.events if event.event == "model"]
    assert call is not None
    assert (call.request["temperature"], call.request["max_tokens"]) == (0.0, 8)


class _Verdict(BaseModel):
    rationale: str = Field(max_length=20)
    rating: Literal[1, 2, 3, 4, 5]


def ask(prompt: str, config: GenerateConfig | None = None, **arguments: Any) -> ModelOutput:
    model = get_model(MODEL, memoize=False, config=config or GenerateConfig(max_tokens=6), **(ONE_THREAD | arguments))
    return asyncio.run(model.generate(prompt))


def test_a_schema_constrains_the_reply() -> None:
    schema = ResponseSchema(name="verdict", json_schema=json_schema(_Verdict), strict=True)
    reply = ask("Write a poem about the sea.", GenerateConfig(response_schema=schema, max_tokens=60)).completion
    assert list(json.loads(reply)) == ["rationale", "rating"]
    assert 1 <= _Verdict.model_validate_json(reply).rating <= 5


def test_every_choice_of_a_schema_has_a_probability_and_the_log_holds_little_else() -> None:
    class Reply(BaseModel):
        mood: Literal["pleased", "mixed", "displeased"]
        rating: Literal[1, 2, 3, 4, 5]

    schema = ResponseSchema(name="reply", json_schema=json_schema(Reply))
    output = ask("Is tea good?", GenerateConfig(response_schema=schema, logprobs=True, top_logprobs=20))
    logprobs = output.choices[0].logprobs
    assert logprobs
    found = expect(Reply.model_validate_json(output.completion), output.completion, logprobs)
    assert found
    # Without the schema this model would hardly write any of them: few are among its first 20 words.
    assert all(p > 0 for choices in found.probabilities.values() for p in choices.values())
    assert found.rating == pytest.approx(sum(int(n) * p for n, p in found.probabilities["rating"].items()), abs=1e-4)
    others = [other.token for token in logprobs.content for other in (token.top_logprobs or [])[20:]]
    assert len(others) < 20 * len(logprobs.content)
    assert "The" not in others


def test_prompts_of_two_kinds_keep_their_prefixes_unless_the_cache_is_off() -> None:
    prefixes = "You read conversations carefully. " * 10, "You rate inferences by a rubric. " * 10

    def read_from_cache(cache_prompt: bool) -> tuple[list[int], set[str]]:
        outputs = [
            ask(prefix + question, cache_prompt=cache_prompt)
            for question in ("Who are you?", "How are you?", "How are you?")
            for prefix in prefixes
        ]
        counts = [output.usage.input_tokens_cache_read or 0 for output in outputs if output.usage]
        return counts[2:], {output.completion for output in outputs[2::2]}

    kept, _ = read_from_cache(cache_prompt=True)
    assert min(kept) > 40
    kept, replies = read_from_cache(cache_prompt=False)
    assert kept == [0, 0, 0, 0]
    assert len(replies) == 1  # bit-identical


def test_a_prompt_longer_than_the_context_gives_an_empty_reply_with_its_reason() -> None:
    output = ask("word " * 600, n_ctx=256, threads=None)
    assert (output.stop_reason, output.completion) == ("model_length", "")
    assert output.error is not None
    assert "context" in output.error


@pytest.mark.parametrize("path", ["/slots", "/v1/models", "/v1/chat/completions", "/tokenize"])
def test_nobody_else_on_the_machine_may_use_the_server(path: str) -> None:
    ask("hello")
    (server, *_) = local._servers.values()
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "content": "hi"}).encode()
    request = Request(server.address + path, body if path.endswith(("completions", "tokenize")) else None)
    request.add_header("Origin", "http://evil")
    with pytest.raises(HTTPError) as caught:
        urlopen(request, timeout=10)
    assert caught.value.code == 401
    assert not caught.value.headers["Access-Control-Allow-Origin"]


def test_models_with_equal_settings_share_a_server() -> None:
    ask("hello")
    before = len(local._servers)
    ask("hello", cache_prompt=False)
    assert len(local._servers) == before
