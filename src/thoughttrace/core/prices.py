"""Price tokens by a dated file beside this one."""

import datetime
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from inspect_ai.model import ModelCost, ModelUsage, compute_model_cost
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thoughttrace.core.errors import UserError
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


_MOST_BYTES = 1_000_000
"""Of a price file; ours has some 7,000. A device or a stream may have no end."""


def _read(path: Path) -> dict[str, Price]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UserError(f"{path}: is larger than {_MOST_BYTES:,} bytes, so it is no price file; see {FILE}.")
        prices = yaml.safe_load(content.decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: the prices cannot be read ({error.strerror or error}).") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: is neither YAML nor JSON; see {FILE} for the form.") from error
    if not isinstance(prices, dict):
        raise UserError(f"{path}: must name models, each with its prices; see {FILE} for the form.")
    return {str(model): _price(path, str(model), fields) for model, fields in prices.items()}


def _price(path: Path, model: str, fields: Any) -> Price:
    try:
        return Price.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f", {part}" for part in first["loc"])
        raise UserError(f"{path}: {model}{field}: {first['msg'][0].lower()}{first['msg'][1:]}.") from error
