"""Controls run through the same task and judge as a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from loopback import verdict

from thoughttrace.core.errors import UserError
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

GOOD = verdict(4, "same")


@pytest.fixture
def run(tmp_path: Path, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    def run(task: Any, model: Any = "none/none", judge: Callable[..., str] = lambda _: GOOD) -> EvalLog:
        (log,) = inspect_eval(
            task, model=model, model_roles={"grader": scripted("j", judge)}, log_dir=str(tmp_path), display="none"
        )
        assert log.status == "success", log.error
        return log

    return run


@pytest.mark.parametrize("task", [infer_reason, infer_reaction])
@pytest.mark.parametrize("control", ["someone_else", "anyone", "typical", "parrot", "target"])
def test_a_control_needs_no_model_and_is_judged_word_for_word(
    task: Any, control: str, run: Callable[..., EvalLog]
) -> None:
    asked: list[str] = []

    def judge(messages: list[Any]) -> str:
        asked.append(messages[1].text)
        return GOOD

    log = run(task(control=control, users=4, per_user=3), judge=judge)
    assert log.eval.metadata
    assert log.eval.metadata["control"] == control
    for sample in log.samples or []:
        recited = sample.metadata["recited"]
        score = (sample.scores or {})["agreement"]
        if not recited:
            assert score.reason == "no_response"
            continue
        assert score.value == 4
        assert score.answer == recited
        assert any(f" guess]\n{recited.strip()}\n[" in prompt for prompt in asked)
        if control == "target":
            assert recited == sample.target[0]
        if control == "parrot":
            assert recited == sample.metadata["message"].strip()


def test_each_epoch_of_a_floor_is_another_users_thought_and_the_first_that_of_a_single_one(
    run: Callable[..., EvalLog],
) -> None:
    def told(epochs: int) -> dict[tuple[object, int], tuple[str, str, str]]:
        task = infer_reason(control="someone_else", users=4, per_user=3)
        task.epochs = epochs
        samples = run(task).samples or []
        return {
            (s.id, s.epoch): (s.metadata["recited"], s.metadata["donor"], (s.scores or {})["agreement"].answer or "")
            for s in samples
        }

    once, thrice = told(1), told(3)
    assert len(thrice) == 3 * len(once)
    assert once.items() <= thrice.items()
    assert all(recited == answer for recited, _, answer in thrice.values())
    drawn = [{thrice[sample, epoch][1] for epoch in (1, 2, 3)} for sample, _ in once]
    # Of rare types only one or two other users have thoughts.
    assert sum(len(donors) == 3 for donors in drawn) > len(drawn) / 2


def test_reworded_shows_a_model_the_note_alone(run: Callable[..., EvalLog], scripted: Callable[..., Any]) -> None:
    model = scripted("m", lambda messages: f"said again: {len(messages)}")
    log = run(infer_reason(control="reworded", users=3, per_user=4), model=model)
    assert log.samples
    for sample, (request, _) in zip(log.samples, model.api.requests, strict=True):
        assert len(request) == 1
        assert sample.metadata["message"] not in request[0].text
    texts = [request[0].text for request, _ in model.api.requests]
    assert all(any(sample.target[0] in text for text in texts) for sample in log.samples)


def test_typical_needs_the_extra_of_its_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thoughttrace.models.embedding.find_spec", lambda name: None if name == "tokenizers" else name)
    with pytest.raises(UserError, match=r'control=typical needs tokenizers: .* "thoughttrace\[similarity\]"'):
        infer_reason(control="typical")


def test_an_unknown_control_is_said_before_anything_runs() -> None:
    with pytest.raises(UserError, match="control=floor: must be one of someone_else"):
        infer_reason(control="floor")
