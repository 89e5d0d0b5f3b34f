"""Duplicates and near-duplicates among thoughts and users' messages, told by ids, never by text."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from thoughttrace.analysis.profile.near import RULE, SIMILAR, near_pairs, normalised
from thoughttrace.analysis.profile.shares import per_cent, whole
from thoughttrace.analysis.section import Section
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.load import uncollected

_SHOWN, _IDS = 10, 4
"""Groups that are named of each kind of text, and ids of each."""


@dataclass(frozen=True)
class Text:
    """A text whose doubles are looked for."""

    id: str
    user: str
    text: str
    """Normalised."""


@uncollected()
def duplicate_sections(conversations: Sequence[Conversation]) -> list[Section]:
    """Counts of duplicates, and the largest groups of them.

    Args:
        conversations: At least one.
    """
    counted: list[dict[str, object]] = []
    named: list[dict[str, object]] = []
    for what, texts in _texts(conversations).items():
        if texts:
            distinct = sorted({one.text for one in texts})
            pairs = [(distinct[a], distinct[b]) for a, b, _ in near_pairs(distinct)]
            for rule, alike in (("exact", []), ("near", pairs)):
                counted.append({"of": what, "rule": rule, **doubles(texts, alike)})
            named += [{"of": what} | group for group in largest(texts, pairs)]
    table, examples = pd.DataFrame(counted), pd.DataFrame(named, columns=["of", "texts", "users", "words", "ids"])
    return [
        Section("quality_duplicates", "Duplicates and near-duplicates", table, _rows(table),
            f"{RULE} Near counts the exact ones too. With a double: texts that have another one like them, of the "
            "same user or of another. A group holds all that are joined by such pairs. No intervals: whether a text "
            "has a double depends on all other users' texts, so users are not independent in it."),
        Section("quality_groups", "The largest groups of near-duplicates", examples, _group_rows(examples),
            f"Up to {_SHOWN} groups of each, named by the conversation, the message and the kind of up to {_IDS} of "
            "their texts. Short thoughts are alike without being copied: look at the words."),
    ]  # fmt: skip


def doubles(texts: Sequence[Text], pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Count the texts that have a double.

    Args:
        texts: All of them.
        pairs: Distinct texts that count as the same.

    Returns:
        `n`, `doubled` (texts with a double) and its `share`, `same_user`, `other_user` (of whom), `groups`, `largest`
        (texts in the largest).
    """
    users: dict[str, Counter[str]] = defaultdict(Counter)
    for one in texts:
        users[one.text][one.user] += 1
    alike: dict[str, list[str]] = {text: [text] for text in users}
    for a, b in pairs:
        alike[a].append(b)
        alike[b].append(a)
    same = other = either = 0
    for text, own in users.items():
        near = sum((users[one] for one in alike[text]), Counter[str]())
        total = near.total()
        for user, count in own.items():
            by_same, by_other = near[user] > 1, total > near[user]
            same, other, either = (
                same + count * by_same,
                other + count * by_other,
                either + count * (by_same or by_other),
            )
    sizes = [len(group) for group in _groups(texts, pairs)]
    counts = {"n": len(texts), "doubled": either, "same_user": same, "other_user": other}
    return counts | {"share": either / len(texts), "groups": len(sizes), "largest": max(sizes, default=0)}


def largest(texts: Sequence[Text], pairs: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    """The largest groups of texts that are joined by pairs.

    Args:
        texts: All of them.
        pairs: Distinct texts that count as the same.

    Returns:
        `texts` (how many), `users`, `words` (of the first), `ids` (of the first few), the largest groups first.
    """
    groups = sorted(_groups(texts, pairs), key=len, reverse=True)[:_SHOWN]
    return [
        {
            "texts": len(group),
            "users": len({one.user for one in group}),
            "words": len(group[0].text.split()),
            "ids": ", ".join(one.id for one in group[:_IDS]) + ", …" * (len(group) > _IDS),
        }
        for group in groups
    ]


def _groups(texts: Sequence[Text], pairs: Sequence[tuple[str, str]]) -> list[list[Text]]:
    """Texts joined by pairs or the same, in groups of two or more."""
    places = {text: number for number, text in enumerate(dict.fromkeys(one.text for one in texts))}
    rows, columns = [places[a] for a, _ in pairs], [places[b] for _, b in pairs]
    graph = coo_array(([True] * len(pairs), (rows, columns)), shape=(len(places), len(places)))
    _, labels = connected_components(graph, directed=False)
    groups: dict[int, list[Text]] = defaultdict(list)
    for one in texts:
        groups[int(labels[places[one.text]])].append(one)
    return [group for group in groups.values() if len(group) > 1]


def _texts(conversations: Sequence[Conversation]) -> dict[str, list[Text]]:
    found: dict[str, list[Text]] = {"reasons": [], "reactions": [], "users' messages": []}
    for conversation in conversations:
        for what, name, content in _said(conversation):
            if text := normalised(content):
                found[what].append(Text(name, conversation.user, text))
    return found


def _said(conversation: Conversation) -> Iterator[tuple[str, str, str]]:
    for index, message in enumerate(conversation.messages):
        place = f"{conversation.id}/m{index:02}"
        if message.role == "user":
            yield "users' messages", place, message.content
        for thought in message.thoughts:
            yield f"{message.kind}s", f"{place}/{message.kind}", thought.content


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    rules = {"exact": "exact", "near": f"near (≥ {SIMILAR})"}
    return [
        {
            "Of": row["of"],
            "Rule": rules[row["rule"]],
            "Texts": whole(row["n"]),
            "With a double": whole(row["doubled"]),
            "Share": per_cent(row["share"]),
            "Of the same user": whole(row["same_user"]),
            "Of another user": whole(row["other_user"]),
            "Groups": whole(row["groups"]),
            "Largest group": whole(row["largest"]),
        }
        for _, row in table.iterrows()
    ]


def _group_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(name).capitalize(): str(value) for name, value in row.items()} for _, row in table.iterrows()]
