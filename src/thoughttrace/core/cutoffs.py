"""Tell by the training cutoffs in a dated file beside this one whether a model can have read ThoughtTrace."""

import calendar
import datetime
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from thoughttrace.core.model_file import read_by_model
from thoughttrace.core.model_names import same_model

FILE = Path(__file__).resolve().parent / "cutoffs.yml"
"""The built-in cutoffs."""

RELEASE = datetime.date(2026, 5, 19)
"""The day on which ThoughtTrace was released; the paper followed on the next."""

Contamination = Literal["before", "after", "unknown", "trained on it"]
"""Where a model's training ends, seen from the release: `before` it; `after`, or on the day; not known, also where only
what the model knows well ends before, and it was published after; or its makers say that it was trained on
ThoughtTrace."""


def _last_day(value: Any) -> Any:
    """Turn a month into its last day: what a model read in that month can be of any of its days."""
    if isinstance(value, str) and len(value) == len("2026-05"):
        year, _, month = value.partition("-")
        if year.isdecimal() and month.isdecimal() and 1 <= int(month) <= 12 and int(year):
            return datetime.date(int(year), int(month), calendar.monthrange(int(year), int(month))[1])
    return value


class Cutoff(BaseModel):
    """Up to when the texts go that a model was trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cutoff: Annotated[datetime.date, BeforeValidator(_last_day)] | None = None
    """The last day; of a month, its last. None only where the model was trained on ThoughtTrace."""
    of: Literal["training", "knowledge"] = "training"
    """Whether the training data end there, or what the model knows well; training data can be later than that."""
    published: datetime.date | None = None
    """When the model was; None if not known. What was published before the release cannot hold it."""
    trained: bool = False
    """Whether the model's makers say that it was trained on ThoughtTrace."""
    date: datetime.date | None = None
    """On which day the source said so."""
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _says_something(self) -> "Cutoff":
        if self.cutoff is None and not self.trained:
            raise ValueError("needs a cutoff, such as 2026-05, or trained: true")
        return self


class Cutoffs:
    """A table of cutoffs.

    Args:
        table: The cutoff of each model, by its name as Inspect writes it.
    """

    def __init__(self, table: Mapping[str, Cutoff]) -> None:
        self._table = dict(table)

    def find(self, model: str) -> Cutoff | None:
        """Return the cutoff of a model, whoever serves it and with whatever date in its name; None if not known.

        Args:
            model: Its name as Inspect writes it.
        """
        alike = [name for name in self._table if same_model(name, model)]
        return self._table.get(model) or (self._table[alike[0]] if alike else None)

    def contamination(self, model: str) -> Contamination:
        """Say whether a model's training can have held ThoughtTrace.

        Args:
            model: Its name as Inspect writes it.
        """
        found = self.find(model)
        if found is None:
            return "unknown"
        if found.trained or found.cutoff is None:
            return "trained on it"
        if found.cutoff >= RELEASE:
            return "after"
        published_before = found.published is not None and found.published < RELEASE
        return "before" if found.of == "training" or published_before else "unknown"

    def describe(self, model: str) -> str:
        """Say in a few words for a table when a model's training ends, and whether that is a warning.

        Args:
            model: Its name as Inspect writes it.
        """
        found, where = self.find(model), self.contamination(model)
        if found is None:
            return "unknown"
        if found.cutoff is None or where == "trained on it":
            return "trained on ThoughtTrace"
        doubt = {"after": ", on or after the release", "unknown": ", its training can end later"}.get(where, "")
        return f"{found.cutoff} ({found.of}){doubt}"


@cache
def our_cutoffs() -> Cutoffs:
    """Return the built-in cutoffs."""
    return Cutoffs(_read(FILE))


def read_cutoffs(path: Path | None) -> Cutoffs:
    """Return the built-in cutoffs, with those of a file in their place where it has any.

    Args:
        path: YAML or JSON in the form of the built-in file; None for the built-in cutoffs alone.

    Raises:
        UserError: The file cannot be read, or holds something that is no cutoff.
    """
    if path is None:
        return our_cutoffs()
    given = _read(path)
    return Cutoffs(given | {name: cutoff for name, cutoff in _read(FILE).items() if name not in given})


def _read(path: Path) -> dict[str, Cutoff]:
    return read_by_model(path, Cutoff, "cutoff", FILE)
