"""`thoughttrace rate`, by hand in a real terminal."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from inspect_ai.log import EvalLog
from rich.console import Console

from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.cli.people.ratings import Texts, human_rubric, questions_for
from thoughttrace.cli.rating_screen import _page

Runner = Callable[..., EvalLog]
Records = list[dict[str, Any]]


class Terminal:
    """A tmux session of its own server, in which the command runs; its process replaces the shell."""

    def __init__(self, folder: Path, sockets: str) -> None:
        self.folder, self.ratings, self.sockets = folder, folder / "ratings.jsonl", sockets
        self.socket, self.pid, self.seen = "", 0, ""

    def tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-S", self.socket, *words], capture_output=True, text=True, check=False)
        assert not done.returncode, f"tmux {words[0]}: {done.stderr}"
        return done.stdout

    def start(self, *options: str) -> None:
        # A server that was told to end still holds its socket for a moment.
        self.socket = f"{self.sockets}/{uuid4()}"
        command = [sys.executable, "-m", "thoughttrace", "rate", "logs", "--rater", "ann", *options]
        size = ("-x", "100", "-y", "40")
        self.tmux("-f", os.devnull, "new-session", "-d", *size, "-c", str(self.folder), *command)
        self.tmux("set-option", "-g", "remain-on-exit", "on")
        self.pid = int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def wait(self, text: str) -> str:
        """The screen, once it shows the text."""
        end = time.monotonic() + 60
        while text not in (screen := self.tmux("capture-pane", "-p")):
            assert time.monotonic() < end, f"{text!r} is not on the screen:\n{screen}"
            time.sleep(0.05)
        self.seen += screen
        return screen

    def press(self, key: str, then: str) -> str:
        time.sleep(0.2)  # as a person: keys pressed before the screen is drawn do not count
        self.tmux("send-keys", key)
        return self.wait(then)

    def records(self) -> Records:
        return [json.loads(line) for line in self.ratings.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def hidden_logs(
    run_infer: Runner, make_conversation: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Logs of one model on both kinds."""
    folder = tmp_path_factory.mktemp("hidden")
    records = [make_conversation(f"user{n}", turns=1 + n % 5) for n in range(9)]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    for kind in ("reason", "reaction"):
        run_infer(data, folder / "logs", kind, "hidden", limit=8)
    return folder / "logs"


@pytest.fixture
def terminal(hidden_logs: Path, tmp_path: Path) -> Iterator[Terminal]:
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    shutil.copytree(hidden_logs, tmp_path / "logs")
    with tempfile.TemporaryDirectory(dir="/tmp") as sockets:  # a socket's path is at most some 100 characters
        found = Terminal(tmp_path, sockets)
        yield found
        subprocess.run(["tmux", "-S", found.socket, "kill-server"], capture_output=True, check=False)


def test_a_person_rates_undoes_is_killed_and_goes_on(terminal: Terminal) -> None:
    terminal.start()
    first = terminal.wait("0 of ")
    total = first.partition("0 of ")[2].split()[0]
    terminal.press("4", f"1 of {total}")
    terminal.press("x", "That key does nothing here.")
    terminal.press("2", f"2 of {total}")
    terminal.press("u", f"1 of {total}")
    terminal.press("5", f"2 of {total}")
    terminal.press("?", "Somebody who read only")
    terminal.press("Space", "any key: back")
    terminal.press("Space", f"2 of {total}")
    terminal.press("s", f"2 of {total}")
    terminal.press("1", f"3 of {total}")
    os.kill(terminal.pid, signal.SIGKILL)
    assert [record["rating"] for record in terminal.records()] == [4, 2, None, 5, 1]
    terminal.tmux("kill-server")

    whole = terminal.ratings.read_bytes()
    terminal.ratings.write_bytes(whole + whole[:30])  # as if it had been killed in the middle of a line
    terminal.start()
    terminal.wait(f"3 of {total}")
    assert terminal.ratings.read_bytes() == whole
    terminal.press("3", f"4 of {total}")
    terminal.press("q", f"1 rated now; 4 of {total}")
    records = terminal.records()
    assert len({(record["id"], record["inference"]) for record in records}) == 4
    assert records[1]["id"] == records[2]["id"] == records[3]["id"]
    assert {record["rater"] for record in records} == {"ann"}


