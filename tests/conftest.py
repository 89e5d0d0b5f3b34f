"""What several test folders share: a scripted provider, small conversations, the real examples."""

import gc
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from importlib.util import module_from_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)

from thoughttrace.datasets.hub import REVISION
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]


def _by_path(name: str) -> Any:
    """Import a module of this folder: `tests` on the import path would shadow `datasets`."""
    spec = PathFinder.find_spec(name, [str(ROOT / "tests")])
    assert spec
    assert spec.loader
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_loopback = _by_path("loopback")
command_client = _by_path("command_client")

Script = Callable[[list[ChatMessage]], str | ModelOutput]


@pytest.fixture(scope="session", autouse=True)
def quick_runs() -> Iterator[None]:
    """Spare the runs inside the tests' process what nobody looks at; the logs they write are the same.

    A run keeps its events in a database too, so that `inspect view` can show it live, and asks every installed package
    for its modules, each time anew: half of the time of a run of scripted models. It lays out its table of results also
    where it shows none, counts how deep each sample is nested, and starts twelve threads to compress each. Runs in
    processes of their own (`tests/providers/test_kill.py`, `tests/tasks/test_inspect_command.py`) have all of this; the
    list of packages is read before they start.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inspect_ai._eval.task.log.SampleBufferDatabase", lambda **_: None)
        patch.setattr("inspect_ai._display.rich.display.tasks_results", lambda _: "")
        patch.setattr("inspect_ai._display.rich.display.task_live_status", lambda *_: "")
        patch.setattr("inspect_ai._display.rich.display.tasks_live_status", lambda *_: "")
        patch.setattr("inspect_ai.log._condense.exceeds_max_depth", lambda *_: False)
        patch.setattr("inspect_ai._util.zipfile._ZSTD_THREADS", 0)
        patch.setattr("inspect_ai._util.package.packages_distributions", cache(packages_distributions))
        yield


@pytest.fixture(scope="module", autouse=True)
def rare_garbage_collection() -> None:
    """Leave what was imported so far out of garbage collection, which else takes a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@modelapi(name="scripted")
def scripted_provider() -> type[ModelAPI]:
    """A provider that answers by a function and states its usage, so that nothing is downloaded."""

    class Scripted(ModelAPI):
        def __init__(self, model_name: str, script: Script, **args: Any) -> None:
            super().__init__(model_name)
            self.script = script
            self.requests: list[tuple[list[ChatMessage], GenerateConfig]] = []

        async def generate(
            self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
        ) -> ModelOutput:
            self.requests.append((input, config))
            said = self.script(input)
            output = ModelOutput.from_content(self.model_name, said) if isinstance(said, str) else said
            output.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
            return output

    return Scripted


@pytest.fixture(scope="session")
def scripted() -> Callable[[str, Script], Model]:
    """Make a model `scripted/NAME` that answers by a function of the messages it gets: a text, or a whole output."""
    return lambda name, script: get_model(f"scripted/{name}", script=script, memoize=False)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def short_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample's first 14 conversations, whose replies are short, for tests that run all samples."""
    path = tmp_path_factory.mktemp("short") / "sample.jsonl"
    lines = (ROOT / "datasets/sample.jsonl").read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:14]))
    return path


@pytest.fixture(scope="session")
def examples() -> Path:
    """The 20 real conversations, which are never part of the repository."""
    path = Path(os.environ.get("THOUGHTTRACE_EXAMPLES", ROOT.parent / "shared/data/ThoughtTrace_examples.jsonl"))
    if not path.exists():
        pytest.skip("the real conversations are not here (set THOUGHTTRACE_EXAMPLES to their file)")
    return path


def thought(content: str, label: str, **rest: Any) -> dict[str, Any]:
    return {"content": content, "label": label, "timestamp": "2026-01-01T00:00:00Z", **rest}


