"""Controls: inferences made without a model, or from the target itself, that show where the scale begins and ends."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from thoughttrace.core.record import Control, Kind
from thoughttrace.datasets.conversation import Conversation, Message, Thought
from thoughttrace.datasets.sampling import Item


@dataclass(frozen=True)
class _Owned:
    """A thought and whose it is."""

    user: str
    thought: Thought


def recite(control: Control, conversations: Sequence[Conversation], kind: Kind, seed: int) -> Callable[[Item], str]:
    """Prepare a control that needs no model.

    Args:
        control: Which one; not `reworded`.
        conversations: Where the thoughts of others come from: all of the data, not only what is sampled.
        kind: The kind of thought.
        seed: Of the choice.

    Returns:
        A function from an annotated message to the inference; it is empty where nobody else had such a thought.
    """
    if control == "parrot":
        return lambda item: _message(item).content.strip()
    if control == "target":
        return lambda item: _first(item).content.strip()
    owned = [_Owned(c.user, thought) for c in conversations for _, m in c.annotated(kind) for thought in m.thoughts]
    by_type: dict[str, list[_Owned]] = defaultdict(list)
    for one in owned:
        by_type["" if control == "anyone" else one.thought.label].append(one)
    if control == "typical":
        ranked = {label: _by_typicality(members, owned) for label, members in by_type.items()}
        return lambda item: _by_another(item, ranked[_first(item).label])

    def draw(item: Item) -> str:
        candidates = by_type["" if control == "anyone" else _first(item).label]
        lot = hashlib.sha256(f"{seed}:{control}:{item[0].id}:{item[1]}".encode()).digest()
        start = int.from_bytes(lot) % len(candidates)
        return _by_another(item, candidates[start:] + candidates[:start])

    return draw


def _by_another(item: Item, candidates: Sequence[_Owned]) -> str:
    """The first thought of another user."""
    return next((one.thought.content.strip() for one in candidates if one.user != item[0].user), "")


def _by_typicality(members: Sequence[_Owned], everyone: Sequence[_Owned]) -> list[_Owned]:
    """Order thoughts of a type by the cosine with their mean, the most typical first.

    A thought is the set of its words, weighted by how rare they are in all thoughts of the kind (idf).
    """
    frequency = Counter(word for one in everyone for word in _words(one))
    weight = {word: math.log(1 + len(everyone) / count) for word, count in frequency.items()}
    mean: dict[str, float] = defaultdict(float)
    lengths = [math.sqrt(sum(weight[word] ** 2 for word in _words(one))) or 1.0 for one in members]
    for one, length in zip(members, lengths, strict=True):
        for word in _words(one):
            mean[word] += weight[word] / length
    cosines = [
        sum(weight[word] * mean[word] for word in _words(one)) / length
        for one, length in zip(members, lengths, strict=True)
    ]
    order = sorted(range(len(members)), key=lambda n: (-cosines[n], members[n].thought.content))
    return [members[n] for n in order]


def _words(one: _Owned) -> set[str]:
    return set(_tokens(one.thought.content))


def _tokens(text: str) -> Iterator[str]:
    return (word for raw in text.casefold().split() if (word := raw.strip(".,;:!?\"'()")))


def _message(item: Item) -> Message:
    return item[0].messages[item[1]]


def _first(item: Item) -> Thought:
    """The thought whose type stands for the sample."""
    return _message(item).thoughts[0]
