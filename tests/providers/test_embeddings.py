"""OpenAI's embeddings, over the real SDK."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import Reply
from loopback.embeddings import vector

from thoughttrace.core.errors import UserError
from thoughttrace.models.embedding import Vectorizer, open_embedder

NAME = "openai/text-embedding-3-large"
TEXTS = ["one", "two words", "three words here", "ひらがな"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))


def embed(texts: list[str]) -> Any:
    return Vectorizer(open_embedder(NAME)).embed(texts, lambda done: None)


def expected(texts: list[str]) -> Any:
    return np.array([vector(text) for text in texts]) / 2


@pytest.mark.parametrize("encoding", ["base64", "floats"])
def test_vectors_come_in_order_and_a_second_run_asks_nothing(loopback: Any, encoding: str) -> None:
    loopback.reply = lambda request: Reply(encoding)
    assert np.allclose(embed(TEXTS), expected(TEXTS), atol=1e-6)
    assert np.allclose(embed(TEXTS[::-1]), expected(TEXTS[::-1]), atol=1e-6)
    (request,) = loopback.requests
    assert request.model == "text-embedding-3-large"
    assert sorted(request.blocks) == sorted(TEXTS)
    assert np.allclose(embed(["new", *TEXTS]), expected(["new", *TEXTS]), atol=1e-6)
    assert loopback.requests[1].blocks == ["new"]


def test_batches_keep_to_the_limits(loopback: Any) -> None:
    texts = [f"{n} {'x' * 3000}" for n in range(150)] + [str(n) for n in range(600)]
    assert np.allclose(embed(texts), expected(texts), atol=1e-6)
    assert sum(len(request.blocks) for request in loopback.requests) == len(texts)
    for request in loopback.requests:
        assert len(request.blocks) <= 2048
        assert sum(map(len, request.blocks)) <= 300_000  # bytes, and so tokens


def test_too_long_a_text_is_cut_at_a_whole_character(loopback: Any) -> None:
    texts = ["ab" + "é" * 8000, "short"]
    embedder = open_embedder(NAME)
    assert embedder.count_truncated(texts) == 1
    assert "2 texts are sent to 127.0.0.1" in embedder.announce(texts)
    assert "about 2,001 tokens (a quarter of their bytes), never more than 8,005" in embedder.announce(texts)
    embed(texts)
    (request,) = loopback.requests
    assert sorted(request.blocks) == ["ab" + "é" * 3999, "short"]


def test_a_rate_limit_is_waited_for(loopback: Any, hasty: None) -> None:
    replies = iter([Reply(status=429), Reply(status=503), Reply()])
    loopback.reply = lambda request: next(replies)
    assert np.allclose(embed(TEXTS), expected(TEXTS), atol=1e-6)
    assert len(loopback.requests) == 3


def test_what_came_before_a_failure_is_kept(loopback: Any, hasty: None) -> None:
    texts = [f"text {n:04}" for n in range(300)]
    loopback.reply = lambda request: Reply(status=400 if len(loopback.requests) > 1 else 200)
    with pytest.raises(UserError, match="status 400"):
        embed(texts)
    assert len(Vectorizer(open_embedder(NAME)).missing(texts)) == 300 - 256


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(status=401), r"the server refuses the key in OPENAI_API_KEY \(status 401\)\.$"),
        (Reply(status=404), r"refuses the request \(status 404, model_not_found\): check that the model is one for"),
        (Reply(status=429, code="insufficient_quota"), "the account has no credit left"),
        (Reply(status=500), "the server fails, after 5 retries"),
        (Reply(body=b"<html>hello</html>"), r"127.0.0.1 answered without a vector for each of 4 texts"),
        (Reply(body=b'{"data": []}', content_type="application/json"), "answered without a vector"),
        (Reply(body=b'{"data": [{"index": 0, "embedding": [1.0]}]}', content_type="application/json"), "without a vec"),
        (
            Reply(
                body=b'{"data": [' + b",".join([b'{"index": 0, "embedding": [0.0, 0.0]}'] * 4) + b"]}",
                content_type="application/json",
            ),
            "without a vector",
        ),
    ],
)
def test_a_refusal_is_one_sentence_without_the_key_or_a_text(
    loopback: Any, hasty: None, reply: Reply, sentence: str
) -> None:
    loopback.reply = lambda request: reply
    with pytest.raises(UserError, match=sentence) as caught:
        embed(TEXTS)
    for secret in ("fake-key", "three words here"):
        assert secret not in str(caught.value)


def test_no_server_and_no_key_are_said(loopback: Any, hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match=r"the server at 127\.0\.0\.1 cannot be reached"):
        embed(TEXTS)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="needs a key: set OPENAI_API_KEY"):
        open_embedder(NAME)


def test_another_server_s_model_of_the_same_name_is_another(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = open_embedder(NAME).key
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert open_embedder(NAME).key != here
    assert open_embedder("openai/text-embedding-3-small").key != here
