"""`thoughttrace shift`, from the file to the page."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from thoughttrace.analysis.shift import measure as measuring
from thoughttrace.analysis.shift.measure import Shift, measure
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON, cut
from thoughttrace.analysis.shift.projection import sample_of_users
from thoughttrace.analysis.shift.words import cloud_rows, in_words, relation_rows
from thoughttrace.cli.main import main
from thoughttrace.datasets.conversation import Conversation


def measured(records: list[dict[str, Any]], seed: int = 1, shift: float = 0.0) -> Shift:
    """Measure on vectors drawn at random; the thoughts' are shifted."""
    table = cut([Conversation.model_validate(record) for record in records]).table
    drawn: dict[str, Any] = {}
    rng = np.random.default_rng(seed)
    for text in [*table["source"], *table["target"]]:
        if text not in drawn:
            far = shift * (text.startswith("reason") + 2 * text.startswith("reaction"))
            drawn[text] = rng.normal(size=12) + np.r_[far, np.zeros(11)]
    unit = {text: (v / np.linalg.norm(v)).astype(np.float32) for text, v in drawn.items()}
    return measure(table, *(np.stack([unit[text] for text in table[side]]) for side in ("source", "target")), seed)


@pytest.fixture
def no_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planes without UMAP, which takes half a minute to compile."""
    for name in ("steps", "differences"):
        monkeypatch.setattr(measuring, name, lambda source, target, seed: (target - source)[:, :2].astype(float))


def test_a_planted_shift_is_found_in_the_published_order(no_planes: None, make_conversation: Any) -> None:
    found = measured([make_conversation(f"user{n}", turns=8) for n in range(12)], shift=1.0)
    whole = found.relations[found.relations["pairs"] == "all"].set_index("relation").loc[[NEXT, REASON, REACTION]]
    for name in ("centroids_debiased", "mmd", "auc"):
        assert whole[name].is_monotonic_increasing
        assert any(sentence.count("rises") == 2 for sentence in in_words(found))
    assert (whole["mmd_p"].iloc[1:] < 0.01).all()
    assert whole["mmd_p"].iloc[0] > 0.01
    assert whole["n"].tolist() == [84, 96, 84]
    assert found.radii["n"].tolist() == [84, 96, 84]


def test_one_user_is_said_and_not_guessed(no_planes: None, make_conversation: Any) -> None:
    found = measured([make_conversation("user1", turns=6)])
    for row in relation_rows(found.relations):
        assert row["95 % interval"] == "one user only"
        assert row["AUC"] == row["AUC of words"] == ""
        assert "fewer than 5 users: no probe" in row["Note"]
    for row in cloud_rows(found.relations):
        assert row["MMD p"] == row["Without noise"] == ""


def test_few_pairs_make_no_picture(make_conversation: Any) -> None:
    found = measured([make_conversation("user1", turns=2)])
    assert found.radii.empty
    assert found.notes == ["No picture: 4 pairs, and UMAP needs 10."]


def test_a_large_picture_shows_a_sample_of_users(
    no_planes: None, make_conversation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "MOST", 40)
    found = measured([make_conversation(f"user{n}", turns=4) for n in range(10)])
    assert found.notes == [
        "The pictures show 40 of the 100 pairs, those of a seeded sample of 4 users; all else counts every pair."
    ]
    assert len(found.drawn) == len(found.planes["steps"]) == 40
    assert found.relations["n"].max() == 40


def test_whole_users_are_sampled() -> None:
    users = np.repeat(np.arange(50), np.arange(50) % 7 + 1)
    chosen = sample_of_users(users, 60, seed=1)
    assert set(users[chosen]).isdisjoint(users[~chosen])
    assert 50 < chosen.sum() <= 60
    assert (chosen == sample_of_users(users, 60, seed=1)).all()
    assert sample_of_users(users, 0, seed=1).any()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["shift", *arguments])


def test_the_command_writes_a_page(
    tmp_path: Path, write: Callable[..., Path], make_conversation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one test with UMAP itself."""
    data = write(*(make_conversation(f"user{n}", turns=3) for n in range(6)))
    done = run(str(data), "-o", str(tmp_path / "page"))
    assert done.exit_code == 0, done.output
    assert "48 texts are embedded on this machine" in done.output
    assert "Distance of the clouds" in done.output
    page = (tmp_path / "page/index.html").read_text()
    for name in ("shift_relations", "shift_clouds", "shift_compared", "shift_steps", "shift_differences"):
        assert f'id="{name}"' in page
        assert len(pd.read_csv(tmp_path / f"page/{name}.csv")) in {3, 6, 9}
    for name in ("shift_compared", "shift_steps", "shift_differences"):
        assert (tmp_path / f"page/{name}.svg").exists()
    (kept,) = json.loads((tmp_path / "page/sections.json").read_text())
    assert "all-MiniLM-L6-v2" in kept["intro"]
    # Again: nothing to embed, and the same numbers, pictures too.
    monkeypatch.setattr("thoughttrace.models.embedding.embed", lambda texts: pytest.fail("embedded again"))
    assert run(str(data), "-o", str(tmp_path / "again")).exit_code == 0
    for file in (tmp_path / "page").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("umap", r'needs umap: install the extra with pip install "thoughttrace[shift]"'),
        ("sklearn", r"needs sklearn: install"),
        ("onnxruntime", r"needs onnxruntime: install"),
    ],
)
def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch, module: str, sentence: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("thoughttrace.cli.shift.find_spec", lambda name: None if name == module else found(name))
    done = run("sample")
    assert done.exit_code == 1
    assert sentence in done.output


def test_what_cannot_be_compared_is_said(write: Callable[..., Path]) -> None:
    message = {"type": "user", "content": "alone"}
    done = run(str(write({"id": "user1_task1_conversation1", "messages": [message]})))
    assert done.exit_code == 1
    assert "data.jsonl: nothing to compare" in done.output
    assert "There is no embedder 'x'" in run("sample", "--embedder", "x").output
