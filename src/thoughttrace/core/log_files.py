"""Find log files."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from inspect_ai.log import list_eval_logs

from thoughttrace.core.errors import UserError

_LOG = re.compile(r".*\.eval|\d{4}-\d\d-\d\dT\d\d[:-]\d\d[:-]\d\d.*\.json")
"""The names of logs: Inspect begins those of JSON logs with the time."""


def log_files(paths: Sequence[str]) -> list[str]:
    """Find log files.

    Args:
        paths: Log files, or folders that are searched with all their subfolders; paths or fsspec URLs.

    Raises:
        UserError: A path does not exist, or a folder or URL cannot be listed.
    """
    files: list[str] = []
    for path in paths:
        remote = "://" in path
        try:
            if not remote and not Path(path).exists():
                raise UserError(f"{path}: no such log file or folder.")
            if not remote and Path(path).is_dir():
                files += _search(Path(path))
            elif not remote or path.endswith((".eval", ".json")):
                files.append(path)
            else:
                files += [log.name for log in list_eval_logs(path)]
        except UserError:
            raise
        except Exception as error:
            if not remote and not isinstance(error, OSError):
                raise
            raise UserError(f"{path}: cannot be listed ({type(error).__name__}: {error}).") from error
    return list(dict.fromkeys(files))


def _search(folder: Path) -> list[str]:
    """Return the absolute paths of the logs in a folder, the newest first, each once, also where links lead to it.

    Inspect's own listing passes over links, and gives URLs in which `#`, `?` and `%` of a folder's name stand as they
    are, so that they name another file.
    """
    logs: dict[str, Path] = {}
    for file in _walk(folder.absolute(), set()):
        if _LOG.fullmatch(file.name):
            logs.setdefault(os.path.realpath(file), file)
    # A link that leads nowhere is kept: reading it says so.
    times = {file: file.stat().st_mtime if file.exists() else 0.0 for file in logs.values()}
    return [str(file) for file in sorted(times, key=lambda file: -times[file])]


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    # A link may lead back to a folder that it is in.
    if (real := os.path.realpath(folder)) in seen:
        return
    seen.add(real)
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from _walk(entry, seen)
        else:
            yield entry
