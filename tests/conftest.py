"""What several test folders share: a scripted provider, small conversations, the real examples."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
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

ROOT = Path(__file__).resolve().parents[1]
Script = Callable[[list[ChatMessage]], str]


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
            output = ModelOutput.from_content(self.model_name, self.script(input))
            output.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
            return output

    return Scripted


@pytest.fixture
def scripted() -> Callable[[str, Script], Model]:
    """Make a model `scripted/NAME` that answers by a function of the messages it gets."""
    return lambda name, script: get_model(f"scripted/{name}", script=script, memoize=False)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


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


@pytest.fixture
def make_conversation() -> Callable[..., dict[str, Any]]:
    return conversation
