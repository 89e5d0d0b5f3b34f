"""The documentation of the paper's experiment: its commands, on servers that speak the providers' protocols."""

import hashlib
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai.log import read_eval_log
from loopback import Reply, verdict

from thoughttrace.cli.main import main

MODELS = ("openai/gpt-5.4", "anthropic/claude-opus-4-6", "google/gemini-3.1-pro-preview")


def rated(request: Any) -> Reply:
    """An inference that names its model, or a rating by a hash of judge and prompt."""
    if request.schema is None:
        return Reply(f"I wondered what {request.model} would say.")
    draw = hashlib.sha256(f"{request.model}{request.blocks}".encode()).digest()
    return Reply(verdict(1 + draw[0] % 5))


def commands(page: str) -> list[list[str]]:
    """The commands of its first block, with the loop unrolled."""
    block = page.partition("```sh\n")[2].partition("```")[0]
    variable, rest = block.strip().split("\n", 1)
    block = rest.replace("$MODELS", variable.partition("=")[2]).replace("\\\n", " ")
    lines = []
    for line in block.replace("; done", "").strip().splitlines():
        if line.startswith("for "):
            words = line.partition(" in ")[2].partition(";")[0].split()
        elif "$control" in line:
            lines += [line.replace("$control", word) for word in words]
        elif line:
            lines.append(line)
    return [shlex.split(line) for line in lines]


def test_the_commands_of_the_page_give_the_papers_table(
    root: Path,
    loopback: Any,
    inspect_command: Callable[..., subprocess.CompletedProcess[str]],
    write: Callable[..., Path],
    make_conversation: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THOUGHTTRACE_CACHE", str(tmp_path / "cache"))
    loopback.reply = rated
    data = write(*(make_conversation(f"user{n}", turns=2) for n in range(3)))
    steps = commands((root / "docs/paper.md").read_text(encoding="utf-8"))
    assert [step[:2] for step in steps] == [
        ["inspect", "eval-set"], *[["inspect", "eval"]] * 3, ["thoughttrace", "report"],
    ]  # fmt: skip
    servers = {name: os.environ[name] for name in loopback.environment}
    for step in steps[:-1]:
        words = [word.replace("data=hub", f"data={data}") for word in step[1:]]
        done = inspect_command(*words, cwd=tmp_path, **servers)
        assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.chdir(tmp_path)
    report = CliRunner().invoke(main, steps[-1][1:])
    assert report.exit_code == 0, report.output
    votes = []
    for file in (tmp_path / "logs/paper").glob("*.eval"):
        log = read_eval_log(str(file))
        for sample in log.samples or []:
            for vote in ((sample.scores or {})["agreement"].metadata or {})["votes"]:
                assert vote["judge"] != log.eval.model
                votes.append((log.eval.task.rpartition("_")[2], log.eval.model, sample.id, vote["rating"]))
    table = pd.DataFrame(votes, columns=["kind", "model", "id", "rating"])
    assert len(table) == 2 * len(MODELS) * 6 * 2
    headline = pd.read_csv(tmp_path / "report/headline.csv")
    for kind, of_kind in table.groupby("kind"):
        rows = headline[headline["kind"] == kind].set_index("model")
        means = of_kind.groupby("model")["rating"].mean()
        assert list(rows.index[:3]) == sorted(MODELS)
        for model in MODELS:
            assert rows.loc[model, "mean"] == pytest.approx(means[model])
        pooled = rows.loc["mean of 3 models, each judged by the others"]
        assert pooled["mean"] == pytest.approx(means.mean())
        assert pooled["lower"] < pooled["mean"] < pooled["upper"]
    for name, rows_of_kind in (("comparisons", 3), ("ranking", 3), ("recovered_share", 3), ("models_vs_controls", 9)):
        found = pd.read_csv(tmp_path / f"report/{name}.csv")
        assert (found[found["by"] == "model"] if "by" in found else found).groupby("kind").size().tolist() == [
            rows_of_kind, rows_of_kind,
        ]  # fmt: skip
