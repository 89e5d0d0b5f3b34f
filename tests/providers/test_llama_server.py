"""A server that nobody here wrote: llama.cpp's own, as model and judge of a whole run, and its own faults."""

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, ChatMessageUser, GenerateConfig, get_model

from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.core.errors import UserError
from thoughttrace.models.weights import CATALOGUE
from thoughttrace.scorers.agreement import VERDICT
from thoughttrace.scorers.panel import vote
from thoughttrace.scorers.structured_output import MAX_STRING
from thoughttrace.tasks.infer_reason import infer_reason

WEIGHTS = CATALOGUE["smollm2-135m"]
KEY = "the-key"
CONTEXT = 1_500


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a running server with a small model, which asks for a key."""
    xllamacpp = pytest.importorskip("xllamacpp", reason='llama.cpp is absent: pip install "thoughttrace[local]"')
    if not WEIGHTS.cached:
        pytest.skip(f"weights absent: thoughttrace fetch-model {WEIGHTS.name}")
    params = xllamacpp.CommonParams()
    params.model.path = str(WEIGHTS.path)
    params.port = 0
    params.n_parallel = 2
    params.n_ctx = 2 * CONTEXT
    params.fit_params = False
    params.api_keys = [KEY]
    params.verbosity = 0
    params.ui = False
    # Several threads wait for each other, which takes many times as long on a machine that others use too.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


@pytest.fixture
def run(
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    write: Callable[..., Path],
    make_conversation: Callable[..., Any],
) -> Callable[..., EvalLog]:
    """Run `infer_reason` on a conversation; the keys, the judge's max_tokens, its messages and turns can be others."""
    monkeypatch.setenv("LLAMA_BASE_URL", f"{address}/v1")

    def run(
        key: str = KEY,
        judge_key: str = KEY,
        judge_tokens: int | None = 200,
        message: str = "Which tea?",
        turns: int = 1,
    ) -> EvalLog:
        record = make_conversation(turns=turns)
        for asked in record["messages"][::2]:
            asked["content"] = message
        # Two names of one model, so that none judges itself.
        model = get_model("openai-api/llama/model", api_key=key, memoize=False)
        # Its own default is drawn at random: now and then a rationale would not end in time.
        config = GenerateConfig(max_tokens=judge_tokens, temperature=0)
        judge = get_model("openai-api/llama/judge", api_key=judge_key, memoize=False, config=config)
        (log,) = inspect_eval(
            infer_reason(data=str(write(record))),
            model=model,
            model_roles={"grader": judge},
            max_tokens=12,
            temperature=0,
            max_retries=0,
            fail_on_error=False,
            log_dir=str(tmp_path / "logs"),
            display="none",
        )
        assert log.status == "success"
        return log

    return run


def test_a_run_against_llama_cpp_s_own_server(run: Callable[..., EvalLog]) -> None:
    log = run(judge_tokens=None, turns=2)
    assert log.samples
    scores = [(sample.scores or {})["agreement"] for sample in log.samples]
    # The server's grammar, which our schema became: a model this small would not write a verdict by itself.
    assert {score.value for score in scores} <= {1, 2, 3, 4, 5}
    votes = [vote for score in scores for vote in (score.metadata or {})["votes"]]
    assert [(vote["judge"], vote["rating"], vote["reason"]) for vote in votes] == [
        ("openai-api/llama/judge", score.value, None) for score in scores
    ]
    # It keeps to the length of a rationale too, where a judge has no bound of its own: this one wrote on for ever.
    assert max(len(vote["rationale"]) for vote in votes) <= MAX_STRING
    written = [
        event.output.usage.output_tokens
        for sample in log.samples
        for event in sample.events
        if event.event == "model" and event.role == "grader" and event.output.usage
    ]
    assert len(written) == 2
    assert min(written) >= 5
    assert max(written) < 250
    for name, least in {"openai-api/llama/model": 12, "openai-api/llama/judge": 5}.items():
        usage = log.stats.model_usage[name]
        assert usage.output_tokens >= 2 * least
        assert usage.total_tokens > 2 * 200
    (counted,) = read_runs([log.location]).counted
    (row,) = headline([counted])
    assert row.n == 2
    assert row.mean == pytest.approx(sum(score.as_float() for score in scores) / 2)


ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong key of the model": ({"key": "other"}, "Invalid API Key"),
    "wrong key of the judge": ({"judge_key": "other"}, "Invalid API Key"),
    # Inspect knows the sentences of other servers for it, and ends such a sample as one that could not be asked.
    "longer than the context": ({"message": "tea " * 2 * CONTEXT}, "exceeds the available context size"),
}


@pytest.mark.parametrize(("fault", "sentence"), ERRORS.values(), ids=ERRORS)
def test_what_the_server_refuses_is_an_error_and_no_number(
    run: Callable[..., EvalLog], fault: dict[str, Any], sentence: str
) -> None:
    log = run(**fault)
    assert log.samples
    (sample,) = log.samples
    assert sample.error
    assert sentence in sample.error.message
    assert not sample.scores
    with pytest.raises(UserError, match="holds no agreement scores"):
        read_runs([log.location])


def test_a_verdict_that_the_server_cuts_off_is_no_number(run: Callable[..., EvalLog]) -> None:
    log = run(judge_tokens=4)
    assert log.samples
    score = (log.samples[0].scores or {})["agreement"]
    assert score.reason == "judge_truncated"
    (vote,) = (score.metadata or {})["votes"]
    assert (vote["rating"], len(vote["replies"])) == (None, 2)
    (counted,) = read_runs([log.location]).counted
    (row,) = headline([counted])
    assert (row.samples, row.n, row.missing) == (1, 0, "1 judge_truncated")


def test_an_expected_rating_is_the_mean_of_the_server_s_own_probabilities(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        with urlopen(Request(address + path, json.dumps(body).encode(), headers), timeout=60) as reply:
            return json.load(reply)

    monkeypatch.setenv("LLAMA_BASE_URL", f"{address}/v1")
    config = GenerateConfig(max_tokens=200, temperature=0)
    judge = get_model("openai-api/llama/judge", api_key=KEY, memoize=False, config=config)
    asks = "How alike are the guess and the note, from 1 to 5? Reply with one JSON object: rationale, rating."
    prompt: list[ChatMessage] = [ChatMessageUser(content=f"Note: a café – ☕. Guess: a tea house. {asks}")]
    cast = asyncio.run(vote(judge, prompt, VERDICT, "", judge_scale="expected"))
    assert cast.expected is not None
    # What the model would write next, had it written the verdict so far itself.
    reply = cast.replies[-1]
    shown = asked("/apply-template", messages=[{"role": said.role, "content": said.text} for said in prompt])["prompt"]
    so_far = reply[: reply.rindex(str(cast.rating))]
    (token,) = asked("/completion", prompt=shown + so_far, n_predict=1, n_probs=20, temperature=0)[
        "completion_probabilities"
    ]
    likely = {other["token"].strip(): math.exp(other["logprob"]) for other in token["top_logprobs"]}
    ratings = {digit: likely.get(str(digit), 0.0) for digit in range(1, 6)}
    mean = sum(digit * p for digit, p in ratings.items()) / sum(ratings.values())
    assert cast.expected == pytest.approx(mean, abs=0.1)
    assert 1 < mean < 5
