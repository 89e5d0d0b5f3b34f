"""The tasks with real models: SmolLM2 infers always, Qwen 1.5B judges where its weights are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from thoughttrace.models.weights import CATALOGUE
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

JUDGE = "qwen2.5-coder-1.5b"


def test_a_real_model_infers_reasons_and_reactions(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    logs = inspect_eval(
        [task(per_user=1, max_context_words=100) for task in (infer_reason, infer_reaction)],
        model="local/smollm2-135m",
        model_args={"threads": 1},
        model_roles={"grader": scripted("j", lambda _: '{"rationale": "x", "rating": 2}')},
        limit=2,
        max_tokens=24,
        log_dir=str(tmp_path),
        display="none",
    )
    for log in logs:
        assert log.status == "success"
        assert log.samples
        assert len(log.samples) == 2
        assert all((sample.scores or {})["agreement"].answer for sample in log.samples)
        assert log.stats.model_usage["local/smollm2-135m"].output_tokens > 0


@pytest.mark.skipif(not CATALOGUE[JUDGE].cached, reason=f"weights absent: thoughttrace fetch-model {JUDGE}")
def test_the_demo_s_judge_tells_the_true_reason_from_another(
    tmp_path: Path, scripted: Callable[..., Any], write: Callable[..., Path], make_conversation: Callable[..., Any]
) -> None:
    record = make_conversation(turns=1)
    record["messages"][0]["reasons"][0]["content"] = "I come home late and need something I can cook fast."
    data = write(record)

    def rated(guess: str) -> float:
        (log,) = inspect_eval(
            infer_reason(data=str(data), judge_message=False),
            model=scripted("m", lambda _: guess),
            model_roles={"grader": get_model(f"local/{JUDGE}", threads=1)},
            log_dir=str(tmp_path),
            display="none",
        )
        assert log.samples
        return (log.samples[0].scores or {})["agreement"].as_float()

    same = rated("I come home late and need something I can cook fast.")
    other = rated("I want to know which cartridge fits my tap.")
    assert same > other
