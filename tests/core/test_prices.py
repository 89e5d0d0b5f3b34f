"""The prices, and what tokens cost by them."""

import datetime
import json
from pathlib import Path

import pytest
from inspect_ai.model import ModelUsage

from thoughttrace.core.errors import UserError
from thoughttrace.core.prices import FILE, Price, Prices, our_prices, read_prices

PRICE = {"input": 2, "output": 10, "input_cache_read": 0.2, "input_cache_write": 2.5, "batch": 0.5}
USAGE = ModelUsage(
    input_tokens=1_000_000,
    input_tokens_cache_read=1_000_000,
    input_tokens_cache_write=1_000_000,
    output_tokens=1_000_000,
    reasoning_tokens=900_000,
)


def test_each_token_costs_what_it_was() -> None:
    price = Price.model_validate(PRICE)
    assert price.dollars(USAGE) == pytest.approx(2 + 0.2 + 2.5 + 10)
    assert price.dollars(USAGE, batch=True) == pytest.approx(14.7 / 2)
    assert price.model_copy(update={"batch": None}).dollars(USAGE, batch=True) is None
    assert price.model_copy(update={"batch": 0.0}).dollars(USAGE, batch=True) == 0


def test_every_price_of_ours_says_where_it_is_from() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[0] for line in lines if line.startswith(("openai/", "anthropic/", "google/"))]
    assert len(names) > 20
    for name in names:
        price = our_prices().find(name, datetime.date(2026, 11, 23))
        assert price, name
        assert price.source, name
        assert price.source.startswith("https://"), name
        assert price.date, name
        assert price.date <= datetime.date(2026, 11, 23), name
        assert price.input_cache_read < price.input <= price.input_cache_write < price.output, name
        assert price.batch == 0.5, name


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("openai/gpt-5.4", True),
        ("openai/gpt-5.4-2026-03-05", True),
        ("anthropic/claude-opus-4-5-20251101", True),
        ("google/gemini-3.1-pro", True),
        ("openai/gpt-5.4-pro", False),
        ("openrouter/openai/gpt-5.4", False),  # it sets its own price
        ("some/model", False),
    ],
)
def test_a_dated_name_has_the_price_and_another_provider_has_not(name: str, known: bool) -> None:
    assert (our_prices().find(name) is not None) is known


def test_a_price_announced_to_change_ends() -> None:
    ends = Prices({"a/b": Price.model_validate(PRICE | {"until": "2026-12-31"})})
    assert ends.find("a/b", datetime.date(2026, 12, 31))
    assert ends.find("a/b", datetime.date(2027, 1, 1)) is None


def test_what_runs_here_costs_nothing() -> None:
    price = our_prices().find("local/smollm2-135m")
    assert price
    assert price.dollars(USAGE) == price.dollars(USAGE, batch=True) == 0


@pytest.mark.parametrize("name", ["prices.yml", "prices.json"])
def test_a_file_goes_before_ours(tmp_path: Path, name: str) -> None:
    # In the form of Inspect's --model-cost-config, which knows four fields.
    fields = {name: PRICE[name] for name in ("input", "output", "input_cache_read", "input_cache_write")}
    path = tmp_path / name
    path.write_text(json.dumps({"openai/gpt-5.4": fields, "my/model": fields}))
    prices = read_prices(path)
    for model in ("openai/gpt-5.4", "my/model"):
        found = prices.find(model)
        assert found
        assert found.input == 2
    assert prices.find("openai/gpt-5.5") == our_prices().find("openai/gpt-5.5")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "prices.yml: the prices cannot be read (No such file or directory)."),
        ("a/b: {input: 1\nc: [", "prices.yml, line 2: is neither YAML nor JSON"),
        ("- a\n", "prices.yml: must name models, each with its prices"),
        ("a/b: {input: 1}", "prices.yml: a/b, output: field required."),
        (
            "a/b: {input: -1, output: 1, input_cache_read: 1, input_cache_write: 1}",
            "a/b, input: input should be greater",
        ),
        ("a/b: {input: .nan, output: 1, input_cache_read: 1, input_cache_write: 1}", "a/b, input: input should be"),
        (
            "a/b: {input: x, output: 1, input_cache_read: 1, input_cache_write: 1}",
            "a/b, input: input should be a valid",
        ),
        ("a/b: {input: 1, output: 1, input_cache_read: 1, input_cache_write: 1, euro: 1}", "a/b, euro: extra inputs"),
        ("a/b: 3", "prices.yml: a/b: input should be"),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "prices.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as told:
        read_prices(path)
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)
