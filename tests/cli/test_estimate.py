"""`thoughttrace estimate`: its tables, its sentences, and the mistakes it reports."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from thoughttrace.cli.main import main
from thoughttrace.core.prices import our_prices
from thoughttrace.costing.workload import workloads

MODEL, JUDGE = "openai/gpt-5.4", "anthropic/claude-opus-4-6"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["estimate", *arguments], env={"COLUMNS": "200"})


def test_it_shows_tokens_money_and_time() -> None:
    done = call("infer_reason", "infer_reaction", "--model", f"{MODEL},some/unknown", "--grader", JUDGE, "--limit", "9")
    assert done.exit_code == 0, done.output
    shown = " ".join(done.output.split())
    assert re.search(r"openai/gpt-5.4 model 18 [\d,]+ [\d,]+ 6,120 < 1 min", shown)
    assert re.search(r"anthropic/claude-opus-4-6 judge 36 ", shown)
    assert "some/unknown model no price no price no price" in shown
    assert "Total ≥ $" in shown
    assert "No price is known for some/unknown, so only its tokens are counted." in shown
    assert "as of 2026-06-04 (https://developers.openai.com/api/docs/pricing)" in shown
    assert "Estimated cost in US dollars" in shown
    assert "With cache: simulated by the provider's published rules" in shown
    assert "tasks run side by side (--max-tasks 2) share it" in shown


def test_local_models_cost_nothing_and_prices_can_be_stated(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("some/judge: {input: 100, output: 0, input_cache_read: 0, input_cache_write: 0}")
    done = call("infer_reason", "--model", "local/x", "--grader", "some/judge", "--prices", str(tmp_path / "mine.yml"))
    assert done.exit_code == 0, done.output
    shown = " ".join(done.output.split())
    assert "local/x model $0.00 $0.00 $0.00" in shown
    assert "share it" not in shown  # a single task shares its cache with none
    (judge,) = [
        work.plain
        for work in workloads("infer_reason", {}, ["local/x"], ["some/judge"], our_prices())
        if work.role == "judge"
    ]
    assert f"some/judge judge ${judge.input_tokens / 10_000:,.2f}" in shown
    assert "date not given (source not given)" in shown


@pytest.mark.parametrize(
    ("selection", "signal", "fewer"), [("own", "message", True), ("shared", "message", False), ("own", "none", False)]
)
def test_where_a_judge_chooses_what_is_rewritten_it_is_at_most(selection: str, signal: str, fewer: bool) -> None:
    done = call("rewrite_reply", "-T", f"selection={selection}", "-T", f"signal={signal}", "--limit", "2",
                "--model", MODEL, "--grader", JUDGE)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert ("• At most: with signal=message and selection=own only" in done.output) is fewer


ASK = ["infer_reason", "--model", MODEL, "--grader", JUDGE]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["infer_reasons", *ASK[1:]],
            "infer_reasons: no such task; choose from infer_reason, infer_reaction, predict_",
        ),
        ([*ASK, "-T", "contxt=message"], "-T contxt: infer_reason has no such parameter; choose from data, context"),
        ([*ASK, "-T", "context"], "-T context: give KEY=VALUE"),
        ([*ASK, "-T", "users=many"], "-T users=many: Input should be a valid integer"),
        ([*ASK, "-T", "users=0"], "users=0: must be 1 or more."),
        ([*ASK, "-T", "context=all"], "context=all: must be one of message"),
        ([*ASK, "-T", "data=gone.jsonl"], "gone.jsonl: no such file or folder"),
        (
            [*ASK[:3], "--grader", MODEL],
            f"No judge is left for {MODEL}. Pass --grader with a model other than {MODEL}.",
        ),
        (ASK[:3], f"No judge is left for {MODEL}. Pass --grader with a model other than {MODEL}."),
        (["infer_reason", "--model", "gpt-5.4"], "--model gpt-5.4: name the provider too, such as openai/gpt-5.4."),
        ([*ASK, "--prices", "gone.yml"], "gone.yml: the prices cannot be read"),
        ([*ASK, "--prices", "/dev/zero"], "/dev/zero: is larger than 1,000,000 bytes, so it is no price file"),
    ],
)
def test_a_mistake_is_reported_in_one_sentence(arguments: list[str], sentence: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 1, done.output
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output
