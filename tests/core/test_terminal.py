"""What others wrote is shown as text, by every command: labels, names of models and of files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from rich.console import Console
from rich.table import Table

from thoughttrace.cli.main import main
from thoughttrace.core.terminal import Terminal, visible

HOSTILE = ("[/b]", "[link=http://evil]x[/link]", "a\x1b]0;title\x07b", "\x1b[2J", "\u202eturned", "\x9b2J")


def shown(*arguments: object, fails: bool = False) -> str:
    """What a command prints, as one line; nothing in it steers a terminal."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(main, [*map(str, arguments)])
    assert (done.exit_code != 0) is fails, (done.output, done.exception)
    assert visible(done.output) == done.output
    return "".join(done.output.split())


@pytest.mark.parametrize("words", HOSTILE)
def test_every_string_that_is_printed_is_text(words: str) -> None:
    terminal, width = Terminal(force_terminal=True, color_system=None), 80
    table = Table(words, title=words)
    table.add_row(words)
    with terminal.capture() as capture:
        terminal.print(words, table, width=width)
    assert capture.get().count(visible(words)) == 4
    assert "\x1b" not in capture.get()
    assert isinstance(terminal, Console)


def test_words_of_data_and_names_are_shown_as_text(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """All of them in one file, each a label of its own: a page for each would take its seconds to draw."""
    record = make_conversation(turns=len(HOSTILE))
    for message, words in zip(record["messages"][::2], HOSTILE, strict=True):
        message["reasons"][0]["label"] = words
    name = f"{'&'.join(HOSTILE).replace('/', '-')}.jsonl"
    seen_name = "".join(visible(name).split())
    data = write(record, name=name)
    profile = shown("profile", data)
    for words in HOSTILE:
        assert "".join(visible(words).split()) in profile.replace(seen_name, "")
    assert seen_name in profile
    assert seen_name in shown("profile", data, "--against", data, "-o", tmp_path / "page")
    assert list((tmp_path / "page").glob("*.svg"))
    for figure in (tmp_path / "page").glob("*.svg"):
        ElementTree.parse(figure)
    assert seen_name in shown("profile", tmp_path / "absent" / name, fails=True)
    assert seen_name in shown("report", tmp_path / "absent" / name, fails=True)


@pytest.mark.parametrize("words", HOSTILE)
def test_the_name_of_a_model_is_shown_as_text(words: str) -> None:
    estimate = ("estimate", "infer_reason", "-T", "data=sample", "--limit", "1")
    assert "".join(visible(words).split()) in shown(
        *estimate, "--model", f"openai/{words}", "--grader", "anthropic/judge"
    )


def test_words_of_logs_are_shown_as_text(run_task: Callable[..., EvalLog], tmp_path: Path) -> None:
    log = read_eval_log(run_task(limit=4).location)
    log.eval.model = "".join(HOSTILE)
    write_eval_log(log, log.location)
    other = read_eval_log(run_task(limit=4, folder="other").location)
    output = tmp_path / f"{HOSTILE[3]}.csv"
    assert "[U+001B][2J" in shown("compare", log.location, other.location, "-o", output)
    assert "cannotbewritten" in shown("compare", log.location, other.location, "-o", tmp_path / "no/x.csv", fails=True)
    assert "[/b][link=" in shown("report", log.location, "-o", tmp_path / "[b]report")
    assert json.loads((tmp_path / "[b]report/page.json").read_text())
