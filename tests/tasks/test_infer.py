"""The inference tasks: what reaches a model in every context, and what the log says of the run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput
from loopback import verdict

from thoughttrace import __version__
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import TYPES, Context
from thoughttrace.datasets.sources import open_source
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

TASKS = {"reason": infer_reason, "reaction": infer_reaction}
CANARY = "xyzzy-canary"
GOOD = verdict(4, "same")


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(*(make_conversation(f"user{n}", turns=3, canary=CANARY) for n in range(4))))


def run(task: Any, model: Any, judge: Any, folder: Path, **options: Any) -> EvalLog:
    roles = {"grader": judge}
    (log,) = inspect_eval(task, model=model, model_roles=roles, log_dir=str(folder), display="none", **options)
    assert log.status == "success"
    return log


@pytest.mark.parametrize("context", get_args(Context))
@pytest.mark.parametrize("kind", TASKS)
def test_no_thought_ever_reaches_the_evaluated_model(
    kind: str, context: str, data: str, tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    model = scripted("m", lambda _: "guess")
    judge = scripted("j", lambda _: GOOD)
    log = run(TASKS[kind](data=data, context=context), model, judge, tmp_path)
    assert log.samples
    assert len(model.api.requests) == len(log.samples) == 12
    # All thoughts, not only the sample's own: a reason tells much of the reaction before it.
    assert CANARY not in str(model.api.requests)
    assert str(judge.api.requests).count(CANARY) == 12


@pytest.mark.parametrize(("kind", "context"), [("reason", "history"), ("reaction", "lookahead")])
def test_the_default_context_is_what_the_paper_is_reported_to_have_used(kind: str, context: str, data: str) -> None:
    task = TASKS[kind](data=data)
    assert task.metadata is not None
    assert task.metadata["context"] == context
    assert {s.metadata["kind"] for s in task.dataset if s.metadata} == {kind}


def test_reasons_and_reactions_share_their_instructions(data: str) -> None:
    first, second = (task(data=data).dataset[0].input[0] for task in TASKS.values())
    assert first.text == second.text


def test_the_log_names_data_prompt_and_version(data: str, tmp_path: Path, scripted: Callable[..., Any]) -> None:
    task = infer_reason(data=data, users=2, per_user=1)
    log = run(task, scripted("m", lambda _: "guess"), scripted("j", lambda _: GOOD), tmp_path, limit=2)
    found = log.eval.metadata or {}
    assert log.eval.task_version == "3-A"
    assert found["data"] == "data.jsonl"
    assert found["data_revision"].startswith("sha256:")
    assert found["data_content"] == found["data_revision"]
    assert len(found["prompt_hash"]) == 12
    assert found["thoughttrace"] == __version__
    assert str(Path(data).parent) not in str(found)
    assert infer_reason(data=data, context="message").metadata["prompt_hash"] == found["prompt_hash"]
    assert infer_reaction(data=data).metadata["prompt_hash"] != found["prompt_hash"]
    assert log.results
    (score,) = log.results.scores
    assert {"mean", "stderr", "task_motivation"} == set(score.metrics)


def test_limit_takes_users_in_the_seeded_order(data: str) -> None:
    users = [s.metadata["user"] for s in infer_reason(data=data).dataset if s.metadata]
    other = [s.metadata["user"] for s in infer_reason(data=data, seed=5).dataset if s.metadata]
    assert sorted(users) == sorted(other)
    assert users != other
    assert len(set(users[:3])) == 1


def test_bad_lines_are_named_in_the_log(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    path = str(write(make_conversation(), b"{", name="bad.jsonl"))
    with pytest.raises(UserError, match=r"bad\.jsonl, line 2: is not valid JSON"):
        infer_reason(data=path)
    metadata = infer_reason(data=path, skip_bad=True).metadata or {}
    assert len(metadata["data_skipped"]) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"context": "everything"}, "context=everything: must be one of message, history"),
        ({"types": "scope_fit"}, "types=scope_fit: no such type of reason"),
        ({"users": 0}, "users=0: must be 1 or more"),
        ({"max_context_words": 0}, "max_context_words=0: must be 1 or more"),
        ({"confidence": 80}, "confidence=80: must be true or false"),
        ({"control": "parrot", "confidence": True}, "confidence=true: control=parrot is not sure of anything"),
        ({"data": "nowhere.jsonl"}, "nowhere.jsonl: no such file or folder"),
    ],
)
def test_a_wrong_argument_is_said(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        infer_reason(**arguments)


def test_every_type_is_in_the_bundled_sample() -> None:
    for kind, task in TASKS.items():
        found = {t for s in task().dataset if s.metadata for t in s.metadata["types"]}
        assert found == set(TYPES[kind])


def test_a_confidence_is_asked_for_and_kept_apart_from_the_inference(
    data: str, tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    cut_off = ModelOutput.from_content("m", "Guess 4.", stop_reason="max_tokens")
    said = ["Guess 1.\nConfidence: 85 %", "Guess 2.\n\n**Confidence:** fairly high", "Guess 3.", cut_off]
    replies = iter(said)
    model, judge = scripted("m", lambda _: next(replies)), scripted("j", lambda _: GOOD)
    log = run(infer_reason(data=data, confidence=True), model, judge, tmp_path, limit=4)
    scores = [(sample.scores or {})["agreement"] for sample in log.samples or []]
    found = {
        (score.value, score.answer, score.metadata.get("confidence"), score.metadata.get("no_confidence"))
        for score in scores
    }
    assert found == {
        (4, "Guess 1.", 85, None),
        (4, "Guess 2.", None, "unreadable"),
        (4, "Guess 3.", None, "missing"),
        (4, "Guess 4.", None, "truncated"),
    }
    assert "onfidence" not in str(judge.api.requests)
    assert {sample.output.completion for sample in log.samples or []} == {*said[:3], "Guess 4."}
    for messages, _ in model.api.requests:
        assert all("Confidence: NN" in message.text for message in messages)
    assert (log.eval.metadata or {})["confidence"] is True
    without = infer_reason(data=data)
    assert without.metadata
    assert without.metadata["prompt_hash"] != (log.eval.metadata or {})["prompt_hash"]
    assert "Confidence" not in str([sample.input for sample in without.dataset])


def test_a_confidence_is_asked_for_below_a_given_prompt_too(data: str, root: Path) -> None:
    (sample, *_) = infer_reason(
        data=data, prompt=str(root / "examples/prompt_reason.md"), confidence=True, context="message"
    ).dataset
    instructions, _, _ = (root / "examples/prompt_reason.md").read_text(encoding="utf-8").partition("\n---")
    assert not isinstance(sample.input, str)
    system, user = (message.text for message in sample.input)
    assert system.startswith(instructions.strip())
    assert "Confidence: NN" in system.removeprefix(instructions.strip())
    assert user.rstrip().endswith("in per cent.")


def test_a_line_that_was_not_asked_for_stays_part_of_the_inference(
    data: str, tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    model, judge = scripted("m", lambda _: "A guess.\nConfidence: 85"), scripted("j", lambda _: GOOD)
    log = run(infer_reason(data=data), model, judge, tmp_path, limit=1)
    score = ((log.samples or [])[0].scores or {})["agreement"]
    assert score.answer == "A guess. Confidence: 85"
    assert not {"confidence", "no_confidence"} & (score.metadata or {}).keys()


def test_a_commits_data_are_also_named_by_their_content(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is only the server's word for what it holds."""
    source = open_source(str(write(make_conversation())))
    content = source.revision
    monkeypatch.setattr("thoughttrace.tasks._options.open_source", lambda *_: replace(source, revision="0" * 40))
    assert (infer_reason().metadata or {})["data_content"] == content
