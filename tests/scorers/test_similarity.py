"""The similarity scorer."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_ai import eval as inspect_eval

from thoughttrace.core.errors import UserError
from thoughttrace.models.embedding import embed
from thoughttrace.scorers.similarity import similarity
from thoughttrace.tasks.infer_reason import infer_reason


def test_like_sentences_lie_close() -> None:
    cat, kitten, tax = embed(["The cat sleeps.", "A kitten is asleep.", "Tax rates rose by two percent."])
    assert np.allclose(np.linalg.norm([cat, kitten, tax], axis=1), 1, atol=1e-5)
    assert cat @ kitten > 0.6
    assert cat @ tax < 0.2


def test_a_text_has_the_same_embedding_alone_and_in_company() -> None:
    long = "word " * 400
    assert np.allclose(embed(["short"])[0], embed(["short", long])[0], atol=0.02)


def test_without_the_extra_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "thoughttrace.models.embedding.find_spec", lambda name: None if name == "tokenizers" else found(name)
    )
    with pytest.raises(UserError, match=r'needs tokenizers: install it with pip install "thoughttrace\[similarity\]"'):
        similarity()


def test_it_scores_beside_the_judge_the_nearest_thought(
    tmp_path: Path,
    write: Callable[..., Path],
    make_conversation: Callable[..., dict[str, Any]],
    scripted: Callable[..., Any],
) -> None:
    record = make_conversation(turns=1)
    record["messages"][0]["reasons"] = [
        {"content": content, "label": "task_motivation"} for content in ("I am hungry", "The guess")
    ]
    (log,) = inspect_eval(
        infer_reason(data=str(write(record)), similarity=True),
        model=scripted("m", lambda _: "The guess"),
        model_roles={"grader": scripted("j", lambda _: '{"rationale": "x", "rating": 2}')},
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.samples
    scores = log.samples[0].scores or {}
    assert scores["agreement"].value == 2
    assert scores["similarity"].as_float() == pytest.approx(1, abs=1e-3)