def conversation(user: str = "user1", task: int = 1, turns: int = 3, canary: str = "") -> dict[str, Any]:
    """A record in the release's form; with `canary`, every thought says it and its own number."""
    messages: list[dict[str, Any]] = []
    for turn in range(turns):
        said = f"{canary} secret {user} {task} {turn}"
        messages += [
            {
                "id": 2 * turn,
                "type": "user",
                "timestamp": f"2026-01-01T00:0{turn}:00Z",
                "content": f"question {turn} of {user}, one two three four",
                "reasons": [thought(f"reason {said}", "task_motivation")],
            },
            {
                "id": 2 * turn + 1,
                "type": "assistant",
                "timestamp": f"2026-01-01T00:0{turn}:30+00:00",
                "content": f"answer {turn} to {user}, one two three four",
                "reactions": [thought(f"reaction {said}", "explicit_affirmation")],
            },
        ]
    return {
        "id": f"{user}_task{task}_conversation1",
        "model_name": "Some Model",
        "messages": messages,
        "task_summary": "the summary",
        "task_expectation": "the expectation",
        "survey_answers": [{"age": "31", "occupation": "Interpreter", "frequency": "5"}],
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records (or raw bytes) as the lines of a JSONL file."""

    def write(*records: dict[str, Any] | bytes, name: str = "data.jsonl") -> Path:
        path = tmp_path / name
        lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


@pytest.fixture(scope="session")
def make_conversation() -> Callable[..., dict[str, Any]]:
    return conversation


# By what the judge is asked: a rating 1–5, or a reply that is no verdict.
REPLIES = [_loopback.verdict(rating) for rating in range(1, 6)]
BAD = ["", "no idea", '{"rationale": "because", "rating": 9}']


def reply(prompt: str) -> str:
    """The judge's reply to a prompt, drawn by a hash: most are verdicts, some are not."""
    draw = int(hashlib.sha256(prompt.encode()).hexdigest(), 16)
    return BAD[draw // 8 % 3] if draw % 8 == 0 else REPLIES[draw // 8 % 5]


@pytest.fixture(scope="session")
def judged() -> Callable[[list[Any]], str]:
    """A judge's script: its reply depends on the first question only, so a repair changes nothing."""
    return lambda messages: reply(messages[1].text)


@pytest.fixture(scope="session")
def run_infer(judged: Callable[[list[Any]], str]) -> Callable[..., EvalLog]:
    """Run one of the inference tasks on a file of conversations, by a scripted model and judge, into a folder."""

    def run(
        data: Path, log_dir: Path, kind: str = "reason", model: str = "m", judge: Script | None = None, **options: Any
    ) -> EvalLog:
        task = {"reason": infer_reason, "reaction": infer_reaction}[kind](data=str(data))
        (log,) = inspect_eval(
            task,
            model=get_model(f"scripted/{model}", script=lambda messages: f"guess of {model}", memoize=False),
            model_roles={"grader": get_model("scripted/j", script=judge or judged, memoize=False)},
            log_dir=str(log_dir),
            display="none",
            **options,
        )
        return log

    return run


@pytest.fixture(scope="session")
def nine_users() -> list[dict[str, Any]]:
    """18 conversations of 9 users."""
    return [conversation(f"user{n}", task, turns=1 + n % 5) for n in range(9) for task in (1, 2)]


@pytest.fixture(scope="module")
def run_in_module(
    run_infer: Callable[..., EvalLog],
    nine_users: list[dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., EvalLog]:
    """As `run_task`, for runs that a module's tests only read: into a folder of the module, beside its data."""
    folder = tmp_path_factory.mktemp("module")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in nine_users), encoding="utf-8")
    return lambda kind="reason", model="m", judge=None, **options: run_infer(
        data, folder / "logs", kind, model, judge, **options
    )


@pytest.fixture
def run_task(
    tmp_path: Path, run_infer: Callable[..., EvalLog], nine_users: list[dict[str, Any]], write: Callable[..., Path]
) -> Callable[..., EvalLog]:
    """Run one of the inference tasks on 18 conversations of 9 users, into a folder of the test."""
    data = write(*nine_users)
    return lambda kind="reason", model="m", judge=None, folder="logs", **options: run_infer(
        data, tmp_path / folder, kind, model, judge, **options
    )


@pytest.fixture(scope="session")
def chromium() -> "Callable[[], AbstractContextManager[Browser]]":
    """Start the system's Chromium; no run of Inspect's can start in this thread until it has ended."""

    @contextmanager
    def start() -> "Iterator[Browser]":
        from playwright.sync_api import sync_playwright

        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if path is None:
            pytest.skip("no Chromium on the PATH (install the system's chromium package)")
        with sync_playwright() as playwright:
            # Half a minute, the default, is not enough where other tests have all the cores.
            yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=120_000)

    return start


@pytest.fixture
def hub(hub_server: Any) -> Iterator[Any]:
    """A running Hub that holds two users' conversations, with the published commit, `main`, and an older one."""
    lines = [json.dumps(conversation(user)) for user in ("user1", "user2")]
    older = "1" * 40
    commits = {REVISION: REVISION, "main": REVISION, older: older, "v0": older}
    with hub_server.running_hub("\n".join(lines).encode() + b"\n", commits) as hub:
        yield hub


@pytest.fixture(scope="session")
def hub_server() -> Any:
    """Load the server by its path: with pytest's import mode, test files cannot import each other."""
    spec = importlib.util.spec_from_file_location("hub_server", ROOT / "tests/datasets/hub_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class InspectHost:
    """A process that has imported Inspect and the tasks; it forks for each command (`tests/command_host.py`).

    Args:
        socket: The host's.
    """

    def __init__(self, socket: str) -> None:
        self.socket = socket

    def start(self, arguments: Sequence[str], cwd: Path, files: Sequence[Path], path: Sequence[Path] = (),
              **environment: str) -> int:  # fmt: skip
        """Start an `inspect` command whose output and errors go to files; its process id."""
        names: list[str | Path] = [os.devnull, *files]
        descriptors = [os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC) for name in names]
        pid, self.connection = command_client.start(
            self.socket, ["inspect", *arguments], descriptors, str(cwd), os.environ | environment,
            path=[*map(str, path)],
        )  # fmt: skip
        for descriptor in descriptors:
            os.close(descriptor)
        return int(pid)

    def end(self) -> int:
        """Wait for its end: its exit status, or minus the signal that killed it."""
        with self.connection:
            return int(command_client.end(self.connection))


@pytest.fixture(scope="session")
def inspect_host() -> Iterator[InspectHost]:
    # Not in pytest's folder: a socket's path has 104 characters at most on macOS.
    with TemporaryDirectory(dir="/tmp") as folder:
        command = [sys.executable, str(ROOT / "tests/command_host.py"), f"{folder}/host"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield InspectHost(command[-1])


@pytest.fixture
def inspect_command(inspect_host: InspectHost, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Inspect's command in a folder; with folders that go before the others of the import path, and variables."""

    def run(
        *arguments: str, cwd: Path, path: tuple[Path, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        files = [tmp_path / name for name in ("command.out", "command.err")]
        inspect_host.start(arguments, cwd, files, path, **environment)
        status = inspect_host.end()
        return subprocess.CompletedProcess(arguments, status, *(file.read_text(encoding="utf-8") for file in files))

    return run
