"""Answer without a model, or from the target itself: controls that show where the scale begins and ends."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from thoughttrace.core.record import Control, Kind
from thoughttrace.datasets.conversation import Conversation, Thought
from thoughttrace.datasets.sampling import Item


class _UserThought(NamedTuple):
    user: str
    thought: Thought


def recite(control: Control, conversations: Sequence[Conversation], kind: Kind, seed: int) -> Callable[[Item], str]:
    """Prepare a control that needs no model.

    Args:
        control: Which one; not `reworded`.
        conversations: All of the data, not only what is sampled: the thoughts of others come from here.
        kind: The kind of thought.
        seed: Another seed gives another choice.

    Returns:
        A function from an annotated message to the control's answer; empty where nobody else had such a thought.
    """
    if control == "parrot":
        return lambda item: item.message.content.strip()
    if control == "target":
        return lambda item: _first_thought(item).content.strip()

    def group(thought: Thought) -> str:
        return "" if control == "anyone" else thought.label

    everyone = [_UserThought(c.user, t) for c in conversations for _, m in c.annotated(kind) for t in m.thoughts]
    groups: dict[str, list[_UserThought]] = defaultdict(list)
    for candidate in everyone:
        groups[group(candidate.thought)].append(candidate)
    if control == "typical":
        ranked = {label: _by_typicality(members, everyone) for label, members in groups.items()}
        return lambda item: _first_of_another(item, ranked[group(_first_thought(item))])

    def draw(item: Item) -> str:
        candidates = groups[group(_first_thought(item))]
        name = f"{seed}:{control}:{item.conversation.id}:{item.message_index}"
        start = int.from_bytes(hashlib.sha256(name.encode()).digest()) % len(candidates)
        return _first_of_another(item, candidates[start:] + candidates[:start])

    return draw


def _first_thought(item: Item) -> Thought:
    """Return the thought whose type counts as that of the sample."""
    return item.message.thoughts[0]


def _first_of_another(item: Item, candidates: Sequence[_UserThought]) -> str:
    """Return the first thought of another user; empty if there is none."""
    user = item.conversation.user
    return next((candidate.thought.content.strip() for candidate in candidates if candidate.user != user), "")


def _by_typicality(members: Sequence[_UserThought], everyone: Sequence[_UserThought]) -> list[_UserThought]:
    """Order the thoughts of a type by the cosine with their mean, the most typical first.

    A thought is the set of its words, weighted by how rare they are in all thoughts of the kind (idf).
    """
    frequency = Counter(word for candidate in everyone for word in _words(candidate))
    weight = {word: math.log(1 + len(everyone) / count) for word, count in frequency.items()}
    words = [_words(member) for member in members]
    lengths = [math.sqrt(sum(weight[word] ** 2 for word in own)) or 1.0 for own in words]
    mean: dict[str, float] = defaultdict(float)
    for own, length in zip(words, lengths, strict=True):
        for word in own:
            mean[word] += weight[word] / length
    cosines = [
        sum(weight[word] * mean[word] for word in own) / length for own, length in zip(words, lengths, strict=True)
    ]
    order = sorted(range(len(members)), key=lambda n: (-cosines[n], members[n].thought.content))
    return [members[n] for n in order]


def _words(candidate: _UserThought) -> set[str]:
    stripped = (word.strip(".,;:!?\"'()") for word in candidate.thought.content.casefold().split())
    return {word for word in stripped if word}
