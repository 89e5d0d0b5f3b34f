"""Define the error that a user's mistake raises, and the mistakes that several places check for."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from thoughttrace.core.inspect_private import PrerequisiteError

_Choice = TypeVar("_Choice", bound=str)


class UserError(PrerequisiteError):
    """A mistake that the user can fix, explained in a sentence or two.

    Inspect's command prints the message of a `PrerequisiteError` without a traceback and exits 1;
    the `thoughttrace` command does the same.

    Args:
        message: What is wrong, where, and how to fix it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.args = (message,)

    def __str__(self) -> str:
        return str(self.message)


def missing_extra(feature: str, packages: Sequence[str], extra: str) -> UserError:
    """Return the error for a feature whose optional packages are not installed.

    Args:
        feature: What needs them, as the subject of the sentence: `The similarity scorer`.
        packages: The packages that are missing.
        extra: The extra of this package that installs them.
    """
    return UserError(
        f"{feature} needs {' and '.join(packages)}: install {'it' if len(packages) == 1 else 'them'} with "
        f'pip install "thoughttrace[{extra}]" (from a clone: pip install -e ".[{extra}]").'
    )


def check_choice(parameter: str, value: str, choices: Iterable[_Choice]) -> _Choice:
    """Return a value that is one of the choices, typed as one.

    Args:
        parameter: The name of the parameter, as the user types it.
        value: What the user gave.
        choices: The values that it may have.

    Raises:
        UserError: The value is not one of them.
    """
    allowed = tuple(choices)
    for choice in allowed:
        if value == choice:
            return choice
    raise UserError(f"{parameter}={value}: must be one of {', '.join(allowed)}.")


def check_positive(parameter: str, value: Any) -> None:
    """Check that a value is a whole number of 1 or more, or not given.

    Args:
        parameter: The name of the parameter, as the user types it.
        value: What the user gave; None if nothing.

    Raises:
        UserError: It is no whole number, or 0 or less.
    """
    if value is None:
        return
    # Inspect's command line parses `-T users=abc` to text, 2.5 to a float, and true to a boolean.
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{parameter}={value}: must be a whole number, 1 or more.")
    if value < 1:
        raise UserError(f"{parameter}={value}: must be 1 or more.")
