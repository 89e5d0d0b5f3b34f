"""The chapter on data quality: duplicates and oddities, named by ids, never by text."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from math import ceil

from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from thoughttrace.analysis.page.table import Chapter, Section, count, name, number, share, short, text
from thoughttrace.core.record import TYPES
from thoughttrace.datasets.conversation import Conversation, Message
from thoughttrace.datasets.load import uncollected
from thoughttrace.datasets.sources import Source

SIMILAR = 0.8
"""Jaccard similarity of two texts' shingles from which they count as near-duplicates."""

_SHINGLE = 5
_GROUPS, _IDS, _PLACES = 10, 4, 5
"""Groups of duplicates shown of each kind of text, ids shown of each group, and places shown of each finding."""

_IGNORED = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_HIDDEN = re.compile("[\u200b\u2060\ufeff]")
_BETWEEN = re.compile(r"[\W_]+")


def quality_chapter(source: Source) -> Chapter:
    """Write the chapter on data quality.

    Args:
        source: The conversations and where they are from.
    """
    sections = [*_duplicate_sections(source.conversations), _findings_section(find_oddities(source))]
    return Chapter("quality", "Data quality", "", sections)


# ---- duplicates


@dataclass(frozen=True)
class Text:
    """A text whose duplicates are searched for."""

    id: str
    user: str
    text: str
    """Normalized."""


@dataclass(frozen=True)
class DuplicatesRow:
    """How many texts have a duplicate."""

    of: str
    """The kind of texts."""
    rule: str
    """`exact` or `near`."""
    n: int
    duplicated: int
    """Texts with a duplicate."""
    same_user: int
    """Texts with a duplicate by the same user."""
    other_user: int
    share: float
    groups: int
    largest: int
    """Texts in the largest group."""


@dataclass(frozen=True)
class GroupRow:
    """A group of near-duplicates."""

    of: str
    """The kind of texts."""
    texts: int
    users: int
    words: int
    """Of the first."""
    ids: str
    """Of the first few."""


@uncollected()
def _duplicate_sections(conversations: Sequence[Conversation]) -> list[Section]:
    rows: list[DuplicatesRow] = []
    groups: list[GroupRow] = []
    for of, texts in _texts(conversations).items():
        if texts:
            distinct = sorted({text.text for text in texts})
            pairs = [(distinct[a], distinct[b]) for a, b, _ in near_pairs(distinct)]
            rows += [count_duplicates(of, "exact", texts, []), count_duplicates(of, "near", texts, pairs)]
            groups += largest_groups(of, texts, pairs)
    columns = [
        short("Of", "of"), short("Rule", lambda row: "exact" if row.rule == "exact" else f"near (≥ {SIMILAR})"),
        count("Texts", "n"), count("With a duplicate", "duplicated"), share("Share", "share"),
        count("By the same user", "same_user"), count("By another user", "other_user"), count("Groups", "groups"),
        count("Largest group", "largest"),
    ]  # fmt: skip
    note = (
        "Texts are compared in lower case and without punctuation and hidden characters. Exact: the same text. Near: "
        f"the sets of all runs of {_SHINGLE} characters of the two have a Jaccard similarity of {SIMILAR} or more; all "
        "pairs are found, none is estimated. Near includes exact. A group holds all texts that are connected by such "
        "pairs. No intervals: whether a text has a duplicate depends on all other users' texts, so users are not "
        "independent in it."
    )
    group_columns = [
        short("Of", "of"), count("Texts", "texts"), count("Users", "users"), count("Words", "words"), text("Ids", "ids")
    ]  # fmt: skip
    group_note = (
        f"Up to {_GROUPS} groups of each, named by the conversation, the message and the kind of up to {_IDS} of "
        "their texts. Short thoughts are often similar without being copied: look at the words."
    )
    return [
        Section("quality_duplicates", "Duplicates and near-duplicates", rows, columns, note),
        Section("quality_groups", "The largest groups of near-duplicates", groups, group_columns, group_note),
    ]


def count_duplicates(of: str, rule: str, texts: Sequence[Text], pairs: Sequence[tuple[str, str]]) -> DuplicatesRow:
    """Count the texts that have a duplicate.

    Args:
        of: The kind of texts.
        rule: The name of the rule by which texts are duplicates.
        texts: All of them, at least one.
        pairs: Distinct texts that count as the same.
    """
    users: dict[str, Counter[str]] = defaultdict(Counter)
    for each in texts:
        users[each.text][each.user] += 1
    neighbours: dict[str, list[str]] = {content: [content] for content in users}
    for a, b in pairs:
        neighbours[a].append(b)
        neighbours[b].append(a)
    same = other = either = 0
    for content, writers in users.items():
        near = sum((users[neighbour] for neighbour in neighbours[content]), Counter[str]())
        total = near.total()
        for user, n in writers.items():
            by_same, by_other = near[user] > 1, total > near[user]
            same += n * by_same
            other += n * by_other
            either += n * (by_same or by_other)
    sizes = [len(group) for group in _groups(texts, pairs)]
    return DuplicatesRow(
        of, rule, len(texts), either, same, other, either / len(texts), len(sizes), max(sizes, default=0)
    )


