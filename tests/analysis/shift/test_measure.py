"""Relations compared: the regression against its definition, the ways of comparing against planted effects."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from thoughttrace.analysis.shift.measure import ComparisonRow, compare, length_class
from thoughttrace.analysis.shift.pairs import NEXT, REACTION, REASON
from thoughttrace.analysis.stats.intervals import cluster_mean, coefficient, paired_difference


def draw(seed: int, users: int, columns: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(users), rng.integers(1, 9, users))
    design = rng.normal(size=(len(clusters), columns)) + rng.normal(size=(users, columns))[clusters]
    y = design[:, 0] + rng.normal(size=users)[clusters] + rng.normal(size=len(clusters))
    return y, np.column_stack([design, np.ones(len(y))]), clusters


def by_matrices(y: Any, x: Any, clusters: Any) -> tuple[float, float]:
    """CR2 standard error and Satterthwaite df of the first coefficient, with every matrix written out."""
    bread = np.linalg.pinv(x.T @ x)
    annihilator = np.eye(len(y)) - x @ bread @ x.T
    variance, columns = 0.0, []
    for cluster in np.unique(clusters):
        own = clusters == cluster
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        roots = np.array([value**-0.5 if value > 1e-9 else 0 for value in values])
        v = basis @ np.diag(roots) @ basis.T @ x[own] @ bread[0]
        variance += float(v @ (annihilator @ y)[own]) ** 2
        columns.append(annihilator[:, own] @ v)
    spectrum = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    return math.sqrt(variance), spectrum.sum() ** 2 / (spectrum**2).sum()


@pytest.mark.parametrize(("users", "columns"), [(4, 1), (12, 3), (30, 6)])
def test_the_coefficient_is_least_squares_with_cr2(users: int, columns: int) -> None:
    y, x, clusters = draw(users, users, columns)
    found = coefficient(y, x, clusters)
    fit = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    error, df = by_matrices(y, x, clusters)
    assert found.estimate == pytest.approx(fit.params[0], rel=1e-8)
    assert (found.standard_error, found.df) == pytest.approx((error, df), rel=1e-7)
    assert found.standard_error == pytest.approx(fit.bse[0], rel=0.4)  # CR1
    assert found.lower < found.estimate < found.upper


def test_columns_that_say_the_same_change_nothing() -> None:
    y, x, clusters = draw(1, 12, 3)
    once, twice = coefficient(y, x, clusters), coefficient(y, np.column_stack([x, x[:, 1:]]), clusters)
    assert (once.estimate, once.lower, once.df) == pytest.approx((twice.estimate, twice.lower, twice.df), rel=1e-7)


def test_a_cluster_with_a_column_of_its_own_is_no_obstacle() -> None:
    y, x, clusters = draw(2, 12, 2)
    x = np.column_stack([x, clusters == 3])
    found = coefficient(y, x, clusters)
    assert (found.standard_error, found.df) == pytest.approx(by_matrices(y, x, clusters), rel=1e-6)


def test_of_ones_alone_it_is_the_clustered_mean() -> None:
    y, _, clusters = draw(3, 10, 1)
    found, mean = coefficient(y, np.ones((len(y), 1)), clusters), cluster_mean(y, clusters)
    assert (found.estimate, found.lower, found.df) == pytest.approx((mean.estimate, mean.lower, mean.df), rel=1e-9)


@pytest.mark.parametrize(
    ("x", "clusters", "reason"),
    [([[1, 1]] * 4, [1, 2, 3, 4], "nothing to compare"), ([[1], [2], [1], [2]], [1] * 4, "only one user")],
)
def test_what_cannot_be_told_is_said(x: list[list[int]], clusters: list[int], reason: str) -> None:
    found = coefficient([1.0, 2, 3, 4], x, clusters)
    assert math.isnan(found.lower)
    assert reason in str(found.reason)


def table(seed: int, relations: dict[str, tuple[float, float]], users: int = 60) -> pd.DataFrame:
    """Pairs whose distance is 0.2 per doubling of the target's words, and an effect of the relation.

    Args:
        seed: Of everything.
        relations: Effect and mean of the target's log₂ words.
        users: Each with 10 turns.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = rng.normal(scale=0.05)
        for turn in range(10):
            for relation, (effect, doublings) in relations.items():
                words = int(2 ** np.clip(rng.normal(doublings, 1), 0, 6.5))
                distance = 0.2 * np.log2(words) + effect + own + rng.normal(scale=0.1)
                rows.append((relation, f"user{user}", "c", 2 * turn, 8, words, distance))
    names = ["relation", "user", "conversation", "turn", "source_words", "target_words", "distance"]
    return pd.DataFrame(rows, columns=names)


