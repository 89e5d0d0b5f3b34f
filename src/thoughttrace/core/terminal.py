"""Show words that others wrote: nothing in them steers the terminal, turns the text after it, or is read as markup."""

import re
from typing import Any

from rich.console import Console
from rich.text import Text

# Direction overrides and isolates turn all text after them; other control characters and lone surrogates make an
# SVG that no reader opens, and an escape sequence would steer the terminal.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(words: str) -> str:
    """Name characters that turn or steer what is shown after them, instead of obeying them."""
    return _UNSEEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", words.replace("\r\n", "\n"))


class Terminal(Console):
    """The terminal: what is printed to it is shown as it is, as text, whoever wrote it.

    Args:
        options: Those of rich's `Console`.
    """

    def __init__(self, **options: Any) -> None:
        # A name such as [/b] would otherwise be an error, and [link=…] a link to anywhere.
        super().__init__(**options, highlight=False, markup=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text of a string; rich does so with every string that is printed, also in tables and titles."""
        return super().render_str(visible(text), **options)
