"""The server in a process of its own, for benchmarks."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Remote:
    """A server in another process."""

    url: str
    environment: dict[str, str]
    pid: int

    def stats(self) -> dict[str, Any]:
        """How many `requests` came, are `in_flight`, were at most (`most_in_flight`), and `by_model`."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.url}/stats", timeout=30) as answer:
            said: dict[str, Any] = json.load(answer)
        return said


@contextmanager
def spawn(latency: float = 0.0, reply: str | None = None) -> Iterator[Remote]:
    """Run the server in a process of its own.

    Args:
        latency: Seconds before each answer.
        reply: `PATH.py:FUNCTION`, a function of a Request that returns a Reply; `latency` is added to its own.
    """
    command = [sys.executable, str(Path(__file__).resolve().parent), "--latency", str(latency)]
    command += ["--reply", reply] if reply else []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        yield Remote(said["url"], said["environment"], process.pid)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(30)
