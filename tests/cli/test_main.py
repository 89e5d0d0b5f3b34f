"""The command group: its help is quick and whole, and a user's mistake is one message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from thoughttrace.cli.main import COMMANDS, main, summary_of
from thoughttrace.core.errors import UserError

HEAVY = ("inspect_ai", "matplotlib", "numpy", "pandas", "pydantic", "scipy")

SLOW_HELP = ("demo", "estimate", "fetch-model")
"""Commands that still import Inspect with their module."""


def loaded_by(*words: str, **environment: str) -> tuple[str, set[str]]:
    """What `thoughttrace WORDS` prints, and the heavy packages that it imports."""
    code = (
        "import json, sys\n"
        "from thoughttrace.cli.main import main\n"
        "try:\n    main(sys.argv[1:], prog_name='thoughttrace')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *printed, heavy = done.stdout.splitlines()
    return "\n".join(printed), set(json.loads(heavy))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["report", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    printed, heavy = loaded_by(*words)
    assert printed
    assert heavy == set()


def test_a_commands_own_help_imports_nothing_heavy() -> None:
    light = [name for name in COMMANDS if name not in SLOW_HELP]
    code = (
        "import json, sys\n"
        "from thoughttrace.cli.main import main\n"
        "heavy = {}\n"
        f"for name in {light}:\n"
        "    try:\n        main([name, '--help'])\n"
        "    except SystemExit as end:\n        assert not end.code, end.code\n"
        f"    heavy[name] = [package for package in {HEAVY} if package in sys.modules]\n"
        "print(json.dumps(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {name: [] for name in light}


def test_completion_imports_nothing_heavy() -> None:
    asked = {"_THOUGHTTRACE_COMPLETE": "bash_complete", "COMP_WORDS": "thoughttrace f", "COMP_CWORD": "1"}
    printed, heavy = loaded_by(**asked)
    assert printed.split() == ["plain,fetch", "plain,fetch-model"]
    assert heavy == set()


def test_every_summary_is_printed_whole_at_80_columns() -> None:
    done = CliRunner().invoke(main, ["--help"], terminal_width=80)
    words = " ".join(done.output.partition("Commands:")[2].split())
    assert words == " ".join(f"{name} {summary_of(name)}" for name in COMMANDS)
    assert max(map(len, done.output.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_what_its_summary_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert " ".join((command.help or "").split()).startswith(summary_of(name))
    assert summary_of(name).endswith(".")
    assert 20 < len(summary_of(name)) < 130


def test_every_option_of_every_command_has_a_help_text() -> None:
    missing = []
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        missing += [
            f"{name} {parameter.opts[0]}"
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.help
        ]
    assert set(missing) <= {"demo --log-dir", "demo -o"}


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "thoughttrace", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("thoughttrace, version ")


def test_a_mistake_is_one_message_and_a_fault_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> click.Command:
        @click.command()
        def command() -> None:
            raise error

        return command

    for error, exit_code, output in (
        (UserError("no such file: x"), 1, "Error: no such file: x\n"),
        (ValueError("a fault"), 1, ""),
        (click.UsageError("no such option"), 2, "no such option\n"),
        (click.exceptions.Exit(3), 3, ""),
        (click.Abort(), 1, "Aborted!\n"),
    ):
        monkeypatch.setattr(main, "get_command", lambda ctx, name, error=error: fail(error))
        done = CliRunner().invoke(main, ["anything"])
        assert done.exit_code == exit_code
        assert done.output.endswith(output)
        assert isinstance(done.exception, ValueError) == isinstance(error, ValueError)


def test_an_unknown_command_is_named() -> None:
    done = CliRunner().invoke(main, ["reprot"])
    assert done.exit_code == 2
    assert "No such command 'reprot'" in done.output