def test_the_rater_sees_texts_and_not_who_wrote_or_judged_them(terminal: Terminal) -> None:
    terminal.start("--limit", "3")
    terminal.wait("0 of 3 rated")
    for done in (1, 2):
        terminal.press("3", f"{done} of 3 rated")
    assert "guess of hidden" in terminal.seen  # this model names itself in its inferences
    shown = terminal.seen.replace("guess of hidden", "")
    assert not [word for word in ("hidden", "scripted", "Some Model", "because", "conversation1") if word in shown]
    assert "question" in shown
    assert "secret user" in shown  # of the note
    terminal.press("3", "3 rated now; 3 of 3 in ratings.jsonl")


def test_keys_that_come_together_rate_no_more_than_what_is_on_the_screen(terminal: Terminal) -> None:
    terminal.start()
    terminal.wait("0 of ")
    time.sleep(0.3)
    terminal.tmux("send-keys", "-l", "345")
    time.sleep(0.5)
    assert len(terminal.records()) <= 1
    terminal.press("Up", "That key does nothing here.")


@pytest.mark.parametrize(("width", "height"), [(100, 40), (80, 24), (50, 16), (200, 60)])
def test_the_page_is_never_higher_than_the_screen(width: int, height: int) -> None:
    console = Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)
    shown = Texts("before " * 200, "message " * 300, ["one", "note " * 100], "guess \x1b[2J\u202e" * 80 + "end")
    console.print(_page(console, "reaction", shown, 3, 9, ""), width=min(width, 100), end="")
    text = console.export_text()
    assert len(text.splitlines()) < height
    assert max(map(len, text.splitlines())) <= min(width, 100)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "q quit" in text or width < 62
    assert "… m shows all" in text
    assert "The guess" in text


def test_a_rater_reads_the_judges_rubric_without_its_last_two_paragraphs() -> None:
    for kind in ("reason", "reaction"):
        text = human_rubric(kind)
        assert [line[0] for line in text.splitlines()[-5:]] == [*"12345"]
        assert "take the one that the guess matches best." in text
        assert "JSON" not in text
        assert "square brackets" not in text


def test_the_order_is_the_raters_and_a_limit_is_everybodys(run_task: Runner, tmp_path: Path) -> None:
    for kind in ("reason", "reaction"):
        for model in ("a", "b"):
            run_task(kind=kind, model=model)
    runs = read_runs([str(tmp_path / "logs")]).counted
    ann, again, bob = (questions_for(runs, rater, 0, 20) for rater in ("ann", "ann", "bob"))
    assert [q.key for q in ann] == [q.key for q in again] != [q.key for q in bob]
    assert {q.key for q in ann} == {q.key for q in bob} != {q.key for q in questions_for(runs, "ann", 1, 20)}
    assert [q.key for q in questions_for(runs[::-1], "ann", 0, None)] == [
        q.key for q in questions_for(runs, "ann", 0, None)
    ]
    everything = questions_for(runs, "ann", 0, None)
    assert len({(q.kind, q.model) for q in everything[:20]}) == 4


def test_what_several_models_wrote_is_asked_once(run_task: Runner, tmp_path: Path) -> None:
    run_task(folder="one")
    run_task(folder="two")
    runs = [read_runs([str(tmp_path / folder)]).counted[0] for folder in ("one", "two")]
    assert len(questions_for(runs, "ann", 0, None)) == len(questions_for(runs[:1], "ann", 0, None))


def test_samples_are_drawn_before_their_epochs(run_task: Runner, tmp_path: Path) -> None:
    """A draw of distinct texts had samples whose epochs agree half as often as they are."""
    run_task()
    (run,) = read_runs([str(tmp_path / "logs")]).counted
    samples = sorted(run.rows["id"])
    agree = set(samples[::2])
    epochs = [
        run.rows.assign(
            epoch=epoch, answer=[f"{name} says {'so' if name in agree else epoch}" for name in run.rows["id"]]
        )
        for epoch in (1, 2, 3)
    ]
    repeated = replace(run, rows=pd.concat(epochs, ignore_index=True).assign(score=3.0), epochs=3)
    once = [questions_for([repeated], "ann", seed, len(samples)) for seed in range(20)]
    for questions in once:
        assert sorted(question.id for question in questions) == samples
    drawn = [question.epoch for questions in once for question in questions if question.id not in agree]
    assert all(0.2 < drawn.count(epoch) / len(drawn) < 0.47 for epoch in (1, 2, 3))
    halves = [questions_for([repeated], "ann", seed, len(samples) // 2) for seed in range(20)]
    share = np.mean([question.id in agree for questions in halves for question in questions])
    assert share == pytest.approx(len(agree) / len(samples), abs=0.1)
    everything = questions_for([repeated], "ann", 0, None)
    assert len(everything) == len(agree) + 3 * (len(samples) - len(agree))
    assert [q.key for q in everything[: len(samples)]] == [q.key for q in once[0]]
