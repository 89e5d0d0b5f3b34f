"""The profile's shares, means and intervals against independent computations, on the bundled and on invented data."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from thoughttrace.analysis.profile.annotators import by_user, selection, sparsity
from thoughttrace.analysis.profile.frames import Frames, frames
from thoughttrace.analysis.profile.people import demographics
from thoughttrace.analysis.profile.shares import TOO_SMALL
from thoughttrace.analysis.profile.stages import by_nearest, flows, sampled, stage_fits, stage_shares
from thoughttrace.analysis.profile.types import hindsight, thought_lengths, type_shares
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
def made(invented: list[Conversation]) -> Frames:
    return frames(invented)


def cr1(values: list[float], users: list[str]) -> tuple[float, float]:
    """Mean and standard error of statsmodels' cluster-robust regression on a constant, without small-sample factor."""
    codes = np.unique(users, return_inverse=True)[1]
    fit = sm.OLS(np.array(values, float), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False}
    )
    return float(fit.params[0]), float(fit.bse[0])


def test_type_shares_are_means_over_thoughts_with_intervals_by_user(invented: list[Conversation], made: Frames) -> None:
    table = type_shares(made.thoughts)
    for _, row in table.iterrows():
        told = [
            (float(thought.label == row["type"]), conversation.user)
            for conversation in invented
            for message in conversation.messages
            if message.kind == row["kind"]
            for thought in message.thoughts
        ]
        mean, error = cr1([value for value, _ in told], [user for _, user in told])
        assert row["mean"] == pytest.approx(mean)
        assert row["count"] == sum(value for value, _ in told)
        # CR2 is a little wider than CR0, and its t has fewer degrees of freedom than users less one.
        reach = row["upper"] - row["mean"]
        assert reach >= 0.99 * stats.t.ppf(0.975, 8) * error
        assert reach <= 1.6 * stats.t.ppf(0.975, 8) * error
        assert 0 <= row["lower"] <= row["mean"] <= row["upper"] <= 1
        assert row["published"] == published_types()[row["kind"]][row["type"]].share
    assert table.groupby("kind")["mean"].sum().tolist() == pytest.approx([1, 1])


def test_a_small_group_has_no_number(made: Frames) -> None:
    few = made.thoughts[made.thoughts["user"].isin(["user1", "user2", "user3", "user4"])]
    table = type_shares(few)
    assert table["mean"].isna().all()
    assert set(table["note"]) == {TOO_SMALL}
    assert table["count"].sum() == len(few)


def test_the_sampled_stages_read_each_sequence_at_four_places(invented: list[Conversation], made: Frames) -> None:
    for least in (1, 4):
        expected: list[tuple[int, str, str, str]] = []
        for number, conversation in enumerate(invented):
            for kind in TYPES:
                labels = [t.label for m in conversation.messages if m.kind == kind for t in m.thoughts]
                if len(labels) >= least:
                    places = [round(at * (len(labels) - 1) + 1e-9) for at in (0, 1 / 3, 2 / 3, 1)]
                    stages = ("Early", "Mid-Early", "Mid-Late", "Late")
                    expected += [(number, kind, at, labels[p]) for at, p in zip(stages, places, strict=True)]
        found = sampled(made.thoughts, least)[["conversation", "kind", "stage", "type"]]
        assert sorted(found.itertuples(index=False, name=None)) == sorted(expected)


def test_flows_keep_every_conversation(made: Frames) -> None:
    placed = sampled(made.thoughts, 1)
    table = flows(placed)
    conversations = placed.groupby("kind")["conversation"].nunique()
    assert table.groupby(["kind", "from_stage"])["count"].sum().eq(conversations, level="kind").all()
    assert np.allclose(table.groupby(["kind", "from_stage", "from"])["share"].sum(), 1)
    first, second = (placed[placed["stage"] == at].reset_index() for at in ("Early", "Mid-Early"))
    assert (first["conversation"] == second["conversation"]).all()
    pairs = Counter(zip(first["kind"], first["type"], second["type"], strict=True))
    early = table[table["from_stage"] == "Early"]
    assert dict(zip(zip(early["kind"], early["from"], early["to"], strict=True), early["count"], strict=True)) == pairs


def test_the_fit_is_zero_for_the_published_shares_and_tells_a_planted_difference(made: Frames) -> None:
    shares = stage_shares(by_nearest(made.thoughts)).assign(rule="r")
    shares["mean"] = shares["published"]
    assert stage_fits(shares)["difference"].tolist() == [0, 0]
    late = (shares["kind"] == "reaction") & (shares["stage"] == "Late")
    shares.loc[late, "mean"] += 0.1
    fits = stage_fits(shares).set_index("kind")
    assert fits.loc["reaction", "Late"] == pytest.approx(0.1)
    assert fits.loc["reaction", "difference"] == pytest.approx(0.1 / 4)
    assert fits.loc["reason", "difference"] == 0


def test_lengths_hindsight_and_sparsity_are_those_of_the_messages(invented: list[Conversation], made: Frames) -> None:
    lengths = thought_lengths(made.thoughts).set_index(["kind", "type"])
    late = hindsight(made).set_index(["kind", "type"])
    sparse = sparsity(made).set_index(["kind", "group"])
    users = by_user(made).set_index("kind")
    for kind in TYPES:
        own = [(c, i, m) for c in invented for i, m in enumerate(c.messages) if m.kind == kind]
        words = [len(t.content.split()) for _, _, m in own for t in m.thoughts]
        said = [len(m.content.split()) for _, _, m in own for _ in m.thoughts]
        assert lengths.loc[(kind, "all"), "mean"] == pytest.approx(np.mean(words))
        assert lengths.loc[(kind, "all"), "ratio"] == pytest.approx(np.mean(words) / np.mean(said))
        told = [known for c, i, m in own if m.thoughts and (known := c.hindsight(i)) is not None]
        assert (late.loc[(kind, "all"), "late"], late.loc[(kind, "all"), "n"]) == (sum(told), len(told))
        assert 0 < sum(told) < len(told)
        mean, _ = cr1([bool(m.thoughts) for _, _, m in own], [c.user for c, _, _ in own])
        assert sparse.loc[(kind, "all"), "mean"] == pytest.approx(mean)
        first = [bool(m.thoughts) for _, i, m in own if i < 2]
        assert (sparse.loc[(kind, "first"), "annotated"], sparse.loc[(kind, "first"), "n"]) == (sum(first), 27)
        each = [np.mean([bool(m.thoughts) for c, _, m in own if c.user == user]) for user in {c.user for c in invented}]
        assert users.loc[kind, "q50"] == pytest.approx(np.median(each))


def test_groups_of_users_are_counted_once_and_odd_ages_apart(made: Frames) -> None:
    people = demographics(made).set_index(["by", "group"])
    assert people.loc["age", "count"].to_dict() == {"10–17": 2, "25–34": 3, "implausible": 3, "not told": 1}
    assert people.loc["gender", "count"].to_dict() == {"Female": 4, "Male": 4, "not told": 1}
    assert people.loc["AI use, 1 to 5", "count"].to_dict() == {"not told": 9}
    assert people.groupby("by")["thoughts"].sum().eq(len(made.thoughts)).all()
    chosen = selection(made).groupby(["by", "kind"])["n"].sum()
    assert chosen.eq(made.messages["kind"].value_counts(), level="kind").all()
