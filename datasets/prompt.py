"""Turn a conversation into the text that a model reads: how much of it, under header lines that no text can forge."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from thoughttrace.core.record import Context
from thoughttrace.datasets.conversation import Conversation, Participant


@dataclass(frozen=True)
class Window:
    """The messages of a conversation that are shown, `first` to `last`, both included."""

    first: int
    last: int
    left_out: int
    """Messages dropped because the context would have been longer than allowed."""

    @property
    def shown(self) -> int:
        """How many messages are shown."""
        return self.last - self.first + 1


def window(conversation: Conversation, index: int, context: Context, max_words: int | None) -> Window:
    """Choose which messages are shown for message `index`.

    Args:
        conversation: The conversation.
        index: Position of the message that a sample is about, 0-based.
        context: How much may be shown.
        max_words: Drop the oldest turns until at most this many words are left. The turn of the message, and what
            follows it, always stay.
    """
    if context == "message":
        return Window(index, index, 0)
    last = index if context == "history" else min(index + 1, len(conversation.messages) - 1)
    first = 0
    if max_words is not None:
        messages = conversation.messages
        turns = [i for i in range(index + 1) if i == 0 or messages[i].role == "user"]
        words = [message.words for message in messages]
        first = next((start for start in turns if sum(words[start : last + 1]) <= max_words), turns[-1])
    return Window(first, last, first)


def opening(conversation: Conversation, max_words: int | None) -> Window:
    """Choose the first messages of a conversation, one at least.

    Args:
        conversation: The conversation.
        max_words: Drop the latest messages until at most this many words are left.
    """
    total = len(conversation.messages)
    words = accumulate(message.words for message in conversation.messages)
    shown = sum(max_words is None or count <= max_words for count in words) or 1
    return Window(0, shown - 1, total - shown)


Notes = tuple[tuple[str, ...], ...]
"""For each message of a conversation the private notes that are shown below it; empty if none is ever shown."""

_NOTE = "user's private note"


@dataclass(frozen=True)
class Prompt:
    """The text of a user message, in the blocks it was built from."""

    blocks: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text that a model reads."""
        return "".join(self.blocks)

    @property
    def block_ends(self) -> list[int]:
        """After how many characters of the text each block ends, rising; the last is the length of the text."""
        return list(accumulate(map(len, self.blocks)))


def marker(*texts: str) -> str:
    """Return 8 hexadecimal digits that occur in none of the texts, so that no text can forge a line that has them.

    They are derived from the texts alone: the same texts always give the same prompt, byte for byte.
    """
    digest = hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass"))
    while any((word := digest.hexdigest()[:8]) in text for text in texts):
        digest.update(b"again")
    return word


_SPECIAL = re.compile(
    # <|im_end|>, <|eot_id|>, <|turn>, <turn|>, and DeepSeek's with wide bars
    r"<(?=[|｜][^\s<>]{1,64}>|[^\s<>|｜]{1,64}[|｜]>"
    r"|/?(?:s|bos|eos|pad|unk|sop|eop|eoh|eoa|eod|think|tool_call|tool_response)>"
    r"|(?:begin|start|end)_of_[a-z_]+>|(?:extra_id_|reserved_|SPECIAL_|unused)\d+>|seed:[a-z_/]+>|</?SYS>>)"
    # [INST], [/INST], and those of EXAONE and MiniMax
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK|gMASK|sMASK)\]"
    r"|\|[^\s\[\]]{1,64}\|\]|e~\[)"
    r"|\](?=~!?b[\[\]])"
)
"""Where a special token of a chat template begins: its first character."""


def break_special_tokens(text: str) -> str:
    """Put a space into each special token of a chat template, so that it is read as text: `< |im_end|>`.

    Open models' servers look for such tokens in what they are sent: whoever wrote them into a message or an answer
    would end the user's turn and speak as the assistant, and to a judge dictate the rating. A space is seen in a log
    and, unlike a zero-width character, kept by every tokenizer.

    Args:
        text: The text; without such tokens it stays as it is.
    """
    return _SPECIAL.sub(r"\g<0> ", text)


def sendable(text: str) -> str:
    """Return a text as a model can be sent it, or trained on it: special tokens broken, no half of a character.

    Args:
        text: The text.
    """
    # Half of a surrogate pair, as a reply cut within an emoji ends in, has no UTF-8 and stops the request: send "?".
    return break_special_tokens(text.strip().encode("utf-8", "replace").decode("utf-8"))


def block(mark: str, label: str, text: str) -> str:
    """Quote text under a header line that the text cannot forge, with special tokens of chat templates broken.

    Args:
        mark: A marker that does not occur in the text.
        label: What the text is.
        text: The text.
    """
    return f"[{mark} {label}]\n{sendable(text)}\n"


def numbered(label: str, texts: Sequence[str]) -> dict[str, str]:
    """Label texts of the same sort: "note" where there is one, else "note 1", "note 2" and so on.

    Args:
        label: What they are.
        texts: The texts.
    """
    if len(texts) == 1:
        return {label: texts[0]}
    return {f"{label} {number}": text for number, text in enumerate(texts, start=1)}


