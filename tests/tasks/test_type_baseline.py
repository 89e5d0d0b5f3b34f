"""The baseline of classify_thought: no thought is predicted by what was learnt from its own user."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_ai import eval as inspect_eval
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.samples import select_thoughts
from thoughttrace.datasets.sources import open_source
from thoughttrace.tasks import _type_baseline as type_baseline
from thoughttrace.tasks._type_baseline import out_of_fold, predict_types
from thoughttrace.tasks.classify_thought import classify_thought

WORDS = {"task_motivation": "money", "style_expectation": "table"}


@pytest.fixture
def planted(write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]) -> str:
    """Of each user all thoughts say the user's own word and have one type; half of the users have the other."""
    records = []
    for n in range(12):
        record = make_conversation(f"user{n}", turns=3)
        for message in record["messages"]:
            for thought in message.get("reasons", []):
                thought |= {"content": f"token{n} " * 5, "label": list(WORDS)[n % 2]}
        records.append(record)
    return str(write(*records))


def test_no_user_is_in_the_training_of_their_own_fold(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector that names its user tells the type of a user whom the classifier has seen, and nothing of another."""
    thoughts = select_thoughts(open_source(planted).conversations, "reason")
    users = np.array([noted.conversation.user for noted in thoughts])
    names = sorted(set(users))
    own = np.eye(len(names), dtype=np.float32)[[names.index(user) for user in users]]
    monkeypatch.setattr(type_baseline, "embed", lambda texts: own)
    types = np.array([noted.thought.label for noted in thoughts])
    said = predict_types(thoughts, "thought")
    right = np.array([said[noted.id] for noted in thoughts]) == types
    seen = LogisticRegression().fit(own, types).predict(own) == types
    assert seen.all()  # who saw the user would be right every time
    assert right.mean() <= 0.5


def test_predictions_equal_those_fitted_by_hand() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    users = np.repeat([f"u{n}" for n in range(12)], 5)
    types = np.where(vectors[:, 0] > 0, "a", np.where(vectors[:, 1] > 0.5, "b", "c"))
    expected = np.empty_like(types)
    for fitted, held in GroupKFold(5).split(vectors, groups=users):
        assert not set(users[fitted]) & set(users[held])
        scaler = StandardScaler().fit(vectors[fitted])
        model = LogisticRegression(class_weight="balanced", max_iter=2000).fit(
            scaler.transform(vectors[fitted]), types[fitted]
        )
        expected[held] = model.predict(scaler.transform(vectors[held]))
    assert (out_of_fold(vectors, types, users) == expected).all()
    assert (expected == types).mean() > 0.6


def test_a_fold_with_one_type_names_it() -> None:
    vectors = np.eye(4, dtype=np.float32)
    said = out_of_fold(vectors, np.array(["a", "a", "a", "b"]), np.array(["u1", "u1", "u1", "u2"]))
    assert list(said) == ["b", "b", "b", "a"]


def test_the_baseline_answers_in_the_model_s_place(
    planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    learnt: dict[str, str] = {}

    def spy(thoughts: Any, beside: Any) -> dict[str, str]:
        learnt.update(predict_types(thoughts, beside))
        return learnt

    monkeypatch.setattr("thoughttrace.tasks.classify_thought.predict_types", spy)
    task = classify_thought(data=planted, baseline=True, users=3)
    (log,) = inspect_eval(task, model="none/none", log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    assert (log.eval.metadata or {})["baseline"] is True
    assert len(learnt) == 36  # from all of the data, whatever is sampled
    assert log.samples
    assert len(log.samples) == 9
    for sample in log.samples:
        score = (sample.scores or {})["type_match"]
        assert score.answer == learnt[str(sample.id)] in WORDS
        assert score.value == int(score.answer == sample.target)
    assert not log.stats.model_usage


def test_the_message_can_be_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def lengths(texts: Any) -> Any:
        return np.array([[len(text), text.count("e"), text.count(",")] for text in texts], dtype=np.float32)

    monkeypatch.setattr(type_baseline, "embed", lengths)
    thoughts = select_thoughts(open_source("sample").conversations, "reaction")
    notes, messages = [n.thought.content for n in thoughts], [n.message.content for n in thoughts]
    types = np.array([noted.thought.label for noted in thoughts])
    users = np.array([noted.conversation.user for noted in thoughts])
    expected = list(out_of_fold(np.hstack([lengths(notes), lengths(messages)]), types, users))
    assert list(predict_types(thoughts, "message").values()) == expected
    assert list(predict_types(thoughts, "thought").values()) != expected


def test_what_it_cannot_do_is_said(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="pass context=thought or context=message"):
        classify_thought(baseline=True, context="history")
    with pytest.raises(UserError, match="the data has only one"):
        classify_thought(baseline=True, data=str(write(make_conversation())))
    monkeypatch.setattr(type_baseline, "find_spec", lambda name: None if name == "sklearn" else object())
    with pytest.raises(
        UserError, match=r'baseline=true needs sklearn: install it with pip install "thoughttrace\[shift'
    ):
        classify_thought(baseline=True)
