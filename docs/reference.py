"""Write the pages that are made anew at each build: the reference from the code, card and leaderboard from the results.

Commands are from click, tasks from their signatures and docstrings.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import click
from docstring_parser import DocstringStyle, parse

from thoughttrace import _registry
from thoughttrace.analysis.results.card import card
from thoughttrace.analysis.results.leaderboard import write_leaderboard
from thoughttrace.analysis.results.standings import once_each
from thoughttrace.cli.main import COMMANDS, main
from thoughttrace.core.cache_dir import write_whole
from thoughttrace.core.result_files import read_results

_COLUMNS = 100

TASKS = [name for name in _registry.__all__ if getattr(_registry, name).__module__ == f"thoughttrace.tasks.{name}"]
"""All that `inspect eval` finds."""


def write_pages(folder: Path, results: Path) -> None:
    """Write `commands.md`, `tasks.md` and `example_card.md`.

    Args:
        folder: Made if absent.
        results: The folder of results, one of which has its card shown.
    """
    for name, page in (("commands", _commands()), ("tasks", _tasks()), ("example_card", _card(results))):
        with write_whole(folder / f"{name}.md") as part:  # two builds may run at once
            part.write_text(page, encoding="utf-8")


def write_results(results: Path, folder: Path) -> None:
    """Write the leaderboard of the results, as `thoughttrace leaderboard` does.

    Args:
        results: The folder of results.
        folder: Made if absent.
    """
    write_leaderboard(*once_each(read_results(results)), folder)


_CARD = """\
# Example card

What `thoughttrace card` writes of one system: here of the model with the most samples among the
[results](../leaderboard.md) of this repository, made from `{file}` whenever these pages are built.
"""


def _card(results: Path) -> str:
    """Write the page of one card, whose headings stand below the page's own."""
    counted, _ = once_each(read_results(results))
    models = [result for result in counted if result.system.sort == "model"]
    shown = max(models, key=lambda result: sum(part.samples for part in result.kinds.values()))
    return f"{_CARD.format(file=f'results/{shown.stem}.json')}\n{re.sub(r'^#', '##', card(shown), flags=re.MULTILINE)}"


def _commands() -> str:
    parent = click.Context(main, info_name="thoughttrace")
    parts = ["# Commands\n\nWhat `--help` says. Evaluations are run with Inspect's own command, `inspect eval`.\n"]
    for name in COMMANDS:
        command = main.get_command(parent, name)
        assert command
        context = click.Context(command, info_name=name, parent=parent, terminal_width=_COLUMNS)
        parts.append(f"## thoughttrace {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _tasks() -> str:
    parts = [
        "# Tasks\n\nRun one with `inspect eval thoughttrace/NAME`, and give its parameters as `-T NAME=VALUE`.\n",
        "\n".join(["| task | what it does |", "|---|---|", *(_row(name) for name in TASKS)]) + "\n",
    ]
    for name in TASKS:
        function = _function(name)
        told = parse(inspect.getdoc(function) or "", DocstringStyle.GOOGLE)
        said = {argument.arg_name: argument.description or "" for argument in told.params}
        table = ["| `-T` | default | |", "|---|---|---|"] + [
            f"| `{parameter.name}` | {_default(parameter)} | {_cell(said[parameter.name])} |"
            for parameter in inspect.signature(function).parameters.values()
        ]
        summary, more = told.short_description, told.long_description or ""
        parts += [f"## {name}\n", f"{summary}\n", f"{more}\n", "\n".join(table) + "\n"]
    return "\n".join(parts)


def _function(name: str) -> Any:
    return getattr(_registry, name)


def _row(name: str) -> str:
    return f"| [`{name}`](#{name}) | {_cell(parse(inspect.getdoc(_function(name)) or '').short_description or '')} |"


def _default(parameter: inspect.Parameter) -> str:
    return "required" if parameter.default is parameter.empty else f"`{parameter.default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