def quote(texts: Mapping[str, str], other_text: str = "") -> Prompt:
    """Quote texts, each under a header line that none of them can forge.

    Args:
        texts: The texts by their labels, in order.
        other_text: What the prompt also shows; it cannot forge such a line either.
    """
    mark = marker(other_text, *texts.values())
    return Prompt((*(block(mark, label, text) for label, text in texts.items()), f"[{mark} end]"))


# The samples of a conversation are made one after another.
@lru_cache(maxsize=4)
def conversation_marker(conversation: Conversation, notes: Notes = ()) -> str:
    """Return the marker of a conversation: the same for all its samples, so that their prompts share a prefix.

    Args:
        conversation: The conversation.
        notes: All that may be shown in any of its samples: none of them can forge a header line either.
    """
    survey = _survey(conversation.participant)
    contents = [message.content for message in conversation.messages]
    below = ["\x1f".join(message_notes) for message_notes in notes]
    return marker(conversation.id, *contents, conversation.task_summary, conversation.task_expectation, survey, *below)


def conversation_prompt(
    conversation: Conversation,
    shown: Window,
    question: str,
    index: int,
    notes: Notes = (),
    profile: bool = False,
) -> Prompt:
    """Build a prompt that shows messages and then asks a question.

    The blocks are ordered from the most to the least shared (profile, messages, question), so that the prompts of one
    conversation begin alike and providers' prompt caches hit.

    Args:
        conversation: The conversation.
        shown: The messages that are shown.
        question: What is asked; `{marker}` and `{message}` in it name a message.
        index: Position of the message that the question is about, 0-based.
        notes: All that may be shown in the conversation; those on messages that are shown are.
        profile: Show the survey answers and the task description too.
    """
    mark = conversation_marker(conversation, notes)
    about = _profile_blocks(conversation) if profile else []
    asked = question.format(marker=mark, message=f"m{index:02}")
    return Prompt((*about, *message_blocks(conversation, shown, notes), f"[{mark} end]\n\n{asked}"))


def message_blocks(conversation: Conversation, shown: Window, notes: Notes = (), others: Notes = ()) -> list[str]:
    """Build a block of each message shown, with the notes on it right below.

    Those of a longer window with the same `first` begin with those of a shorter one.

    Args:
        conversation: The conversation.
        shown: The messages that are shown; where it begins later than the conversation, a block says so.
        notes: All that may be shown in the conversation.
        others: Notes that the prompt may show elsewhere: they cannot forge a header line of these blocks either.
    """
    mark = conversation_marker(conversation, notes + others)
    left_out = [f"[{mark} messages m00 to m{shown.first - 1:02} are left out]\n"] if shown.first else []
    return left_out + _all_message_blocks(conversation, notes, mark)[shown.first : shown.last + 1]


@lru_cache(maxsize=4)
def _all_message_blocks(conversation: Conversation, notes: Notes, mark: str) -> list[str]:
    return [
        block(mark, f"m{index:02} {message.role}", message.content)
        + "".join(block(mark, f"m{index:02} {_NOTE}", note) for note in (notes[index] if notes else ()))
        for index, message in enumerate(conversation.messages)
    ]


def _profile_blocks(conversation: Conversation) -> list[str]:
    """Build the blocks of what the user stated about themselves and the task, outside the conversation."""
    mark = conversation_marker(conversation)
    parts = {
        "survey": _survey(conversation.participant),
        "task, in the user's words": conversation.task_summary,
        "what the user expected": conversation.task_expectation,
    }
    return [block(mark, label, text) for label, text in parts.items() if text.strip()]


def _survey(person: Participant | None) -> str:
    if person is None:
        return ""
    answers = person.answers
    answers["AI use, 1 (rarely) to 5 (daily)"] = answers.pop("frequency")
    return "\n".join(f"{name}: {answer}" for name, answer in answers.items() if answer is not None)


def split_at(text: str, block_ends: Sequence[int]) -> list[str]:
    """Split a prompt into its blocks; joined they are the prompt again.

    Args:
        text: The text of the user message.
        block_ends: After how many characters each block ends (`block_ends` of a sample's metadata). Logs written
            before there was such a key have none: the text is then one block.
    """
    inner = [end for end in block_ends if end < len(text)]
    return [text[start:end] for start, end in pairwise([0, *inner, len(text)])]


_MESSAGE = re.compile(r"\[([0-9a-f]{8}) m(\d+) (user|assistant)\]\n")


def shown_messages(text: str, block_ends: Sequence[int]) -> list[tuple[int, str, str]]:
    """Return the messages that a prompt shows.

    Args:
        text: The text of the user message.
        block_ends: After how many characters each block ends (`block_ends` of a sample's metadata).

    Returns:
        Index, role and text of each message, without the notes on it. Empty for logs written before there was such a
        key.
    """
    messages = []
    for part in split_at(text, block_ends) if block_ends else ():
        # A block begins with our own header line; what looks like one further on is text, unless it has our marker.
        if header := _MESSAGE.match(part):
            content = part[header.end() :].partition(f"\n[{header[1]} ")[0]
            messages.append((int(header[2]), header[3], content.strip()))
    return messages
