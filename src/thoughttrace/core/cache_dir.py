"""Say where what was fetched or computed once is kept, and write files whole or not at all."""

import contextlib
import hashlib
import os
import shutil
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


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder to work in, which is removed afterwards; one that a killed process left behind is removed first.

    Args:
        parent: Where it is made; must exist.
        prefix: How its name begins; with a dot it is hidden.

    Yields:
        The folder, which no other process uses.
    """
    for left_behind in parent.glob(f"{prefix}*"):
        with _lock(left_behind, wait=False) as locked:
            if locked:
                shutil.rmtree(left_behind, ignore_errors=True)
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        with _lock(folder, wait=True):
            if not folder.exists():  # another process took it for left behind, before it was locked
                continue
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


@contextmanager
def _lock(folder: Path, wait: bool) -> Iterator[bool]:
    """Lock a folder, which ends with the process however that ends; yield False if it cannot be locked."""
    import fcntl  # noqa: PLC0415 - not on every system, and most commands need no lock

    with contextlib.ExitStack() as stack:
        locked = False
        with contextlib.suppress(OSError):  # it is in use, was removed, or its file system has no locks
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            locked = True
        yield locked
