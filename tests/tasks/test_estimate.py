"""`thoughttrace estimate`: what it counts, and how it tells."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from thoughttrace.cli.main import main
from thoughttrace.core.prices import our_prices
from thoughttrace.costing.cache_bill import Prompt, Rules, Tokens, cached, count_tokens, rules
from thoughttrace.costing.workload import REASONING, Assumed, Work, build, estimate, judges_of

MODEL, JUDGE = "openai/gpt-5.4", "anthropic/claude-opus-4-6"


def works(name: str = "infer_reason", models: tuple[str, ...] = (MODEL,), **given: Any) -> list[Work]:
    options = {key: given.pop(key) for key in ("limit", "epochs", "assumed") if key in given}
    return list(estimate(name, given, models, [JUDGE], our_prices(), **options))


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["estimate", *arguments], env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("given", "asked", "judged"),
    [
        ({}, 52, 52),
        ({"limit": 10}, 10, 10),
        ({"epochs": 3}, 156, 156),
        ({"judge_repeats": 2}, 52, 104),
        ({"users": 2, "limit": 5}, 5, 5),
        ({"control": "reworded"}, 52, 52),
        ({"control": "parrot"}, 0, 52),
    ],
)
def test_it_counts_the_requests_of_the_run(given: dict[str, Any], asked: int, judged: int) -> None:
    found = works(**given)
    assert sum(work.requests for work in found if work.role == "model") == asked
    assert sum(work.requests for work in found if work.role == "judge") == judged


def test_it_counts_the_text_that_is_sent() -> None:
    task, _ = build("infer_reason", {"context": "message"})
    text = "".join(message.text for sample in task.dataset for message in sample.input if not isinstance(message, str))
    (model, judge) = works(context="message")
    assert model.plain.input_tokens == pytest.approx(count_tokens(text, MODEL), abs=1)
    more = works()[0].plain.input_tokens
    assert more > model.plain.input_tokens
    blind = works(judge_message=False)[1].plain.input_tokens
    assert blind < judge.plain.input_tokens


def test_replies_are_as_long_as_stated() -> None:
    said = Assumed(inference=7, verdict=11, reasoning=5)
    model, judge = works(limit=10, assumed=said)
    assert model.plain.output_tokens == 120
    assert judge.plain.output_tokens == 160
    thinks = Assumed()
    assert thinks.reasoning_of("google/gemini-3.1-pro-preview") == REASONING
    assert thinks.reasoning_of("anthropic/claude-opus-5") == REASONING
    for other in ("openai/gpt-4o", "anthropic/claude-opus-4-6", "local/smollm2-135m", "who/knows"):
        assert thinks.reasoning_of(other) == 0


def test_no_model_judges_itself() -> None:
    alone = {"allow_self_judging": False, "exclude_family": True}
    assert judges_of(MODEL, [MODEL, JUDGE, "openai/gpt-5.5"], alone) == [JUDGE]
    assert judges_of(MODEL, [MODEL], {"allow_self_judging": True, "exclude_family": False}) == [MODEL]


def test_the_card_of_a_judge_needs_no_other() -> None:
    (work,) = list(estimate("judge_agreement", {}, [JUDGE], [], our_prices()))
    assert (work.role, work.requests) == ("judge", 152)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("A plain sentence of English words. " * 10, 80, 110),
        ("我想知道为什么。" * 10, 40, 80),
        ("Привет, мир. " * 10, 30, 100),
    ],
)
def test_other_scripts_count_more(text: str, low: float, high: float) -> None:
    for model in (MODEL, JUDGE, "google/gemini-2.5-pro", "some/other"):
        assert low <= count_tokens(text, model) <= high
    assert count_tokens(text + text, model) == pytest.approx(2 * count_tokens(text, model))


LONG, NEXT, END = "long " * 800, "next " * 800, "end"  # about 1,026 tokens each at 3.9 characters


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rules(), [(2052, 0, 0), (1027, 0, 0), (2052, 0, 0)]),
        (Rules(1000), [(2052, 0, 0), (1, 1026, 0), (0, 2052, 0)]),
        (Rules(1000, step=128), [(2052, 0, 0), (3, 1024, 0), (4, 2048, 0)]),
        (Rules(1100, step=128), [(2052, 0, 0), (1027, 0, 0), (4, 2048, 0)]),
        (Rules(1000, marked=True), [(1, 0, 2051), (1, 1026, 0), (1, 2051, 0)]),
        (Rules(3000, marked=True), [(2052, 0, 0), (1027, 0, 0), (2052, 0, 0)]),
    ],
)
def test_what_a_prompt_cache_reads_and_writes(rule: Rules, expected: list[tuple[int, int, int]]) -> None:
    whole = Prompt((LONG, NEXT, END), (0, 1))
    prompts = [whole, Prompt((LONG, END), (0,)), whole]
    for found, (fresh, read, written) in zip(cached(prompts, MODEL, rule), expected, strict=True):
        assert found == Tokens(*(pytest.approx(n, abs=2) for n in (fresh, read, written)))


def test_the_rules_are_those_of_the_provider() -> None:
    names = ["openai/gpt-5.4", "openai/gpt-5.6-luna", "anthropic/claude-opus-4-6", "google/gemini-2.5-pro", "who/knows"]
    found = [rules(name, our_prices().find(name)) for name in names]
    assert found == [Rules(1024, 128), Rules(1024, marked=True), Rules(4096, marked=True), Rules(2048), Rules()]


def test_it_tells_tokens_money_and_time() -> None:
    done = call("infer_reason", "infer_reaction", "--model", f"{MODEL},some/unknown", "--grader", JUDGE, "--limit", "9")
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert re.search(r"openai/gpt-5.4 model 18 [\d,]+ 0 6,120 < 1 min", told)
    assert re.search(r"anthropic/claude-opus-4-6 judge 36 ", told)
    assert "some/unknown model no price no price no price" in told
    assert "Total ≥ $" in told
    assert "No price is known for some/unknown: its tokens alone are shown." in told
    assert "on 2026-06-04 (https://developers.openai.com/api/docs/pricing)" in told


def test_local_models_cost_nothing_and_prices_can_be_stated(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("some/judge: {input: 100, output: 0, input_cache_read: 0, input_cache_write: 0}")
    done = call("infer_reason", "--model", "local/x", "--grader", "some/judge", "--prices", str(tmp_path / "mine.yml"))
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "local/x model $0.00 $0.00 $0.00" in told
    (judge,) = [
        work.plain
        for work in estimate("infer_reason", {}, ["local/x"], ["some/judge"], our_prices())
        if work.role == "judge"
    ]
    assert f"some/judge judge ${judge.input_tokens / 10_000:,.2f}" in told
    assert "on a day not stated (no source stated)" in told


def test_a_long_conversation_is_read_from_the_cache(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    record = make_conversation(turns=6)
    for message in record["messages"]:
        message["content"] += " and so on" * 200
    found = works(data=str(write(record)))[0]
    used = found.cached
    assert used.input_tokens_cache_read
    assert used.input_tokens + used.input_tokens_cache_read == pytest.approx(found.plain.input_tokens, abs=2)
    assert used.input_tokens_cache_read > used.input_tokens


ASK = ["infer_reason", "--model", MODEL, "--grader", JUDGE]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["infer_reasons", *ASK[1:]], "infer_reasons: no such task; there are infer_reason, infer_reaction, judge_"),
        ([*ASK, "-T", "contxt=message"], "-T contxt: infer_reason has no such parameter; it has data, context"),
        ([*ASK, "-T", "context"], "-T context: give KEY=VALUE"),
        ([*ASK, "-T", "users=many"], "-T users=many: Input should be a valid integer"),
        ([*ASK, "-T", "users=0"], "users=0: must be 1 or more."),
        ([*ASK, "-T", "context=all"], "context=all: must be one of message"),
        ([*ASK, "-T", "data=gone.jsonl"], "gone.jsonl: no such file or folder"),
        ([*ASK[:3], "--grader", MODEL], f"Nobody would judge {MODEL}"),
        (ASK[:3], f"Nobody would judge {MODEL}"),
        (["infer_reason", "--model", "gpt-5.4"], "--model gpt-5.4: name the provider too, such as openai/gpt-5.4."),
        ([*ASK, "--prices", "gone.yml"], "gone.yml: the prices cannot be read"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments: list[str], sentence: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 1, done.output
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output
