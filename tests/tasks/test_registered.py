"""Every task from end to end with Inspect's mock model, and the names of solvers and scores that its log keeps.

`inspect score` and `eval-retry` of old logs find solvers and scorers by these names: none may ever change.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput, ModelUsage, get_model
from loopback import verdict
from loopback.shapes import conform

from thoughttrace.core.record import TASKS
from thoughttrace.datasets.arena import read_prompts
from thoughttrace.datasets.samples import record_to_sample
from thoughttrace.datasets.sources import open_source

CONTROL = {"model": "none/none"}
ANSWERS = CONTROL | {"answers": "answers.jsonl", "system": "ours", "partial_answers": True}
PAIRS = {"ratings": "stsb", "file": "pairs.jsonl"}
# By task and parameters: what answers (a solver), and the score.
CASES: Sequence[tuple[str, dict[str, Any], str, str]] = (
    ("infer_reason", {}, "generate_cached", "agreement"),
    ("infer_reaction", {}, "generate_cached", "agreement"),
    ("infer_reason", CONTROL | {"control": "parrot"}, "recite_control", "agreement"),
    ("infer_reaction", {"control": "reworded"}, "reword_target", "agreement"),
    ("infer_reason", ANSWERS, "give_answers", "agreement"),
    ("predict_message", {}, "generate_cached", "message_similarity"),
    ("judge_agreement", {}, "judge_probe", "probe"),
    ("classify_thought", {"kind": "reason"}, "name_type", "type_match"),
    ("cover_thought", {"kind": "reason"}, "give_rating", "rating"),
    ("rate_thought", {"kind": "reason"}, "give_rating", "rating"),
    ("relate_messages", {}, "name_relation", "relation"),
    ("label_topic", {}, "name_topics", "topic"),
    ("choose_thought", {"kind": "reason"}, "choose_note", "choice"),
    ("predict_satisfaction", {}, "predict", "satisfaction"),
    ("recall_note", {"kind": "reason"}, "generate", "recall"),
    ("arena", {"baseline": "base.jsonl"}, "generate", "win"),
    ("rewrite_reply", {"signal": "thought"}, "generate_cached", "rewrite"),
    ("rewrite_reply", {"signal": "message"}, "decide_then", "rewrite"),
    ("calibrate_judge", PAIRS, "judge_pair", "judge_rating"),
)


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """The first sample of `infer_reason` on the bundled data, with an answer to it, and a rated pair, as files."""
    monkeypatch.chdir(tmp_path)
    (chat, *_), index = open_source("sample", False).conversations, 0
    while not chat.messages[index].thoughts:
        index += 2
    sample = record_to_sample(chat, index, "Instructions.", "Why?", "history")
    Path("answers.jsonl").write_text(json.dumps({"id": sample.id, "text": "To learn it."}), encoding="utf-8")
    Path("pairs.jsonl").write_text(
        json.dumps({"sentence1": "A dog.", "sentence2": "A cat.", "score": 2.5}), encoding="utf-8"
    )
    baseline = [
        {
            "uid": each.uid,
            "model": "base",
            "messages": [
                {"role": "user", "content": each.prompt},
                {"role": "assistant", "content": {"answer": "Yes."}},
            ],
        }
        for each in read_prompts("sample").questions
    ]
    Path("base.jsonl").write_text("".join(json.dumps(line) + "\n" for line in baseline), encoding="utf-8")
    return sample


def mock(name: str) -> Model:
    """Inspect's mock model: a sentence, or the simplest form that fits what is asked for."""

    def answer(messages: list[ChatMessage], tools: Any, choice: Any, config: GenerateConfig) -> ModelOutput:
        schema = config.response_schema
        text = "I wanted to know." if schema is None else json.dumps(
            conform(schema.json_schema.model_dump(exclude_none=True)) | json.loads(verdict(4))
        )  # fmt: skip
        output = ModelOutput.from_content("mockllm", text)
        # Without it the mock model fetches a tokenizer.
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model(name, custom_outputs=answer, memoize=False)


def test_every_task_is_run_here() -> None:
    assert {name for name, *_ in CASES} == {*TASKS, "calibrate_judge"}


@pytest.mark.parametrize(("name", "arguments", "solver", "score"), CASES)
def test_a_task_runs_from_end_to_end(
    name: str, arguments: dict[str, Any], solver: str, score: str, first: Sample
) -> None:
    arguments = dict(arguments)
    model = arguments.pop("model", "mockllm/model")
    (log,) = inspect_eval(
        f"thoughttrace/{name}",
        model=model if model == "none/none" else mock(model),
        model_roles={"grader": mock("mockllm/judge")},
        task_args=arguments,
        sample_id=str(first.id) if name == "infer_reason" else None,
        limit=1 if name != "infer_reason" else None,
        log_dir="logs",
        display="none",
    )
    assert (log.status, log.error) == ("success", None)
    (step,) = log.plan.steps
    answered_by = step.params["answer"]["name"] if step.solver == "thoughttrace/judged" else step.solver
    assert answered_by.removeprefix("thoughttrace/") == solver
    (sample,) = log.samples or []
    assert sample.error is None
    assert (sample.scores or {})[score].value is not None
    if name == "infer_reason":
        assert (sample.id, sample.target) == (first.id, first.target)
