"""Turn a conversation into the text that a model reads: how much of it, under lines that no text can forge."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from thoughttrace.core.record import Context
from thoughttrace.datasets.conversation import Conversation, Participant


@dataclass(frozen=True)
class Window:
    """The messages shown for one annotated message, `first` to `last`, both included."""

    first: int
    last: int
    left_out: int
    """Messages dropped from the front because the context would have been longer than allowed."""


def window(conversation: Conversation, index: int, context: Context, max_words: int | None) -> Window:
    """Decide which messages are shown for the annotated message `index`.

    Args:
        conversation: The conversation.
        index: Position of the annotated message, 0-based.
        context: How much may be shown.
        max_words: Drop the oldest turns until at most this many words are left. The turn of the annotated
            message, and what follows it, always stay.
    """
    if context == "message":
        return Window(index, index, 0)
    last = index if context == "history" else min(index + 1, len(conversation.messages) - 1)
    first = 0
    if max_words is not None:
        messages = conversation.messages
        starts = [i for i in range(index + 1) if i == 0 or messages[i].role == "user"]
        lengths = [len(message.content.split()) for message in messages]
        first = next((i for i in starts if sum(lengths[i : last + 1]) <= max_words), starts[-1])
    return Window(first, last, first)


Notes = tuple[tuple[str, ...], ...]
"""For each message of a conversation the private notes that stand below it; empty where none shall be shown."""

_NOTE = "user's private note"


def marker(*texts: str) -> str:
    """A word that stands in none of the texts, so that no text can forge a line that carries it.

    Derived from the texts alone: the same texts always give the same prompt, byte for byte.
    """
    seed = hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass"))
    while any((word := seed.hexdigest()[:8]) in text for text in texts):
        seed.update(b"again")
    return word


def block(mark: str, label: str, text: str) -> str:
    """One piece of quoted text under a line that only we can write."""
    # Half of a surrogate pair, as a reply cut within an emoji ends in, has no UTF-8 and stops the request: send "?".
    sendable = text.strip().encode("utf-8", "replace").decode("utf-8")
    return f"[{mark} {label}]\n{sendable}\n"


# The samples of a conversation are cut one after another.
@lru_cache(maxsize=4)
def conversation_marker(conversation: Conversation, notes: Notes = ()) -> str:
    """The marker of a conversation; the same for all its samples, so that their prompts share a prefix.

    Args:
        conversation: The conversation.
        notes: All that may be shown in any of its samples: none of them can forge a marked line either.
    """
    person = conversation.participant
    survey = _survey(person) if person else ""
    texts = [message.content for message in conversation.messages]
    beside = ["\x1f".join(own) for own in notes]
    return marker(conversation.id, *texts, conversation.task_summary, conversation.task_expectation, survey, *beside)


def render(conversation: Conversation, first: int, last: int, notes: Notes = ()) -> str:
    """Render messages `first` to `last` (both included), each with the notes on it right below.

    The text of a longer stretch from the same `first` begins with the text of a shorter one.
    """
    mark = conversation_marker(conversation, notes)
    left_out = f"[{mark} messages m00 to m{first - 1:02} are left out]\n" if first else ""
    return left_out + "".join(_blocks(conversation, notes)[first : last + 1])


@lru_cache(maxsize=4)
def _blocks(conversation: Conversation, notes: Notes) -> list[str]:
    """Each message of a conversation, and the notes on it, as a model reads them."""
    mark = conversation_marker(conversation, notes)
    return [
        block(mark, f"m{index:02} {message.role}", message.content)
        + "".join(block(mark, f"m{index:02} {_NOTE}", note) for note in (notes[index] if notes else ()))
        for index, message in enumerate(conversation.messages)
    ]


def render_profile(conversation: Conversation) -> str:
    """Render what the user said of themselves and of the task, both outside the conversation."""
    mark = conversation_marker(conversation)
    person = conversation.participant
    parts = {
        "survey": _survey(person) if person else "",
        "task, in the user's words": conversation.task_summary,
        "what the user expected": conversation.task_expectation,
    }
    return "".join(block(mark, label, text) for label, text in parts.items() if text.strip())


def _survey(person: Participant) -> str:
    answers = person.model_dump() | {"age": person.plausible_age}
    answers["AI use, 1 (rarely) to 5 (daily)"] = answers.pop("frequency")
    return "\n".join(f"{name}: {answer}" for name, answer in answers.items() if answer is not None)


_MARKED = re.compile(r"^\[([0-9a-f]{8}) (?:m(\d+) (user|assistant)|[^\]\n]*)\]$", re.MULTILINE)


def pieces(prompt: str) -> list[str]:
    """Cut a prompt before each line that only we can write; joined, the pieces are the prompt again.

    Notes stay with the message they are on: no prompt ends between them.

    Args:
        prompt: Text that holds what `render` made.
    """
    first = _MARKED.search(prompt)
    lines = [line for line in _MARKED.finditer(prompt) if first and line[1] == first[1]]
    starts = [line.start() for line in lines if not line[0].endswith(f"{_NOTE}]")]
    return [prompt[start:end] for start, end in pairwise(sorted({0, *starts, len(prompt)}))]


def rendered_messages(prompt: str) -> list[tuple[int, str, str]]:
    """Read messages back from a prompt.

    Args:
        prompt: Text that holds what `render` made.

    Returns:
        Index, role and text of each message shown. Lines that a message forged have another mark and stay text.
    """
    first = _MARKED.search(prompt)
    if not first:
        return []
    lines = [line for line in _MARKED.finditer(prompt) if line[1] == first[1]]
    ends = [line.start() for line in lines[1:]] + [len(prompt)]
    return [
        (int(line[2]), line[3], prompt[line.end() : end].strip())
        for line, end in zip(lines, ends, strict=True)
        if line[2]
    ]
