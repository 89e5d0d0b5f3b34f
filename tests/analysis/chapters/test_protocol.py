"""The mark of a protocol in the headline, and the points that are not followed."""

from collections.abc import Callable
from dataclasses import replace

from thoughttrace.analysis.chapters import headline, protocol
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Run


def table(*runs: Run) -> Section:
    return headline.chapter(Evidence(Runs([*runs]))).sections[0]


def test_the_headline_marks_what_follows_and_what_does_not(follows: Callable[..., Run]) -> None:
    right = [follows("reason"), follows("reaction")]
    warm = [replace(run, model="xai/other", evaluated="xai/other", generation="temperature 0.7") for run in right]
    plain = replace(right[0], model="xai/third", evaluated="xai/third", subset="")
    section = table(*right, *warm, plain)
    marks = {(row.model, row.kind): row.protocol for row in section.rows if not row.published}
    assert marks == {
        ("xai/grok-4.20", "reason"): "infer-v1, mini",
        ("xai/grok-4.20", "reaction"): "infer-v1, mini",
        ("xai/other", "reason"): "not infer-v1: 1 point",
        ("xai/other", "reaction"): "not infer-v1: 1 point",
        ("xai/third", "reason"): "",
    }
    assert [column.title for column in section.columns][2:5] == ["Agreement", "95 % interval", "Protocol"]
    (chapter,) = protocol.chapter(Evidence(Runs([*right, *warm, plain]))).sections
    assert [(row.model, row.point, row.found) for row in chapter.rows] == [
        ("xai/other", "generation config", "temperature 0.7, effort high")
    ]


def test_entries_of_one_model_are_told_apart_where_they_differ(follows: Callable[..., Run]) -> None:
    def rows(*runs: Run) -> list[tuple[str, str, str]]:
        (section,) = protocol.chapter(Evidence(Runs([*runs]))).sections
        return [(row.context, row.judge, row.point) for row in section.rows]

    two = "anthropic/claude-opus-4-6, google/gemini-3.1-pro-preview"
    wide, fewer = follows("reason", context="lookahead"), follows("reason", judge=two)
    assert rows(wide) == [("", "", "kinds"), ("", "", "context")]
    three = follows("reason").judge
    assert rows(wide, fewer) == [
        ("lookahead", three, "kinds"), ("lookahead", three, "context"),
        ("history", two, "kinds"), ("history", two, "judges missing"),
    ]  # fmt: skip
    assert {judge for _, judge, _ in rows(wide, follows("reason"))} == {""}


def test_without_a_subset_nothing_is_shown(follows: Callable[..., Run]) -> None:
    runs = [follows("reason", subset=""), follows("reaction", subset="")]
    assert "Protocol" not in [column.title for column in table(*runs).columns]
    assert not protocol.chapter(Evidence(Runs(runs))).shown


def test_controls_need_not_follow(follows: Callable[..., Run]) -> None:
    control = follows("reason", model="control parrot", control="parrot")
    assert not protocol.chapter(Evidence(Runs([follows("reason"), follows("reaction"), control]))).shown
