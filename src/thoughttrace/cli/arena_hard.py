"""`thoughttrace arena-hard`: judgements of Arena-Hard-Auto, scored as it does, with an interval by prompt."""

import sys

import click

from thoughttrace.core.terminal import Terminal

_WIDE = 160
"""The width of a table that is written to a file or a pipe."""


@click.command()
@click.argument("judgements", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--answers",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Answers of a model or of the baseline (model_answer/MODEL.jsonl), to control for style; once for each.",
)
@click.option("--category", help="Only judgements of this category, such as hard_prompt.")
def arena_hard(judgements: tuple[str, ...], answers: tuple[str, ...], category: str | None) -> None:
    """Score JUDGEMENTS that Arena-Hard-Auto wrote by its own formula, with an interval by prompt beside its own.

    JUDGEMENTS are its files of one judge and model each (model_judgment/JUDGE/MODEL.jsonl). Score, its 90 % interval
    and the style-controlled score are Arena-Hard-Auto's: a verdict of "much better" counts three times, and the
    interval takes every verdict for independent. By prompt: every verdict counts once, with a 95 % interval over
    prompts.
    """
    # Imported here: they take seconds, which --help would have to wait for.
    from thoughttrace.analysis.page.table import Table, count, limits, name, share  # noqa: PLC0415
    from thoughttrace.analysis.read.arena_hard import score_arena_hard  # noqa: PLC0415

    columns = [
        name("Model", "model"),
        share("Score", "score"),
        limits("Its 90 % interval", percent=True),
        share("By prompt", "by_prompt"),
        limits("95 % interval", "by_prompt_", percent=True),
        share("Style-controlled", lambda row: row.style_controlled_note.partition(":")[0] or row.style_controlled),
        count("Prompts", "prompts"),
    ]
    console = Terminal(width=None if sys.stdout.isatty() else _WIDE)
    table = Table(score_arena_hard(judgements, answers, category), columns)
    console.print(table.to_terminal("Arena-Hard-Auto", console.width))
