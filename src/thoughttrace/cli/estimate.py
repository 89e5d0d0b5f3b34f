"""`thoughttrace estimate`."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from thoughttrace.core.errors import UserError


@click.command()
@click.argument("tasks", nargs=-1, required=True)
@click.option("--model", "models", multiple=True, required=True, help="Models to evaluate, comma-separated.")
@click.option("--grader", "graders", multiple=True, help="Judges, comma-separated; for tasks that are judged.")
@click.option("-T", "arguments", multiple=True, metavar="KEY=VALUE", help="Arguments of the tasks, as for Inspect.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many samples of each task.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="How often each is run.")
@click.option("--prices", type=click.Path(path_type=Path), help="YAML or JSON with prices that go before ours.")
@click.option("--output-tokens", type=click.IntRange(min=0), help="Of an inference.  [default: 40]")
@click.option("--judge-output-tokens", type=click.IntRange(min=0), help="Of a verdict.  [default: 80]")
@click.option("--reasoning-tokens", type=click.IntRange(min=0), help="Before each reply.  [default: 300 if it reasons]")
@click.option("--max-connections", type=click.IntRange(min=1), help="Requests at once.  [default: 20]")
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
    """Say what running TASKS will cost, before anything is spent: requests, tokens, money and time.

    The samples are those that the run would have, and the judges are asked what they would be asked. No model is
    called and nothing is sent; `-T data=hub` downloads the dataset if it is not here yet.

    \b
    thoughttrace estimate infer_reason infer_reaction -T data=hub --limit 200 --model openai/gpt-5.4 \\
        --grader anthropic/claude-opus-4-6
    """  # noqa: D301
    # Imported here: Inspect takes a second, and --help needs none of it.
    from inspect_ai._util.config import parse_cli_args  # noqa: PLC0415

    from thoughttrace.cli.estimate_table import (  # noqa: PLC0415
        DOLLARS,
        TOKENS,
        bills_of,
        sentences,
        table_of,
    )
    from thoughttrace.core.prices import read_prices  # noqa: PLC0415
    from thoughttrace.costing.cache_bill import accuracy  # noqa: PLC0415
    from thoughttrace.costing.workload import Assumed, estimate  # noqa: PLC0415

    for argument in arguments:
        if "=" not in argument:
            raise UserError(f"-T {argument}: give KEY=VALUE, such as -T context=history.")
    known = read_prices(prices)
    default = Assumed()
    assumed = Assumed(
        default.inference if output_tokens is None else output_tokens,
        default.verdict if judge_output_tokens is None else judge_output_tokens,
        reasoning_tokens,
    )
    asked, judging = _names(models, "--model"), _names(graders, "--grader")
    works = [
        work
        for name in tasks
        for work in estimate(name, parse_cli_args(list(arguments)), asked, judging, known, limit, epochs, assumed)
    ]
    console = Console(highlight=False)
    bills = bills_of(works, known, max_connections)
    console.print(table_of("What will be sent", bills, TOKENS))
    console.print(table_of("What it costs, in US dollars", bills, DOLLARS))
    said = [*sentences(works, bills, known, max_connections), accuracy(bill.model for bill in bills)]
    for sentence in said:
        console.print(f"• {sentence}", markup=False, soft_wrap=True)


def _names(given: Sequence[str], option: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for part in given for name in part.split(",") if name.strip()))
    for name in names:
        if "/" not in name:
            raise UserError(f"{option} {name}: name the provider too, such as openai/{name}.")
    return names
