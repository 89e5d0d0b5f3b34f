"""Vectors of texts, kept on disk: a text is embedded once."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from thoughttrace.datasets.cache import cache_dir
from thoughttrace.models.embedders import Embedder, Vectors

# One request of OpenAI's API takes 2,048 texts of 300,000 tokens in all, and a token is a byte at least. With fewer
# texts, less is lost when a run is broken off.
_TEXTS = 256
_BYTES = 300_000

Progress = Callable[[int], None]
"""Is told how many more texts are done."""


class Vectorizer:
    """Embeds texts that are not in the cache.

    The cache is `embeddings/` in `cache_dir()`: a folder for each embedder (and its weights, or its server), in it
    files that are written whole or not at all and never changed, so several processes may use it at once. Safe to
    delete at any time.

    Args:
        embedder: What embeds.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._folder = cache_dir() / "embeddings" / hashlib.sha256(embedder.key.encode()).hexdigest()[:24]
        self._known = _read(self._folder)

    def missing(self, texts: Iterable[str]) -> list[str]:
        """The texts that have no vector yet, each once."""
        return [text for text in dict.fromkeys(texts) if _name(text) not in self._known]

    def embed(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """The vectors of texts.

        Args:
            texts: At least one, none of them blank.
            progress: Called after every batch of those that were missing.

        Returns:
            Unit vectors, shape (n, d).
        """
        for batch in pack(self.missing(texts)):
            vectors = self.embedder.embed(batch)
            names = [_name(text) for text in batch]
            with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
                _write(self._folder, names, vectors)
            self._known.update(zip(names, vectors, strict=True))
            progress(len(batch))
        return np.stack([self._known[_name(text)] for text in texts])


def pack(texts: Sequence[str]) -> Iterator[list[str]]:
    """Pack texts into batches, the longest first: like lengths are padded least, and what is left goes ever faster.

    Args:
        texts: Each at most 300,000 bytes long, or else alone in its batch.
    """
    batch: list[str] = []
    size = 0
    for text in sorted(texts, key=len, reverse=True):
        length = len(text.encode("utf-8", "replace"))
        if batch and (len(batch) == _TEXTS or size + length > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _name(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _read(folder: Path) -> dict[bytes, Vectors]:
    known: dict[bytes, Vectors] = {}
    for file in sorted(folder.glob("*.npz")):
        with contextlib.suppress(Exception):  # cut off, or not ours: embed again
            with np.load(file) as kept:
                names, vectors = kept["names"], kept["vectors"]
            known |= zip((name.tobytes() for name in names), vectors, strict=True)
    return known


def _write(folder: Path, names: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
    """Write whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, names=np.frombuffer(b"".join(names), np.uint8).reshape(-1, 32), vectors=vectors)
        Path(name).replace(f"{name}.npz")
    finally:
        Path(name).unlink(missing_ok=True)
