"""`thoughttrace split` and `thoughttrace export`, as people call them."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from thoughttrace.cli.main import main
from thoughttrace.datasets.sources import open_source
from thoughttrace.datasets.split import read_split


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a split of the sample."""
    folder = tmp_path_factory.mktemp("split")
    done = call("split", "sample", "-o", folder / "splits/v1.json")
    assert done.exit_code == 0, done.output
    (folder / "said.txt").write_text(done.output, encoding="utf-8")
    return folder


def test_a_split_prints_sizes_strata_and_why(folder: Path) -> None:
    said = (folder / "said.txt").read_text(encoding="utf-8")
    made = read_split(folder / "splits/v1.json")
    rows = {cells[1].strip(): cells[2:5] for line in said.splitlines() if len(cells := line.split("│")) > 5}
    assert [int(cell) for cell in rows["users"]] == [len(users) for users in made.users.values()]
    assert sum(int(cell) for cell in rows["conversations"]) == 22
    assert sum(int(cell) for cell in rows["thoughts"]) == 248
    models = [name for name in rows if name.startswith("users: Sample Assistant")]
    assert sum(int(cell) for name in models for cell in rows[name]) == 19
    assert "Users are split, not conversations: a user's conversations share topics" in said
    # Three of the 19 users have two conversations: 6 × 0.8 / 22.
    assert "22% of test conversations would have their user in training" in said
    assert made.sha256 in said


def test_a_split_that_is_there_is_kept(folder: Path, tmp_path: Path) -> None:
    file = folder / "splits/v1.json"
    before = file.read_bytes()
    assert call("split", "sample", "-o", file).exit_code == 0
    other = tmp_path / "other.jsonl"
    records = [json.loads(line) for line in _sample_lines()[:14]]
    other.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    refused = call("split", other, "-o", file)
    assert refused.exit_code == 1
    assert "holds another split; give another file with -o." in refused.output
    assert file.read_bytes() == before


def _sample_lines() -> list[str]:
    from thoughttrace.datasets import load

    return (Path(load.__file__).resolve().parent / "sample.jsonl").read_text(encoding="utf-8").splitlines()


def test_an_export_holds_the_part_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    file = folder / "splits/v1.json"
    done = call(
        "export",
        "sample",
        "--to",
        "sft",
        "--thoughts",
        "both",
        "--split",
        file,
        "--part",
        "dev",
        "-o",
        tmp_path / "dev",
    )
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (tmp_path / "dev/sft.jsonl").read_text(encoding="utf-8").splitlines()]
    split, source = read_split(file), open_source("sample")
    assert {row["user"] for row in rows} == set(split.users["dev"])
    assert {(row["part"], row["data"], row["data_revision"]) for row in rows} == {("dev", "sample", source.revision)}
    assert any("<reason>" in message["content"] for row in rows for message in row["messages"])
    assert f"{len(rows)} conversations of 2 users, sample, {source.revision}" in done.output

    assert call("export", "sample", "--to", "tables", "--split", file, "-o", tmp_path / "all").exit_code == 0
    thoughts = pd.read_parquet(tmp_path / "all/thoughts.parquet")
    assert dict(zip(thoughts["user"], thoughts["part"], strict=True)) == split.parts()


def test_what_is_unknown_is_said(tmp_path: Path) -> None:
    messages = [{"type": "user", "content": "q", "reasons": [{"content": "why"}]}, {"type": "user", "content": "r"}]
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"id": "user1_task1_conversation1", "messages": messages}), encoding="utf-8")
    done = call("export", file, "--to", "sft", "-o", tmp_path / "out")
    assert "data.jsonl: on 1 of 1 messages it is unknown whether the thought was written after" in done.output


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--to", "sft", "--part", "dev"], 2, "--part needs --split FILE"),
        (["--to", "tables", "--thoughts", "both"], 2, "--thoughts is for --to sft; tables always holds all thoughts."),
        (["--to", "sft", "--split", "{file}"], 1, "of the users in other.jsonl are not in the split, such as 'user1'"),
        (["--to", "csv"], 2, "Invalid value for '--to'"),
    ],
)
def test_mistakes_get_a_sentence(words: list[str], code: int, sentence: str, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    message = {"type": "user", "content": "q"}
    other.write_text(json.dumps({"id": "user1_task1_conversation1", "messages": [message]}), encoding="utf-8")
    words = [word.format(file=folder / "splits/v1.json") for word in words]
    done = call("export", other, *words, "-o", tmp_path / "out")
    assert done.exit_code == code
    assert sentence in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_the_recipes_for_trainers_run_as_printed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (root / "docs/training.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(block, names)
            continue
        for line in block.splitlines():
            done = call(*shlex.split(line)[1:])
            assert done.exit_code == 0, done.output

    split = read_split(tmp_path / "splits/v1.json")
    simulator = [json.loads(line) for line in (tmp_path / "training/simulator.jsonl").read_text().splitlines()]
    assert {row["user"] for row in simulator} == set(split.users["train"])
    assert all(turn["role"] == ("assistant" if number % 2 else "user")
               for row in simulator for number, turn in enumerate(row["messages"]))  # fmt: skip
    rows = pd.read_parquet(tmp_path / "training/verl_dev.parquet")
    assert {extra["user"] for extra in rows["extra_info"]} == set(split.users["dev"])
    assert all(prompt[-1]["role"] == "user" for prompt in rows["prompt"])
    pairs = pd.read_json(tmp_path / "training/dpo.jsonl", lines=True)
    thoughts = pd.read_parquet(tmp_path / "training/tables/thoughts.parquet").set_index("id")
    assert set(thoughts.loc[pairs["id"], "part"]) == {"train"}
    own = thoughts.loc[pairs["id"]]
    assert [chosen[0]["content"] for chosen in pairs["chosen"]] == list(own["content"])
    owners = thoughts.reset_index().groupby("content")["user"].first()
    assert all(
        owners[rejected[0]["content"]] != user for rejected, user in zip(pairs["rejected"], own["user"], strict=True)
    )
    # What is shown ends with the message that the thought is on.
    messages = pd.read_parquet(tmp_path / "training/tables/messages.parquet").set_index("id")
    for prompt, message in zip(pairs["prompt"], own["message"], strict=True):
        assert f"{messages.loc[message, 'content']}\n\nWhy did the user" in prompt[0]["content"]
