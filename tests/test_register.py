"""What other platforms read of the repository: the register of Inspect's evaluations, and GitHub."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from thoughttrace.core.published import totals
from thoughttrace.core.record import INFER
from thoughttrace.datasets.sampling import select
from thoughttrace.datasets.sources import open_source

VALIDATE = """
import json, sys
from inspect_evals.metadata import ExternalEvalMetadata
ExternalEvalMetadata(**json.load(sys.stdin))
"""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_registers_entry_names_the_tasks_and_their_samples(root: Path) -> None:
    entry = load(root / "eval.yaml")
    conversations = open_source("sample", False).conversations
    assert entry["tasks"] == [
        {
            "name": spec.name,
            "task_path": f"tasks/{spec.name}.py",
            "dataset_samples": len(select(conversations, kind, None, None, None, 0)),
            "comment": "Of the bundled sample, which is invented. The release (-T data=hub) holds "
            f"{totals()[f'{kind}s']:,} {kind}s.",
        }
        for kind, spec in INFER.items()
    ]
    assert all((root / each["task_path"]).is_file() for each in entry["tasks"])


def test_the_register_takes_the_entry(root: Path, tmp_path: Path) -> None:
    python = os.environ.get("THOUGHTTRACE_CONSUMERS", sys.executable)
    if python == sys.executable:
        try:
            importlib.metadata.version("inspect-evals")
        except importlib.metadata.PackageNotFoundError:
            pytest.skip("inspect-evals is not installed (set THOUGHTTRACE_CONSUMERS to a Python that has it)")
    # What the register adds.
    added = {
        "id": "thoughttrace",
        "source": {"repository_url": "https://example.org/owner/name", "repository_commit": "0" * 40},
    }
    done = subprocess.run(
        [python, "-c", VALIDATE],
        input=json.dumps(load(root / "eval.yaml") | added),
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_workflows_run_what_people_run_on_every_python_that_is_supported(root: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    workflows = {path.stem: load(path) for path in (root / ".github/workflows").glob("*.yml")}
    jobs = [job for workflow in workflows.values() for job in workflow["jobs"].values()]
    steps = [step for job in jobs for step in job["steps"]]
    commands = "\n".join(step.get("run", "") for step in steps)
    made = {target for line in re.findall(r"^make (.+)$", commands, re.MULTILINE) for target in line.split()}
    assert made == {"lint", "types", "test"}
    assert made <= targets
    # A tag can be moved to other code; a commit cannot.
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    requires = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    pythons = workflows["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert requires == f">={pythons[0]}"
    assert pythons == [f"3.{minor}" for minor in range(11, 15)]
