"""Panels and rescored logs: every vote is found, and every figure about judges equals its own computation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import read_eval_log, write_eval_log

from thoughttrace.analysis.chapters import judge_severity, judges
from thoughttrace.analysis.chapters.comparison import compare
from thoughttrace.analysis.page.table import Section
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.votes import votes
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.scorers.agreement import agreement
from thoughttrace.tasks.infer_reason import infer_reason


def made(seed: int = 0, judge_names: tuple[str, ...] = ("x/claude-1", "x/gpt-1", "x/gemini-1")) -> pd.DataFrame:
    """Votes of three judges on two models' inferences; some are missing, one judge is severe, one likes its own."""
    rng = np.random.default_rng(seed)
    rows = []
    for model, quality in (("y/claude-9", 3.0), ("y/llama-9", 2.6)):
        for sample in range(120):
            truth = quality + rng.normal()
            for judge, off in zip(judge_names, (0.0, -0.5, 0.2), strict=True):
                own = 0.6 if "claude" in judge and "claude" in model else 0
                if rng.random() < 0.9:
                    rating = float(np.clip(round(truth + off + own + rng.normal() * 0.5), 1, 5))
                    rows.append(("reason", model, "history", f"{model}{sample}", f"s{sample}", f"u{sample % 15}", judge,
                                 0, rating))  # fmt: skip
    columns = ["kind", "model", "context", "unit", "id", "user", "judge", "repeat", "rating"]
    table = pd.DataFrame(rows, columns=columns)
    table["own_family"] = table["judge"].str.contains("claude") & table["model"].str.contains("claude")
    return table.assign(family=table["model"].str.extract(r"/(\w+)-", expand=False), by_rule=False)


def test_self_preference_is_what_a_judge_gives_its_own_beyond_the_others() -> None:
    table = made()
    found = pd.DataFrame(judges.self_preference(table)).set_index("judge")
    wide = table.pivot_table(index=["id", "model"], columns="judge", values="rating")
    sides = [
        (wide["x/claude-1"] - wide[other]).unstack("model").dropna().diff(axis=1, periods=-1)["y/claude-9"]
        for other in ("x/gpt-1", "x/gemini-1")
    ]
    of_samples = pd.concat(sides, axis=1).mean(axis=1)
    users = [f"u{int(name[1:]) % 15}" for name in of_samples.index]
    expected = cluster_mean(of_samples, users)
    row = found.loc["x/claude-1"]
    assert (row["preference"], row["lower"], row["upper"]) == pytest.approx(
        (expected.estimate, expected.lower, expected.upper), abs=1e-12
    )
    assert row["lower"] > 0
    assert str(found.loc["x/gpt-1", "note"]).startswith("no pair to compare: ")
    assert np.isnan(found["preference"]["x/gpt-1"])


def planted(preferences: dict[str, float], models: tuple[str, ...]) -> pd.DataFrame:
    """Simulated votes of judges with different severities, some of which prefer their own family by so much."""
    rng = np.random.default_rng(7)
    rows = [
        ("reason", model, "history", f"{model}{sample}", f"s{sample}", f"u{sample % 20}", f"x/{judge}", 0,
         merit + 0.7 * number + preference * model.startswith(judge) + rng.normal() * 0.3, model)
        for sample in range(400)
        for model, merit in zip(models, 2 + rng.normal(size=len(models)), strict=True)
        for number, (judge, preference) in enumerate(preferences.items())
        if rng.random() < 0.9
    ]  # fmt: skip
    columns = ["kind", "model", "context", "unit", "id", "user", "judge", "repeat", "rating", "family"]
    return pd.DataFrame(rows, columns=columns).assign(by_rule=False)


