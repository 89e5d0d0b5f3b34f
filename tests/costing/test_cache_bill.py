"""Tokens of a prompt, and what a provider's prompt cache reads and writes of it."""

import pytest

from thoughttrace.core.prices import our_prices
from thoughttrace.costing.cache_bill import (
    CacheRules,
    Prompt,
    accuracy,
    bill_input,
    cache_rules,
    count_tokens,
    shared_prompts,
)
from thoughttrace.costing.workload import build
from thoughttrace.models import prompt_cache

MODEL, JUDGE = "openai/gpt-5.4", "anthropic/claude-opus-4-6"


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
    ("rules", "expected"),
    [
        (CacheRules(), [(2052, 0, 0), (1027, 0, 0), (2052, 0, 0)]),
        (CacheRules(1000), [(2052, 0, 0), (1, 1026, 0), (0, 2052, 0)]),
        (CacheRules(1000, step=128), [(2052, 0, 0), (3, 1024, 0), (4, 2048, 0)]),
        (CacheRules(1100, step=128), [(2052, 0, 0), (1027, 0, 0), (4, 2048, 0)]),
        (CacheRules(1000, marked=True), [(1, 0, 2051), (1, 1026, 0), (1, 2051, 0)]),
        (CacheRules(3000, marked=True), [(2052, 0, 0), (1027, 0, 0), (2052, 0, 0)]),
    ],
)
def test_what_a_prompt_cache_reads_and_writes(rules: CacheRules, expected: list[tuple[int, int, int]]) -> None:
    long = Prompt((LONG, NEXT, END), (0, 1))
    prompts = [long, Prompt((LONG, END), (0,)), long]
    for tokens, (fresh, read, written) in zip(bill_input(prompts, MODEL, rules), expected, strict=True):
        assert (tokens.fresh, tokens.read, tokens.written) == pytest.approx((fresh, read, written), abs=2)


def test_the_rules_are_those_of_the_provider() -> None:
    names = ["openai/gpt-5.4", "openai/gpt-5.6-luna", "anthropic/claude-opus-4-6", "google/gemini-2.5-pro", "who/knows"]
    assert [cache_rules(name, our_prices().find(name)) for name in names] == [
        CacheRules(1024, 128),
        CacheRules(1024, marked=True),
        CacheRules(4096, marked=True),
        CacheRules(2048),
        CacheRules(),
    ]


def test_prompts_are_marked_by_the_function_that_marks_them_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two functions that had to agree are one: an estimate that marks otherwise would bill what no run sends."""
    task, _ = build("infer_reason", {})
    samples = list(task.dataset[0 : len(task.dataset)])
    assert any(prompt.marks != (0,) for prompt in shared_prompts(samples))
    assert shared_prompts.__globals__["breakpoints"] is prompt_cache.breakpoints
    monkeypatch.setitem(shared_prompts.__globals__, "breakpoints", lambda prompt, cached_ends: [])
    assert {prompt.marks for prompt in shared_prompts(samples)} <= {(), (0,)}


def test_how_accurate_the_tokens_are_depends_on_the_models() -> None:
    assert "within 10 % for English" in accuracy([MODEL])
    assert "35 % more" not in accuracy([MODEL])
    assert "35 % more" in accuracy([MODEL, JUDGE])
