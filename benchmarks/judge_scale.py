"""How well a judge rates the written probes, by the ways of reading a rating out of it.

    python benchmarks/judge_scale.py [--model local/qwen2.5-coder-1.5b] [--limit 16] [--out judgements.jsonl]

The judge is asked three times about each probe: as it is in a run; after four rated examples, as turns of the chat; and
with note and guess in each other's place. Each judgement gives the rating that it wrote and its expected rating, from
log-probabilities. Both orders are the mean of the first and the third. Every judgement is a line of the file when it
comes; a second call goes on where the first one stopped. The probes of one target stand together, so that some of their
pairs are in any `--limit`.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import click
from inspect_ai.model import ChatMessage, ChatMessageAssistant, Model, get_model
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.stats import mannwhitneyu

from thoughttrace.core.record import Kind
from thoughttrace.datasets.probes import FAMILIES, Probe, gather_probes
from thoughttrace.scorers.agreement import judge_prompt, rubric_hash, verdict_form
from thoughttrace.scorers.panel import vote

# What a form does not ask for is left out of its example.
EXAMPLES: dict[Kind, list[tuple[str, str, str, dict[str, Any]]]] = {
    "reason": [
        (
            "Which plants grow in shade?", "I want something green for my dark hallway.",
            "I need a plant that lives where no sun comes in.",
            {"rationale": "the dark place and the plant are both there", "rating": 5},
        ),
        (
            "How do I write a cover letter?", "I was fired and do not know how to say so.",
            "I want to apply for a job.", {"rationale": "the topic alone; nothing of being fired", "rating": 2},
        ),
        (
            "What does this clause mean?", "My landlord wants to raise the rent and I want to be sure he may.",
            "I want to know if something in my lease is allowed.",
            {"rationale": "whether it is allowed is there, the rent is missing", "rating": 3},
        ),
        (
            "Tell me about Lisbon.", "I wanted to see if it knows the new tram line.",
            "I dream of moving to Portugal.", {"rationale": "a test of the assistant, not a wish to move", "rating": 1},
        ),
    ],
    "reaction": [
        (
            "Take 500 g of flour …", "Clear steps, I can start at once.", "Easy to follow, so I can begin right away.",
            {
                "rationale": "both pleased with steps that can be followed at once", "note_verdict": "pleased",
                "guess_verdict": "pleased", "cause": "same", "rating": 5,
            },
        ),
        (
            "There are many good phones …", "It never asked what I can spend.", "Nice overview of all the phones.",
            {
                "rationale": "note displeased about the budget, guess pleased", "note_verdict": "displeased",
                "guess_verdict": "pleased", "cause": "other", "rating": 1,
            },
        ),
        (
            "Photosynthesis is …", "I like that it used an example from my garden.", "Good that it was short.",
            {
                "rationale": "both pleased, the note for the example, the guess for the length",
                "note_verdict": "pleased", "guess_verdict": "pleased", "cause": "other", "rating": 2,
            },
        ),
        (
            "Monday: run 5 km …", "Good plan, but it is too much for a beginner.", "It asks too much of me.",
            {
                "rationale": "too much in both; the praise is missing", "note_verdict": "mixed",
                "guess_verdict": "displeased", "cause": "same", "rating": 3,
            },
        ),
    ],
}  # fmt: skip
"""Message, note, guess, and the verdict on it."""


# ---- the three questions


def as_in_a_run(probe: Probe, message: bool) -> list[ChatMessage]:
    """What a judge is asked."""
    return judge_prompt(probe.kind, probe.message if message else None, probe.targets, probe.inference)


def after_examples(probe: Probe, message: bool) -> list[ChatMessage]:
    """The same after rated examples, each a question and its answer."""
    system, question = as_in_a_run(probe, message)
    turns: list[ChatMessage] = [system]
    for said, note, guess, verdict in EXAMPLES[probe.kind]:
        form = verdict_form(probe.kind)
        reply = json.dumps({name: verdict[name] for name in form.fields.model_fields})
        assert form.parse(reply), reply
        asked = judge_prompt(probe.kind, said if message else None, [note], guess)[-1]
        turns += [asked, ChatMessageAssistant(content=reply)]
    return [*turns, question]


def swapped(probe: Probe, message: bool) -> list[ChatMessage]:
    """The same with note and guess in each other's place; several notes make one guess."""
    said = probe.message if message else None
    return judge_prompt(probe.kind, said, [probe.inference], "\n".join(probe.targets))


QUESTIONS: dict[str, Callable[[Probe, bool], list[ChatMessage]]] = {
    "run": as_in_a_run,
    "examples": after_examples,
    "swapped": swapped,
}

METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sampled digit": ("rating", ("run",)),
    "expected rating": ("expected", ("run",)),
    "few-shot, sampled": ("rating", ("examples",)),
    "few-shot, expected": ("expected", ("examples",)),
    "both orders, sampled": ("rating", ("run", "swapped")),
    "both orders, expected": ("expected", ("run", "swapped")),
}
"""Each is the mean of a number over some of the questions."""