def largest_groups(of: str, texts: Sequence[Text], pairs: Sequence[tuple[str, str]]) -> list[GroupRow]:
    """Find the largest groups of texts that are connected by pairs, the largest first.

    Args:
        of: The kind of texts.
        texts: All of them.
        pairs: Distinct texts that count as the same.
    """
    groups = sorted(_groups(texts, pairs), key=len, reverse=True)[:_GROUPS]
    return [
        GroupRow(
            of,
            len(group),
            len({each.user for each in group}),
            len(group[0].text.split()),
            ", ".join(each.id for each in group[:_IDS]) + ", …" * (len(group) > _IDS),
        )
        for group in groups
    ]


def _groups(texts: Sequence[Text], pairs: Sequence[tuple[str, str]]) -> list[list[Text]]:
    """Group texts that are the same or connected by pairs; groups have two or more."""
    places = {content: place for place, content in enumerate(dict.fromkeys(each.text for each in texts))}
    rows, columns = [places[a] for a, _ in pairs], [places[b] for _, b in pairs]
    graph = coo_array(([True] * len(pairs), (rows, columns)), shape=(len(places), len(places)))
    _, labels = connected_components(graph, directed=False)
    groups: dict[int, list[Text]] = defaultdict(list)
    for each in texts:
        groups[int(labels[places[each.text]])].append(each)
    return [group for group in groups.values() if len(group) > 1]


def _texts(conversations: Sequence[Conversation]) -> dict[str, list[Text]]:
    texts: dict[str, list[Text]] = {"reasons": [], "reactions": [], "users' messages": []}
    for conversation in conversations:
        for index, message in enumerate(conversation.messages):
            place = f"{conversation.id}/m{index:02}"
            contents = [("users' messages", place, message.content)] * (message.role == "user")
            contents += [(f"{message.kind}s", f"{place}/{message.kind}", each.content) for each in message.thoughts]
            for of, id_, content in contents:
                if normalized := normalize(content):
                    texts[of].append(Text(id_, conversation.user, normalized))
    return texts


def normalize(content: str) -> str:
    """Lower the case of a text, unify compatible characters, and join what is neither letter nor digit to one space.

    A text of nothing but punctuation or emoji stays as it is.
    """
    folded = _IGNORED.sub("", unicodedata.normalize("NFKC", content)).casefold()
    return _BETWEEN.sub(" ", folded).strip() or folded.strip()


def shingles(content: str) -> frozenset[str]:
    """Give all runs of five characters of a text, or the text itself if it is shorter."""
    return frozenset(content[at : at + _SHINGLE] for at in range(max(1, len(content) - _SHINGLE + 1)))


