"""Estimate statistics: arrays in, intervals out; knows no log, no command and no flag."""
