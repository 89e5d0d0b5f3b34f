"""The profile's shares, means and intervals against independent computations, on invented data."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from thoughttrace.analysis.profile.annotators import (
    annotated_by_survey,
    annotated_by_user,
    annotated_messages,
    demographics,
    occupations_and_purposes,
)
from thoughttrace.analysis.profile.lengths import measure_tables
from thoughttrace.analysis.profile.stages import at_four_places, at_nearest, flows, stage_rows
from thoughttrace.analysis.profile.tables import Tables, build_tables
from thoughttrace.analysis.profile.thoughts import hindsight, thought_lengths, type_rows
from thoughttrace.core.published import published_types
from thoughttrace.core.record import TYPES
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.load import load_conversations


@pytest.fixture
def invented(make_conversation: Callable[..., dict[str, Any]], write: Callable[..., Path]) -> list[Conversation]:
    """Conversations of 9 users whose types, gaps, times and answers are drawn."""
    rng = np.random.default_rng(3)
    records = []
    for user in range(9):
        for task in (1, 2, 3):
            record = make_conversation(f"user{user}", task, turns=1 + int(rng.integers(7)))
            record["survey_answers"] = [
                {"age": str([17, 30, 366][user % 3]), "gender": "Female" if user % 2 else "Male", "frequency": None}
            ] * (user > 0)
            for index, message in enumerate(record["messages"]):
                for key, kind in (("reasons", "reason"), ("reactions", "reaction")):
                    if key in message:
                        draw = rng.random()
                        kept = message[key] * (0 if draw < 0.4 else 2 if draw > 0.9 else 1)
                        message[key] = [
                            one
                            | {"label": str(rng.choice(TYPES[kind])), "content": "word " * int(rng.integers(1, 30))}
                            | {"timestamp": f"2026-01-01T00:{(index // 2 + int(rng.integers(3))):02}:15Z"}
                            for one in kept
                        ]
            records.append(record)
    return load_conversations(write(*records)).conversations


@pytest.fixture
def tables(invented: list[Conversation]) -> Tables:
    return build_tables(invented)


def cr1(values: list[float], users: list[str]) -> tuple[float, float]:
    """Mean and standard error of statsmodels' cluster-robust regression on a constant, without small-sample factor."""
    codes = np.unique(users, return_inverse=True)[1]
    fit = sm.OLS(np.array(values, float), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False}
    )
    return float(fit.params[0]), float(fit.bse[0])


def test_type_shares_are_means_over_thoughts_with_intervals_by_user(
    invented: list[Conversation], tables: Tables
) -> None:
    rows = type_rows(tables.thoughts)
    for row in rows:
        values = [
            (float(thought.label == row.type), conversation.user)
            for conversation in invented
            for message in conversation.messages
            if message.kind == row.kind
            for thought in message.thoughts
        ]
        mean, error = cr1([value for value, _ in values], [user for _, user in values])
        assert row.mean == pytest.approx(mean)
        assert row.count == sum(value for value, _ in values)
        # CR2 is a little wider than CR0, and its t has fewer degrees of freedom than users less one.
        reach = row.upper - row.mean
        assert reach >= 0.99 * stats.t.ppf(0.975, 8) * error
        assert reach <= 1.6 * stats.t.ppf(0.975, 8) * error
        assert 0 <= row.lower <= row.mean <= row.upper <= 1
    for kind, published in published_types().items():
        assert sum(row.mean for row in rows if row.kind == kind) == pytest.approx(1)
        assert {row.type: row.published for row in rows if row.kind == kind} == {
            label: each.share for label, each in published.items()
        }


def test_a_small_group_has_no_number(tables: Tables) -> None:
    few = tables.thoughts[tables.thoughts["user"].isin(["user1", "user2", "user3", "user4"])]
    rows = type_rows(few)
    assert np.isnan([row.mean for row in rows]).all()
    assert {row.note for row in rows} == {"too small: under 10 of them or 5 users"}
    assert sum(row.count for row in rows) == len(few)


def test_the_sampled_stages_read_each_sequence_at_four_places(invented: list[Conversation], tables: Tables) -> None:
    expected: list[tuple[int, str, str, str]] = []
    for number, conversation in enumerate(invented):
        for kind in TYPES:
            labels = [t.label for m in conversation.messages if m.kind == kind for t in m.thoughts]
            if labels:
                places = [round(at * (len(labels) - 1) + 1e-9) for at in (0, 1 / 3, 2 / 3, 1)]
                stages = ("Early", "Mid-Early", "Mid-Late", "Late")
                expected += [(number, kind, at, labels[p]) for at, p in zip(stages, places, strict=True)]
    placed = at_four_places(tables.thoughts)[["conversation", "kind", "stage", "type"]]
    assert sorted(placed.itertuples(index=False, name=None)) == sorted(expected)


def test_flows_keep_every_conversation(tables: Tables) -> None:
    placed = at_four_places(tables.thoughts)
    table = pd.DataFrame(flows(placed))
    conversations = placed.groupby("kind")["conversation"].nunique()
    assert table.groupby(["kind", "from_stage"])["count"].sum().eq(conversations, level="kind").all()
    assert np.allclose(table.groupby(["kind", "from_stage", "from_type"])["share"].sum(), 1)
    first, second = (placed[placed["stage"] == at].reset_index() for at in ("Early", "Mid-Early"))
    assert (first["conversation"] == second["conversation"]).all()
    pairs = Counter(zip(first["kind"], first["type"], second["type"], strict=True))
    early = table[table["from_stage"] == "Early"]
    assert (
        dict(zip(zip(early["kind"], early["from_type"], early["to_type"], strict=True), early["count"], strict=True))
        == pairs
    )


