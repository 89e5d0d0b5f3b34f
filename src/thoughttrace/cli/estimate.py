"""`thoughttrace estimate`: what a run would cost, as tables and the assumptions behind them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from thoughttrace.core.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from thoughttrace.core.prices import Prices
    from thoughttrace.costing.workload import ModelBill, Workload


@click.command()
@click.argument("tasks", nargs=-1, required=True)
@click.option("--model", "models", multiple=True, required=True, help="Models to evaluate, comma-separated.")
@click.option("--grader", "graders", multiple=True, help="Judges, comma-separated; for tasks that are judged.")
@click.option("-T", "arguments", multiple=True, metavar="KEY=VALUE", help="Arguments of the tasks, as for Inspect.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of samples per task.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each sample.")
@click.option(
    "--prices", type=click.Path(path_type=Path), help="Price file (YAML or JSON); overrides the built-in prices."
)
@click.option(
    "--output-tokens",
    type=click.IntRange(min=0),
    help="Tokens of an inference, or of an answer to an open prompt.  [default: 40; as many as the baseline's answers]",
)
@click.option("--judge-output-tokens", type=click.IntRange(min=0), help="Tokens of a verdict.  [default: 80]")
@click.option(
    "--reasoning-tokens",
    type=click.IntRange(min=0),
    help="Tokens of reasoning before each reply.  [default: 300 for reasoning models]",
)
@click.option("--max-connections", type=click.IntRange(min=1), help="Concurrent requests.  [default: 20]")
def estimate(
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    graders: tuple[str, ...],
    arguments: tuple[str, ...],
    limit: int | None,
    epochs: int,
    prices: Path | None,
    output_tokens: int | None,
    judge_output_tokens: int | None,
    reasoning_tokens: int | None,
    max_connections: int | None,
) -> None:
    """Estimate what running TASKS will cost: requests, tokens, money and time.

    The samples and the judges' prompts are those that the run would have. No model is called and nothing is sent;
    `-T data=hub` downloads the dataset if it is not here yet.

    \b
    thoughttrace estimate infer_reason infer_reaction -T data=hub --limit 200 --model openai/gpt-5.4 \\
        --grader anthropic/claude-opus-4-6
    """  # noqa: D301
    # Imported here: Inspect takes a second, and --help needs none of it.
    from thoughttrace.core.inspect_private import parse_cli_args  # noqa: PLC0415
    from thoughttrace.core.prices import read_prices  # noqa: PLC0415
    from thoughttrace.core.terminal import Terminal  # noqa: PLC0415
    from thoughttrace.costing.cache_bill import accuracy  # noqa: PLC0415
    from thoughttrace.costing.workload import ReplyLengths, model_bills, workloads  # noqa: PLC0415

    for argument in arguments:
        if "=" not in argument:
            raise UserError(f"-T {argument}: give KEY=VALUE, such as -T context=history.")
    price_table = read_prices(prices)
    default = ReplyLengths()
    lengths = ReplyLengths(
        default.inference if output_tokens is None else output_tokens,
        output_tokens,
        default.verdict if judge_output_tokens is None else judge_output_tokens,
        reasoning_tokens,
    )
    evaluated, judges = _split_names(models, "--model"), _split_names(graders, "--grader")
    works = [
        work
        for name in tasks
        for work in workloads(
            name, parse_cli_args(list(arguments)), evaluated, judges, price_table, limit, epochs, lengths
        )
    ]
    console = Terminal()
    bills = model_bills(works, price_table, max_connections)
    console.print(_table("Requests and tokens", bills, _TOKENS))
    console.print(_table("Estimated cost in US dollars", bills, _DOLLARS))
    notes = [*_assumptions(works, bills, price_table, max_connections), accuracy(bill.model for bill in bills)]
    for note in notes:
        console.print(f"• {note}", markup=False, soft_wrap=True)


def _split_names(given: Sequence[str], option: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for part in given for name in part.split(",") if name.strip()))
    for name in names:
        if "/" not in name:
            raise UserError(f"{option} {name}: name the provider too, such as openai/{name}.")
    return names


_Columns = Mapping[str, "Callable[[Sequence[ModelBill]], str]"]
"""For each column the function that makes its cell, of one bill or of the sum of several."""

_TOKENS: _Columns = {
    "Requests": lambda bills: f"{sum(bill.requests for bill in bills):,}",
    "Input": lambda bills: f"{sum(bill.plain.input_tokens for bill in bills):,}",
    "Cached": lambda bills: f"{sum(bill.cached.input_tokens_cache_read or 0 for bill in bills):,}",
    "Output": lambda bills: f"{sum(bill.plain.output_tokens for bill in bills):,}",
    "Time": lambda bills: _format_time([bill.seconds for bill in bills if bill.seconds is not None]),
}

_DOLLARS: _Columns = {
    "Without cache": lambda bills: _format_cost([bill.without_cache for bill in bills]),
    "With cache": lambda bills: _format_cost([bill.with_cache for bill in bills]),
    "In batches": lambda bills: _format_cost([bill.in_batches for bill in bills]),
}


def _table(title: str, bills: "Sequence[ModelBill]", columns: _Columns) -> "Table":
    """Make a table for the terminal, with a row for each bill and one for their sum."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Model", overflow="fold")
    table.add_column("Role", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for bill in bills:
        table.add_row(bill.model, bill.role, *(cell([bill]) for cell in columns.values()))
    if len(bills) > 1:
        table.add_section()
        table.add_row("Total", "", *(cell(bills) for cell in columns.values()), style="bold")
    return table


def _format_cost(dollars: Sequence[float | None]) -> str:
    priced = [cost for cost in dollars if cost is not None]
    if not priced:
        return "no price"
    return f"{'≥ ' if len(priced) < len(dollars) else ''}${sum(priced):,.2f}"


def _format_time(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    minutes = round(sum(seconds) / 60)
    return "< 1 min" if minutes < 1 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _assumptions(
    works: "Sequence[Workload]", bills: "Sequence[ModelBill]", prices: "Prices", connections: int | None
) -> Iterator[str]:
    """Yield sentences that give the sources of the prices and what was assumed."""
    from thoughttrace.core.record import INFER  # noqa: PLC0415
    from thoughttrace.costing.workload import CONNECTIONS, LATENCY, SPEED  # noqa: PLC0415

    both = {task.name for task in INFER.values()} <= {work.task for work in works}
    for model in dict.fromkeys(bill.model for bill in bills):
        yield _describe_price(model, prices)
    if any(work.at_most for work in works):
        yield (
            "At most: with signal=message and selection=own only those replies are rewritten, and rated, after which "
            "the judge says that the next message shows dissatisfaction; here all are counted."
        )
    replies = [f"{work.output} for {work.model} as {work.role}" for work in works if work.plain.output_tokens]
    yield (
        f"Assumed tokens of one reply, reasoning included: {', '.join(dict.fromkeys(replies))}. To measure them, run "
        "with --limit 50; then pass --output-tokens, --judge-output-tokens and --reasoning-tokens."
    )
    yield (
        "With cache: simulated by the provider's published rules, as if every prompt found what earlier prompts of its "
        f"task left in the prompt cache{'; tasks run side by side (--max-tasks 2) share it and may cost less' * both}. "
        "A report computes the cost of a run from the tokens that were billed. "
        "In batches: replies come within a day, usually sooner, and nothing is assumed to be cached."
    )
    yield (
        f"Time: {connections or CONNECTIONS} concurrent requests"
        + ("" if connections else " (Inspect begins with that many and adapts)")
        + f", each taking {LATENCY:g} s plus 1 s per {SPEED:g} tokens of reply. Your account may allow less."
    )


def _describe_price(model: str, prices: "Prices") -> str:
    from thoughttrace.core.prices import LOCAL  # noqa: PLC0415

    if model.partition("/")[0] in LOCAL:
        return f"{model} runs on this machine and costs nothing; its time depends on the machine."
    price = prices.find(model)
    if price is None:
        return f"No price is known for {model}, so only its tokens are counted. Give its price with --prices."
    uncached = (
        ""
        if price.cache_minimum
        else " How long a prompt must be to be cached is not known: none is counted as cached."
    )
    return (
        f"{model}: ${price.input:g} in, ${price.input_cache_read:g} cached, ${price.output:g} out per million tokens, "
        f"{f'as of {price.date}' if price.date else 'date not given'} ({price.source or 'source not given'}).{uncached}"
    )
