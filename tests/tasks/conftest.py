"""Inspect's command, started once and forked for each use."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Starting Inspect takes seconds: a fork has done nothing yet but import. Everything else is as in a process of its own.
HOST = """
import json, os, sys
import inspect_ai._eval.evalset, inspect_ai.agent._acp.server, thoughttrace._registry
import inspect_ai.model._providers.anthropic, inspect_ai.model._providers.openai_compatible
from inspect_ai._cli.main import main
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        order = json.loads(line)
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.path[1:1] = order["path"]
        for descriptor, name in enumerate([os.devnull, *order["files"]]):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), descriptor)
        sys.stdin = open(0)
        sys.argv = ["inspect", *order["arguments"]]
        main()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture(scope="session")
def inspect_host() -> Iterator[Any]:
    """A process that has imported Inspect and the tasks, and forks."""
    with subprocess.Popen(
        [sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as host:
        yield host


@pytest.fixture
def inspect_command(inspect_host: Any, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Inspect's command in a folder; with folders that go before the others of the import path, and variables."""

    def run(
        *arguments: str, cwd: Path, path: tuple[Path, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        files = [tmp_path / name for name in ("command.out", "command.err")]
        order = {
            "arguments": arguments,
            "cwd": str(cwd),
            "path": list(map(str, path)),
            "environment": os.environ | environment,
            "files": list(map(str, files)),
        }
        print(json.dumps(order), file=inspect_host.stdin, flush=True)
        status = int(inspect_host.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, *(file.read_text(encoding="utf-8") for file in files))

    return run
