"""The embedder on this machine, and the cache of any embedder's vectors."""

import re
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.models import embedding
from thoughttrace.models.embedding import Embedder, Vectorizer, embed, open_embedder, pack
from thoughttrace.models.word_pieces import count_pieces


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

    def count_truncated(self, texts: Sequence[str]) -> int:
        return 0


def first_column(embedder: Counting, texts: list[str]) -> list[float]:
    return list(Vectorizer(embedder).embed(texts, lambda done: None)[:, 0])


def test_a_text_is_embedded_once() -> None:
    first = Counting()
    assert first_column(first, ["a", "bb", "a", "ccc"]) == [1, 2, 1, 3]
    assert sorted(first.asked) == ["a", "bb", "ccc"]
    second = Counting()
    assert first_column(second, ["ccc", "dddd", "bb"]) == [3, 4, 2]
    assert second.asked == ["dddd"]
    other = Counting("another model")
    first_column(other, ["a"])
    assert other.asked == ["a"]


def test_a_spoilt_file_is_passed_over(tmp_path: Path) -> None:
    first_column(Counting(), ["a", "bb"])
    (file,) = tmp_path.glob("cache/embeddings/*/*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    again = Counting()
    assert first_column(again, ["a", "bb"]) == [1, 2]
    assert sorted(again.asked) == ["a", "bb"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_no_vector_is_embedded_again(value: float, tmp_path: Path) -> None:
    """It was an error of every later `thoughttrace shift`."""
    first_column(Counting(), ["a", "bb"])
    (file,) = tmp_path.glob("cache/embeddings/*/*.npz")
    with np.load(file) as arrays:
        names, vectors = arrays["names"], arrays["vectors"]
    vectors[1, 0] = value
    np.savez(file, names=names, vectors=vectors)
    again = Counting()
    assert first_column(again, ["a", "bb"]) == [1, 2]
    assert sorted(again.asked) == ["a", "bb"]


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_another_file_of_the_model_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_embedder("local")
    monkeypatch.setitem(embedding._CHECKSUMS, name, "0" * 64)
    with pytest.raises(UserError, match=f"does not hold the {name} that similarities are computed with"):
        open_embedder("local")


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert first_column(Counting(), ["a", "bb"]) == [1, 2]


def _fill(start: int) -> None:
    for n in range(start, start + 20):
        first_column(Counting(), ["x" * n])


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    with get_context("fork").Pool(3) as pool:
        pool.map(_fill, [1, 11, 21])
    last = Counting()
    assert first_column(last, ["x" * n for n in range(1, 41)]) == list(range(1, 41))
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


def test_word_pieces_are_those_of_bert_and_none_is_cut_off() -> None:
    # hello , world ! · un ##aff ##able (Devlin et al. 2019) · capital letters make no difference
    assert count_pieces(["Hello, world!", "unaffable", "UNAFFABLE", ""]) == [4, 3, 3, 0]
    assert count_pieces(["word " * 1000]) == [1000]


def test_like_sentences_lie_close() -> None:
    cat, kitten, tax = embed(["The cat sleeps.", "A kitten is asleep.", "Tax rates rose by two percent."])
    assert np.allclose(np.linalg.norm([cat, kitten, tax], axis=1), 1, atol=1e-5)
    assert cat @ kitten > 0.6
    assert cat @ tax < 0.2


def test_a_text_has_the_same_embedding_alone_and_in_a_batch() -> None:
    long = "word " * 400
    assert np.allclose(embed(["short"])[0], embed(["short", long])[0], atol=0.02)


def test_the_local_embedder_gives_what_the_scorer_gives() -> None:
    texts = ["The cat sleeps.", "Tax rates rose by two percent.", "word " * 400, "?", "A kitten is asleep."]
    vectors = Vectorizer(open_embedder("local")).embed(texts, lambda done: None)
    assert np.allclose(vectors, embed(texts), atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert open_embedder("local").count_truncated(texts) == 1


def test_its_key_names_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = open_embedder("local").key
    for name in ("model", "tokenizer"):
        (tmp_path / name).write_text(name)
    files = tmp_path / "model", tmp_path / "tokenizer"
    monkeypatch.setattr("thoughttrace.models.embedding.model_files", lambda: files)
    assert open_embedder("local").key != before


@pytest.mark.parametrize("name", ["", "openai", "openai/", "anthropic/x", "text-embedding-3-large"])
def test_an_unknown_embedder_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match=f"There is no embedder '{name}': give local, or openai/"):
        open_embedder(name)


def test_the_interface_names_only_functions_that_exist() -> None:
    documentation = (Embedder.embed.__doc__ or "") + (Embedder.__doc__ or "")
    names = re.findall(r"`(\w+)`", documentation)
    assert names
    assert [name for name in names if not hasattr(embedding, name)] == []


def test_the_scorers_start_without_the_openai_package() -> None:
    code = "import sys, thoughttrace._registry, thoughttrace.models.embedding; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
