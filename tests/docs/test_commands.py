"""Every command of the documentation, run as printed: on servers that speak the real protocols, and on a Hub here.

Each page is one session of bash in a folder of its own, whose blocks run in order. `inspect` and `thoughttrace` are the
real ones, in forks of a process that has imported them (`tests/command_host.py`).
"""

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_client
import pytest
from loopback import Reply, Request, default_text, verdict
from loopback.batch import BatchLoopback

from thoughttrace.datasets.hub import REVISION
from thoughttrace.tasks.calibrate_judge import RATED_PAIRS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "make demo": "fetches 1.6 GB and takes minutes: tests/cli/test_demo.py; what it runs is `inspect eval` as here",
    "make test": "these tests",
    "pip install -e .": "this environment is made so, by the Makefile",
}
"""Commands that are replaced by nothing, and why, or where they are tested."""

TIMEOUT = 200
"""Seconds for a page."""

ADDRESS, STOP = r"http://[\w.]+:\d+\S*\s", "\x03"

DIALOGUES = {
    "--page": [],  # written, not asked
    "--import": [],
    "inspect view": [(ADDRESS, STOP)],
    "--browser": [(ADDRESS, STOP)],
    "thoughttrace guess": [
        (r"Go on\?", "y\r"), (r"any key", " "), (r"> $", "I was curious.\r"), (r"> $", "s\r"), (r"> $", "q\r"),
    ],
    "thoughttrace rate": [(r"q quit", key) for key in "34q"],
}  # fmt: skip
"""What is typed into commands that ask or serve: in answer to what, and what."""


def answer(request: Request) -> Reply:
    """An inference, a verdict that depends on judge and prompt, or what else conforms."""
    draw = hashlib.sha256(f"{request.model}{request.blocks}".encode()).digest()[0]
    if request.schema and {"rating", "note_verdict"} & set(request.schema.get("properties", {})):
        return Reply(verdict(1 + draw % 5))
    if request.schema:
        return Reply(default_text(request))
    return Reply(f"I wondered what {request.model} would say of {len(request.text)} characters.")


@pytest.fixture(scope="module")
def release() -> bytes:
    """A small release: the beginnings of the bundled conversations."""
    lines = (ROOT / "datasets/sample.jsonl").read_text(encoding="utf-8").splitlines()
    conversations = [json.loads(line) for line in lines]
    return b"".join(
        json.dumps(each | {"messages": each["messages"][:4]}).encode() + b"\n" for each in conversations[:7]
    )


@pytest.fixture(scope="module")
def answers(release: bytes) -> str:
    """A file of answers to all samples of the release, as somebody has it who begins with one."""
    ids = [
        f"{conversation['id']}/m{index:02}/{kind}"
        for conversation in map(json.loads, release.splitlines())
        for index, message in enumerate(conversation["messages"])
        for kind in ("reason", "reaction")
        if message.get(f"{kind}s")
    ]
    return "".join(json.dumps({"id": each, "text": f"I thought of {each}."}) + "\n" for each in ids)


def rated_pairs() -> bytes:
    """A set of pairs of sentences with people's ratings, in the form of STS-B."""
    rows = [{"sentence1": f"He has {n} cats.", "sentence2": "He has cats.", "score": n % 6} for n in range(12)]
    return gzip.compress("\n".join(map(json.dumps, rows)).encode())


@pytest.fixture(scope="module")
def environment(
    release: bytes, hub_server: Any, inspect_host: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of all commands: servers, caches, and a search path that begins with the commands."""
    folder = tmp_path_factory.mktemp("commands")
    commands = folder / "bin"
    commands.mkdir()
    client = Path(command_client.__file__).read_text(encoding="utf-8")
    not_run = f'grep -qxF -- "${{0##*/}} $*" \'{folder}/not_run\' || {{ echo "not listed: $0 $*" >&2; exit 1; }}\n'
    (folder / "not_run").write_text("\n".join(NOT_RUN))
    for name in ("inspect", "thoughttrace"):
        (commands / name).write_text(f"#!{sys.executable} -IS\n{client}", encoding="utf-8")
    for name in ("make", "pip"):
        (commands / name).write_text(f"#!/bin/bash\n{not_run}")
    for file in commands.iterdir():
        file.chmod(0o755)
    stsb = RATED_PAIRS["stsb"]
    with (
        BatchLoopback(answer) as models,
        hub_server.running_hub(release, {REVISION: REVISION}) as hub,
        hub_server.running_hub(rated_pairs(), {stsb.revision: stsb.revision}) as pairs,
    ):
        pairs.repository, pairs.name = stsb.file.repository, stsb.file.name
        yield os.environ | models.environment | {
            "PATH": f"{commands}:{os.environ['PATH']}",
            command_client.SOCKET: inspect_host.socket,
            command_client.SETUP: str(Path(__file__).with_name("stand_ins.py")),
            command_client.DIALOGUES: json.dumps(DIALOGUES),
            "HF_ENDPOINT": hub.endpoint,
            "PAIRS_ENDPOINT": pairs.endpoint,
            "HF_HOME": str(folder / "hub"),
            "HUB_FILE_SIZE": str(len(release)),
            "HUB_FILE_SHA256": hashlib.sha256(release).hexdigest(),
            "THOUGHTTRACE_CACHE": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
            "COLUMNS": "120",
            "INSPECT_DISPLAY": "plain",
        }  # fmt: skip


def blocks(page: Path) -> list[tuple[int, str]]:
    """The commands of a page: the line that each block begins at, and its text."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, found.start()) + 2, found[1]) for found in BLOCK.finditer(text)]


def test_every_command_that_is_not_run_stands_on_a_page() -> None:
    lines = [line.partition("#")[0].strip() for page in PAGES for _, text in blocks(page) for line in text.splitlines()]
    assert [command for command in NOT_RUN if command not in lines] == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_every_command_of_a_page_runs_as_printed(
    page: Path, environment: dict[str, str], answers: str, tmp_path: Path
) -> None:
    (tmp_path / "answers.jsonl").write_text(answers, encoding="utf-8")
    for name in ("examples", "protocols", "tasks"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    if (ROOT / "results").exists():
        shutil.copytree(ROOT / "results", tmp_path / "results")  # a command may write into it
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(environment["PATH"].partition(":")[0])
    session = "set -euo pipefail\n" + "".join(
        f"echo '>>> {page.name}, line {line}'\n{text}\n" for line, text in blocks(page)
    )
    status, output = run(session, tmp_path, environment)
    assert status == 0, output[-6000:]
    # Inspect ends with status 0 where a run failed, too.
    assert not re.search(r"Traceback|Task interrupted|Task cancelled", output), output[-6000:]


def run(session: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a session of bash; its status and its output."""
    with (folder / "output").open("w+", encoding="utf-8") as output:
        bash = subprocess.Popen(
            ["bash", "-c", session], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            status = bash.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(bash.pid, signal.SIGKILL)  # and the commands with it: their host sees them gone
            bash.wait()
        output.seek(0)
        return status, output.read()


@pytest.mark.parametrize("wrong", ["thoughttrace report nowhere", "inspect eval nothing.py", "pip install other"])
def test_a_command_that_fails_or_is_not_listed_fails_its_page(
    wrong: str, environment: dict[str, str], tmp_path: Path
) -> None:
    assert run(f"set -euo pipefail\n{wrong}\necho went on\n", tmp_path, environment)[0] != 0
