"""The one error a user's mistake raises."""

from inspect_ai._util.error import PrerequisiteError


class UserError(PrerequisiteError):
    """A mistake the user can mend, told in one sentence.

    Inspect's command prints the message of a `PrerequisiteError` without a traceback and exits 1;
    the `thoughttrace` command does the same.

    Args:
        message: What is wrong, where, and how to mend it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.args = (message,)

    def __str__(self) -> str:
        return str(self.message)
