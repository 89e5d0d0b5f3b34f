"""Answers to open prompts over each provider's real protocol: what the model and the judge are shown."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from loopback import Reply
from loopback.layouts import PROVIDERS, Provider, schema_of

from thoughttrace.core.record import WINS
from thoughttrace.scorers.win import pair_rubric
from thoughttrace.tasks.arena import arena


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_the_model_sees_the_prompt_alone_and_the_judge_both_answers_in_both_orders(
    provider: Provider, loopback: Any, write: Callable[..., Path], tmp_path: Path
) -> None:
    judge = provider.judge.rpartition("/")[2]
    prompts = write({"uid": "q", "category": "c", "prompt": "Which tree is this?"}, name="question.jsonl")
    asks = {"role": "user", "content": "Which tree is this?"}
    said = [asks, {"role": "assistant", "content": {"answer": "An oak, I think."}}]
    baseline = write({"uid": "q", "model": "base", "messages": said}, name="base.jsonl")
    loopback.reply = lambda request: Reply(
        "A birch." if request.model != judge
        else json.dumps({"rationale": "because", "verdict": "A>>B" if "answer A]\nA birch." in request.text else "B>A"})
    )  # fmt: skip
    (log,) = inspect_eval(
        arena(prompts=str(prompts), baseline=str(baseline)), model=provider.model,
        model_roles={"grader": provider.judge}, log_dir=str(tmp_path), display="none", max_retries=0,
    )  # fmt: skip
    assert log.samples
    assert (log.samples[0].scores or {})["win"].value == 1
    (asked,) = [request for request in loopback.requests if request.model != judge]
    assert asked.text.strip() == "Which tree is this?"
    assert asked.schema is None
    both = [request for request in loopback.requests if request.model == judge]
    order = [re.findall(r"\[\w{8} answer [AB]\]\n(.*)\n", request.text) for request in both]
    assert order == [["A birch.", "An oak, I think."], ["An oak, I think.", "A birch."]]
    for request in both:
        assert pair_rubric() in request.text
        assert "Which tree is this?" in request.text
        assert schema_of(request, "pair_verdict")["properties"]["verdict"]["enum"] == list(WINS)
