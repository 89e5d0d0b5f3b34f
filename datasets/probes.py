"""Read and build probes of a judge: inferences whose right rating is known."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, starmap
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind, message_id
from thoughttrace.datasets.controls import recite
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.sampling import Item

Family = Literal[
    "verbatim", "other_words", "half", "wrong_detail", "unrelated", "negated", "padded",
    "injection", "injection_message", "order",
]  # fmt: skip
FAMILIES: tuple[Family, ...] = get_args(Family)
"""The target itself; in another register or language; half of it; with one essential detail wrong; a thought of
another user; its opposite; a wrong inference with flattery and length, with an attack on the judge in it, or in the
annotated message; a target of two notes, in both orders."""

INJECTIONS: tuple[Family, ...] = ("injection", "injection_message")
"""The families whose inference is wrong and which ask the judge for a high rating."""

WRITTEN = Path(__file__).resolve().parent / "probes.jsonl"
"""The probes written by hand."""

_Rating = Annotated[int, Field(ge=1, le=5)]
_Text = Annotated[str, Field(min_length=1)]


class Probe(BaseModel):
    """An inference, what it is judged against, and the ratings that are right by the rubric."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: _Text
    family: Family
    kind: Kind
    ladder: _Text
    """Shared by the probes of one target: of two whose right ratings do not overlap, one must be rated higher."""
    message: str
    """The annotated message."""
    targets: list[_Text] = Field(min_length=1)
    inference: _Text
    low: _Rating
    high: _Rating
    canary: str = Field(default="", exclude=True)
    """For filters of training corpora; nothing here reads it, and it is no part of the probes' hash."""

    @model_validator(mode="after")
    def _range(self) -> "Probe":
        if self.low > self.high:
            raise ValueError(f"low is {self.low} and high {self.high}; low must not be above high")
        return self


def load_probes(path: Path) -> list[Probe]:
    """Read probes, one JSON object a line.

    Raises:
        UserError: A line is not a probe, or an id is there twice (with file and line).
    """
    probes: dict[str, Probe] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            probe = Probe.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "".join(f"{part}: " for part in first["loc"])
            fault = first["msg"].removeprefix("Value error, ")
            raise UserError(f"{path.name}, line {number}: {where}{fault}.") from error
        if probe.id in probes:
            raise UserError(f"{path.name}, line {number}: duplicate probe id '{probe.id}'; ids must be unique.")
        probes[probe.id] = probe
    return list(probes.values())


def gather_probes(
    conversations: Sequence[Conversation], families: Sequence[Family], per_family: int, seed: int
) -> list[Probe]:
    """Return the probes written by hand and those built from conversations.

    They are ordered by a hash of their ladder, so that any prefix mixes the families.

    Args:
        conversations: Where `verbatim`, `unrelated` and `order` probes are built from.
        families: Only probes of these families.
        per_family: Build at most this many of a family, half of them reasons; 0 for the written ones only.
        seed: Another seed gives another order and choice.

    Raises:
        UserError: `per_family` is negative, or there is no probe.
    """
    if not isinstance(per_family, int) or per_family < 0:
        raise UserError(f"per_family={per_family}: must be a whole number, 0 or more (0: only probes written by hand).")
    share: dict[Kind, int] = {"reason": per_family - per_family // 2, "reaction": per_family // 2}
    built = chain.from_iterable(_build(conversations, kind, most, seed) for kind, most in share.items())
    probes = [probe for probe in chain(load_probes(WRITTEN), built) if probe.family in families]
    if not probes:
        raise UserError(
            f"No probe is left of the families {', '.join(families) or '(none)'}: choose others or raise per_family."
        )
    return sorted(probes, key=lambda probe: _lot(seed, probe.ladder))


def _build(conversations: Sequence[Conversation], kind: Kind, most: int, seed: int) -> Iterator[Probe]:
    """Build probes of one kind, at most `most` of each family (of `order`, `most` pairs)."""
    items = [Item(conversation, index) for conversation in conversations for index, _ in conversation.annotated(kind)]
    items.sort(key=lambda item: _lot(seed, item.conversation.id, item.message_index))
    of_another_user = recite("someone_else", conversations, kind, seed)
    pairs = [(item, other) for item in items if (other := of_another_user(item)(1).text) and other not in _notes(item)]
    yield from map(_verbatim, items[:most])
    yield from starmap(_unrelated, pairs[:most])
    yield from chain.from_iterable(starmap(_both_orders, pairs[:most]))


def _verbatim(item: Item) -> Probe:
    notes = _notes(item)
    return _probe(item, "verbatim")(targets=notes, inference=notes[0], low=5, high=5)


def _unrelated(item: Item, other: str) -> Probe:
    # By its rubric a reaction with the same verdict for another cause is a 3, and two of a type often share it.
    high = 2 if item.message.kind == "reason" else 3
    return _probe(item, "unrelated")(targets=_notes(item), inference=other, low=1, high=high)


def _both_orders(item: Item, other: str) -> tuple[Probe, Probe]:
    """Build two probes that a judge who reads only the first note, or the last, rates differently."""
    # Most messages carry one note; another user's takes the place of the second.
    first, second = [*_notes(item), other][:2]
    return (
        _probe(item, "order", "/1")(targets=[first, second], inference=first, low=5, high=5),
        _probe(item, "order", "/2")(targets=[second, first], inference=first, low=5, high=5),
    )


def _probe(item: Item, family: Family, number: str = "") -> "partial[Probe]":
    message = item.message
    ladder = message_id(item.conversation.id, item.message_index, message.kind)
    name = f"{ladder}/{family}{number}"
    return partial(Probe, id=name, family=family, kind=message.kind, ladder=ladder, message=message.content)


def _notes(item: Item) -> list[str]:
    return [thought.content.strip() for thought in item.message.thoughts]


def _lot(*names: object) -> str:
    return hashlib.sha256(":".join(map(str, names)).encode()).hexdigest()
