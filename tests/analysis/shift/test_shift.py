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
from thoughttrace.analysis.shift.chapter import shift_chapter, summarize
from thoughttrace.analysis.shift.measure import Shift, measure
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON, Pairs, cut_pairs
from thoughttrace.cli.main import main
from thoughttrace.datasets.conversation import Conversation


def measured(records: list[dict[str, Any]], seed: int = 1, shift: float = 0.0) -> Shift:
    """Measure on vectors drawn at random; the thoughts' are shifted."""
    table = cut_pairs([Conversation.model_validate(record) for record in records]).table
    drawn: dict[str, Any] = {}
    rng = np.random.default_rng(seed)
    for text in [*table["source"], *table["target"]]:
        if text not in drawn:
            far = shift * (text.startswith("reason") + 2 * text.startswith("reaction"))
            drawn[text] = rng.normal(size=12) + np.r_[far, np.zeros(11)]
    unit = {text: (v / np.linalg.norm(v)).astype(np.float32) for text, v in drawn.items()}
    source, target = (np.stack([unit[text] for text in table[side]]) for side in ("source", "target"))
    return measure(table, source, target, seed)


@pytest.fixture
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace UMAP, which takes half a minute to compile."""
    monkeypatch.setattr(measuring, "steps", lambda source, target, seed: (target - source)[:, :2].astype(float))


def test_a_planted_shift_is_found_in_the_published_order(without_umap: None, make_conversation: Any) -> None:
    found = measured([make_conversation(f"user{n}", turns=8) for n in range(12)], shift=1.0)
    rows = [row for row in found.relations if row.pairs == "all"]
    assert [row.relation for row in rows] == [NEXT, REASON, REACTION]
    for field in ("centroids_debiased", "mmd", "auc"):
        values = [getattr(row, field) for row in rows]
        assert values == sorted(values)
    sentences = summarize(found)
    for title in ("debiased distance of the centroids", "MMD² (× 1,000)", "AUC"):
        sentence = next(sentence for sentence in sentences if sentence.startswith(f"The {title} "))
        assert "rises in the published order: " in sentence
        assert ". Over pairs of similar length it rises: " in sentence
    assert all(row.mmd_p < 0.01 for row in rows[1:])
    assert rows[0].mmd_p > 0.01
    assert [row.n for row in rows] == [84, 96, 84]
    assert [row.n for row in found.steps] == [84, 96, 84]


def test_one_user_has_no_interval_and_a_note(without_umap: None, make_conversation: Any) -> None:
    found = measured([make_conversation("user1", turns=6)])
    chapter = shift_chapter(found, Pairs(pd.DataFrame({"user": ["user1"]}), 0, 0), "embedder", "data", 1, [])
    pairs, clouds = (section.table for section in chapter.sections[:2])
    titles = [column.title for column in pairs.filled_columns]
    assert {"AUC", "AUC of words"}.isdisjoint(titles)
    for row in pairs.cells():
        cells = dict(zip(titles, row, strict=True))
        assert cells["95 % interval"] == "only one user"
        assert "fewer than 5 users: no AUC" in cells["Note"]
    assert {"MMD p", "Debiased"}.isdisjoint(column.title for column in clouds.filled_columns)


def test_few_pairs_make_no_picture(make_conversation: Any) -> None:
    found = measured([make_conversation("user1", turns=2)])
    assert not found.steps
    assert found.note == "No figure of steps: 4 pairs, and UMAP needs 10."


def test_a_large_picture_shows_a_sample_of_users(
    without_umap: None, make_conversation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "PAIRS_DRAWN", 40)
    found = measured([make_conversation(f"user{n}", turns=4) for n in range(10)])
    assert found.note == (
        "The figure of steps shows 40 of the 100 pairs, those of a seeded sample of 4 users; everything else counts "
        "every pair."
    )
    assert len(found.drawn) == len(found.plane) == 40
    assert max(row.n for row in found.relations) == 40


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
    for name in ("shift_relations", "shift_clouds", "shift_comparisons", "shift_steps"):
        assert f'id="{name}"' in page
        assert len(pd.read_csv(tmp_path / f"page/{name}.csv")) in {3, 6, 9}
    for name in ("shift_comparisons", "shift_steps"):
        assert (tmp_path / f"page/{name}.svg").exists()
    (kept,) = json.loads((tmp_path / "page/page.json").read_text())
    assert "all-MiniLM-L6-v2" in kept["intro"]
    # Again: nothing to embed, and the same numbers, pictures too.
    monkeypatch.setattr("thoughttrace.models.embedding.embed", lambda texts: pytest.fail("embedded again"))
    assert run(str(data), "-o", str(tmp_path / "again")).exit_code == 0
    for file in (tmp_path / "page").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("umap", r'needs umap: install it with pip install "thoughttrace[shift]"'),
        ("sklearn", r"needs sklearn: install it"),
        ("onnxruntime", r"needs onnxruntime: install it"),
    ],
)
def test_a_missing_extra_is_an_error(monkeypatch: pytest.MonkeyPatch, module: str, sentence: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("thoughttrace.cli.shift.find_spec", lambda name: None if name == module else found(name))
    done = run("sample")
    assert done.exit_code == 1
    assert sentence in done.output


def test_what_cannot_be_compared_is_an_error(write: Callable[..., Path]) -> None:
    message = {"type": "user", "content": "alone"}
    done = run(str(write({"id": "user1_task1_conversation1", "messages": [message]})))
    assert done.exit_code == 1
    assert "data.jsonl: no pairs to compare" in done.output
    assert "There is no embedder 'x'" in run("sample", "--embedder", "x").output
