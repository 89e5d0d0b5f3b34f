"""The chapter on annotators: annotation is optional, so which messages carry a thought is a selection."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from thoughttrace.analysis.page.plots import dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    limits,
    name,
    share,
    short,
)
from thoughttrace.analysis.profile.tables import BY_USER, Mean, Tables, dot, mean_by_user
from thoughttrace.analysis.stats.groups import MIN_USERS
from thoughttrace.core.record import TYPES

UNKNOWN = "unknown"
IMPLAUSIBLE = "implausible"
OTHERS = "other answers"

_ANSWERS = 8
"""Different answers to a question that are shown; the survey has fewer."""

_AGES = (10, 18, 25, 35, 45, 55, 65)
_TURNS = (1, 2, 3, 4, 5, 9, 17)


def annotators_chapter(tables: Tables) -> Chapter:
    """Write the chapter on annotators.

    Args:
        tables: Conversations as tables.
    """
    sections = [
        _messages_section(annotated_messages(tables)),
        _users_section(annotated_by_user(tables)),
        _selection_section(annotated_by_survey(tables)),
        _demographics_section(tables),
        _purposes_section(tables),
    ]
    return Chapter("annotators", "Annotators", "", sections)


@dataclass(frozen=True)
class _OfGroup:
    by: str
    group: str


@dataclass(frozen=True)
class _OfMessages:
    kind: str
    """A kind of thought, or `pair`."""
    group: str
    """`all`, `first`, `later`, turns; of pairs what they have."""


@dataclass(frozen=True)
class MessagesRow(Mean, _OfMessages):
    """How many messages, or pairs, carry a thought."""

    annotated: int


_SHARES = [
    count("Annotated", "annotated"), count("Out of", "n"), share("Share", "mean"),
    limits("95 % interval", percent=True), count("Users", "users"),
]  # fmt: skip


def _messages_section(rows: Sequence[MessagesRow]) -> Section:
    columns = [short("Kind", "kind"), name("Group", "group"), *_SHARES]
    note = (
        "Share of messages that carry a thought of their kind (user messages reasons, replies reactions). "
        f"{BY_USER} Turns are counted from 1. Pair: a reply that is followed by a user message."
    )
    points = [dot(row, row.group, series=f"{row.kind}s") for row in rows if row.group.startswith("turn")]
    figure = dots(points, "annotated, %", scale=(0, 100), upright=True, joined=True)
    picture = Picture("annotators_messages", figure, "Share of messages annotated by turn, with 95 % intervals.")
    return Section("annotators_messages", "Annotated messages", rows, columns, note, [picture])


def annotated_messages(tables: Tables) -> list[MessagesRow]:
    """Estimate how many messages carry a thought, by turn, and how many pairs do.

    Args:
        tables: Conversations as tables.
    """
    rows = []
    turns = _bands(_TURNS, "turn {}", "turns {}–{}", "turn {} or later")
    for kind in TYPES:
        of_kind = tables.messages[tables.messages["kind"] == kind]
        bands = pd.cut(of_kind["turn"], [*_TURNS, np.inf], right=False, labels=turns)
        members = {"all": of_kind["turn"] > 0, "first": of_kind["turn"] == 1, "later": of_kind["turn"] > 1}
        for group, chosen in {**members, **{turn: bands == turn for turn in turns}}.items():
            rows.append(MessagesRow(kind, group, **_annotated(of_kind[chosen])))
    messages = tables.messages
    following = messages.shift(-1)
    paired = messages[
        (messages["role"] == "assistant")
        & (following["role"] == "user")
        & (following["conversation"] == messages["conversation"])
    ]
    both = paired["annotated"] & following.loc[paired.index, "annotated"].astype(bool)
    for group, has in {"with a reaction": paired["annotated"], "with a reaction and a reason": both}.items():
        rows.append(MessagesRow("pair", group, **_annotated(paired.assign(annotated=has))))
    return [row for row in rows if row.n]


def _bands(starts: Sequence[int], single: str, several: str, last: str) -> list[str]:
    """Name the bands of whole numbers that begin at `starts`; the last is open."""
    ends = [start - 1 for start in starts[1:]]
    names = [(single if start == end else several).format(start, end) for start, end in zip(starts, ends, strict=False)]
    return [*names, last.format(starts[-1])]


@dataclass(frozen=True)
class UsersRow:
    """How users differ in the share of messages that they annotated."""

    kind: str
    users: int
    q0: float
    """Quantiles over users, of shares from 0 to 1."""
    q25: float
    q50: float
    q75: float
    q100: float
    every: float
    """Share of users who annotated every message of the kind, 0 to 1."""
    every_lower: float
    every_upper: float
    every_note: str
    none: float
    """Share of users who annotated none."""
    none_lower: float
    none_upper: float
    none_note: str


def _users_section(rows: Sequence[UsersRow]) -> Section:
    columns = [
        short("Kind", "kind"), count("Users", "users"), share("Minimum", "q0"), share("25 %", "q25"),
        share("Median", "q50"), share("75 %", "q75"), share("Maximum", "q100"), share("Annotated all", "every"),
        limits("All, 95 %", "every_", percent=True), share("Annotated none", "none"),
        limits("None, 95 %", "none_", percent=True),
    ]  # fmt: skip
    note = (
        "Each user's share of annotated messages: quantiles over users, and the share of users who annotated every "
        "message, or none, with 95 % intervals."
    )
    return Section("annotators_users", "Annotated messages per user", rows, columns, note)


def annotated_by_user(tables: Tables) -> list[UsersRow]:
    """Summarize how users differ in the share of messages that they annotated.

    Args:
        tables: Conversations as tables.
    """
    rows = []
    for kind in TYPES:
        of_kind = tables.messages[tables.messages["kind"] == kind]
        shares = of_kind.groupby("user")["annotated"].mean()
        if shares.empty:
            continue
        fields: dict[str, Any] = {f"q{at}": float(shares.quantile(at / 100)) for at in (0, 25, 50, 75, 100)}
        for key, chosen in {"every": shares == 1, "none": shares == 0}.items():
            mean = mean_by_user(chosen, shares.index)
            fields |= {key: mean["mean"]} | {f"{key}_{end}": mean[end] for end in ("lower", "upper", "note")}
        rows.append(UsersRow(kind, len(shares), **fields))
    return rows


@dataclass(frozen=True)
class SelectionRow(Mean, _OfGroup):
    """How many messages of a group of users carry a thought."""

    kind: str
    annotated: int


def _selection_section(rows: Sequence[SelectionRow]) -> Section:
    columns = [short("By", "by"), name("Group", "group"), short("Kind", "kind"), *_SHARES]
    note = (
        f"Share of messages annotated, by the users' survey answers. {BY_USER} An analysis of thoughts gives more "
        "weight to those who annotate more. Overlapping intervals are no test of a difference."
    )
    points = [dot(row, f"{row.by}: {row.group}", f"{row.kind}s") for row in rows if row.group != UNKNOWN]
    pictures = []
    if points:
        figure = dots(points, "messages annotated, %", scale=(0, None))
        caption = "Share of messages annotated, by survey answers, with 95 % intervals."
        pictures.append(Picture("annotators_selection", figure, caption))
    return Section("annotators_selection", "Who annotates", rows, columns, note, pictures)


def annotated_by_survey(tables: Tables) -> list[SelectionRow]:
    """Estimate the share of messages annotated, by the users' survey answers.

    Args:
        tables: Conversations as tables.
    """
    rows = []
    for by, labels in survey_groups(tables.conversations).items():
        groups = tables.messages["conversation"].map(labels.astype(object))
        for group in labels.cat.categories:
            for kind in TYPES:
                members = tables.messages[(groups == group) & (tables.messages["kind"] == kind)]
                if len(members):
                    rows.append(SelectionRow(by, group, **_annotated(members), kind=kind))
    return rows


def _annotated(messages: pd.DataFrame) -> dict[str, Any]:
    return {"annotated": int(messages["annotated"].sum())} | mean_by_user(messages["annotated"], messages["user"])


def survey_groups(conversations: pd.DataFrame) -> dict[str, "pd.Series"]:
    """Group each conversation's user by age, gender, education, and AI use.

    Occupation and purposes are free text, which `occupations_and_purposes` counts.

    Args:
        conversations: Of `Tables`.

    Returns:
        A categorical column for each grouping, in the order in which the groups are shown.
    """
    names = _bands(_AGES, "{}", "{}–{}", "{} or older")
    ages = pd.cut(conversations["age"].astype(float), [*_AGES, np.inf], right=False, labels=names)
    banded = ages.astype(object).mask(_implausible(conversations), IMPLAUSIBLE)
    answers = {
        "gender": conversations["gender"],
        "education": conversations["education"],
        "AI use, 1 to 5": conversations["frequency"].map(lambda often: f"{often:g}", na_action="ignore"),
    }
    return {"age": _categories(banded, [*names, IMPLAUSIBLE])} | {
        by: _categories(values.map(lambda answer: str(answer).strip() or None, na_action="ignore"), None)
        for by, values in answers.items()
    }


def _implausible(conversations: pd.DataFrame) -> pd.Series:
    return conversations["reported_age"].notna() & conversations["age"].isna()


def _categories(values: pd.Series, order: list[str] | None) -> pd.Series:
    """Put answers in order; of free ones keep those that are given most, and put the rest together."""
    usual = list(values.value_counts().index[:_ANSWERS])
    if order is None:
        values = values.where(values.isin(usual) | values.isna(), OTHERS)
    groups = order or [*sorted(usual), *([OTHERS] if (values == OTHERS).any() else [])]
    return values.fillna(UNKNOWN).astype(pd.CategoricalDtype([*dict.fromkeys([*groups, UNKNOWN])]))


@dataclass(frozen=True)
class DemographicsRow(Mean, _OfGroup):
    """How many users belong to a group, and their share of all users."""

    count: int
    conversations: int
    thoughts: int


def _demographics_section(tables: Tables) -> Section:
    columns = [
        short("By", "by"), name("Group", "group"), count("Count", "count"), share("Share", "mean"),
        limits("95 % interval", percent=True), count("Conversations", "conversations"), count("Thoughts", "thoughts"),
    ]  # fmt: skip
    heads = tables.conversations
    ages = sorted(set(heads.loc[_implausible(heads), "reported_age"].astype(int)))
    implausible = f"Implausible ages: {', '.join(map(str, ages))}. " if ages else ""
    note = (
        f"{implausible}The first answer that a user gave counts. Share of all users, with 95 % "
        "intervals (CR2; each user is one cluster). Conversations and thoughts are those of these users."
    )
    return Section("annotators_demographics", "Users", demographics(tables), columns, note)


def demographics(tables: Tables) -> list[DemographicsRow]:
    """Count the users of each group.

    Args:
        tables: Conversations as tables.
    """
    heads = _with_thoughts(tables)
    rows = []
    for by, labels in survey_groups(tables.conversations).items():
        stated = labels.astype(object).mask(labels == UNKNOWN)
        of_user = stated.groupby(heads["user"], sort=False).first().fillna(UNKNOWN)
        for group in labels.cat.categories:
            members = of_user == group
            if members.any():
                rows.append(_demographics_row(heads, by, group, members))
    return rows


def _with_thoughts(tables: Tables) -> pd.DataFrame:
    return tables.conversations.assign(thoughts=tables.thoughts["conversation"].value_counts())


def _demographics_row(heads: pd.DataFrame, by: str, group: str, members: "pd.Series[bool]") -> DemographicsRow:
    """Count the users of a group: whether each user, the index, belongs to it."""
    of_group = heads[heads["user"].map(members)]
    thoughts = int(of_group["thoughts"].sum())
    mean = mean_by_user(members, members.index)
    return DemographicsRow(by, group, **mean, count=int(members.sum()), conversations=len(of_group), thoughts=thoughts)


def _purposes_section(tables: Tables) -> Section:
    columns = [
        short("By", "by"), name("Answer", "group"), count("Users", "count"), share("Share", "mean"),
        limits("95 % interval", percent=True), count("Conversations", "conversations"), count("Thoughts", "thoughts"),
    ]  # fmt: skip
    note = (
        "Both are free text. Shown are the answers that at least "
        f"{MIN_USERS} users gave in the same words, but for capital letters; purposes are divided at commas, "
        "semicolons, slashes, “and” and “&”, and a user may name several. They are counted as they are written, not "
        "grouped by meaning, so each share is a lower limit. Share of all users, with 95 % intervals (CR2; each user "
        "is one cluster)."
    )
    return Section("annotators_purposes", "Occupations and purposes", occupations_and_purposes(tables), columns, note)


def occupations_and_purposes(tables: Tables) -> list[DemographicsRow]:
    """Count the occupations, and the purposes of AI use, that several users state in the same words.

    An answer of fewer users than `MIN_USERS` is not named, as it may tell who gave it.

    Args:
        tables: Conversations as tables.

    Returns:
        For each question the answers, the most frequent first; then the users none of whose answers is among these,
        and those without an answer.
    """
    heads = _with_thoughts(tables)
    rows = []
    for by, separators in (("occupation", None), ("purpose", r"[,;/&\n]|\band\b")):
        stated = heads["purposes" if by == "purpose" else by].map(lambda text: str(text).strip() or None, "ignore")
        of_user = stated.groupby(heads["user"], sort=False).first()
        answers = of_user.map(lambda text, at=separators: _answers(text, at)).explode()
        users = answers.value_counts()
        usual = [str(answer) for answer, number in users.items() if number >= MIN_USERS]
        groups = {answer: answers.eq(answer).groupby(level=0, sort=False).any() for answer in usual}
        named = answers.isin(usual).groupby(level=0, sort=False).any()
        without = answers.isna().groupby(level=0, sort=False).all()
        groups |= {OTHERS: ~named & ~without, UNKNOWN: without}
        rows += [_demographics_row(heads, by, group, members) for group, members in groups.items() if members.any()]
    return rows


def _answers(text: object, separators: str | None) -> list[str]:
    """Divide a free answer, and write what is the same but for capital letters alike, each part once."""
    if not isinstance(text, str):
        return []
    parts = re.split(separators, text) if separators else [text]
    return list(dict.fromkeys(part for raw in parts if (part := raw.strip(" .!\t\r").casefold())))