def test_a_dataset_of_one_kind_has_flows_of_that_kind_alone(tables: Tables) -> None:
    reasons = tables.thoughts[tables.thoughts["kind"] == "reason"]
    assert {row.kind for row in flows(at_four_places(reasons))} == {"reason"}


def test_stage_rows_are_shares_of_the_thoughts_at_a_stage(tables: Tables) -> None:
    placed = at_nearest(tables.thoughts)
    rows = stage_rows(placed, "rule")
    counts = placed.groupby(["kind", "stage"], observed=True)["type"].value_counts(normalize=True)
    for row in rows:
        if not np.isnan(row.mean):
            assert row.mean == pytest.approx(counts.get((row.kind, row.stage, row.type), 0))
        assert row.published in published_types()[row.kind][row.type].stages
    assert {row.rule for row in rows} == {"rule"}
    assert len(rows) == 4 * sum(map(len, TYPES.values()))


def test_lengths_hindsight_and_annotation_are_those_of_the_messages(
    invented: list[Conversation], tables: Tables
) -> None:
    lengths = {(row.kind, row.type): row for row in thought_lengths(tables.thoughts)}
    late = {(row.kind, row.type): row for row in hindsight(tables)}
    annotated = {(row.kind, row.group): row for row in annotated_messages(tables)}
    users = {row.kind: row for row in annotated_by_user(tables)}
    for kind in TYPES:
        own = [(c, i, m) for c in invented for i, m in enumerate(c.messages) if m.kind == kind]
        words = [len(t.content.split()) for _, _, m in own for t in m.thoughts]
        message_words = [len(m.content.split()) for _, _, m in own for _ in m.thoughts]
        assert lengths[kind, "all"].mean == pytest.approx(np.mean(words))
        assert lengths[kind, "all"].ratio == pytest.approx(np.mean(words) / np.mean(message_words))
        known = [is_late for c, i, m in own if m.thoughts and (is_late := c.hindsight(i)) is not None]
        assert (late[kind, "all"].late, late[kind, "all"].n) == (sum(known), len(known))
        assert 0 < sum(known) < len(known)
        mean, _ = cr1([bool(m.thoughts) for _, _, m in own], [c.user for c, _, _ in own])
        assert annotated[kind, "all"].mean == pytest.approx(mean)
        first = [bool(m.thoughts) for _, i, m in own if i < 2]
        assert (annotated[kind, "first"].annotated, annotated[kind, "first"].n) == (sum(first), 27)
        each = [np.mean([bool(m.thoughts) for c, _, m in own if c.user == user]) for user in {c.user for c in invented}]
        assert users[kind].q50 == pytest.approx(np.median(each))


def test_groups_of_users_are_counted_once_and_odd_ages_apart(tables: Tables) -> None:
    rows = demographics(tables)

    def counts(by: str) -> dict[str, int]:
        return {row.group: row.count for row in rows if row.by == by}

    assert counts("age") == {"10–17": 2, "25–34": 3, "implausible": 3, "unknown": 1}
    assert counts("gender") == {"Female": 4, "Male": 4, "unknown": 1}
    assert counts("AI use, 1 to 5") == {"unknown": 9}
    for by in {row.by for row in rows}:
        assert sum(row.thoughts for row in rows if row.by == by) == len(tables.thoughts)
        for kind, n in tables.messages["kind"].value_counts().items():
            assert sum(row.n for row in annotated_by_survey(tables) if (row.by, row.kind) == (by, kind)) == n


def test_occupations_and_purposes_are_counted_where_five_users_use_the_same_words(
    make_conversation: Callable[..., dict[str, Any]], write: Callable[..., Path]
) -> None:
    survey: list[tuple[str | None, str | None]] = [
        ("Student", "Coding, learning and fun."),
        ("student ", "Learning; coding"),
    ] * 3  # six students
    survey += [("Nurse", "work / LEARNING"), ("Nurse", "work"), (None, None), ("Pilot", "")]
    records = []
    for user, (occupation, purposes) in enumerate(survey):
        for task in (1, 2):
            record = make_conversation(f"user{user}", task, turns=1)
            record["survey_answers"] = [{"occupation": occupation, "purposes": purposes}]
            records.append(record)
    table = pd.DataFrame(occupations_and_purposes(build_tables(load_conversations(write(*records)).conversations)))
    assert table[["by", "group", "count", "conversations"]].values.tolist() == [
        ["occupation", "student", 6, 12], ["occupation", "other answers", 3, 6], ["occupation", "unknown", 1, 2],
        ["purpose", "learning", 7, 14], ["purpose", "coding", 6, 12], ["purpose", "other answers", 1, 2],
        ["purpose", "unknown", 2, 4],
    ]  # fmt: skip
    assert table["mean"].tolist() == pytest.approx([0.6, 0.3, 0.1, 0.7, 0.6, 0.1, 0.2])
    assert set(table["n"]) == {10}


def test_tokens_are_counted_for_messages_replies_and_thoughts_where_asked(invented: list[Conversation]) -> None:
    # A token for each character: what is counted of a text, and for whom, shows without a tokenizer.
    tables = build_tables(invented, lambda texts: [len(text) for text in texts])
    measured = measure_tables("data", tables).values
    messages = [(c.user, m) for c in invented for m in c.messages]
    for role in ("user", "assistant"):
        values, users = measured[f"{role} tokens"]
        assert values.tolist() == [len(m.content) for _, m in messages if m.role == role]
        assert users.tolist() == [user for user, m in messages if m.role == role]
    for kind in TYPES:
        values, _ = measured[f"{kind} tokens"]
        assert values.tolist() == [len(t.content) for _, m in messages if m.kind == kind for t in m.thoughts]
    assert not [name for name in measure_tables("data", build_tables(invented)).values if "tokens" in name]