def way(compared: list[ComparisonRow], name: str, a: str = REASON, b: str = NEXT) -> ComparisonRow:
    (row,) = (row for row in compared if (row.way, row.a, row.b) == (name, a, b))
    return row


def test_an_effect_of_length_alone_is_gone_at_equal_length() -> None:
    found = [compare(table(seed, {NEXT: (0, 2.5), REASON: (0, 4)}, users=30)) for seed in range(15)]
    for name in ("as they are", "turn by turn"):
        assert all(way(one, name).lower > 0.2 for one in found)
    equal = [way(one, "equal length") for one in found]
    assert max(abs(row.difference) for row in equal) < 0.04
    assert np.mean([row.lower <= 0 <= row.upper for row in equal]) >= 0.8
    assert all(0.5 < row.share_a <= 1 for row in equal)


def test_an_effect_besides_length_stays() -> None:
    row = way(compare(table(1, {NEXT: (0, 2.5), REASON: (0.15, 4)})), "equal length")
    assert row.lower < 0.15 < row.upper
    assert row.lower > 0.1


def test_lengths_that_never_meet_are_said() -> None:
    rows = table(1, {NEXT: (0, 2), REASON: (0, 2)})
    rows.loc[rows["relation"] == REASON, "source_words"] = 64
    row = way(compare(rows), "equal length")
    assert (row.note, row.n_a) == ("no pairs of equal length", 0)
    assert math.isnan(row.difference)


def test_turns_pair_what_belongs_together() -> None:
    rows = table(2, {NEXT: (0, 2.5), REASON: (0.1, 4), REACTION: (0.2, 3)}, users=8)
    # A turn without a reason, one with two reactions, and a reaction before any message.
    rows = rows.drop(rows[(rows["relation"] == REASON) & (rows["turn"] == 4)].index)
    second = rows[(rows["relation"] == REACTION) & (rows["turn"] == 6)].assign(distance=3.0)
    before = rows[rows["turn"] == 0].assign(turn=-1)
    rows = pd.concat([rows, second, before])
    placed = rows[rows["turn"] >= 0].groupby(["user", "turn", "relation"])["distance"].mean().unstack()
    compared = compare(rows)
    for a, b in ((REASON, NEXT), (REACTION, NEXT), (REACTION, REASON)):
        both = placed[[a, b]].dropna()
        expected = paired_difference(both[a], both[b], both.index.get_level_values("user"))
        row = way(compared, "turn by turn", a, b)
        assert (row.difference, row.lower) == pytest.approx((expected.estimate, expected.lower))
        assert row.n_a == row.n_b == len(both)
    for name in ("as they are", "turn by turn", "equal length"):
        of_way = [row for row in compared if row.way == name]
        expected_p = multipletests([row.p_value for row in of_way], method="holm")[1]
        assert [row.p_holm for row in of_way] == pytest.approx(expected_p.tolist())


def test_as_they_are_is_the_difference_of_the_means() -> None:
    rows = table(3, {NEXT: (0, 2.5), REASON: (0.1, 4)}, users=8)[:-3]
    means = rows.groupby("relation")["distance"].mean()
    assert way(compare(rows), "as they are").difference == pytest.approx(means[REASON] - means[NEXT])


def test_one_relation_alone_is_compared_with_nothing() -> None:
    assert compare(table(1, {REASON: (0, 3)}, users=2)) == []


def test_classes_double() -> None:
    assert length_class([1, 2, 3, 4, 7, 8, 15, 16, 63, 64, 5000]).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6]