def near_pairs(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Find all pairs of texts whose shingles have a Jaccard similarity of `SIMILAR` or more.

    With t the least similarity, two such sets x and y, |y| ≤ |x|, share t |x| elements or more, and 2 t / (1 + t) |y|.
    So one of the rarest shingles of x, all but t |x| of them and one, is among those of y, and only such texts are
    compared (prefix filtering; Chaudhuri et al. 2006, ICDE; Bayardo et al. 2007, WWW).

    Args:
        texts: Distinct, normalized.

    Returns:
        (place of the one, place of the other, similarity), the smaller place first.
    """
    sets = [shingles(content) for content in texts]
    frequency = Counter(chain.from_iterable(sets))
    rank = {shingle: place for place, (shingle, _) in enumerate(sorted(frequency.items(), key=lambda item: item[1]))}
    ranked = [sorted(map(rank.__getitem__, members)) for members in sets]
    # Shorter texts first: each looks back at those that are no longer than it.
    holders: dict[int, list[int]] = defaultdict(list)
    pairs = []
    for here in sorted(range(len(texts)), key=lambda place: len(ranked[place])):
        ranks = ranked[here]
        least = _least(SIMILAR, ranks)
        candidates = {there for shingle in ranks[: len(ranks) - least + 1] for there in holders.get(shingle, ())}
        for there in candidates:
            if len(ranked[there]) >= least:
                shared = len(sets[here] & sets[there])
                similarity = shared / (len(ranks) + len(ranked[there]) - shared)
                if similarity >= SIMILAR:
                    pairs.append((min(here, there), max(here, there), similarity))
        for shingle in ranks[: len(ranks) - _least(2 * SIMILAR / (1 + SIMILAR), ranks) + 1]:
            holders[shingle].append(here)
    return sorted(pairs)


def _least(part: float, of: Sequence[int]) -> int:
    """Give the least whole number that is a share of a length or more, without what rounding of floats adds."""
    return ceil(part * len(of) - 1e-9)


# ---- oddities

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
"""What is searched for, and in what."""


@dataclass
class Finding:
    """How often an oddity occurs, and where."""

    finding: str
    """Of `CHECKS`."""
    count: int = 0
    of: int = 0
    unit: str = ""
    """What `of` counts."""
    where: dict[str, None] = field(default_factory=dict)
    """The places, each once, in order."""


def find_oddities(source: Source) -> list[Finding]:
    """Search conversations for oddities.

    Args:
        source: The conversations, with the lines that were skipped.

    Returns:
        One finding for each of `CHECKS`, also where it does not occur.
    """
    findings = {check: Finding(check, unit=unit) for check, unit in CHECKS.items()}
    survey: dict[str, set[str]] = {}
    sizes = dict.fromkeys(CHECKS.values(), 0)
    for conversation in source.conversations:
        sizes["conversations"] += 1
        sizes["messages"] += len(conversation.messages)
        sizes["thoughts"] += sum(len(message.annotations) for message in conversation.messages)
        answers = survey.setdefault(conversation.user, set())
        if conversation.participant:
            answers.add(conversation.participant.model_dump_json(exclude={"occupation", "purposes"}))
        for check, place in (*_of_conversation(conversation), *_of_messages(conversation)):
            findings[check].count += 1
            findings[check].where[place] = None
    sizes |= {"users": len(survey), "lines": len(source.conversations) + len(source.skipped)}
    for check, places in {
        "survey answers differ between a user's conversations": [
            u for u, answers in survey.items() if len(answers) > 1
        ],
        "line that cannot be used (skipped)": [sentence.partition(": ")[0] for sentence in source.skipped],
    }.items():
        findings[check].count, findings[check].where = len(places), dict.fromkeys(places)
    for finding in findings.values():
        finding.of = sizes[finding.unit]
    return list(findings.values())


def _of_conversation(conversation: Conversation) -> Iterator[tuple[str, str]]:
    person = conversation.participant
    if person is None:
        yield "no survey answers", conversation.id
    elif person.age is not None and person.plausible_age is None:
        yield "impossible age", f"{conversation.id} ({person.age})"
    roles = [message.role for message in conversation.messages]
    for check, odd in {
        "does not begin with the user": roles[0] != "user",
        "roles do not alternate": any(a == b for a, b in pairwise(roles)),
        "does not end with a reply": roles[-1] != "assistant",
        "no thought at all": not any(message.thoughts for message in conversation.messages),
    }.items():
        if odd:
            yield check, conversation.id


def _of_messages(conversation: Conversation) -> Iterator[tuple[str, str]]:
    before: Message | None = None
    for index, message in enumerate(conversation.messages):
        place = f"{conversation.id}/m{index:02}"
        written, earlier = message.timestamp, before.timestamp if before else None
        for check, odd in {
            "message without text": not message.content.strip(),
            "message without a time": written is None,
            "message before the one above it": bool(written and earlier and written < earlier),
            "several thoughts on a message": len(message.thoughts) > 1,
            "message with hidden characters": bool(_HIDDEN.search(message.content)),
        }.items():
            if odd:
                yield check, place
        for thought in message.annotations:
            for check, odd in {
                "empty thought (left out)": not thought.content.strip(),
                "thought of an unknown type": thought.label not in TYPES[message.kind],
                "thought without a time": thought.timestamp is None,
                "thought before its message": bool(thought.timestamp and written and thought.timestamp < written),
                "thought with hidden characters": bool(_HIDDEN.search(thought.content)),
            }.items():
                if odd:
                    yield check, f"{place}/{message.kind}"
        before = message


@dataclass(frozen=True)
class FindingRow:
    """A finding as a row of the table."""

    finding: str
    count: int
    of: int
    unit: str
    where: str
    """The places, with spaces between them."""


def _findings_section(findings: Sequence[Finding]) -> Section:
    first_places = {f.finding: ", ".join([*f.where][:_PLACES]) + ", …" * (len(f.where) > _PLACES) for f in findings}
    columns = [
        name("Finding", lambda row: row.finding.capitalize()), count("Count", "count"),
        number("Out of", lambda row: f"{row.of:,} {row.unit}"), text("Where", lambda row: first_places[row.finding]),
    ]  # fmt: skip
    rows = [FindingRow(f.finding, f.count, f.of, f.unit, " ".join(f.where)) for f in findings]
    rows.sort(key=lambda row: row.count == 0)
    note = (
        "Not all of these are errors: the loader accepts them, and what an analysis leaves out it counts. A thought on "
        "the wrong role is not listed here: such a line cannot be used. Ages count as possible from 10 to 110. Hidden "
        "characters: U+200B, U+2060, U+FEFF. The CSV names every place."
    )
    return Section("quality_findings", "Findings", rows, columns, note)
