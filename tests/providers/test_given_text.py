"""The example prompt and rubric in a run over the wire: asked, named, kept by a retry and a second scoring."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import eval_retry, score
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import get_model
from loopback import Reply

from thoughttrace.analysis.chapters.methods import methods
from thoughttrace.analysis.chapters.recovered_share import against_controls
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.scorers.agreement import agreement, rubric
from thoughttrace.tasks.infer_reason import infer_reason

MODEL, JUDGE = "openai-api/loop/some", "openai-api/loop/other"


@pytest.fixture
def runs(
    loopback: Any, hasty: None, root: Path, tmp_path: Path, write: Callable[..., Path], make_conversation: Any
) -> Runs:
    """A run with the example pair that broke off and was retried, scored again by our rubric, and a control by ours."""
    data = str(write(make_conversation(turns=2)))
    given: dict[str, Any] = {name: str(root / f"examples/{name}_reason.md") for name in ("prompt", "rubric")}
    shared: dict[str, Any] = {"model_roles": {"grader": JUDGE}, "display": "none", "log_dir": str(tmp_path / "logs")}
    asked = iter([Reply(), Reply(status=400)])
    loopback.reply = lambda request: next(asked, Reply()) if request.model == "some" else Reply()
    (broken,) = inspect_eval(infer_reason(data=data, **given), model=MODEL, max_samples=1, max_retries=0, **shared)
    assert broken.status == "error"
    (retried,) = eval_retry(broken, display="none", log_dir=shared["log_dir"])
    assert retried.status == "success"
    Path(broken.location).unlink()
    ours = score(
        read_eval_log(retried.location), agreement(), action="append", display="none",
        model=get_model(MODEL), model_roles=shared["model_roles"],
    )  # fmt: skip
    write_eval_log(ours, retried.location)
    inspect_eval(infer_reason(data=data, control="parrot"), model="none/none", **shared)
    return read_runs([str(tmp_path / "logs")])


def test_the_example_pair_is_asked_named_and_kept_apart(runs: Runs, loopback: Any, root: Path) -> None:
    prompt, judged = (root / f"examples/{name}_reason.md" for name in ("prompt", "rubric"))
    instructions, question = (part.strip() for part in prompt.read_text().split("---\n"))
    systems = {name: [r.blocks[0] for r in loopback.requests if r.model == name] for name in ("some", "other")}
    # Two samples, one of them twice; two votes by the given rubric, and by ours two again and two on the control.
    assert systems["some"] == [instructions] * 3
    assert [text == judged.read_text().strip() for text in systems["other"]] == [True] * 2 + [False] * 4
    assert set(systems["other"][2:]) == {rubric("reason")}
    for request in loopback.requests:
        if request.model == "some":
            mark = request.blocks[1][1:9]
            assert request.blocks[-1].endswith(
                tuple(question.format(marker=mark, message=message) for message in ("m00", "m02"))
            )
    names = [f"{file.name} (sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]})" for file in (prompt, judged)]
    theirs, ours = sorted(runs.models, key=lambda run: not run.rubric_file)
    assert [theirs.prompt_file, theirs.rubric_file, ours.prompt_file, ours.rubric_file] == [*names, names[0], ""]
    assert (len(theirs.scored), len(ours.scored)) == (2, 2)
    # One measurement each: not joined, told apart by name, and only the one that our rubric rated meets the control.
    assert theirs.distinction == f"rubric {names[1]}"
    assert theirs.rubric_hash != ours.rubric_hash
    assert [row.model for row in against_controls(runs.inferences)] == [ours.name]
    log = read_eval_log(theirs.file)
    assert str(root) not in str(log.eval.metadata)
    assert str(root) not in str([(sample.metadata, sample.scores) for sample in log.samples or []])
    assert log.eval.task_args["prompt"] == str(prompt)
    text = methods(replace(runs, counted=[theirs]))
    assert f"prompt {names[0]}; " in text
    assert f"(reason rubric {names[1]})" in text
    assert "The prompts and rubrics named by a file were given with the run" in text
