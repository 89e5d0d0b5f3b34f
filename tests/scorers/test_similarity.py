"""The similarity scorer: its extra, and its score in a whole run."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval

from thoughttrace.core.errors import UserError
from thoughttrace.scorers.similarity import similarity
from thoughttrace.tasks.infer_reason import infer_reason


def test_without_the_extra_the_error_has_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "thoughttrace.models.embedding.find_spec", lambda name: None if name == "tokenizers" else find_spec(name)
    )
    with pytest.raises(UserError, match=r'needs tokenizers: install it with pip install "thoughttrace\[similarity\]"'):
        similarity()


def test_it_scores_the_nearest_thought_in_addition_to_the_judge(
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
