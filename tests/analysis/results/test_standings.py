"""Which results compare, and what ranks their systems may have."""

import json
import math
from collections.abc import Callable

import pytest
from scipy import stats

from thoughttrace.analysis.results.standings import Group, groups, once_each
from thoughttrace.core.result import Result

Make = Callable[..., Result]


def ranks(found: list[Group]) -> dict[str, tuple[int, int] | None]:
    return {standing.name: standing.ranks for group in found for standing in group.standings}


def around(mean: float) -> tuple[float, float, float]:
    return mean, mean - 0.2, mean + 0.2


def p_value(difference: float, errors: tuple[float, float], dfs: tuple[int, int]) -> float:
    """Welch's test as scipy makes it, of samples that would have these standard errors and degrees of freedom."""
    samples = [(error * math.sqrt(df + 1), df + 1) for error, df in zip(errors, dfs, strict=True)]
    (sd_a, n_a), (sd_b, n_b) = samples
    return float(stats.ttest_ind_from_stats(difference, sd_a, n_a, 0, sd_b, n_b, equal_var=False).pvalue)


@pytest.mark.parametrize(("errors", "dfs"), [((0.1, 0.1), (40, 40)), ((0.3, 0.05), (6, 200))])
def test_two_systems_are_apart_where_welchs_test_says_so(
    make_result: Make, errors: tuple[float, float], dfs: tuple[int, int]
) -> None:
    edge = next(step / 1000 for step in range(1, 2000) if p_value(step / 1000, errors, dfs) < 0.05)
    for difference, expected in (
        (edge, {"x/a": (1, 1), "x/b": (2, 2)}),
        (edge - 0.001, {"x/a": (1, 2), "x/b": (1, 2)}),
    ):
        a = make_result("x/a", around(2.5 + difference), errors[0], float(dfs[0]))
        b = make_result("x/b", around(2.5), errors[1], float(dfs[1]))
        assert ranks(groups([b, a])) == expected


def test_ranks_are_adjusted_for_the_number_of_comparisons(make_result: Make) -> None:
    """Three pairs: by Holm the first p counts three times, the next twice."""
    p = p_value(0.3, (0.1, 0.1), (40, 40))
    assert p < 0.05 < 2 * p
    of = {"x/a": 3.6, "x/b": 3.3, "x/c": 3.0}  # a and c are clearly apart, a and b, b and c by p
    found = ranks(groups([make_result(name, around(mean)) for name, mean in of.items()]))
    assert found == {"x/a": (1, 2), "x/b": (1, 3), "x/c": (2, 3)}
    alone = ranks(groups([make_result(name, around(of[name])) for name in ("x/a", "x/b")]))
    assert alone == {"x/a": (1, 1), "x/b": (2, 2)}


def test_a_mean_at_the_end_of_the_scale_is_ranked_by_its_interval(make_result: Make) -> None:
    """With no spread there is no standard error: the far limit is 1.96 of them away."""
    top = make_result("x/top", (5.0, 4.02, 5.0), None, None)  # 0.5 a standard error
    near, far = (make_result(f"x/{mean}", around(mean), 0.001) for mean in (4.1, 3.9))
    assert ranks(groups([top, near])) == {"x/top": (1, 2), "x/4.1": (1, 2)}
    assert ranks(groups([top, far])) == {"x/top": (1, 1), "x/3.9": (2, 2)}


def test_without_an_interval_or_others_there_is_no_rank(make_result: Make) -> None:
    one_user = make_result("x/few", (3.0, None, None), None, None)
    assert ranks(groups([one_user, make_result("x/a"), make_result("x/b")]))["x/few"] is None
    assert ranks(groups([make_result("x/a")])) == {"x/a": None}


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": {"followed": False, "deviations": [{"name": "context", "asked": "a", "found": "b"}]}},
        {"part": {"planned_sha256": "other"}},
        {"data": {"revision": "other"}},
        {"data": {"content": "other"}},
        {"part": {"task_version": "4-A"}},
        {"part": {"context": "message"}},
        {"part": {"rubric_hash": "other"}},
        {"part": {"prompt_hash": "other"}},
        {"part": {"judge_scale": "expected"}},
        {"judges": ["google/j2"]},
        {"system": {"solver": "mine()"}},
    ],
)
def test_what_does_not_compare_stands_in_another_table(make_result: Make, change: dict[str, object]) -> None:
    found = groups([make_result("x/a"), make_result("x/b"), make_result("x/c", **change)])
    assert [sorted(standing.name for standing in group.standings) for group in found] == [["x/a", "x/b"], ["x/c"]]
    assert next(group.protocol for group in found) == "infer-v1, mini-v1"
    same = groups([make_result("x/a"), make_result("x/b", part={"task_version": "3-B"}, system={"effort": "high"})])
    assert len(same) == 1


def test_models_that_judge_each_other_are_compared_by_the_judge_they_share(make_result: Make) -> None:
    """By their own panels a is better by 1; the judge of both says that b is."""

    def by(judge: str, mean: float) -> dict[str, object]:
        value, lower, upper = around(mean)
        ends = {"value": value, "lower": lower, "upper": upper, "standard_error": 0.1, "degrees_of_freedom": 40.0}
        return {"judges": [judge], "mean": ends, "samples": 90, "replies": 90}

    a = make_result("x/a", around(4.0), judges=["x/b", "x/c"], part={"by_judges": [by("x/b", 4.8), by("x/c", 3)]})
    b = make_result("x/b", around(3.0), judges=["x/a", "x/c"], part={"by_judges": [by("x/a", 2), by("x/c", 4)]})
    (group,) = groups([a, b])
    assert ranks([group]) == {"x/b": (1, 1), "x/a": (2, 2)}
    assert [standing.name for standing in group.standings] == ["x/b", "x/a"]


