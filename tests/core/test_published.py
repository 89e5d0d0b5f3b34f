"""The published figures agree with each other where they must."""

from thoughttrace.core.published import PER_MODEL, published_counts, published_types
from thoughttrace.core.record import TYPES


def test_the_published_counts_add_up() -> None:
    told = {(figure.of, figure.what): figure.value for figure in published_counts()}
    totals = {what: value for (of, what), value in told.items() if of == "all"}
    models = {of for of, what in told if what == "thoughts" and of != "all"}
    assert len(models) == totals["assistant models"]
    for what in PER_MODEL:
        assert sum(told[model, what] for model in models) == totals[what], what
    for kind in TYPES:
        assert sum(told[kind, name] for name in TYPES[kind]) == totals[f"{kind}s"]
    assert totals["user messages"] + totals["assistant messages"] == totals["messages"]
    # Every reply but the last of each conversation is followed by a message.
    assert totals["pairs"] == totals["assistant messages"] - totals["conversations"]


def test_the_published_types_are_the_known_ones_and_their_shares_make_up_the_whole() -> None:
    for kind, types in published_types().items():
        assert tuple(types) == TYPES[kind]
        assert abs(sum(known.share for known in types.values()) - 1) < 0.002
        for stage in range(4):
            assert abs(sum(known.stages[stage] for known in types.values()) - 1) < 0.025  # rounded to whole per cent
