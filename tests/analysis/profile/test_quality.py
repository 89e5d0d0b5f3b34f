"""Duplicates against brute force, and findings that are planted."""

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.analysis.profile.quality import (
    SIMILAR,
    DuplicatesRow,
    GroupRow,
    Text,
    count_duplicates,
    find_oddities,
    largest_groups,
    near_pairs,
    normalize,
    shingles,
)
from thoughttrace.datasets.load import load_conversations
from thoughttrace.datasets.sources import Source


@pytest.mark.parametrize("seed", range(3))
def test_all_near_pairs_are_found_and_no_others(seed: int) -> None:
    rng = random.Random(seed)
    words = ["alpha", "beta", "gamma", "delta", "of", "the", "to"]
    texts = {" ".join(rng.choices(words, k=rng.randint(1, 25))) for _ in range(120)}
    for text in rng.sample(sorted(texts), 60):  # near ones, at all distances
        at = rng.randrange(len(text))
        texts |= {text[:at] + rng.choice("xyz") + text[at + rng.randint(0, 3) :], text[at:] or "x", text + text[-at:]}
    found = sorted(texts)

    def jaccard(a: str, b: str) -> float:
        one, other = shingles(a), shingles(b)
        return len(one & other) / len(one | other)

    expected = [
        (a, b, pytest.approx(similarity))
        for (a, one), (b, other) in combinations(enumerate(found), 2)
        if (similarity := jaccard(one, other)) >= SIMILAR
    ]
    assert len(expected) > 20
    pairs: list[Any] = near_pairs(found)
    assert pairs == expected


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("This is fair.", "this is  FAIR", True),
        ("ni\u200bce", "nice!", True),
        ("\ufb01ne", "fine", True),
        ("👍", "👎", False),
        ("no", "nope", False),
    ],
)
def test_what_counts_as_the_same_text(a: str, b: str, same: bool) -> None:
    assert (normalize(a) == normalize(b)) == same
    assert normalize(a)


def test_duplicates_are_counted_within_and_across_users() -> None:
    texts = [
        Text("a", "u1", "x"), Text("b", "u1", "x"), Text("c", "u2", "x"), Text("d", "u3", "y"), Text("e", "u3", "z"),
        Text("f", "u4", "w"),
    ]  # fmt: skip
    exact = count_duplicates("reasons", "exact", texts, [])
    assert exact == DuplicatesRow(
        "reasons", "exact", n=6, duplicated=3, same_user=2, other_user=3, share=0.5, groups=1, largest=3
    )
    near = count_duplicates("reasons", "near", texts, [("y", "z")])
    assert near == DuplicatesRow(
        "reasons", "near", n=6, duplicated=5, same_user=4, other_user=3, share=5 / 6, groups=2, largest=3
    )
    assert largest_groups("reasons", texts, [("y", "z")]) == [
        GroupRow("reasons", texts=3, users=2, words=1, ids="a, b, c"),
        GroupRow("reasons", texts=2, users=1, words=1, ids="d, e"),
    ]


def test_every_planted_oddity_is_found_and_nothing_else(
    make_conversation: Callable[..., dict[str, Any]], write: Callable[..., Path]
) -> None:
    plain, odd = make_conversation("user1"), make_conversation("user2")
    odd["survey_answers"] = [{"age": "366"}]
    other = make_conversation("user2", 2) | {"survey_answers": []}
    third = make_conversation("user2", 3)
    silent = make_conversation("user3", turns=2)
    for record in (plain, odd, other, third):
        for message in record["messages"]:
            for one in (*message.get("reasons", []), *message.get("reactions", [])):
                one["timestamp"] = "2026-01-02T00:00:00Z"
    for message in silent["messages"]:
        message.update(dict.fromkeys(["reasons"]) if message["type"] == "user" else {"reactions": list[Any]()})
    silent["messages"] = silent["messages"][1:] + [silent["messages"][0] | {"timestamp": None, "content": " "}] * 2
    reason = odd["messages"][0]["reasons"][0]
    odd["messages"][0]["reasons"] = [
        reason | {"content": " "},
        reason | {"timestamp": "2025-12-31T00:00:00Z"},
        reason | {"label": "new", "timestamp": None, "content": "zero\u200bwidth"},
    ]
    odd["messages"][2]["timestamp"] = "2025-12-31T23:00:00Z"
    odd["messages"][3]["content"] += "\ufeff"
    records = [plain, odd, other, third, silent]
    loaded = load_conversations(write(*records, b'{"id": "broken"'), skip_bad=True)
    source = Source(loaded.conversations, loaded.skipped, "data.jsonl", "r")
    findings = {finding.finding: finding for finding in find_oddities(source)}
    assert {check: finding.count for check, finding in findings.items() if finding.count} == {
        "impossible age": 1,
        "no survey answers": 1,
        "survey answers differ between a user's conversations": 1,
        "does not begin with the user": 1,
        "roles do not alternate": 1,
        "does not end with a reply": 1,
        "no thought at all": 1,
        "message without text": 2,
        "message without a time": 2,
        "message before the one above it": 1,
        "several thoughts on a message": 1,
        "empty thought (left out)": 1,
        "thought of an unknown type": 1,
        "thought without a time": 1,
        "thought before its message": 1,
        "thought with hidden characters": 1,
        "message with hidden characters": 1,
        "line that cannot be used (skipped)": 1,
    }
    assert list(findings["impossible age"].where) == ["user2_task1_conversation1 (366)"]
    assert list(findings["thought of an unknown type"].where) == ["user2_task1_conversation1/m00/reason"]
    assert list(findings["line that cannot be used (skipped)"].where) == ["data.jsonl, line 6 (broken)"]
