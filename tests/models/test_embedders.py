"""The embedder on this machine, and what is kept of any."""

from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.models.embedding import Vectorizer, embed, open_embedder, pack


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))


class Counting:
    """Embeds a text as its length, and remembers what it was asked."""

    name = "counting"

    def __init__(self, key: str = "counting") -> None:
        self.key = key
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    def announce(self, texts: Sequence[str]) -> str:
        return ""

    def cut(self, texts: Sequence[str]) -> int:
        return 0


def vectors(embedder: Counting, texts: list[str]) -> list[float]:
    return list(Vectorizer(embedder).embed(texts, lambda done: None)[:, 0])


def test_a_text_is_embedded_once() -> None:
    first = Counting()
    assert vectors(first, ["a", "bb", "a", "ccc"]) == [1, 2, 1, 3]
    assert sorted(first.asked) == ["a", "bb", "ccc"]
    second = Counting()
    assert vectors(second, ["ccc", "dddd", "bb"]) == [3, 4, 2]
    assert second.asked == ["dddd"]
    other = Counting("another model")
    vectors(other, ["a"])
    assert other.asked == ["a"]


def test_a_spoilt_file_is_passed_over(tmp_path: Path) -> None:
    vectors(Counting(), ["a", "bb"])
    (file,) = tmp_path.glob("cache/embeddings/*/*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    again = Counting()
    assert vectors(again, ["a", "bb"]) == [1, 2]
    assert sorted(again.asked) == ["a", "bb"]


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert vectors(Counting(), ["a", "bb"]) == [1, 2]


def _fill(start: int) -> None:
    for n in range(start, start + 20):
        vectors(Counting(), ["x" * n])


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    with get_context("fork").Pool(3) as pool:
        pool.map(_fill, [1, 11, 21])
    last = Counting()
    assert vectors(last, ["x" * n for n in range(1, 41)]) == list(range(1, 41))
    assert last.asked == []
    assert [file for file in tmp_path.glob("cache/embeddings/*/*") if file.suffix != ".npz"] == []


def test_batches_hold_every_text_once_the_longest_first() -> None:
    texts = [f"{n}" * (n % 50 + 1) for n in range(1000)] + ["y" * 400_000]
    batches = list(pack(texts))
    assert sorted(text for batch in batches for text in batch) == sorted(texts)
    assert batches[0] == ["y" * 400_000]
    lengths = [len(text) for batch in batches for text in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert list(pack([])) == []


def test_the_local_embedder_gives_what_the_scorer_gives() -> None:
    texts = ["The cat sleeps.", "Tax rates rose by two percent.", "word " * 400, "?", "A kitten is asleep."]
    found = Vectorizer(open_embedder("local")).embed(texts, lambda done: None)
    assert np.allclose(found, embed(texts), atol=1e-6)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert open_embedder("local").cut(texts) == 1


def test_its_key_names_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = open_embedder("local").key
    for name in ("model", "tokenizer"):
        (tmp_path / name).write_text(name)
    files = tmp_path / "model", tmp_path / "tokenizer"
    monkeypatch.setattr("thoughttrace.models.embedding.weights", lambda: files)
    assert open_embedder("local").key != before


@pytest.mark.parametrize("name", ["", "openai", "openai/", "anthropic/x", "text-embedding-3-large"])
def test_an_unknown_embedder_is_said(name: str) -> None:
    with pytest.raises(UserError, match=f"There is no embedder '{name}': give local, or openai/"):
        open_embedder(name)
