"""Ask for a user's note without the chat, and choose other users' notes that a model's answer is compared with."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from thoughttrace.core.record import Given, NoteSource, RecallMetadata
from thoughttrace.core.shared_words import new_words, words
from thoughttrace.datasets.prompt import quote
from thoughttrace.datasets.samples import MESSAGE_IS, AnnotatedThought

OTHERS = 4
"""Notes of other users that each answer is compared with, where there are as many."""


@dataclass(frozen=True)
class Asked:
    """A note that a model is asked for."""

    noted: AnnotatedThought
    shown: str
    """Its first half; empty where it is not given."""
    wanted: str
    """The rest, which the model is to recall."""


@dataclass(frozen=True)
class Compared:
    """A note that a model is asked for, and what the answer is compared with."""

    asked: Asked
    others: tuple[str, ...]
    """The same part of other users' notes."""


def ask_for(noted: AnnotatedThought, given: Given) -> Asked | None:
    """Part a note into what is shown and what the model is to recall.

    Args:
        noted: The thought.
        given: `place`: nothing is shown of it; `half`: its first half, by words, the longer one.

    Returns:
        The note; None if no word is left to recall: there is none, or the first half has them all.
    """
    said = noted.thought.content.split()
    middle = (len(said) + 1) // 2 if given == "half" else 0
    asked = Asked(noted, " ".join(said[:middle]), " ".join(said[middle:]))
    return asked if new_words(asked.wanted, asked.shown) else None


def with_others(
    thoughts: Sequence[AnnotatedThought], everyone: Sequence[AnnotatedThought], given: Given, seed: int
) -> list[Compared]:
    """Find for each note up to `OTHERS` notes of other users that it could be mistaken for by all but its words.

    They are of the same type, if possible also in the first turn of their conversation or in a later one as it is, and
    of these the nearest in length. An answer of a model that does not know the note is as near to them as to the note:
    it knows of both the same, the type and about where they stand. Notes that say the same as it are left out.

    Args:
        thoughts: The thoughts, all of one kind.
        everyone: All thoughts of this kind in the data, where other notes come from.
        given: What is shown of a note.
        seed: Another seed gives other notes, where several are as near.

    Returns:
        The notes, in the order of the thoughts, without those that have no other or no word to recall.
    """
    by_type: dict[str, list[tuple[str, bool, int, int, list[str], str]]] = defaultdict(list)
    for noted in everyone:
        if asked := ask_for(noted, given):
            said = words(asked.wanted)
            by_type[noted.thought.label].append(
                (noted.conversation.user, noted.index < 2, len(said), _lot(seed, noted.id), said, asked.wanted)
            )
    compared = []
    for noted in thoughts:
        asked = ask_for(noted, given)
        if asked is None:
            continue
        own, shown = words(asked.wanted), {*words(asked.shown)}
        user, first, length, lot = noted.conversation.user, noted.index < 2, len(own), _lot(seed, noted.id)
        candidates = (
            (other_first != first, abs(other_length - length), lot ^ other_lot, wanted)
            for other_user, other_first, other_length, other_lot, said, wanted in by_type[noted.thought.label]
            if other_user != user and said != own and not (shown and shown.issuperset(said))
        )
        if others := nsmallest(OTHERS, candidates):
            compared.append(Compared(asked, tuple(wanted for *_, wanted in others)))
    return compared


def _lot(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).digest()[:8])


def recall_sample(compared: Compared, instructions: str, source: NoteSource) -> Sample:
    """Make the sample of a note that a model is to recall.

    Args:
        compared: The note, and what the answer is compared with.
        instructions: The system message.
        source: Whether it is a note of the data or an invented one.
    """
    asked = compared.asked
    noted, conversation = asked.noted, asked.noted.conversation
    invented = "invented/" if source == "invented" else ""
    prompt = quote({f"{noted.kind}, first half": asked.shown}).text if asked.shown else _place(noted)
    metadata = RecallMetadata(
        user=invented + conversation.user,
        conversation=invented + conversation.id,
        message_index=noted.index,
        kind=noted.kind,
        thought_index=noted.number,
        type=noted.thought.label,
        position=conversation.position(noted.index),
        target_words=len(words(asked.wanted)),
        source=source,
        others=list(compared.others),
        shown=asked.shown,
    )
    return Sample(
        id=invented + noted.id,
        input=[ChatMessageSystem(content=instructions), ChatMessageUser(content=prompt)],
        target=asked.wanted,
        metadata=metadata.to_log(),
    )


def _place(noted: AnnotatedThought) -> str:
    return (
        f"Conversation: {noted.conversation.id}\n"
        f"Message: number {noted.index} of it, counted from 0, a {MESSAGE_IS[noted.kind]} of the "
        f"{noted.message.role}\n"
        f"Note: {noted.kind} number {noted.number} on this message, of the type {noted.thought.label}"
    )
