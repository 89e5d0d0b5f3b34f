"""Run the `thoughttrace` command; a subcommand's module is imported only when it is used."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

COMMANDS = (
    "fetch",
    "profile",
    "estimate",
    "report",
    "compare",
    "card",
    "submit",
    "leaderboard",
    "plan",
    "rate",
    "guess",
    "calibrate",
    "annotate",
    "shift",
    "split",
    "subset",
    "check",
    "export",
    "pairs",
    "arena-hard",
    "demo",
    "fetch-model",
)
"""The subcommands, in the order in which a study needs them; `fetch-model` is the function in `cli/fetch_model.py`."""


def summary_of(name: str) -> str:
    """Read a subcommand's summary: the first paragraph of its docstring.

    The file is parsed, not imported: importing all of them takes seconds, which `--help` would have to wait for.

    Args:
        name: One of `COMMANDS`.
    """
    function = _function_name(name)
    source = Path(__file__).with_name(f"{function}.py").read_text(encoding="utf-8")
    (definition,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == function
    )
    return " ".join((ast.get_docstring(definition) or "").partition("\n\n")[0].split())


def _function_name(name: str) -> str:
    return name.replace("-", "_")


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is used, and lists all of them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand, or return None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        function = _function_name(cmd_name)
        command: click.Command = getattr(import_module(f"thoughttrace.cli.{function}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each subcommand with its whole summary, where click would import it and cut the summary."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary_of(name)) for name in COMMANDS])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a subcommand's name without importing any."""
        names = [CompletionItem(name, help=summary_of(name)) for name in COMMANDS if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Show a user's mistake as one message, without a traceback, and exit with code 1."""
        try:
            return super().invoke(ctx)
        except (click.UsageError, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            # Imported here: it imports Inspect, which takes two seconds that --help would have to wait for.
            from thoughttrace.core.errors import UserError  # noqa: PLC0415
            from thoughttrace.core.terminal import visible  # noqa: PLC0415

            if isinstance(error, UserError | click.ClickException):
                raise click.ClickException(visible(str(error))) from error
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thoughttrace")
def main() -> None:
    """Measure how much of a user's thoughts a language model can infer from a conversation.

    Evaluations are run with Inspect's own command, for example
    `inspect eval thoughttrace/infer_reason --model … --model-role grader=…`; these commands prepare them and
    analyse their logs.
    """
