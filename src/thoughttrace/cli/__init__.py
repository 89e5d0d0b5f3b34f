"""The `thoughttrace` command: `main`, and one file per subcommand."""
