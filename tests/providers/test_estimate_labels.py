"""What an estimate says of the tasks beside inference, and what they then use, over a provider's real protocol."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval

from thoughttrace.core.prices import our_prices
from thoughttrace.costing.workload import TASK_FUNCTIONS, workloads

MODEL, JUDGE = "openai/gpt-5.4", "anthropic/claude-opus-4-6"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("predict_message", {"users": 3, "thoughts": "both"}),
        ("predict_message", {"users": 3, "judge_reply": False, "judge_repeats": 2}),
        ("classify_thought", {"users": 3, "kind": "reaction", "context": "history"}),
        ("cover_thought", {"users": 3}),
        ("rate_thought", {"users": 3}),
        ("relate_messages", {"users": 3}),  # of the first message in a conversation nobody is asked
        ("label_topic", {"users": 3}),
        ("choose_thought", {"users": 3, "kind": "reaction"}),
        ("predict_satisfaction", {"users": 3}),
        ("recall_note", {"users": 3}),
    ],
)
def test_the_estimate_is_near_what_is_used(name: str, arguments: dict[str, Any], loopback: Any, tmp_path: Path) -> None:
    (log,) = inspect_eval(
        TASK_FUNCTIONS[name](**arguments),
        model=MODEL,
        model_roles={"grader": JUDGE},
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    works = list(workloads(name, arguments, [MODEL], [JUDGE], our_prices()))
    assert [work.role for work in works] == (["model", "judge"] if name == "predict_message" else ["model"])
    assert sum(work.requests for work in works) == len(loopback.requests) > 0
    for work in works:
        used = log.stats.model_usage[work.model]
        sent = used.input_tokens + (used.input_tokens_cache_read or 0) + (used.input_tokens_cache_write or 0)
        # What the instructions of a form weigh as a schema is the provider's secret, and counted by neither.
        assert work.plain.input_tokens == pytest.approx(sent, rel=0.15), work.role


def test_nobody_is_asked_for_a_baseline() -> None:
    pytest.importorskip("sklearn")
    assert list(workloads("classify_thought", {"baseline": True}, [MODEL], [], our_prices())) == []
