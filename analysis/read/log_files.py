"""Find log files."""

from collections.abc import Sequence
from pathlib import Path

from inspect_ai.log import list_eval_logs

from thoughttrace.core.errors import UserError


def log_files(paths: Sequence[str]) -> list[str]:
    """Find log files.

    Args:
        paths: Log files, or folders that are searched with all their subfolders; paths or fsspec URLs.

    Raises:
        UserError: A path does not exist, or a URL cannot be listed.
    """
    files: list[str] = []
    for path in paths:
        remote = "://" in path
        if not remote and not Path(path).exists():
            raise UserError(f"{path}: no such log file or folder.")
        try:
            files += [path] if path.endswith((".eval", ".json")) else [log.name for log in list_eval_logs(path)]
        except Exception as error:
            if not remote:
                raise
            raise UserError(f"{path}: cannot be listed ({type(error).__name__}: {error}).") from error
    return list(dict.fromkeys(files))
