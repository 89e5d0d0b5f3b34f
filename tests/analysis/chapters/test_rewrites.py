"""The chapter on rewritten replies: shares, differences and length ratios by hand, from logs of real runs."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ModelOutput

from thoughttrace.analysis.chapters.rewrites import DifferenceRow, RewriteRow, chapter, differences, rewrites
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.tasks.rewrite_reply import rewrite_reply

USERS = 12

# What the judge says of user n's rewrite, by the signal: (answers the complaint, keeps the request).
RATED: dict[str, Callable[[int], tuple[int, int]]] = {
    "thought": lambda n: (5 if n % 3 else 2, 4),
    "message": lambda n: (4 if n % 2 else 3, 5 if n < 6 else 1),
    "none": lambda n: (4 if n % 4 == 0 else 1, 5),
}


def chat(n: int) -> dict[str, Any]:
    replies = ["old reply with six words here", "x"]
    notes = [[{"label": "scope_fit", "content": "it is much too long for me"}], []]
    messages: list[dict[str, Any]] = []
    for turn in range(2):
        messages += [
            {"type": "user", "content": f"ask {n:02}"},
            {"type": "assistant", "content": replies[turn], "reactions": notes[turn]},
        ]
    # Of user 11 nothing is known but one reply: two replies of user 10 are one cluster.
    return {"id": f"user{min(n, 10):02}_task{n}_conversation1", "messages": messages}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, scripted: Callable[..., Any]) -> Runs:
    folder = tmp_path_factory.mktemp("rewrites")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(chat(n)) + "\n" for n in range(USERS)), encoding="utf-8")
    for signal, rated in RATED.items():

        def rewritten(messages: list[Any], signal: str = signal) -> str | ModelOutput:
            n = int(messages[1].text.partition("ask ")[2][:2])
            if signal == "none" and n == 1:
                return ModelOutput.from_content("m", "no", stop_reason="content_filter")
            if signal == "none" and n == 2:
                return ModelOutput.from_content("m", "new words", stop_reason="max_tokens")
            if signal == "none" and n == 3:
                return "old reply with six words here"
            return " ".join(["new"] * (12 if signal == "thought" else 3))

        def judge(messages: list[Any], rated: Callable[[int], tuple[int, int]] = rated) -> str:
            text = messages[1].text
            if "next message]" in text:
                return json.dumps({"rationale": "y", "dissatisfied": "no" if "ask 04" in text else "yes"})
            answers, keeps = rated(int(text.partition("ask ")[2][:2]))
            return json.dumps({"rationale": "x", "answers_complaint": answers, "keeps_request": keeps})

        (log,) = inspect_eval(
            rewrite_reply(signal=signal, data=str(data)), model=scripted("m", rewritten),
            model_roles={"grader": scripted("j", judge)}, log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTTRACE_CACHE", str(folder / "cache"))
        first = read_runs([str(folder / "logs")])
        again = read_runs([str(folder / "logs")])  # from the cache
    assert [run.arm for run in first.counted] == [run.arm for run in again.counted]
    return again


@pytest.fixture(scope="module")
def rows(runs: Runs) -> dict[str, RewriteRow]:
    return {row.signal: row for row in rewrites(runs.counted)}


CLUSTERS = np.minimum(np.arange(USERS), 10)


def shares(signal: str) -> tuple[Any, Any]:
    """Whether each rewrite answers the complaint, and keeps the request; NaN where it was not rated."""
    answers, keeps = (np.array([float(RATED[signal](n)[part] >= 4) for n in range(USERS)]) for part in (0, 1))
    if signal == "none":
        answers[1] = keeps[1] = 0  # a refusal
        answers[2] = keeps[2] = math.nan  # cut off
    return answers, keeps


@pytest.mark.parametrize("signal", RATED)
def test_shares_have_intervals_by_user(signal: str, rows: dict[str, RewriteRow]) -> None:
    row, (answers, keeps) = rows[signal], shares(signal)
    rated = ~np.isnan(answers)
    for name, values in {"answers": answers, "keeps": keeps, "both": answers * keeps}.items():
        found = cluster_mean(values[rated], CLUSTERS[rated], bounds=(0, 1))
        assert getattr(row, name) == pytest.approx(values[rated].mean())
        assert getattr(row, f"{name}_lower") == pytest.approx(found.lower, nan_ok=True)
        assert getattr(row, f"{name}_upper") == pytest.approx(found.upper, nan_ok=True)
    assert (row.n, row.users, row.samples) == (rated.sum(), len({*CLUSTERS[rated]}), USERS)


def test_what_is_no_rewrite_is_counted(rows: dict[str, RewriteRow]) -> None:
    none, thought = rows["none"], rows["thought"]
    assert (none.unchanged, none.declined, none.refused_or_empty, none.missing) == (1, 0, 1, "1 truncated")
    assert none.coverage == pytest.approx(11 / 12)
    assert (thought.unchanged, thought.refused_or_empty, thought.missing, thought.coverage) == (0, 0, "", 1)


def test_how_many_messages_show_dissatisfaction(rows: dict[str, RewriteRow]) -> None:
    assert rows["message"].dissatisfied_messages == pytest.approx(11 / 12)
    assert math.isnan(rows["thought"].dissatisfied_messages)


def test_lengths_are_those_of_the_rewrites_that_were_rated(rows: dict[str, RewriteRow]) -> None:
    assert rows["thought"].length_ratio == pytest.approx(12 / 6)
    # The refusal has no words; the unchanged one has six, nine others three.
    assert rows["none"].length_ratio == pytest.approx((6 + 9 * 3) / 60)
    assert rows["none"].length_ratio_lower < rows["none"].length_ratio < rows["none"].length_ratio_upper


def test_differences_are_paired_on_the_replies_rated_with_both(runs: Runs) -> None:
    found = differences(runs.counted)
    assert [(row.signal, row.outcome) for row in found] == [
        (signal, outcome) for signal in ("thought", "message")
        for outcome in ("answers the complaint", "keeps the request", "both")
    ]  # fmt: skip
    rated = ~np.isnan(shares("none")[0])
    for row in found:
        part = ["answers the complaint", "keeps the request", "both"].index(row.outcome)
        both = {signal: shares(signal) for signal in (row.signal, "none")}
        a, b = ((*pair, pair[0] * pair[1])[part][rated] for pair in both.values())
        expected = paired_difference(a, b, CLUSTERS[rated])
        assert [row.share, row.share_control] == pytest.approx([a.mean(), b.mean()])
        assert row.difference == pytest.approx(a.mean() - b.mean())
        assert [row.lower, row.upper] == pytest.approx([expected.lower, expected.upper])
        assert row.p_value == pytest.approx(expected.p_value)
        assert (row.n, row.users) == (11, 10)
    assert holm([row.p_value for row in found]) == pytest.approx([row.p_holm for row in found])


def holm(p_values: list[float]) -> list[float]:
    """By its definition: rising p-values times the number of those not smaller; never falling, at most 1."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def test_without_the_control_nothing_is_compared(runs: Runs) -> None:
    assert differences([run for run in runs.counted if run.arm != "none"]) == []
    assert isinstance(differences(runs.counted)[0], DifferenceRow)


def test_the_chapter_shows_both_tables_and_a_plot(runs: Runs) -> None:
    shown = chapter(Evidence(runs))
    assert [section.name for section in shown.filled] == ["rewrite_shares", "rewrite_differences"]
    (figure,) = shown.sections[0].pictures
    assert figure.name == "rewrites"
    assert chapter(Evidence(Runs())).shown is False


def test_a_log_with_ratings_beyond_the_scale_is_left_out(runs: Runs, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log, write_eval_log

    log = read_eval_log(runs.counted[0].file)
    assert log.samples
    log.samples[0].scores["rewrite"].value = {"answers_complaint": 4, "keeps_request": 9}
    write_eval_log(log, str(tmp_path / "odd.eval"))
    from thoughttrace.core.errors import UserError

    with pytest.raises(UserError, match="rewrite keeps_request: its value 9 is outside the scale 1–5"):
        read_runs([str(tmp_path / "odd.eval")])
