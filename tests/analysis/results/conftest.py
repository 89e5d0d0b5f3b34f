"""Results that nobody measured."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from thoughttrace.core.result import Result

OF_JUDGE: dict[str, Any] = {"itself": False, "votes_asked": 90, "votes_lost": 0}


def result(
    name: str = "openai/gpt-5.4",
    mean: tuple[float | None, float | None, float | None] = (3.0, 2.8, 3.2),
    error: float | None = 0.1,
    df: float | None = 40.0,
    judges: Sequence[str] = ("google/j1",),
    kinds: Sequence[str] = ("reason",),
    part: dict[str, Any] | None = None,
    **changes: Any,
) -> Any:
    """A made-up result; `part` changes its kinds, other names its parts or fields: `system={"effort": "high"}`."""
    value, lower, upper = mean
    estimate = {"value": value, "lower": lower, "upper": upper, "note": ""}
    agreement = estimate | {"standard_error": error, "degrees_of_freedom": df}
    usage = {"input_tokens": 10.0, "output_tokens": 2.0, "cost": None}
    of_kind = {
        "task_version": "3-A", "context": "history", "context_words": "", "prompt_hash": "p", "prompt_file": "",
        "rubric_hash": "r", "rubric_file": "", "judge_scale": "sampled",
        "judges": [
            {"name": judge, "config": "", "qualification": "qualified"} | OF_JUDGE for judge in judges
        ],
        "mean": agreement,
        "by_judges": [{"judges": sorted(judges), "mean": agreement, "samples": 90, "replies": 90}],
        "samples": 90, "thoughts": 99, "users": 45, "samples_planned": 90, "planned_sha256": "s", "subset": "mini-v1",
        "replies": 90, "replies_rated": 90,
        "coverage": 1.0, "refused_or_empty": 0, "missing": "", "votes": 90, "votes_lost": 0,
        "mean_if_missing_1": value, "mean_if_missing_5": value, "ratings": [10, 20, 30, 20, 10], "controls": [],
        "recovered": None, "verdicts": None, "confidence": None, "answers_equal_to_note": 0, "system_usage": usage,
        "judge_usage": usage, "date": "2026-11-29T10:00:00+00:00", "logs": [f"{name.replace('/', '-')}.eval"],
    }  # fmt: skip
    whole: dict[str, Any] = {
        "system": {
            "name": name, "sort": "model", "effort": "", "generation": "", "solver": "", "confidence_asked": False,
            "answers_file": "", "cutoff": "2025-08-31 (knowledge)", "contamination": "before",
        },
        "data": {"name": "hub", "revision": "0420f3d8", "content": "c"},
        "reason": None, "reaction": None, "choose_thought": [], "predict_satisfaction": [],
        "protocol": {"name": "infer-v1", "subset": "mini-v1", "followed": True, "deviations": []},
        "date": "2026-11-29T10:00:00+00:00", "package_version": "0.1.0", "inspect_version": "0.3.285",
        "commit": "abc1234", "submitted_by": "somebody", "self_reported": True,
    } | {kind: {"task": f"infer_{kind}"} | of_kind | (part or {}) for kind in kinds}  # fmt: skip
    for key, change in changes.items():
        whole[key] = whole[key] | change if isinstance(change, dict) and whole[key] else change
    return Result.model_validate_json(json.dumps(whole))


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Any]:
    return result
