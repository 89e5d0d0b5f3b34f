"""What the input of both inference tasks is estimated to cost with a prompt cache, its price without one being 1.

    python benchmarks/cache_cost.py [--seed 0 --seed 1 --seed 2]

For every model with a price and a known least length of cached prompts, by the same rules as `thoughttrace estimate`,
which counts tokens from characters and takes every cache entry to last: on the 20 real conversations (../shared/data,
or THOUGHTTRACE_EXAMPLES), nearly every message of which carries a thought, and on invented conversations of the
release's size and density (`loading.py`: 8 messages on average, a thought on 60 % of them), for each seed. A simulation
of our own code: no provider is asked. The judges' prompts share too little to be cached and are not counted.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import yaml
from loading import CONVERSATIONS, write_conversations
from rich import box
from rich.console import Console
from rich.table import Table

from thoughttrace.core.prices import FILE, Price, our_prices
from thoughttrace.costing.workload import model_bills, workloads

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "shared/data/ThoughtTrace_examples.jsonl"


def input_costs(data: Path, models: Sequence[str]) -> dict[str, float]:
    """Return what each model's input costs with a cache, as a share of its price without one."""
    judge = "local/judge"
    works = [
        work
        for task in ("infer_reason", "infer_reaction")
        for work in workloads(task, {"data": str(data)}, models, [judge], our_prices())
        if work.model != judge
    ]
    shares = {}
    for bill in model_bills(works, our_prices(), None):
        price = our_prices().find(bill.model)
        assert isinstance(price, Price)
        without, cached = (
            price.dollars(usage.model_copy(update={"output_tokens": 0})) for usage in (bill.plain, bill.cached)
        )
        assert without
        assert cached
        shares[bill.model] = cached / without
    return shares


@click.command()
@click.option("--seed", "seeds", multiple=True, default=(0, 1, 2), show_default=True, help="Of the invented data.")
@click.option("--share", default=1.0, show_default=True, help="Of the release's size.")
def main(seeds: tuple[int, ...], share: float) -> None:
    """Print the table."""
    models = [name for name, price in yaml.safe_load(FILE.read_text(encoding="utf-8")).items() if "cache_minimum" in price]
    examples = Path(os.environ.get("THOUGHTTRACE_EXAMPLES", EXAMPLES))
    columns = {"examples": input_costs(examples, models)} if examples.exists() else {}
    with TemporaryDirectory() as folder, Console(stderr=True).status("Estimating …"):
        for seed in seeds:
            data = Path(folder) / f"{seed}.jsonl"
            write_conversations(data, share, seed)
            columns[f"density of the release, seed {seed}"] = input_costs(data, models)
    table = Table("model", box=box.SIMPLE_HEAD, title=f"Input cost, without a cache being 1; {CONVERSATIONS * share:,.0f} conversations")
    for name in columns:
        table.add_column(name, justify="right")
    for model in models:
        table.add_row(model, *(f"{shares[model]:.2f}" for shares in columns.values()))
    console = Console(width=140, highlight=False)
    console.print(table)
    for name, shares in columns.items():
        console.print(f"{name}: {min(shares.values()):.2f}–{max(shares.values()):.2f}")


if __name__ == "__main__":
    sys.exit(main())