async def judge(model: Model, probes: Sequence[Probe], message: bool, out: Path) -> None:
    """Ask what was not asked yet, and append each judgement to the file."""
    done = {(line["id"], line["question"]) for line in judgements(out, str(model), message)}
    with out.open("a", encoding="utf-8") as file:
        # By question and kind: what the prompts share is then read once.
        for question, ask in QUESTIONS.items():
            for probe in sorted(probes, key=lambda probe: probe.kind):
                if (probe.id, question) in done:
                    continue
                started = time.monotonic()
                form, fixed = verdict_form(probe.kind), rubric_hash(probe.kind, message)
                cast = await vote(model, ask(probe, message), form, fixed, judge_scale="expected")
                line = {
                    "model": str(model), "judge_message": message, "rubric_hash": cast.rubric_hash, "id": probe.id,
                    "question": question, "rating": cast.rating, "expected": cast.expected, "rationale": cast.rationale,
                    "reason": cast.reason, "probabilities": cast.probabilities,
                    "seconds": round(time.monotonic() - started, 3),
                }  # fmt: skip
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()


def judgements(out: Path, model: str, message: bool) -> Iterator[dict[str, Any]]:
    """The judgements of a model in the file, by the present rubrics."""
    for text in out.read_text(encoding="utf-8").splitlines() if out.exists() else ():
        line = json.loads(text)
        present = {rubric_hash(kind, message) for kind in EXAMPLES}
        if line["model"] == model and line["judge_message"] == message and line["rubric_hash"] in present:
            yield line


# ---- what they are worth


def measure(probes: Sequence[Probe], ratings: dict[str, float]) -> dict[str, float]:
    """Compare ratings with the right ones.

    Args:
        probes: The probes.
        ratings: 1–5, by a probe's id.

    Returns:
        `right`: the share whose rating, to the nearest, halves up, is right. `auc`: how often a probe of which 4 or
        more is right is rated above one of which 2 or less is. `order`: how often, of two probes of one target whose
        right ratings do not overlap, the better is rated above the other; ties count half in both. `distance`: the mean
        distance to the right ratings, in points.
    """
    rated = [probe for probe in probes if probe.id in ratings]
    high = [ratings[probe.id] for probe in rated if probe.low >= 4]
    low = [ratings[probe.id] for probe in rated if probe.high <= 2]
    pairs = [
        (ratings[a.id] > ratings[b.id]) + (ratings[a.id] == ratings[b.id]) / 2
        for first, second in combinations(rated, 2)
        for a, b in ((first, second), (second, first))
        if a.ladder == b.ladder and a.low > b.high
    ]
    return {
        "n": len(rated),
        "right": fmean(probe.low <= math.floor(ratings[probe.id] + 0.5) <= probe.high for probe in rated),
        "auc": float(mannwhitneyu(high, low).statistic) / (len(high) * len(low)) if high and low else math.nan,
        "order": fmean(pairs) if pairs else math.nan,
        "pairs": len(pairs),
        "distance": fmean(
            max(probe.low - ratings[probe.id], 0, ratings[probe.id] - probe.high) for probe in rated
        ),
    }  # fmt: skip


def of_method(lines: Sequence[dict[str, Any]], method: str) -> tuple[dict[str, float], float]:
    """The ratings by one way, of the probes that have all its judgements, and the seconds that one takes."""
    number, questions = METHODS[method]
    by_probe: dict[str, dict[str, dict[str, Any]]] = {}
    for line in lines:
        if line["question"] in questions and line[number] is not None:
            by_probe.setdefault(line["id"], {})[line["question"]] = line
    whole = {probe: given for probe, given in by_probe.items() if len(given) == len(questions)}
    ratings = {probe: fmean(line[number] for line in given.values()) for probe, given in whole.items()}
    times = [sum(line["seconds"] for line in given.values()) for given in whole.values()]
    return ratings, fmean(times) if times else math.nan


@click.command()
@click.option("--model", default="local/qwen2.5-coder-1.5b", show_default=True)
@click.option("--limit", default=16, show_default=True, type=click.IntRange(min=1), help="Probes.")
@click.option("--message/--no-message", default=False, show_default=True, help="Show the judge the message.")
@click.option("--out", default="judgements.jsonl", show_default=True, type=click.Path(dir_okay=False, path_type=Path))
def main(model: str, limit: int, message: bool, out: Path) -> None:
    """Judge, and print the table."""
    families = [family for family in FAMILIES if message or family != "injection_message"]
    probes = gather_probes([], families, 0, seed=0)[:limit]
    bound = get_model(model)
    asyncio.run(judge(bound, probes, message, out))
    lines = list(judgements(out, str(bound), message))
    table = Table(title=f"{model}: {len(probes)} written probes", box=box.SIMPLE_HEAD)
    for name in ("rating", "n", "right", "AUC", "order", "pairs", "distance", "seconds"):
        table.add_column(name, justify="left" if name == "rating" else "right")
    for method in METHODS:
        ratings, seconds = of_method(lines, method)
        if not any(probe.id in ratings for probe in probes):
            continue
        found = measure(probes, ratings)
        cells = [f"{found['right']:.2f}", f"{found['auc']:.2f}", f"{found['order']:.2f}", f"{found['pairs']:.0f}"]
        table.add_row(method, f"{found['n']:.0f}", *cells, f"{found['distance']:.2f}", f"{seconds:.1f}")
    Console(width=110, highlight=False).print(table)


if __name__ == "__main__":
    main()
