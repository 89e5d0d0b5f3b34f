"""The check of the published counts."""

from dataclasses import replace

import pandas as pd
import pytest

from thoughttrace.analysis.profile.contents import ModelRow, compare_with_published, is_release, summarize_check
from thoughttrace.core.published import PER_MODEL, published_counts
from thoughttrace.datasets.sources import Source


def release() -> tuple[dict[str, float], dict[str, ModelRow], pd.DataFrame]:
    """Give totals, models and thoughts as they are published."""
    published = {(figure.of, figure.what): figure.value for figure in published_counts()}
    totals = {what: float(n) for (of, what), n in published.items() if of == "all"}
    models = [of for of, what in published if what == "users" and of != "all"]
    rows = {
        model: ModelRow(model, **{what: published[model, what] for what in PER_MODEL}, reasons=0, reactions=0)
        for model in models
    }
    types = [(of, what) for (of, what), n in published.items() if of in {"reason", "reaction"} for _ in range(n)]
    return totals, rows, pd.DataFrame(types, columns=["kind", "type"])


def test_the_check_names_exactly_the_planted_differences() -> None:
    totals, models, thoughts = release()
    same = compare_with_published(totals, [*models.values()], thoughts)
    assert not any(row.difference for row in same)
    assert summarize_check(same) == "All 105 published counts match this data."
    totals["users"] -= 2
    models["Kimi K2.5"] = replace(models["Kimi K2.5"], messages=models["Kimi K2.5"].messages + 3)
    models["New 1"] = ModelRow("New 1", users=4, conversations=4, messages=8, thoughts=0, reasons=0, reactions=0)
    thoughts = thoughts.drop(thoughts.index[thoughts["type"] == "scope_fit"][:5])
    rows = compare_with_published(totals, [*models.values()], thoughts)
    differing = [row for row in rows if row.difference]
    assert {(row.of, row.what, row.difference) for row in differing} == {
        ("all", "users", -2),
        ("Kimi K2.5", "messages", 3),
        ("reaction", "scope_fit", -5),
        ("New 1", "users", 4),
        ("New 1", "conversations", 4),
        ("New 1", "messages", 8),
    }
    assert rows[: len(differing)] == differing
    assert summarize_check(rows) == (
        "3 of 105 published counts differ from this data, among them users 1,056 instead of 1,058."
    )


@pytest.mark.parametrize(
    ("name", "conversations", "meant"),
    [("hub", 5, True), ("ThoughtTrace.jsonl.gz", 5, True), ("mine.jsonl", 2155, True), ("mine.jsonl", 20, False)],
)
def test_what_is_meant_to_be_the_release(name: str, conversations: int, meant: bool) -> None:
    assert is_release(Source([None] * conversations, [], name, "r")) == meant  # type: ignore[list-item]
