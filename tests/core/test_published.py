"""The published numbers: read as they are, and in agreement with each other where they must be."""

import pytest

from thoughttrace.core import published
from thoughttrace.core.published import PER_MODEL, published_counts, published_types
from thoughttrace.core.record import KINDS, TYPES


def test_the_published_counts_add_up() -> None:
    counts = {(count.of, count.what): count.value for count in published_counts()}
    totals = {what: value for (of, what), value in counts.items() if of == "all"}
    models = {of for of, what in counts if what == "thoughts" and of != "all"}
    assert len(models) == totals["assistant models"]
    for what in PER_MODEL:
        assert sum(counts[model, what] for model in models) == totals[what], what
    for kind in TYPES:
        assert sum(counts[kind, name] for name in TYPES[kind]) == totals[f"{kind}s"]
    assert totals["user messages"] + totals["assistant messages"] == totals["messages"]
    # Every reply but the last of each conversation is followed by a message.
    assert totals["pairs"] == totals["assistant messages"] - totals["conversations"]
    assert published.totals().items() <= totals.items()


def test_the_published_types_are_the_known_ones_and_their_shares_make_up_the_whole() -> None:
    for kind, types in published_types().items():
        assert tuple(types) == TYPES[kind]
        assert abs(sum(known.share for known in types.values()) - 1) < 0.002
        for stage in range(4):
            assert abs(sum(known.stages[stage] for known in types.values()) - 1) < 0.025  # rounded to whole per cent


def test_the_published_agreements() -> None:
    assert {kind: published.agreement(kind) for kind in KINDS} == {
        "reason": (2.93, "stated"),
        "reaction": (2.54, "stated"),
    }
    assert "2.93 for reasons and 2.54 for reactions" in published.agreement_note()


def test_the_mean_of_the_next_messages_is_that_of_the_models() -> None:
    models = dict(published.next_message())
    mean = models.pop(published.MODELS)
    assert list(models) == ["GPT", "Gemini", "Opus"]
    assert mean.none == pytest.approx(sum(model.none for model in models.values()) / 3, abs=0.05)
    assert mean.both == pytest.approx(sum(model.both for model in models.values()) / 3, abs=0.05)
    assert mean.both / mean.none - 1 == pytest.approx(0.417, abs=0.0005)  # as the paper states it
    assert mean.gain == pytest.approx(9.0)
    assert {model.status for model in models.values()} == {"stated"}


def test_what_is_reported_second_hand_says_so() -> None:
    assert [published.expressed_share(kind) for kind in KINDS] == [(3.22, "reported"), (2.0, "reported")]
    assert published.informative_from() == (4, "reported")


def test_distances_rise_from_the_next_message_to_the_reaction() -> None:
    quartiles = [published.embedding_distance(of).percentiles for of in ("next_message", "reason", "reaction")]
    assert quartiles == sorted(quartiles)
    assert quartiles[0] == (0.38, 1.96, 6.89)


def test_conversations_are_longer_than_in_other_datasets() -> None:
    medians = [published.median_messages(name).value for name in ("ThoughtTrace", "WildChat", "LMSYS-Chat-1M")]
    assert medians == [8, 2, 2]


def test_the_win_rates_before_and_after_training() -> None:
    rates = published.win_rates()
    assert [(round(100 * rate.win_rate, 1), round(100 * rate.style_controlled, 1)) for rate in rates.values()] == [
        (24.6, 22.5), (41.8, 41.5), (44.0, 43.6), (47.9, 48.1),
    ]  # fmt: skip
    assert [rate.pairs for rate in rates.values()] == [0, 1000, 450, 1000]
    assert {(rate.judge, rate.status) for rate in rates.values()} == {("GPT-4o", "stated")}
