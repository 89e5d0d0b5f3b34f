"""Statistics: arrays in, intervals out. Knows no log and no command."""
