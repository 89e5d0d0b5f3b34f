"""Duplicates against brute force, findings that are planted, and the check against what is published."""

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from thoughttrace.analysis.profile.check import against_published, in_words, is_release
from thoughttrace.analysis.profile.duplicates import Text, doubles, largest
from thoughttrace.analysis.profile.findings import findings
from thoughttrace.analysis.profile.near import SIMILAR, near_pairs, normalised, shingles
from thoughttrace.core.published import PER_MODEL, published_counts
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
    assert near_pairs(found) == expected


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
    assert (normalised(a) == normalised(b)) == same
    assert normalised(a)


def test_doubles_are_counted_within_and_across_users() -> None:
    told = [("a", "u1", "x"), ("b", "u1", "x"), ("c", "u2", "x"), ("d", "u3", "y"), ("e", "u3", "z"), ("f", "u4", "w")]
    texts = [Text(*one) for one in told]
    exact = doubles(texts, [])
    assert exact == {"n": 6, "doubled": 3, "share": 0.5, "same_user": 2, "other_user": 3, "groups": 1, "largest": 3}
    near = doubles(texts, [("y", "z")])
    assert near == {"n": 6, "doubled": 5, "share": 5 / 6, "same_user": 4, "other_user": 3, "groups": 2, "largest": 3}
    first, second = largest(texts, [("y", "z")])
    assert (first["texts"], first["users"], first["ids"]) == (3, 2, "a, b, c")
    assert (second["texts"], second["users"], second["ids"]) == (2, 1, "d, e")


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
        message.update({"reasons": None} if message["type"] == "user" else {"reactions": []})
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
    found = {one.what: one for one in findings(loaded.conversations, loaded.skipped)}
    assert {name: one.count for name, one in found.items() if one.count} == {
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
    assert list(found["impossible age"].where) == ["user2_task1_conversation1 (366)"]
    assert list(found["thought of an unknown type"].where) == ["user2_task1_conversation1/m00/reason"]
    assert list(found["line that cannot be used (skipped)"].where) == ["data.jsonl, line 6 (broken)"]


def release() -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """Totals, models and thoughts as they are published."""
    told = {(figure.of, figure.what): figure.value for figure in published_counts()}
    totals = {what: float(n) for (of, what), n in told.items() if of == "all"}
    models = [of for of, what in told if what == "users" and of != "all"]
    table = pd.DataFrame([{"model": model} | {what: told[model, what] for what in PER_MODEL} for model in models])
    types = [(of, what) for (of, what), n in told.items() if of in {"reason", "reaction"} for _ in range(n)]
    return totals, table, pd.DataFrame(types, columns=["kind", "type"])


def test_the_check_names_exactly_the_planted_differences() -> None:
    totals, models, thoughts = release()
    whole = against_published(totals, models, thoughts)
    assert (whole["difference"] == 0).all()
    assert in_words(whole) == "All 105 published counts are those of this data."
    totals["users"] -= 2
    models.loc[models["model"] == "Kimi K2.5", "messages"] += 3
    models.loc[len(models)] = {"model": "New 1", "users": 4, "conversations": 4, "messages": 8, "thoughts": 0}
    thoughts = thoughts.drop(thoughts.index[thoughts["type"] == "scope_fit"][:5])
    checked = against_published(totals, models, thoughts)
    differing = checked[checked["difference"] != 0]
    assert set(differing[["of", "what", "difference"]].itertuples(index=False, name=None)) == {
        ("all", "users", -2),
        ("Kimi K2.5", "messages", 3),
        ("reaction", "scope_fit", -5),
        ("New 1", "users", 4),
        ("New 1", "conversations", 4),
        ("New 1", "messages", 8),
    }
    assert (checked["difference"].iloc[: len(differing)] != 0).all()
    assert in_words(checked) == (
        "3 of 105 published counts are not those of this data, among them users 1,056 instead of 1,058."
    )


@pytest.mark.parametrize(
    ("name", "conversations", "meant"),
    [("hub", 5, True), ("ThoughtTrace.jsonl.gz", 5, True), ("mine.jsonl", 2155, True), ("mine.jsonl", 20, False)],
)
def test_what_is_meant_to_be_the_release(name: str, conversations: int, meant: bool) -> None:
    assert is_release(Source([None] * conversations, [], name, "r")) == meant  # type: ignore[list-item]
