"""What turns texts into vectors: a model on this machine, or OpenAI's embeddings API and what speaks it.

Inspect (0.3.285) has models that generate but none that embed, so the API is called by OpenAI's own package.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt
from openai import APIConnectionError, APIStatusError, AuthenticationError, OpenAI, OpenAIError

from thoughttrace.datasets.cache import sha256
from thoughttrace.datasets.errors import UserError
from thoughttrace.scorers import embedding

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
        self.name = embedding.NAME
        self.key = " ".join([self.name, *map(sha256, embedding.weights()), f"{embedding.PIECES} pieces"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, shape (n, 384), with all cores: nothing else is at work meanwhile."""
        cores = os.cpu_count() or 1
        with ThreadPoolExecutor(cores) as pool:
            parts = list(pool.map(embedding.embed, [texts[core::cores] for core in range(min(cores, len(texts)))]))
        vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        for core, part in enumerate(parts):
            vectors[core::cores] = part
        return vectors

    def announce(self, texts: Sequence[str]) -> str:
        """Say how many."""
        return f"{len(texts):,} texts are embedded on this machine by {self.name}."

    def cut(self, texts: Sequence[str]) -> int:
        """Count the texts of more than 256 word pieces."""
        return embedding.longer_than_read(texts)


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
