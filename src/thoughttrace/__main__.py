"""Run the `thoughttrace` command as `python -m thoughttrace`."""

from thoughttrace.cli.main import main

main(prog_name="thoughttrace")
