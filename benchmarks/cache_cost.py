"""What the input of both inference tasks is estimated to cost with a prompt cache, its price without one being 1.

    python benchmarks/cache_cost.py [--seed 0 --seed 1] [--share 0.25]

For every model with a price and a known least length of cached prompts, by the rules of `thoughttrace estimate` (tokens
are counted from characters, every cache entry lasts), with both tasks side by side, as `--max-tasks 2` runs them, and
one after the other, which share nothing. On three sets of conversations: the 20 real ones (../shared/data, or
THOUGHTTRACE_EXAMPLES), nearly every message of which carries a thought; these cut to the lengths of the release's, with
as many thoughts left as there (53 % of users' messages with a reason, 67 % of replies with a reaction); and invented
ones of that size and density (`loading.py`). What lengths are spread like in the release is not known to us. This is a
simulation by our own code: no provider is asked. The judges' prompts share too little to be cached and are not counted.
"""

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import yaml
from inspect_ai.dataset import Sample
from loading import CONVERSATIONS, MESSAGES, THOUGHTS, USERS, write_conversations
from rich import box
from rich.console import Console
from rich.table import Table

from thoughttrace.core.prices import FILE, our_prices
from thoughttrace.core.record import PromptMetadata
from thoughttrace.costing.cache_bill import bill_input, cache_rules, shared_prompts
from thoughttrace.costing.workload import build

EXAMPLES = Path(__file__).resolve().parents[2] / "shared/data/ThoughtTrace_examples.jsonl"


def write_thinned(examples: Path, path: Path, share: float, seed: int) -> None:
    """Write real conversations, each cut to a length and left with thoughts as in the release.

    Args:
        examples: The real conversations.
        path: Where to.
        share: Of the release's number of conversations.
        seed: Of conversations, lengths and thoughts.
    """
    rng = random.Random(seed)
    records = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    users = max(1, int(USERS * share))
    with path.open("w", encoding="utf-8") as file:
        for number in range(max(1, int(CONVERSATIONS * share))):
            record = rng.choice(records)
            turns = max(1, round(rng.gammavariate(3, MESSAGES / CONVERSATIONS / 6)))
            messages = [dict(message) for message in record["messages"][: 2 * turns]]
            for message in messages:
                kind = "reasons" if message["type"] == "user" else "reactions"
                if rng.random() >= THOUGHTS[kind] / (MESSAGES / 2):
                    message[kind] = []
            name = f"user{number % users}_task{number // users}_conversation1"
            # Words of its own at the beginning: else one conversation's prompts would be found in another's cache.
            messages[0]["content"] = f"{name}: {messages[0]['content']}"
            file.write(json.dumps(record | {"id": name, "messages": messages}) + "\n")


def input_costs(data: Path, models: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return what each model's input costs, as a share of its price without a cache.

    Returns:
        With both tasks side by side, and one after the other.
    """
    tasks = [
        task.dataset[0 : len(task.dataset)]
        for task, _ in (build(name, {"data": str(data)}) for name in ("infer_reason", "infer_reaction"))
    ]
    samples = [sample for task in tasks for sample in task]
    order = {conversation: n for n, conversation in enumerate(dict.fromkeys(_place(one)[0] for one in samples))}
    together = sorted(samples, key=lambda one: (order[_place(one)[0]], _place(one)[1]))

    def cost(model: str, runs: Sequence[Sequence[Sample]]) -> float:
        price = our_prices().find(model)
        assert price
        bills = [bill for run in runs for bill in bill_input(shared_prompts(run), model, cache_rules(model, price))]
        fresh, read = sum(bill.fresh for bill in bills), sum(bill.read for bill in bills)
        written = sum(bill.written for bill in bills)
        dollars = fresh * price.input + read * price.input_cache_read + written * price.input_cache_write
        return dollars / ((fresh + read + written) * price.input)

    return {model: (cost(model, [together]), cost(model, tasks)) for model in models}


def _place(sample: Sample) -> tuple[str, int]:
    metadata = sample.metadata_as(PromptMetadata)
    return metadata.conversation, metadata.message_index


@click.command()
@click.option("--seed", "seeds", multiple=True, default=(0, 1), show_default=True, help="Of lengths and thoughts.")
@click.option("--share", default=0.25, show_default=True, help="Of the release's number of conversations.")
def main(seeds: tuple[int, ...], share: float) -> None:
    """Print the table."""
    priced = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    models = [name for name, price in priced.items() if "cache_minimum" in price]
    examples = Path(os.environ.get("THOUGHTTRACE_EXAMPLES", EXAMPLES))
    columns = {}
    with TemporaryDirectory() as folder, Console(stderr=True).status("Estimating …"):
        if examples.exists():
            columns["real, dense"] = input_costs(examples, models)
        for seed in seeds:
            data = Path(folder) / f"{seed}.jsonl"
            if examples.exists():
                write_thinned(examples, data, share, seed)
                columns[f"real, thinned, seed {seed}"] = input_costs(data, models)
            write_conversations(data, share, seed)
            columns[f"invented, seed {seed}"] = input_costs(data, models)
    title = "Input cost with a prompt cache, without one being 1: both tasks side by side / one after the other"
    table = Table("model", box=box.SIMPLE_HEAD, title=f"{title}; {CONVERSATIONS * share:,.0f} conversations")
    for name in columns:
        table.add_column(name, justify="right")
    for model in models:
        table.add_row(model, *("{:.2f} / {:.2f}".format(*costs[model]) for costs in columns.values()))
    console = Console(width=160, highlight=False)
    console.print(table)
    for name, costs in columns.items():
        ranges = (f"{min(values):.2f}–{max(values):.2f}" for values in zip(*costs.values(), strict=True))
        console.print(f"{name}: {' / '.join(ranges)}")


if __name__ == "__main__":
    main()
