"""From a list of answers to a card and a leaderboard row, by the commands that people type."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from thoughttrace.cli.main import main

Make = Callable[..., Any]
JUDGE = """
import hashlib, json
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, modelapi

@modelapi(name="canned")
def canned():
    class Canned(ModelAPI):
        async def generate(self, input, tools, tool_choice, config):
            draw = hashlib.sha256(input[1].text.encode()).digest()[0]
            said = {"note_verdict": "pleased", "guess_verdict": "pleased", "cause": ("same", "part", "other")[draw % 3]}
            said |= {"rationale": "x", "rating": 1 + draw % 5}
            output = ModelOutput.from_content(self.model_name, json.dumps(said))
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            return output
    return Canned
"""


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, [*arguments])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    """A folder with an installed provider `canned/…`."""
    site = tmp_path / "site"
    (site / "canned-0.dist-info").mkdir(parents=True)
    (site / "canned_provider.py").write_text(JUDGE, encoding="utf-8")
    (site / "canned-0.dist-info/METADATA").write_text("Name: canned\nVersion: 0\n", encoding="utf-8")
    (site / "canned-0.dist-info/entry_points.txt").write_text(
        "[inspect_ai]\ncanned = canned_provider\n", encoding="utf-8"
    )
    return site


def test_a_list_of_500_answers_gets_a_card_and_a_row_in_three_commands(
    inspect_command: Callable[..., subprocess.CompletedProcess[str]],
    judge: Path,
    make_conversation: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [make_conversation(f"user{n}", turns=5) for n in range(50)]
    Path("data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    ids = [f"user{n}_task1_conversation1/m{place:02}" for n in range(50) for place in range(10)]
    answers = [{"id": f"{name}/{('reason', 'reaction')[int(name[-2:]) % 2]}", "text": f"of {name}"} for name in ids]
    Path("answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers), encoding="utf-8")

    done = inspect_command(
        "eval", "thoughttrace/infer_reason", "thoughttrace/infer_reaction", "-T", "data=data.jsonl",
        "-T", "answers=answers.jsonl", "-T", "system=our system", "--model", "none/none",
        "--model-role", "grader=canned/j", "--log-dir", "logs/ours", "--display", "none",
        cwd=tmp_path, path=(judge,),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = run("submit", "logs/ours", "--by", "Our group").output
    run("leaderboard", "results")

    assert "DOES NOT FOLLOW infer-v1" in said
    assert "✗ panel: asked openai/gpt-5.4" in said
    assert "✗ judges missing: openai/gpt-5.4, " in said
    (file,) = Path("results").glob("*_our-system_*.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    assert (result["system"]["sort"], result["submitted_by"]) == ("made elsewhere", "Our group")
    assert [result[kind]["samples"] for kind in ("reason", "reaction")] == [250, 250]
    page = Path("leaderboard/index.html").read_text(encoding="utf-8")
    for kind in ("reason", "reaction"):
        assert f'id="{kind}_1-table"' in page
        assert f"{result[kind]['mean']['value']:.2f}" in page
    assert "our system" in page
    assert "not infer-v1: " in page
    assert len(list(Path("leaderboard").glob("every_eval_ever/data/thoughttrace/Our_group/our_system/*.json"))) == 1

    # The same logs again: the same file. And the card.
    run("submit", "logs/ours", "--by", "Our group")
    assert list(Path("results").glob("*.json")) == [file]
    run("card", "logs/ours")
    (card,) = Path("card").glob("*.md")
    assert card.read_text(encoding="utf-8").startswith("# our system\n")
    assert json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))["reason"] == result["reason"]

    # The page does not go among the results.
    before = sorted(Path("results").iterdir())
    assert "Give another with -o" in run("leaderboard", "results", "-o", "logs/../results", code=1).output
    assert sorted(Path("results").iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "LOGS", "--by", "  "], "--by   : give a name of 1 to 100 characters on one line."),
        (["submit", "LOGS", "--by", "x", "--protocol", "none"], "protocol none: "),
        (["submit", "nowhere", "--by", "x"], "nowhere: no such log file or folder."),
        (["card", "LOGS"], "No finished run"),
        (["card", "LOGS", "--manifest", "none.json"], "none.json: "),
        (["leaderboard", "nowhere"], "nowhere: no such folder of results."),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("LOGS").mkdir()
    said = run(*arguments, code=1).output
    assert said.startswith(f"Error: {message}")
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["LOGS"]


def test_a_log_whose_name_is_not_utf_8_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.eval").write_bytes(b"")
    said = run("card", str(tmp_path), code=1).output
    assert said.startswith("Error: No finished run")
    assert ".eval: has a name that is not UTF-8, which no table can hold; rename it." in said
