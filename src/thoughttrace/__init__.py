"""Measure how much of a user's thoughts a language model can infer from a conversation."""

from importlib.metadata import version

__version__ = version("thoughttrace")
