"""Whether the log can be written, looked at before a run costs anything."""

import os
import shutil

import click

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.sources import from_where_started

BYTES_PER_SAMPLE = 20_000
"""Of a log, roughly twice what a sample of the release takes: prompt, replies, events, compressed."""


def require_log_folder(samples: int) -> None:
    """Refuse a run whose log could not be written, or would fill the disk, before anything is generated.

    Looks at `--log-dir` of the `inspect` command that makes the task; a task made in Python, and a log folder at a
    URL, are left to Inspect, which stops before the first generation if it cannot begin the log.

    Args:
        samples: How many the task has; a smaller `--limit` counts instead.

    Raises:
        UserError: The folder cannot be made or written, or its disk has less than `BYTES_PER_SAMPLE` a sample left.
    """
    context = click.get_current_context(silent=True)
    options = context.params if context else {}
    if "log_dir" not in options or "://" in (named := options["log_dir"] or "./logs"):
        return
    folder = from_where_started(named)
    # Path.exists would raise where a folder may not be looked into.
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not there.is_dir():
        raise UserError(f"--log-dir {named}: {there} is a file, not a folder; choose another. Nothing was generated.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"--log-dir {named}: {there} cannot be written; choose another folder. Nothing was generated.")
    limit = str(options.get("limit") or "")
    planned = min(samples, int(limit)) if limit.isdecimal() else samples
    free, needed = shutil.disk_usage(there).free, planned * BYTES_PER_SAMPLE
    if free < needed:
        raise UserError(
            f"--log-dir {named}: its disk has {free / 1e6:,.1f} MB left, and the log of {planned:,} samples takes up "
            f"to {needed / 1e6:,.1f} MB; make room or choose another folder. Nothing was generated."
        )
