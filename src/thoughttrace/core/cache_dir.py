"""Say where what was fetched or computed once is kept, and write files there whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_dir


def cache_dir() -> Path:
    """Return the folder for weights and parsed logs: `THOUGHTTRACE_CACHE`, or else the platform's cache folder."""
    return Path(os.environ.get("THOUGHTTRACE_CACHE") or user_cache_dir("thoughttrace")).expanduser()


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all: readers and other writers never see half of it.

    Args:
        path: The file; its folder is made if there is none.

    Yields:
        A file beside it to write to. It takes the place of `path` when the block ends, and is removed if it fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two commands may write the same file at once: each needs a name of its own.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
