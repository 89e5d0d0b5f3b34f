"""Where what was fetched or computed once is kept."""

import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_dir


def cache_dir() -> Path:
    """The folder for weights and parsed logs: `THOUGHTTRACE_CACHE`, or else the platform's cache folder."""
    return Path(os.environ.get("THOUGHTTRACE_CACHE") or user_cache_dir("thoughttrace")).expanduser()


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
