"""Price tokens by a dated file beside this one."""

import datetime
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from inspect_ai.model import ModelCost, ModelUsage, compute_model_cost
from pydantic import BaseModel, ConfigDict, Field

from thoughttrace.core.model_file import read_by_model
from thoughttrace.core.model_names import same_model

FILE = Path(__file__).resolve().parent / "prices.yml"
"""The built-in prices."""

_Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]

LOCAL = ("local", "none", "mockllm")
"""Providers that send nothing anywhere: their tokens cost nothing."""


class Price(BaseModel):
    """What a model costs, in US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: _Dollars
    output: _Dollars
    """Reasoning included: providers bill it as output, and count it in."""
    input_cache_read: _Dollars
    input_cache_write: _Dollars
    batch: float | None = Field(default=None, ge=0, le=1)
    """Share of these prices that a batch costs; None if not known."""
    cache_minimum: int | None = Field(default=None, ge=1)
    """Tokens from which a prompt is cached; None if not known."""
    date: datetime.date | None = None
    """On which day the source said so."""
    until: datetime.date | None = None
    """The last day of a price that is announced to change."""
    source: str | None = None

    def dollars(self, usage: ModelUsage, batch: bool = False) -> float | None:
        """Return what tokens cost, in US dollars; None in a batch whose price is not known.

        Args:
            usage: Tokens; those read from or written to the provider's cache are not among its `input_tokens`.
            batch: Whether they went through the provider's batches.
        """
        if batch and self.batch is None:
            return None
        rates = self.model_dump(include=set(ModelCost.model_fields))
        return compute_model_cost(ModelCost(**rates), usage) * (self.batch or 0.0 if batch else 1.0)


_NOTHING = Price(input=0, output=0, input_cache_read=0, input_cache_write=0, batch=1)


class Prices:
    """A table of prices.

    Args:
        table: The price of each model, by its name as Inspect writes it.
    """

    def __init__(self, table: Mapping[str, Price]) -> None:
        self._table = dict(table)

    def find(self, model: str, day: datetime.date | None = None) -> Price | None:
        """Return the price of a model; None if it is not known, or was announced to change before that day.

        A dated name (`openai/gpt-5.4-2026-03-05`) has the price of the one without a date, but only from the same
        provider: others who serve the model set their own prices.

        Args:
            model: Its name as Inspect writes it.
            day: When it is asked; None for today.
        """
        route = model.rpartition("/")[0]
        if route.partition("/")[0] in LOCAL:
            return _NOTHING
        alike = [name for name in self._table if name.rpartition("/")[0] == route and same_model(name, model)]
        price = self._table.get(model) or (self._table[alike[0]] if alike else None)
        expired = price is not None and price.until is not None and (day or datetime.date.today()) > price.until
        return None if expired else price


@cache
def our_prices() -> Prices:
    """Return the built-in prices."""
    return Prices(_read(FILE))


def read_prices(path: Path | None) -> Prices:
    """Return the built-in prices, with those of a file in their place where it has any.

    Args:
        path: YAML or JSON in the form of the built-in file or of Inspect's `--model-cost-config`; None for the built-in
            prices alone.

    Raises:
        UserError: The file cannot be read, or holds something that is no price.
    """
    return our_prices() if path is None else Prices(_read(FILE) | _read(path))


def _read(path: Path) -> dict[str, Price]:
    return read_by_model(path, Price, "price", FILE)
