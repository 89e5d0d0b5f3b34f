"""The next message as a task: a model's inferences in place of thoughts, how informative thoughts are, the log."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog

from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason
from thoughttrace.tasks.predict_message import predict_message
from thoughttrace.tasks.rate_thought import rate_thought

CANARY = "xyzzy-canary"
GOOD = '{"rationale": "same", "rating": 4}'
NEAR = '{"rationale": "near", "rating": 65}'
TASKS = {"reason": infer_reason, "reaction": infer_reaction}


@pytest.fixture
def data(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    return str(write(*(make_conversation(f"user{n}", turns=3, canary=CANARY) for n in range(3))))


@pytest.fixture
def infer(tmp_path: Path, data: str, scripted: Callable[..., Any]) -> Callable[..., EvalLog]:
    """Let a model infer; it says its name, the kind, and the annotated message."""

    def infer(kind: str, model: str = "m", folder: str = "inferred", **arguments: Any) -> EvalLog:
        def script(messages: list[Any]) -> str:
            index = re.search(r" (m\d\d) \w+\] is the one", messages[-1].text)
            return f"{model} infers {kind} {index[1]}" if index else ""

        (log,) = inspect_eval(
            TASKS[kind](**{"data": data, "context": "history"} | arguments), model=scripted(model, script),
            model_roles={"grader": scripted("j", lambda _: GOOD)}, log_dir=str(tmp_path / folder), display="none",
        )  # fmt: skip
        assert log.status == "success"
        return log

    return infer


def run(task: Any, model: Any, judge: Any, folder: Path) -> EvalLog:
    (log,) = inspect_eval(task, model=model, model_roles={"grader": judge}, log_dir=str(folder), display="none")
    assert log.status == "success"
    return log


@pytest.mark.parametrize("arm", ["none", "shuffled", "both"])
def test_only_thoughts_of_the_past_reach_the_model(
    arm: str, data: str, tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    model, judge = scripted("m", lambda _: "User: What now?"), scripted("j", lambda _: NEAR)
    log = run(predict_message(data=data, thoughts=arm), model, judge, tmp_path)
    assert len(model.api.requests) == len(judge.api.requests) == 6
    for messages, _ in model.api.requests:
        # Two thoughts a turn, on one turn or two.
        shown = messages[-1].text.count("question ")
        assert messages[-1].text.count(CANARY) == (2 * shown if arm != "none" else 0)
    assert CANARY not in str(judge.api.requests)
    assert log.results
    assert log.results.scores[0].metrics["mean"].value == 65
    assert log.samples
    assert {(sample.scores or {})["message_similarity"].answer for sample in log.samples} == {"What now?"}


def test_the_log_names_what_was_shown(data: str, tmp_path: Path, scripted: Callable[..., Any]) -> None:
    log = run(
        predict_message(data=data, thoughts="both", max_context_words=500),
        scripted("m", lambda _: "guess"), scripted("j", lambda _: NEAR), tmp_path,
    )  # fmt: skip
    told = log.eval.metadata or {}
    assert log.eval.task_version == "1-A"
    assert (told["arm"], told["after"], told["max_context_words"]) == ("both", "thought", 500)
    assert told["data_revision"].startswith("sha256:")
    assert len(told["prompt_hash"]) == 12
    assert predict_message(data=data).metadata["prompt_hash"] == told["prompt_hash"]


def test_inferences_stand_where_the_user_wrote_a_thought(data: str, infer: Callable[..., EvalLog]) -> None:
    for kind in TASKS:
        infer(kind)
    folder = str(Path(infer("reason", model="other", folder="elsewhere").location).parents[1] / "inferred")
    task = predict_message(data=data, thoughts="inferred", inferred=folder)
    told = task.metadata or {}
    assert (told["inferred_by"], told["inferred_kinds"]) == ("scripted/m", ["reason", "reaction"])
    assert [sample.id for sample in task.dataset] == [sample.id for sample in predict_message(data=data).dataset]
    for sample in task.dataset:
        text = sample.input[-1].text
        assert CANARY not in text
        found = re.findall(r"m(\d\d) user's private note\]\nm infers (\w+) m(\d\d)\n", text)
        shown = range((sample.metadata or {})["message_index"])
        assert found == [(f"{n:02}", "reaction" if n % 2 else "reason", f"{n:02}") for n in shown]
        assert (sample.metadata or {})["not_inferred"] == 0


def test_what_was_not_inferred_is_counted(data: str, infer: Callable[..., EvalLog]) -> None:
    reasons = infer("reason", users=1).location
    task = predict_message(data=data, thoughts="inferred", inferred=reasons)
    assert (task.metadata or {})["inferred_kinds"] == ["reason"]
    counts = [((one.metadata or {})["not_inferred"], (one.metadata or {})["notes_shown"]) for one in task.dataset]
    assert sorted(counts) == [(0, 1), (0, 2), (1, 0), (1, 0), (2, 0), (2, 0)]


def test_of_several_models_the_evaluated_ones_own_count(
    data: str, infer: Callable[..., EvalLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(Path(infer("reason", model="one").location).parent)
    infer("reason", model="two")
    monkeypatch.setattr("thoughttrace.tasks._next_message.active_model", lambda: "scripted/two")
    shown = str([one.input for one in predict_message(data=data, thoughts="inferred", inferred=folder).dataset])
    assert "two infers reason" in shown
    assert "one infers reason" not in shown
    monkeypatch.setattr("thoughttrace.tasks._next_message.active_model", lambda: "scripted/three")
    with pytest.raises(
        UserError, match=r"of several models \(scripted/\w+, scripted/\w+\), and none of them is the one"
    ):
        predict_message(data=data, thoughts="inferred", inferred=folder)


@pytest.mark.parametrize("context", ["lookahead", "profile"])
@pytest.mark.parametrize("kind", TASKS)
def test_inferences_that_may_have_read_the_message_are_refused(
    kind: str, context: str, data: str, infer: Callable[..., EvalLog]
) -> None:
    log = infer(kind, context=context)
    sentence = rf"was run with context={context}, so .* run infer_{kind} with -T context=history"
    with pytest.raises(UserError, match=sentence):
        predict_message(data=data, thoughts="inferred", inferred=log.location)
    safe = infer(kind, context="message")
    task = predict_message(data=data, thoughts="inferred", inferred=[log.location, safe.location])
    assert (task.metadata or {})["inferred_logs"] == [Path(safe.location).name]


def test_logs_that_do_not_fit_are_refused(
    data: str, infer: Callable[..., EvalLog], tmp_path: Path, write: Callable[..., Path],
    make_conversation: Callable[..., dict[str, Any]],
) -> None:  # fmt: skip
    log = infer("reason")
    other = str(write(make_conversation("user9"), name="other.jsonl"))
    with pytest.raises(UserError, match="is of another revision of the data"):
        predict_message(data=other, thoughts="inferred", inferred=log.location)
    control = infer("reason", folder="control", control="parrot")
    (tmp_path / "empty").mkdir()
    for path in (control.location, str(tmp_path / "empty")):
        with pytest.raises(UserError, match="no finished log of a model's infer_reason or infer_reaction"):
            predict_message(data=data, thoughts="inferred", inferred=path)
    with pytest.raises(UserError, match=r"inferred=nowhere\.eval: no such log file or folder"):
        predict_message(data=data, thoughts="inferred", inferred="nowhere.eval")


@pytest.fixture
def rated(tmp_path: Path) -> str:
    rows = [(f"user{n}_task1_conversation1", index) for n in range(3) for index in range(6)]
    # Reactions stand on 1, 3 and 5: user0's 5 and 2, user1's 3 and none, user2's 4 and 4.
    quality: Any = [1.0, 5, 1, 2, 1, 1, 1, 3, 1, None, 1, 1, 1, 4, 1, 4, 1, 1]
    table = pd.DataFrame(rows, columns=["conversation", "message_index"]).assign(quality=quality)
    table.to_parquet(tmp_path / "annotations.parquet")
    return str(tmp_path / "annotations.parquet")


def test_quality_is_kept_and_selects_only_if_asked(data: str, rated: str) -> None:
    found = {str(one.id): (one.metadata or {})["quality"] for one in predict_message(data=data, quality=rated).dataset}
    named = {f"{name.partition('_')[0]}/{name.split('/')[1]}": value for name, value in found.items()}
    assert named == {"user0/m02": 5, "user0/m04": 2, "user1/m02": 3, "user1/m04": None, "user2/m02": 4, "user2/m04": 4}
    for arm in ("none", "both"):
        kept = predict_message(data=data, thoughts=arm, quality=rated, min_quality=4).dataset
        assert sorted((one.metadata or {})["quality"] for one in kept) == [4, 4, 5]
    with pytest.raises(UserError, match=r"min_quality=5\.5: no reaction right before a message is rated that high"):
        predict_message(data=data, quality=rated, min_quality=5.5)


def test_a_table_that_does_not_fit_is_refused(data: str, rated: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.parquet"
    pd.read_parquet(rated).drop(columns="quality").to_parquet(wrong)
    with pytest.raises(UserError, match=r"has no column quality\. It must rate the reactions of all this data"):
        predict_message(data=data, quality=str(wrong))
    pd.read_parquet(rated).query("message_index != 3").to_parquet(wrong)
    with pytest.raises(UserError, match="has no row for 3 of 6 replies with a reaction, such as message 3 of user0_"):
        predict_message(data=data, quality=str(wrong))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.assign(message_index="first"), "message_index and quality must be numbers"),
        (lambda table: table.assign(quality="good"), "message_index and quality must be numbers"),
        (lambda table: pd.concat([table, table.head(1)]), "has several rows for the same message"),
    ],
)
def test_a_table_of_other_values_is_refused(data: str, rated: str, tmp_path: Path, change: Any, sentence: str) -> None:
    wrong = tmp_path / "wrong.parquet"
    change(pd.read_parquet(rated)).to_parquet(wrong)
    with pytest.raises(UserError, match=sentence):
        predict_message(data=data, quality=str(wrong))


def test_messages_after_informative_reactions_are_selected_by_the_documented_commands(
    data: str, tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    """Rate the reactions, annotate, predict: a table of reasons alone is refused, and says which command is missing."""

    def rates(messages: list[Any]) -> str:
        return f'{{"rationale": "x", "rating": {5 if "user1" in messages[-1].text else 2}}}'

    table = tmp_path / "annotations.parquet"
    for kind in ("reason", "reaction"):
        run(rate_thought(kind=kind, data=data), scripted("rater", rates), scripted("j", rates), tmp_path / "labels")
        done = CliRunner().invoke(main, ["annotate", str(tmp_path / "labels"), "-o", str(table)])
        assert done.exit_code == 0, done.output
        if kind == "reason":
            with pytest.raises(UserError, match=r"rates? the reactions .*rate_thought -T kind=reaction .*annotate"):
                predict_message(data=data, quality=str(table), min_quality=4)
    log = run(
        predict_message(data=data, thoughts="both", quality=str(table), min_quality=4),
        scripted("m", lambda _: "User: What now?"), scripted("j", lambda _: NEAR), tmp_path / "next",
    )  # fmt: skip
    assert sorted(str(one.id) for one in log.samples or []) == [
        f"user1_task1_conversation1/m{index:02}/message" for index in (2, 4)
    ]
