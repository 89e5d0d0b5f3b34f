"""What `thoughttrace estimate` prints: what each model costs, and what was assumed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from thoughttrace.core.prices import LOCAL, Prices

if TYPE_CHECKING:
    from inspect_ai.model import ModelUsage

    from thoughttrace.costing.workload import Work

START = 20
"""Requests at once with which Inspect begins; it goes on with more, or fewer."""

_LATENCY, _SPEED = 2.0, 60.0
"""Seconds before a reply, and tokens of it per second: assumptions, in the range of large models."""


@dataclass
class Bill:
    """What one model costs in one role, over all tasks."""

    model: str
    role: str
    requests: int
    plain: "ModelUsage"
    cached: "ModelUsage"
    dollars: tuple[float | None, float | None, float | None]
    """Without prompt cache, with it, and in batches without it; None where no price is known."""
    seconds: float | None
    """None for a local model: who knows this machine?"""


Columns = Mapping[str, Callable[[Sequence[Bill]], str]]
"""How each column tells one bill, or several in sum."""


def bills_of(works: "Sequence[Work]", prices: Prices, connections: int | None) -> list[Bill]:
    """Sum up what each model does, the evaluated ones first.

    Args:
        works: What each model does for each task.
        prices: What its tokens cost.
        connections: Requests at once; None for as many as Inspect begins with.
    """
    bills = []
    for model, role in dict.fromkeys(
        (work.model, work.role) for work in sorted(works, key=lambda w: w.role == "judge")
    ):
        own = [work for work in works if (work.model, work.role) == (model, role)]
        plain, cached = _sum(work.plain for work in own), _sum(work.cached for work in own)
        price = prices.find(model)
        dollars = (price.dollars(plain), price.dollars(cached), price.dollars(plain, batch=True)) if price else _UNKNOWN
        seconds = sum(work.requests * (_LATENCY + work.output / _SPEED) for work in own) / (connections or START)
        local = model.partition("/")[0] in LOCAL
        requests = sum(work.requests for work in own)
        bills.append(Bill(model, role, requests, plain, cached, dollars, None if local else seconds))
    return bills


_UNKNOWN = (None, None, None)


def _sum(usages: "Iterable[ModelUsage]") -> "ModelUsage":
    first, *others = usages
    for usage in others:
        first = first + usage
    return first


TOKENS: Columns = {
    "Requests": lambda bills: f"{sum(bill.requests for bill in bills):,}",
    "Input": lambda bills: f"{sum(bill.plain.input_tokens for bill in bills):,}",
    "Cached": lambda bills: f"{sum(bill.cached.input_tokens_cache_read or 0 for bill in bills):,}",
    "Output": lambda bills: f"{sum(bill.plain.output_tokens for bill in bills):,}",
    "Time": lambda bills: _time([bill.seconds for bill in bills if bill.seconds is not None]),
}
"""Tokens and time."""

DOLLARS: Columns = {
    "Without cache": lambda bills: _cost([bill.dollars[0] for bill in bills]),
    "With cache": lambda bills: _cost([bill.dollars[1] for bill in bills]),
    "In batches": lambda bills: _cost([bill.dollars[2] for bill in bills]),
}
"""Money."""


def table_of(title: str, bills: Sequence[Bill], columns: Columns) -> Table:
    """A table for the terminal, a row for each bill and one for all.

    Args:
        title: Stands above it.
        bills: Its rows.
        columns: `TOKENS` or `DOLLARS`.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Model", overflow="fold")
    table.add_column("As", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for bill in bills:
        table.add_row(bill.model, bill.role, *(cell([bill]) for cell in columns.values()))
    if len(bills) > 1:
        table.add_section()
        table.add_row("Total", "", *(cell(bills) for cell in columns.values()), style="bold")
    return table


def _cost(dollars: Sequence[float | None]) -> str:
    known = [cost for cost in dollars if cost is not None]
    if not known:
        return "no price"
    return f"{'≥ ' if len(known) < len(dollars) else ''}${sum(known):,.2f}"


def _time(parts: Sequence[float]) -> str:
    if not parts:
        return ""
    minutes = round(sum(parts) / 60)
    return "< 1 min" if minutes < 1 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def sentences(works: "Sequence[Work]", bills: Sequence[Bill], prices: Prices, connections: int | None) -> Iterator[str]:
    """Where the prices are from, and what was assumed.

    Args:
        works: What each model does for each task.
        bills: Their sums.
        prices: What tokens cost.
        connections: Requests at once; None for as many as Inspect begins with.
    """
    for model in dict.fromkeys(bill.model for bill in bills):
        yield _price(model, prices)
    replies = [f"{work.output} for {work.model} as {work.role}" for work in works if work.plain.output_tokens]
    yield (
        f"Assumed: tokens of one reply, reasoning included: {', '.join(dict.fromkeys(replies))}. Run --limit 50, see "
        f"what it takes, and state it with --output-tokens, --judge-output-tokens and --reasoning-tokens."
    )
    yield (
        "With cache: if every prompt finds what an earlier one like it left in the provider's prompt cache. "
        "In batches: replies come within a day, mostly sooner, and nothing is reckoned as cached."
    )
    yield (
        f"Time: {connections or START} requests at once"
        + ("" if connections else " (Inspect begins with so many and adapts)")
        + f", each {_LATENCY:g} s and 1 s per {_SPEED:g} tokens of reply; your account's rate limit may allow less."
    )


def _price(model: str, prices: Prices) -> str:
    if model.partition("/")[0] in LOCAL:
        return f"{model} runs here and costs nothing; its time depends on this machine."
    price = prices.find(model)
    if price is None:
        return f"No price is known for {model}: its tokens alone are shown. State one with --prices."
    kept = (
        "" if price.cache_minimum else " From how many tokens on it caches is not known: none are reckoned as cached."
    )
    return (
        f"{model}: ${price.input:g} in, ${price.input_cache_read:g} cached, ${price.output:g} out per million tokens "
        f"{f'on {price.date}' if price.date else 'on a day not stated'} ({price.source or 'no source stated'}).{kept}"
    )
