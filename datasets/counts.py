"""Count what a set of conversations contains."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from thoughttrace.core.record import TYPES, Kind
from thoughttrace.datasets.conversation import Conversation


@dataclass(frozen=True)
class Census:
    """Counts over conversations. A turn is a user message and the reply to it."""

    users: int
    conversations: int
    messages: int
    user_messages: int
    reasons: int
    reactions: int
    models: int
    turns: tuple[int, float, int]
    """Turns of a conversation: minimum, median, maximum."""
    types: dict[Kind, Counter[str]]
    """Thoughts of each kind by type, unknown types included."""
    unknown_labels: Counter[str]
    """Labels that are not among the types of their kind."""
    empty_thoughts: int
    several: int
    """Messages that carry more than one thought."""
    no_survey: int
    """Conversations without survey answers."""
    impossible_ages: int

    @property
    def assistant_messages(self) -> int:
        """Messages that an assistant wrote."""
        return self.messages - self.user_messages


def census(conversations: Sequence[Conversation]) -> Census:
    """Count users, messages, and thoughts by kind and type."""
    messages = [message for conversation in conversations for message in conversation.messages]
    types: dict[Kind, Counter[str]] = {
        kind: Counter(t.label for m in messages if m.kind == kind for t in m.thoughts) for kind in TYPES
    }
    turns = [sum(m.role == "user" for m in c.messages) for c in conversations]
    people = [c.participant for c in conversations]
    return Census(
        users=len({c.user for c in conversations}),
        conversations=len(conversations),
        messages=len(messages),
        user_messages=sum(turns),
        reasons=types["reason"].total(),
        reactions=types["reaction"].total(),
        models=len({c.model for c in conversations}),
        turns=(min(turns), median(turns), max(turns)),
        types=types,
        unknown_labels=sum(
            (Counter({label: n for label, n in types[kind].items() if label not in TYPES[kind]}) for kind in TYPES),
            Counter(),
        ),
        empty_thoughts=sum(len(m.annotations) - len(m.thoughts) for m in messages),
        several=sum(len(m.thoughts) > 1 for m in messages),
        no_survey=sum(person is None for person in people),
        impossible_ages=sum(
            person is not None and person.age is not None and person.plausible_age is None for person in people
        ),
    )
