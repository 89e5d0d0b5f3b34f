"""What is odd in the data, counted, with the places."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from thoughttrace.analysis.profile.shares import whole
from thoughttrace.analysis.section import Section
from thoughttrace.core.record import TYPES
from thoughttrace.datasets.conversation import Conversation, Message

_HIDDEN = re.compile("[\u200b\u2060\ufeff]")
_SHOWN = 5

CHECKS = {
    "impossible age": "conversations",
    "no survey answers": "conversations",
    "survey answers differ between a user's conversations": "users",
    "does not begin with the user": "conversations",
    "roles do not alternate": "conversations",
    "does not end with a reply": "conversations",
    "no thought at all": "conversations",
    "message without text": "messages",
    "message without a time": "messages",
    "message before the one above it": "messages",
    "several thoughts on a message": "messages",
    "empty thought (left out)": "thoughts",
    "thought of an unknown type": "thoughts",
    "thought without a time": "thoughts",
    "thought before its message": "thoughts",
    "thought with hidden characters": "thoughts",
    "message with hidden characters": "messages",
    "line that cannot be used (skipped)": "lines",
}
"""What is looked for, and in what."""


@dataclass
class Finding:
    """How often something was found, and where."""

    what: str
    count: int = 0
    of: int = 0
    where: dict[str, None] = field(default_factory=dict)
    """The places, each once, in order."""


def findings(conversations: Sequence[Conversation], skipped: Sequence[str]) -> list[Finding]:
    """Look for what is odd.

    Args:
        conversations: At least one.
        skipped: Sentences on lines that were left out.

    Returns:
        One finding for each of `CHECKS`, also where nothing was found.
    """
    found = {name: Finding(name) for name in CHECKS}
    people: dict[str, set[str]] = {}
    sizes = dict.fromkeys(CHECKS.values(), 0)
    for conversation in conversations:
        sizes["conversations"] += 1
        sizes["messages"] += len(conversation.messages)
        sizes["thoughts"] += sum(len(message.annotations) for message in conversation.messages)
        answers = people.setdefault(conversation.user, set())
        if conversation.participant:
            answers.add(conversation.participant.model_dump_json(exclude={"occupation", "purposes"}))
        for name, place in (*_of_conversation(conversation), *_of_messages(conversation)):
            found[name].count += 1
            found[name].where[place] = None
    differing = [user for user, answers in people.items() if len(answers) > 1]
    sizes |= {"users": len(people), "lines": len(conversations) + len(skipped)}
    for name, places in {
        "survey answers differ between a user's conversations": differing,
        "line that cannot be used (skipped)": [sentence.partition(": ")[0] for sentence in skipped],
    }.items():
        found[name].count, found[name].where = len(places), dict.fromkeys(places)
    for name, kind in CHECKS.items():
        found[name].of = sizes[kind]
    return list(found.values())


def findings_section(found: Sequence[Finding]) -> Section:
    """The findings as people read them, those first that were made.

    Args:
        found: What `findings` returns.
    """
    made = sorted(found, key=lambda one: one.count == 0)
    table = pd.DataFrame(
        [
            {
                "finding": one.what,
                "count": one.count,
                "of": one.of,
                "in": CHECKS[one.what],
                "where": " ".join(one.where),
            }
            for one in made
        ]
    )
    rows = [
        {
            "Finding": one.what.capitalize(),
            "Count": whole(one.count),
            "Out of": f"{one.of:,} {CHECKS[one.what]}",
            "Where": ", ".join([*one.where][:_SHOWN]) + ", …" * (len(one.where) > _SHOWN),
        }
        for one in made
    ]
    note = (
        "Not all of these are errors: the loader bears them, and what an analysis leaves out it counts. A thought on "
        "the wrong role is no finding: such a line cannot be used. Ages count as possible from 10 to 110. Hidden "
        "characters: U+200B, U+2060, U+FEFF. The CSV names every place."
    )
    return Section("quality_findings", "Findings", table, rows, note)


def _of_conversation(conversation: Conversation) -> Iterator[tuple[str, str]]:
    person = conversation.participant
    if person is None:
        yield "no survey answers", conversation.id
    elif person.age is not None and person.plausible_age is None:
        yield "impossible age", f"{conversation.id} ({person.age})"
    roles = [message.role for message in conversation.messages]
    for name, odd in {
        "does not begin with the user": roles[0] != "user",
        "roles do not alternate": any(a == b for a, b in pairwise(roles)),
        "does not end with a reply": roles[-1] != "assistant",
        "no thought at all": not any(message.thoughts for message in conversation.messages),
    }.items():
        if odd:
            yield name, conversation.id


def _of_messages(conversation: Conversation) -> Iterator[tuple[str, str]]:
    before: Message | None = None
    for index, message in enumerate(conversation.messages):
        place = f"{conversation.id}/m{index:02}"
        written, earlier = message.timestamp, before.timestamp if before else None
        for name, odd in {
            "message without text": not message.content.strip(),
            "message without a time": written is None,
            "message before the one above it": bool(written and earlier and written < earlier),
            "several thoughts on a message": len(message.thoughts) > 1,
            "message with hidden characters": bool(_HIDDEN.search(message.content)),
        }.items():
            if odd:
                yield name, place
        for thought in message.annotations:
            for name, odd in {
                "empty thought (left out)": not thought.content.strip(),
                "thought of an unknown type": thought.label not in TYPES[message.kind],
                "thought without a time": thought.timestamp is None,
                "thought before its message": bool(thought.timestamp and written and thought.timestamp < written),
                "thought with hidden characters": bool(_HIDDEN.search(thought.content)),
            }.items():
                if odd:
                    yield name, f"{place}/{message.kind}"
        before = message
