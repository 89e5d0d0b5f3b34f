"""Parsed logs, kept so that a second report of the same logs is quick. Safe to delete at any time."""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

import fsspec
import pandas as pd

from thoughttrace.analysis import logs
from thoughttrace.analysis.finished import CannotCountError, Header
from thoughttrace.analysis.logs import read_log
from thoughttrace.analysis.read import costs
from thoughttrace.core import prices
from thoughttrace.core.cache_dir import cache_dir

_TAIL = 1 << 16
# Another reader, or other prices, may find other things in the same log.
_READER = hashlib.sha256(b"".join(Path(file).read_bytes() for file in (logs.__file__, costs.__file__, prices.FILE)))


def read_cached(file: str) -> tuple[Header, pd.DataFrame]:
    """Read one log, or what was read from it before if the file is still the same.

    Args:
        file: Path or fsspec URL.

    Returns:
        What `read_log` returns.

    Raises:
        CannotCountError: The log cannot count.
    """
    try:
        identity = _identity(file)
    except Exception as error:  # a file that went away, or a server that does not answer
        raise CannotCountError(f"cannot be read ({type(error).__name__}: {error}).") from error
    kept = cache_dir() / "logs" / f"{hashlib.sha256(file.encode()).hexdigest()[:32]}.parquet"
    try:
        rows = pd.read_parquet(kept)
        if rows.attrs.pop("identity") == identity:
            return rows.attrs.pop("header"), rows
    except Exception:  # absent, cut off, or of another version: read the log itself
        pass
    header, rows = read_log(file)
    rows.attrs = {"identity": identity, "header": header}
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        _write(rows, kept)
    rows.attrs = {}
    return header, rows


def _identity(file: str) -> str:
    """Tell a file from any other, and from its own earlier content.

    What the file system says (size, times, inode or ETag) and the file's end: an `.eval` log is a zip whose
    directory, with the checksums of header and summaries, comes last.
    """
    system, path = fsspec.core.url_to_fs(file)
    system.invalidate_cache()
    info = json.dumps(system.info(path), sort_keys=True, default=str)
    end = hashlib.sha256(system.tail(path, _TAIL)).hexdigest()
    return hashlib.sha256(f"{_READER.hexdigest()}\n{info}\n{end}".encode()).hexdigest()


def _write(rows: pd.DataFrame, path: Path) -> None:
    """Write whole or not at all: two reports may run at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    os.close(handle)
    try:
        rows.to_parquet(name)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
