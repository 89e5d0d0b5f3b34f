"""An eval-set that is killed again and again and started again with the same words loses nothing that was complete."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply

from thoughttrace.analysis.read.runs import read_runs

KILLS, SEED = 10, 5
AT_ONCE = 4  # samples of each of the two tasks
SAMPLES = {"infer_reason": 30, "infer_reaction": 30}

# Starting Inspect takes seconds, so it is started once and forked; a fork has done nothing yet but import.
HOST = """
import os, sys
import inspect_ai._eval.evalset, inspect_ai.agent._acp.server, thoughttrace._registry
import inspect_ai.model._providers.anthropic, inspect_ai.model._providers.openai_compatible
from inspect_ai._cli.main import main
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.argv = ["inspect", *line.split()]
        main()
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""

LINE = (
    "eval-set thoughttrace/infer_reason thoughttrace/infer_reaction --model openai-api/loop/model --log-dir logs "
    f"--model-role grader=openai-api/loop/judge --limit 30 --max-samples {AT_ONCE} --display plain"
)


class Runs:
    """Runs of one and the same command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
        self.host = subprocess.Popen(
            [sys.executable, "-c", HOST],
            cwd=folder,
            env=os.environ | homes,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _line(self) -> int:
        assert self.host.stdout
        return int(self.host.stdout.readline())

    def start(self) -> int:
        """Start the command; its process id."""
        assert self.host.stdin
        print(LINE, file=self.host.stdin, flush=True)
        return self._line()

    def end(self) -> int:
        """Wait for its end: its exit status, or minus the signal that killed it."""
        return os.waitstatus_to_exitcode(self._line())

    def output(self) -> str:
        return (self.folder / "output").read_text()


@pytest.fixture
def runs(tmp_path: Path, loopback: Any) -> Iterator[Runs]:
    made = Runs(tmp_path)
    yield made
    assert made.host.stdin
    made.host.stdin.close()
    made.host.wait(30)


def test_killed_ten_times_every_sample_is_there_once_and_none_is_scored_twice(
    runs: Runs, loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.reply = lambda request: Reply(latency=0.05)
    rng = random.Random(SEED)
    needed = 2 * sum(SAMPLES.values())
    starts = []
    for _ in range(KILLS):
        starts.append(len(loopback.requests))
        pid, kill_at = runs.start(), starts[-1] + rng.randint(1, 2 * needed // (KILLS + 1))
        end = time.monotonic() + 60
        while len(loopback.requests) < kill_at:
            assert time.monotonic() < end, runs.output()
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        assert runs.end() == -signal.SIGKILL, runs.output()
    starts.append(len(loopback.requests))
    runs.start()
    assert runs.end() == 0, runs.output()

    # What was in flight at the kill is asked again, both calls of a sample at most; what was complete never is, though
    # the log file had not been written yet: Inspect finds it in its buffer, which is on the disk of this machine.
    seen: Counter[tuple[str, str]] = Counter()
    for start, end in pairwise([*starts, len(loopback.requests)]):
        asked = Counter((request.model, request.text) for request in loopback.requests[start:end])
        assert max(asked.values(), default=1) == 1, "a run asks nothing twice"
        again = Counter(model for model, text in asked if seen[model, text])
        assert again["judge"] <= again["model"] <= len(SAMPLES) * AT_ONCE, again
        seen += asked
    assert len(seen) == needed
    assert seen.total() > needed, "no kill hit anything"

    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    found = read_runs([str(tmp_path / "logs")])
    assert {f"infer_{run.kind}": len(run.rows) for run in found.counted} == SAMPLES
    assert len(found.counted) == len(SAMPLES)
    assert all("did not finish (status started)" in sentence for sentence in found.left_out)
    for run in found.counted:
        assert run.rows["id"].is_unique
        assert run.rows["score"].notna().all()
        assert set(run.rows["ratings"]) == {'{"openai-api/loop/judge": [3]}'}
