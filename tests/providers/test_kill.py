"""An eval-set that is killed again and again and started again with the same words loses nothing that was complete."""

import os
import random
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply

from thoughttrace.analysis.read.runs import read_runs

KILLS, SEED = 10, 5
AT_ONCE = 4  # samples of each of the two tasks
SAMPLES = {"infer_reason": 30, "infer_reaction": 30}

LINE = (
    "eval-set thoughttrace/infer_reason thoughttrace/infer_reaction --model openai-api/loop/model --log-dir logs "
    f"--model-role grader=openai-api/loop/judge --limit 30 --max-samples {AT_ONCE} --display plain"
)


class Runs:
    """Runs of one and the same command."""

    def __init__(self, host: Any, folder: Path) -> None:
        self.host = host
        self.folder = folder

    def start(self) -> int:
        """Start the command, with a home folder of its own; its process id."""
        homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"), str(self.folder))
        files = [self.folder / "output", self.folder / "errors"]
        pid: int = self.host.start(LINE.split(), self.folder, files, **homes)
        return pid

    def end(self) -> int:
        """Wait for its end: its exit status, or minus the signal that killed it."""
        status: int = self.host.end()
        return status

    def output(self) -> str:
        return (self.folder / "output").read_text() + (self.folder / "errors").read_text()


@pytest.fixture
def runs(inspect_host: Any, loopback: Any, tmp_path: Path) -> Runs:
    return Runs(inspect_host, tmp_path)


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
    # the log file had not been written yet: Inspect finds it in its buffer, which is on the disk of this machine. In
    # flight are also samples that have ended and are on their way to that disk, while the next ones have begun.
    seen: Counter[tuple[str, str]] = Counter()
    for start, end in pairwise([*starts, len(loopback.requests)]):
        asked = Counter((request.model, request.text) for request in loopback.requests[start:end])
        assert max(asked.values(), default=1) == 1, "a run asks nothing twice"
        again = Counter(model for model, text in asked if seen[model, text])
        assert again["judge"] <= again["model"] <= 2 * len(SAMPLES) * AT_ONCE, again
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
        rating = {"reason": 3, "reaction": 5}[run.kind]  # the middle of each choice
        assert set(run.rows["ratings"]) == {f'{{"openai-api/loop/judge": [{rating}]}}'}
