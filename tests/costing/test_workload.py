"""What a run would send and receive, counted on the samples it would run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thoughttrace import _registry
from thoughttrace.core.prices import our_prices
from thoughttrace.core.record import RewriteMetadata
from thoughttrace.costing.cache_bill import count_tokens
from thoughttrace.costing.workload import (
    CONFIDENCE,
    REASONING,
    TASK_FUNCTIONS,
    ReplyLengths,
    Workload,
    build,
    judges_of,
    model_bills,
    workloads,
)
from thoughttrace.scorers.rewrite import rewrite_prompt

MODEL, JUDGE = "openai/gpt-5.4", "anthropic/claude-opus-4-6"


def works(name: str = "infer_reason", models: tuple[str, ...] = (MODEL,), **given: Any) -> list[Workload]:
    options = {key: given.pop(key) for key in ("limit", "epochs", "lengths") if key in given}
    return list(workloads(name, given, models, [JUDGE], our_prices(), **options))


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
def test_it_counts_the_requests_of_the_run(given: dict[str, Any], asked: int, judged: int, short_sample: Path) -> None:
    counted = works(data=str(short_sample), **given)
    assert sum(work.requests for work in counted if work.role == "model") == asked
    assert sum(work.requests for work in counted if work.role == "judge") == judged


def test_it_counts_the_text_that_is_sent(short_sample: Path) -> None:
    given: dict[str, Any] = {"data": str(short_sample)}
    task, _ = build("infer_reason", {"context": "message", **given})
    text = "".join(message.text for sample in task.dataset for message in sample.input if not isinstance(message, str))
    (model, judge) = works(context="message", **given)
    assert model.plain.input_tokens == pytest.approx(count_tokens(text, MODEL), abs=1)
    more = works(**given)[0].plain.input_tokens
    assert more > model.plain.input_tokens
    blind = works(judge_message=False, **given)[1].plain.input_tokens
    assert blind < judge.plain.input_tokens


def test_replies_are_as_long_as_stated() -> None:
    lengths = ReplyLengths(inference=7, verdict=11, reasoning=5)
    model, judge = works(limit=10, lengths=lengths)
    assert model.plain.output_tokens == 120
    assert judge.plain.output_tokens == 160
    thinks = ReplyLengths()
    assert thinks.reasoning_of("google/gemini-3.1-pro-preview") == REASONING
    assert thinks.reasoning_of("anthropic/claude-opus-5") == REASONING
    for other in ("openai/gpt-4o", "anthropic/claude-opus-4-6", "local/smollm2-135m", "who/knows"):
        assert thinks.reasoning_of(other) == 0


def test_a_confidence_costs_its_question_and_its_line() -> None:
    (without, judge), (model, same_judge) = works(limit=10), works(limit=10, confidence=True)
    assert model.plain.output_tokens - without.plain.output_tokens == 10 * CONFIDENCE
    assert model.plain.input_tokens - without.plain.input_tokens > 10 * 50
    assert same_judge.plain == judge.plain


def test_no_model_judges_itself() -> None:
    alone = {"allow_self_judging": False, "exclude_family": True}
    assert judges_of(MODEL, [MODEL, JUDGE, "openai/gpt-5.5"], alone) == [JUDGE]
    assert judges_of(MODEL, [MODEL], {"allow_self_judging": True, "exclude_family": False}) == [MODEL]


def test_the_card_of_a_judge_needs_no_other() -> None:
    (work,) = list(workloads("judge_agreement", {}, [JUDGE], [], our_prices()))
    assert (work.role, work.requests) == ("judge", 140)


def test_a_long_conversation_is_read_from_the_cache(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    record = make_conversation(turns=6)
    for message in record["messages"]:
        message["content"] += " and so on" * 200
    work = works(data=str(write(record)))[0]
    used = work.cached
    assert used.input_tokens_cache_read
    assert used.input_tokens + used.input_tokens_cache_read == pytest.approx(work.plain.input_tokens, abs=2)
    assert used.input_tokens_cache_read > used.input_tokens


def test_every_task_has_an_estimate_and_is_registered() -> None:
    assert TASK_FUNCTIONS.items() <= vars(_registry).items()


def test_a_rewrite_is_as_long_as_the_reply_and_what_it_shows_may_be_decided_before() -> None:
    task, _ = build("rewrite_reply", {})
    about = [sample.metadata_as(RewriteMetadata) for sample in task.dataset]
    model, judge = works("rewrite_reply", lengths=ReplyLengths(reasoning=0))
    assert (model.requests, judge.requests) == (len(about), len(about))
    tokens = sum(len(sample.reply) for sample in about) / 4
    assert model.plain.output_tokens == pytest.approx(tokens, rel=0.02)
    prompts = [rewrite_prompt(own.request, own.reply, list(sample.target), own.reply)
               for own, sample in zip(about, task.dataset, strict=True)]  # fmt: skip
    text = "".join(message.text for prompt in prompts for message in prompt)
    assert judge.plain.input_tokens == pytest.approx(count_tokens(text, JUDGE), rel=0.01)
    roles = [(work.role, work.requests) for work in works("rewrite_reply", signal="message")]
    assert roles == [("model", len(about)), ("judge", len(about)), ("judge", len(about))]


def test_a_bill_adds_up_what_a_model_does_in_one_role() -> None:
    counted = [*works("infer_reason"), *works("infer_reaction")]
    model, judge = model_bills(counted, our_prices(), None)
    assert (model.model, model.role, judge.model, judge.role) == (MODEL, "model", JUDGE, "judge")
    assert model.requests == sum(work.requests for work in counted if work.role == "model")
    assert judge.plain.input_tokens == sum(work.plain.input_tokens for work in counted if work.role == "judge")
    price = our_prices().find(MODEL)
    assert price
    assert (model.without_cache, model.with_cache) == (price.dollars(model.plain), price.dollars(model.cached))
    fewer, _ = model_bills(counted, our_prices(), 10)
    assert fewer.seconds
    assert model.seconds
    assert fewer.seconds == pytest.approx(2 * model.seconds)
    (unknown, _) = model_bills(works(models=("some/unknown",)), our_prices(), None)
    assert (unknown.without_cache, unknown.with_cache, unknown.in_batches) == (None, None, None)
