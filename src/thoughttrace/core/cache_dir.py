"""Where what was fetched or computed once is kept."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_dir


def cache_dir() -> Path:
    """The folder for weights and parsed logs: `THOUGHTTRACE_CACHE`, or else the platform's cache folder."""
    return Path(os.environ.get("THOUGHTTRACE_CACHE") or user_cache_dir("thoughttrace")).expanduser()


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all: two processes may write it at once, or one may be killed.

    Args:
        path: The file; its folder is made if absent.
        write: Writes to the path that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    os.close(handle)
    try:
        write(Path(name))
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