def test_controls_stand_beside_what_their_judges_rated_and_have_no_rank(make_result: Make) -> None:
    floor = {"sort": "control", "contamination": None, "cutoff": ""}
    control = make_result("control constant", around(1.5), system=floor, protocol=None, part={"context": "lookahead"})
    other = make_result("control target", around(4.5), system=floor, protocol=None, part={"rubric_hash": "other"})
    systems, alone = groups([control, make_result("x/a"), make_result("x/b"), other])
    assert [standing.name for standing in systems.controls] == ["control constant"]
    assert [standing.ranks for standing in systems.controls] == [None]
    assert ranks([systems]) == {"x/a": (1, 2), "x/b": (1, 2)}
    assert (alone.standings, [standing.name for standing in alone.controls]) == ([], ["control target"])


def test_of_a_measurement_sent_in_again_the_newest_counts(make_result: Make) -> None:
    old = make_result(date="2026-11-01T10:00:00+00:00", part={"logs": ["old.eval"]})
    new, others = make_result(), make_result(submitted_by="others", part={"logs": ["theirs.eval"]})
    counted, left_out = once_each([new, old, others])
    assert {(result.stem, result.submitted_by) for result in counted} == {
        (new.stem, "somebody"),
        (others.stem, "others"),
    }
    assert left_out == [f"{old.stem}.json: its reasons are superseded by {new.stem}.json, of the same measurement."]


def test_a_name_says_in_what_systems_differ(make_result: Make) -> None:
    low, high = make_result(), make_result(system={"effort": "high"})
    twice = make_result(submitted_by="others")
    assert set(ranks(groups([low, high]))) == {"openai/gpt-5.4 (effort default)", "openai/gpt-5.4 (effort high)"}
    assert set(ranks(groups([low, twice]))) == {
        "openai/gpt-5.4 (sent in by somebody)",
        "openai/gpt-5.4 (sent in by others)",
    }
    panels = [make_result(judges=judges) for judges in (["google/j1"], ["google/j1", "google/j2"])]
    (alone,) = json.loads(panels[0].to_json())["reason"]["by_judges"]
    panels[1] = make_result(judges=["google/j1", "google/j2"], part={"by_judges": [alone]})
    names = {"openai/gpt-5.4 (judged by google/j1)", "openai/gpt-5.4 (judged by google/j1, google/j2)"}
    assert set(ranks(groups(panels))) == names


def test_systems_are_compared_by_the_judges_whose_votes_are_there(make_result: Make) -> None:
    """Of a's panel only j1 gave votes; by j1 both are the same, and by b's other judge b is worse."""

    def by(judges: list[str], mean: float) -> dict[str, object]:
        value, lower, upper = around(mean)
        ends = {"value": value, "lower": lower, "upper": upper, "standard_error": 0.1, "degrees_of_freedom": 40.0}
        return {"judges": judges, "mean": ends, "samples": 90, "replies": 90}

    panel = ["google/j1", "google/j2"]
    a = make_result("x/a", around(4.5), judges=panel, part={"by_judges": [by(panel[:1], 4.5)]})
    sets = [by(panel[:1], 4.5), by(panel[1:], 1.5), by(panel, 3.0)]
    b = make_result("x/b", around(3.0), judges=panel, part={"by_judges": sets})
    assert ranks(groups([a, b])) == {"x/a": (1, 2), "x/b": (1, 2)}


BOTH = ("reason", "reaction")
LATER = "2026-11-30T10:00:00+00:00"
DEVIATING = {"followed": False, "deviations": [{"name": "samples missing", "asked": "a", "found": "b"}]}


def kept(*results: Result) -> tuple[list[tuple[str, list[str]]], list[str]]:
    counted, left_out = once_each(results)
    return [(result.stem, [*result.kinds]) for result in counted], left_out


def test_a_kind_sent_in_alone_and_then_with_the_other_counts_once(make_result: Make) -> None:
    alone, both = make_result(), make_result(kinds=BOTH, date=LATER)
    counted, left_out = kept(alone, both)
    assert counted == [(both.stem, [*BOTH])]
    assert left_out == [f"{alone.stem}.json: its reasons are superseded by {both.stem}.json, of the same measurement."]
    # The larger of the two reasons counts, and the reactions that were sent in with the smaller one stay.
    large, small = make_result(), make_result(kinds=BOTH, date=LATER, part={"samples": 10})
    assert kept(large, small)[0] == [(large.stem, ["reason"]), (small.stem, ["reaction"])]
    assert once_each([large, small])[0][1].reason is None


def test_what_follows_the_protocol_counts_before_what_is_larger_and_that_before_what_is_newer(
    make_result: Make,
) -> None:
    follows = make_result()
    later = make_result(date=LATER, protocol=DEVIATING, part={"samples": 200})
    full = make_result(date=LATER, protocol={"subset": "full-v1"}, part={"planned_sha256": "full", "samples": 900})
    assert [stem for stem, _ in kept(follows, later, full)[0]] == [follows.stem, full.stem]
    large = make_result(protocol=DEVIATING)
    small = make_result(date=LATER, protocol=DEVIATING, part={"samples": 10})
    assert [stem for stem, _ in kept(small, large)[0]] == [large.stem]


def test_the_end_of_a_task_version_makes_no_other_measurement(make_result: Make) -> None:
    old, new = make_result(), make_result(date=LATER, part={"task_version": "3-B"})
    other = make_result(date=LATER, part={"task_version": "4-A", "logs": ["other.eval"]})
    assert [stem for stem, _ in kept(old, new, other)[0]] == [new.stem, other.stem]
    assert len(kept(old, make_result())[0]) == 1  # a copy of a file
