"""The `thoughttrace` command."""

from thoughttrace.cli.main import main

__all__ = ["main"]