@pytest.mark.parametrize(
    "preferences",
    [
        {"claude": 0.6, "gpt": 0.6, "gemini": 0.6},
        {"claude": 0.6, "gpt": 0.0, "gemini": 0.0},
        {"claude": 0.2, "gpt": 0.9, "gemini": 0.0},
    ],
)
@pytest.mark.parametrize("models", [("claude", "gpt", "gemini"), ("claude", "gpt", "gemini", "llama")])
def test_planted_preferences_are_recovered(preferences: dict[str, float], models: tuple[str, ...]) -> None:
    rows = judges.self_preference(planted(preferences, models))
    assert [row.judge for row in rows] == ["x/claude", "x/gemini", "x/gpt"]
    for row in rows:
        true = preferences[row.family]
        assert row.preference == pytest.approx(true, abs=0.08)
        assert row.lower - 0.02 < true < row.upper + 0.02


def test_two_judges_without_a_third_family_identify_no_preference() -> None:
    """Of two judges that rate each other, only one prefers itself: nothing in the votes tells which."""
    preferences = {"claude": 0.6, "gpt": 0.0}
    for row in judges.self_preference(planted(preferences, ("claude", "gpt"))):
        assert np.isnan([row.preference, row.lower, row.upper]).all()
        assert (row.n, row.note.partition(":")[0]) == (0, "cannot be identified")
    with_a_third = judges.self_preference(planted(preferences, ("claude", "gpt", "llama")))
    assert [row.preference for row in with_a_third] == pytest.approx([0.6, 0.0], abs=0.08)


def test_noise_is_the_pooled_spread_of_repeats() -> None:
    table = pd.DataFrame({
        "kind": "reason", "judge": "j", "unit": list("aabbcc"), "user": list("uuvvww"), "rating": [1, 3, 2, 2, 4, 5.0],
        "by_rule": False,
    })  # fmt: skip
    (row,) = judges.noise(table)
    assert row.sd_within == pytest.approx(np.sqrt((2 + 0 + 0.5) / 3))
    error = cluster_mean([2, 2, 4.5], ["u", "v", "w"]).standard_error
    assert row.share == pytest.approx((2.5 / 3) / 2 / 3 / error**2)
    assert (row.inferences, row.repeats) == (3, 2)
    assert row.advice.startswith("without any judge noise the interval would be")
    assert judges.noise(table.drop_duplicates("unit")) == []


def test_noise_has_no_share_of_an_unknown_variance() -> None:
    """With one user nothing is known about the variance of the judge's mean: not even that it is all noise."""
    table = pd.DataFrame({"kind": "reason", "judge": "j", "unit": list("aabb"), "user": "u", "rating": [1, 3, 2, 2.0],
                          "by_rule": False})  # fmt: skip
    (row,) = judges.noise(table)
    assert row.sd_within == pytest.approx(1)
    assert np.isnan(row.share)
    assert row.advice == ""


@pytest.fixture
def rate() -> Callable[[int], Callable[..., str]]:
    """A judge that gives one of the ratings around a number, by the prompt."""

    def make(level: int) -> Callable[..., str]:
        def judge(messages: list[Any]) -> str:
            rating = level + len(messages[1].text) % 3 - 1
            return json.dumps({"rationale": "so", "rating": rating})

        return judge

    return make


