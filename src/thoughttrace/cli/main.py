"""The command group: which commands there are, and how a user's mistake is told."""

from typing import Any

import click

from thoughttrace.cli.annotate import annotate
from thoughttrace.cli.compare import compare
from thoughttrace.cli.demo import demo
from thoughttrace.cli.estimate import estimate
from thoughttrace.cli.fetch import fetch
from thoughttrace.cli.fetch_model import fetch_model
from thoughttrace.cli.plan import plan
from thoughttrace.cli.profile import profile
from thoughttrace.cli.rate import rate
from thoughttrace.cli.report import report
from thoughttrace.cli.shift import shift
from thoughttrace.core.errors import UserError


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Turn a user's mistake into one sentence and exit code 1."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thoughttrace")
def main() -> None:
    """Measure how much of what a user was thinking a language model can tell.

    Evaluations themselves are run with Inspect's own command, for example
    `inspect eval thoughttrace/infer_reason --model … --model-role grader=…`.
    """


for command in (annotate, compare, demo, estimate, fetch, fetch_model, plan, profile, rate, report, shift):
    main.add_command(command)

if __name__ == "__main__":
    main()
