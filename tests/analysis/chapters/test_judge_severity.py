"""Severities, adjusted means and differences, and ranks without each judge: every figure equals its own computation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from thoughttrace.analysis.chapters import judge_severity

MODELS = {"a": 3.0, "b": 2.9, "c": 2.2}
SEVERITY = {"x": 0.0, "y": 0.5, "z": -0.2}
USERS = 9


def made(given: float = 1.0, judges: Sequence[str] = tuple(SEVERITY)) -> pd.DataFrame:
    """Votes of judges on three models' inferences; `z` thinks better of `b` than others do."""
    rng = np.random.default_rng(0)
    merits = rng.normal(size=60)
    rows = []
    for model, quality in MODELS.items():
        for sample, merit in enumerate(merits):
            truth = quality + merit
            for judge, severity in SEVERITY.items():
                taste = 0.6 * (judge == "z" and model == "b")
                rating = float(np.clip(round(truth - severity + taste + rng.normal() * 0.5), 1, 5))
                if rng.random() < given and judge in judges:
                    rows.append((model, f"{model}{sample}", f"s{sample}", f"u{sample % USERS}", judge, rating))
    table = pd.DataFrame(rows, columns=["model", "unit", "id", "user", "judge", "rating"])
    return table.assign(kind="reason", context="history", repeat=0, by_rule=False)


def test_severities_and_adjusted_means_are_least_squares_with_cr2() -> None:
    """Of complete votes, where users have one size: CR2 is CR0 times G / (G − 1), on G − 1 degrees of freedom."""
    table = made()
    table = table[table["id"].isin([f"s{sample}" for sample in range(54)])]
    severity, adjusted = judge_severity.severity(table)
    fit = smf.ols("rating ~ 0 + C(model) + C(judge, Sum)", table)
    cr0 = fit.fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(table["user"])[0], "use_correction": False}, use_t=True
    )
    reach = stats.t.ppf(0.975, USERS - 1) * (USERS / (USERS - 1)) ** 0.5
    for row, name in zip(severity[:2], ("x", "y"), strict=True):
        term = f"C(judge, Sum)[S.{name}]"
        points, error = -cr0.params[term], cr0.bse[term]
        expected = (points, points - reach * error, points + reach * error)
        assert (row.severity, row.lower, row.upper) == pytest.approx(expected, abs=1e-9)
    assert sum(row.severity for row in severity) == pytest.approx(0, abs=1e-9)
    assert [row.n for row in severity] == [3 * 54] * 3
    for mean, name in zip(adjusted, MODELS, strict=True):
        points, error = cr0.params[f"C(model)[{name}]"], cr0.bse[f"C(model)[{name}]"]
        expected = (points, points - reach * error, points + reach * error)
        assert (mean.adjusted, mean.lower, mean.upper) == pytest.approx(expected, abs=1e-9)
        assert mean.mean == pytest.approx(table[table["model"] == name]["rating"].mean())
    pair = judge_severity.adjusted_differences(table)[1]
    test = cr0.t_test(f"C(model)[{pair.a}] - C(model)[{pair.b}]")
    points, error = test.effect.item(), test.sd.item() * (USERS / (USERS - 1)) ** 0.5
    assert (pair.a, pair.b) == ("a", "c")
    assert pair.difference == pytest.approx(points)
    assert pair.p_value == pytest.approx(2 * stats.t.sf(abs(points) / error, USERS - 1))


def test_p_values_are_adjusted_over_the_pairs_of_a_kind() -> None:
    rows = judge_severity.adjusted_differences(made(0.8))
    smallest, middle, largest = sorted(row.p_value for row in rows)
    expected = [min(1, 3 * smallest), min(1, max(3 * smallest, 2 * middle))]
    expected.append(max(largest, expected[1]))
    assert sorted(row.p_holm for row in rows) == pytest.approx(expected)


def test_what_a_rule_rated_leaves_severity_to_the_votes_alone() -> None:
    """A model that one judge rated more often than others, and that often refuses, makes no judge look lenient."""
    voted = made(0.9)
    voted = voted[(voted["model"] != "c") | (voted["judge"] != "y") | (voted.index % 3 == 0)]
    refused = voted[voted["model"] == "c"].drop_duplicates("id").head(20)
    replaced = voted["unit"].isin(refused["unit"])
    by_rule = pd.concat([refused.assign(judge=judge, rating=1.0, by_rule=True) for judge in SEVERITY])
    (alone, of_votes), (severities, adjusted) = map(
        judge_severity.severity, (voted[~replaced], pd.concat([voted[~replaced], by_rule]))
    )
    assert [row.severity for row in severities] == pytest.approx([row.severity for row in alone], abs=1e-12)
    share = 20 / voted[voted["model"] == "c"]["id"].nunique()
    before, after = ({row.model: row.adjusted for row in rows} for rows in (of_votes, adjusted))
    assert after["a"] == pytest.approx(before["a"])
    assert after["c"] == pytest.approx(share + (1 - share) * before["c"])


def test_ranks_without_each_judge() -> None:
    table = made()
    rows = judge_severity.leave_one_out(table)
    means = table.pivot_table(index="model", columns="judge", values="rating")
    without = pd.DataFrame({judge: means.drop(columns=judge).mean(axis=1) for judge in means.columns})
    ranks = without.rank(ascending=False)
    assert [row.model for row in rows] == list(means.mean(axis=1).sort_values(ascending=False).index)
    for place, row in enumerate(rows, start=1):
        own, mean = without.loc[row.model], means.loc[row.model].mean()
        assert (row.rank, row.without) == (place, 3)
        assert (row.best_rank, row.worst_rank) == (ranks.loc[row.model].min(), ranks.loc[row.model].max())
        assert (row.mean, row.lowest_mean, row.highest_mean) == pytest.approx((mean, own.min(), own.max()))
        assert row.most == (own - mean).abs().idxmax()
    # The judge with a taste of its own decides which of two close models is first.
    assert [(row.best_rank, row.worst_rank) for row in rows] == [(1, 2), (1, 2), (3, 3)]


def test_ranks_without_one_of_two_judges_are_the_others() -> None:
    rows = {row.model: row for row in judge_severity.leave_one_out(made(judges="xz"))}
    means = made().pivot_table(index="model", columns="judge", values="rating")
    assert (rows["b"].lowest_mean, rows["b"].highest_mean) == pytest.approx((means.loc["b", "x"], means.loc["b", "z"]))
    assert judge_severity.leave_one_out(made(judges="x")) == []


def test_a_model_has_no_rank_without_the_judge_that_alone_rated_it() -> None:
    table = made()
    table = table[(table["model"] != "c") | (table["judge"] == "x")]
    rows = {row.model: row for row in judge_severity.leave_one_out(table)}
    assert {model: row.without for model, row in rows.items()} == {"a": 3, "b": 3, "c": 2}