def test_a_panel_and_a_rescored_log_give_all_their_votes(
    tmp_path: Path, scripted: Callable[..., Any], rate: Callable[[int], Any]
) -> None:
    calls = iter(range(10_000))

    def failing(messages: list[Any]) -> str:
        return "?" if next(calls) // 2 % 4 == 0 else rate(4)(messages)  # asked twice where it fails

    panel = [scripted("claude-j", rate(3)), scripted("gpt-j", failing)]
    (log,) = inspect_eval(
        infer_reason(judge_repeats=2), model=scripted("m", lambda _: "I guess so"), model_roles={"grader": panel},
        log_dir=str(tmp_path / "logs"), display="none", max_samples=1,
    )  # fmt: skip
    (run,) = read_runs([log.location]).counted
    assert run.judge == "scripted/claude-j, scripted/gpt-j"
    table = votes([run])
    counts = table.groupby("judge").size()
    assert counts["scripted/claude-j"] == 2 * len(run.rows)
    assert 0 < counts["scripted/gpt-j"] < 2 * len(run.rows)
    # Votes that failed cost nothing but themselves: the sample's score is the mean of the judges' means.
    assert run.rows["score"].notna().all()
    means = table.groupby(["id", "judge"])["rating"].mean().groupby("id").mean()
    assert run.rows.set_index("id")["score"].to_dict() == pytest.approx(means.to_dict())

    rescored = inspect_score(
        read_eval_log(log.location), agreement(), action="append", display="none",
        model=scripted("m", lambda _: ""), model_roles={"grader": scripted("gemini-j", rate(2))},
    )  # fmt: skip
    write_eval_log(rescored, log.location)
    found = read_runs([log.location])
    assert [run.judge for run in found.counted] == ["scripted/claude-j, scripted/gpt-j", "scripted/gemini-j"]
    assert found.left_out == []
    everyone = votes(found.counted)
    assert everyone["unit"].nunique() == len(run.rows)
    assert set(everyone["judge"]) == {"scripted/claude-j", "scripted/gpt-j", "scripted/gemini-j"}
    sections = {section.name: section for section in judges.chapter(Evidence(found)).filled}
    assert set(sections) == {"by_judge", "panel", "reliability", "judge_repeat_noise"}
    (small,) = judges.chapter(Evidence(found)).too_small
    assert small.name == "preference"
    of_severity = judge_severity.chapter(Evidence(found)).filled
    assert [section.name for section in of_severity] == ["severity", "adjusted"]
    assert len(sections["by_judge"].rows) == 3
    assert {row.by for row in compare(found.counted, "judge")[0]} == {"judge"}


def test_without_votes_there_is_no_chapter() -> None:
    chapter = judges.chapter(Evidence(Runs()))
    assert (chapter.filled, chapter.intro) == ([], "")


def test_tables_show_signs_intervals_and_reasons() -> None:
    table = made()
    (severe,) = (row for row in judge_severity.severity(table)[0] if row.judge == "x/gpt-1")
    section = Section("severity", "Severity", [severe], judge_severity.SEVERITY_COLUMNS)
    assert section.table.cells()[0][2] == f"{severe.severity:+.2f}"
    shown = Section("preference", "Preference", judges.self_preference(table), judges.PREFERENCE_COLUMNS).table.cells()
    assert [row[4] for row in shown if row[1] != "x/claude-1"] == ["no pair to compare"] * 2


def test_empty_replies_count_in_every_judges_means_and_say_nothing_of_the_judges(
    scripted: Callable[..., Any], rate: Callable[[int], Callable[..., str]], tmp_path: Path
) -> None:
    """They are rated 1 by rule, as refusals are: without them a model had means above its headline."""
    calls = iter(range(10_000))

    panel = [scripted("claude-j", rate(4)), scripted("gpt-j", rate(3))]
    (log,) = inspect_eval(
        infer_reason(judge_repeats=2), model=scripted("m", lambda _: "I guess so" if next(calls) % 4 else ""),
        model_roles={"grader": panel},
        log_dir=str(tmp_path / "logs"), display="none", max_samples=1,
    )  # fmt: skip
    (run,) = read_runs([log.location]).counted
    by_rule = run.rated_by_rule
    assert 0 < by_rule.sum() < len(run.rows)
    table = votes([run])
    assert table["by_rule"].sum() == 2 * 2 * by_rule.sum()
    headline = run.rows["score"].mean()
    by_judge = judges.means(table)
    assert [row.n for row in by_judge] == [len(run.rows)] * 2
    assert np.mean([row.mean for row in by_judge]) == pytest.approx(headline)
    severities, (adjusted,) = judge_severity.severity(table)
    assert (adjusted.adjusted, adjusted.mean) == pytest.approx((headline, headline))
    voted = table[~table["by_rule"]]
    assert [row.n for row in severities] == voted["judge"].value_counts().sort_index().tolist()
    of_judges = voted.groupby("judge")["rating"].mean()
    assert [row.severity for row in severities] == pytest.approx((of_judges.mean() - of_judges).tolist())
    assert judges.reliability(table) == judges.reliability(voted)
    assert judges.noise(table) == judges.noise(voted)
