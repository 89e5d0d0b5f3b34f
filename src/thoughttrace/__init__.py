"""How much of what a user was thinking can a model tell from the conversation."""

from importlib.metadata import version

__version__ = version("thoughttrace")
