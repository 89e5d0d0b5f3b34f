"""The fit of rating = model + judge against matrices written out, and against simulated votes, some of them lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from thoughttrace.analysis.stats.additive import AdditiveFit, fit_additive
from thoughttrace.analysis.stats.intervals import cluster_mean

Numbers = npt.NDArray[Any]

SEVERITY = np.array([-0.3, -0.3, 0.6])
"""Points that each judge rates below the average of the three; the last one's votes get lost."""


def simulate(seed: int, users: int, loss: float = 0.0, on: str = "ab", per_user: int = 6) -> pd.DataFrame:
    """Votes of three judges on two equal models, with effects of users, samples, and of each judge on each user."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), per_user)
    tables = []
    for model in "ab":
        merit = 3 + 0.4 * rng.normal(size=users)[user] + 0.8 * rng.normal(size=len(user))
        for judge, severity in enumerate(SEVERITY):
            rating = merit - severity + 0.4 * rng.normal(size=users)[user] + 0.6 * rng.normal(size=len(user))
            table = pd.DataFrame({"id": np.arange(len(user)), "user": user, "rating": rating})
            given = rng.random(len(user)) >= loss * (judge == 2 and model in on)
            tables.append(table[given].assign(model=model, judge=f"judge {judge}"))
    votes = pd.concat(tables, ignore_index=True)
    return votes.assign(unit=votes["model"] + votes["id"].astype(str), by_rule=False)


def fitted(votes: pd.DataFrame) -> AdditiveFit:
    fit = fit_additive(votes)
    assert fit
    return fit


def scores(votes: pd.DataFrame) -> pd.DataFrame:
    """Each sample's score as the headline takes it: the mean of its votes; a column per model."""
    return votes.pivot_table(index="id", columns="model", values="rating", aggfunc="mean")


def root(matrix: Numbers) -> Numbers:
    """The symmetric inverse root; of what is singular the Moore–Penrose one."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.where(values > 1e-9, np.abs(values) ** -0.5, 0)) @ vectors.T


def dense(y: Numbers, x: Numbers, z: Numbers, w: Numbers, users: Numbers, c: Numbers) -> tuple[float, float, float]:
    """A combination of the solution of Z'W(y − Xβ) = 0, its CR2 error and degrees of freedom, with every matrix."""
    half = np.sqrt(w)
    y, x, z = y * half, x * half[:, None], z * half[:, None]
    beta = np.linalg.solve(z.T @ x, z.T @ y)
    projected = z @ np.linalg.inv(z.T @ z) @ z.T @ x
    bread = np.linalg.inv(projected.T @ projected)
    rest = np.eye(len(y)) - projected @ bread @ projected.T
    residuals = y - x @ beta
    variance, rows = 0.0, []
    for user in np.unique(users):
        own = users == user
        v = root(rest[np.ix_(own, own)]) @ projected[own] @ bread @ c
        variance += (v @ residuals[own]) ** 2
        rows.append(rest[:, own] @ v)
    of_pairs = np.stack(rows) @ np.stack(rows).T
    return float(c @ beta), variance**0.5, np.trace(of_pairs) ** 2 / (of_pairs**2).sum()


def expect(found: Any, estimate: float, error: float, df: float) -> None:
    reach = stats.t.ppf(0.975, df) * error
    expected = (estimate, estimate - reach, estimate + reach, df)
    assert (found.estimate, found.lower, found.upper, found.df) == pytest.approx(expected, abs=1e-8)


@pytest.fixture
def incomplete() -> pd.DataFrame:
    """Votes of users of different sizes, some lost, some samples in two epochs, some replies rated by a rule."""
    votes = simulate(1, 7, loss=0.4)
    votes = votes[(votes["user"] > 2) | (votes["id"] % 3 > 0)]
    second = votes[(votes["id"] % 4 == 0) & (votes["judge"] != "judge 0")]
    second = second.assign(unit=second["unit"] + " again", rating=second["rating"] - 0.5)
    ruled = votes["unit"].isin(["a5", "a6", "b40"])
    return pd.concat([votes.mask(ruled, votes.assign(rating=1.0, by_rule=True)), second], ignore_index=True)


def test_every_estimate_and_interval_equals_the_matrices_written_out(incomplete: pd.DataFrame) -> None:
    fit = fitted(incomplete)
    votes = incomplete[~incomplete["by_rule"]]
    ruled = incomplete[incomplete["by_rule"]].drop_duplicates("unit")
    rows = pd.concat([votes, ruled])
    in_unit = rows.groupby("unit")["rating"].transform("size")
    weights = 1 / (in_unit * rows.groupby(["model", "id"])["unit"].transform("nunique")).to_numpy(float)
    models = np.stack([(rows["model"] == model).to_numpy(float) for model in "ab"], axis=1)
    judges = np.stack([(rows["judge"] == f"judge {n}").to_numpy(float) for n in range(3)], axis=1)
    coded = (judges[:, :2] - judges[:, 2:]) * ~rows["by_rule"].to_numpy()[:, None]
    contrast = coded - pd.DataFrame(coded).groupby(rows["unit"].to_numpy()).transform("mean").to_numpy()
    x, z = np.hstack([models, coded]), np.hstack([models, contrast])
    y, users = rows["rating"].to_numpy(), rows["user"].to_numpy()
    for found, c in [
        (fit.means[0], [1, 0, 0, 0]),
        (fit.means[1], [0, 1, 0, 0]),
        (fit.severities[1], [0, 0, 0, -1]),
        (fit.severities[2], [0, 0, 1, 1]),
        (fit.differences([("a", "b")])[0], [1, -1, 0, 0]),
    ]:
        expect(found, *dense(y, x, z, weights, users, np.array(c, float)))


def test_severities_come_from_inferences_that_several_rated_and_are_taken_from_every_vote(
    incomplete: pd.DataFrame,
) -> None:
    fit = fitted(incomplete)
    votes = incomplete[~incomplete["by_rule"]]
    votes = votes.assign(weight=1 / votes.groupby(["model", "id"])["unit"].transform("nunique"))
    votes["weight"] /= votes.groupby("unit")["rating"].transform("size")
    within = smf.wls("rating ~ C(unit) + C(judge, Sum)", votes, weights=votes["weight"]).fit()
    effects = within.params[["C(judge, Sum)[S.judge 0]", "C(judge, Sum)[S.judge 1]"]].to_numpy()
    effects = np.append(effects, -effects.sum())
    assert [severity.estimate for severity in fit.severities] == pytest.approx(list(-effects), abs=1e-9)
    less = incomplete["judge"].str[-1].astype(int).map(dict(enumerate(effects))).mask(incomplete["by_rule"], 0)
    replies = incomplete.assign(rating=incomplete["rating"] - less).groupby(["model", "id", "unit"])["rating"].mean()
    means = replies.groupby(["model", "id"]).mean().groupby("model").mean()
    assert [mean.estimate for mean in fit.means] == pytest.approx(list(means), abs=1e-9)
    given = incomplete.groupby(["model", "id", "unit"])["rating"].mean().groupby(["model", "id"]).mean()
    assert fit.unadjusted == pytest.approx(list(given.groupby("model").mean()))


def test_with_complete_votes_the_means_are_the_headlines_to_the_digit() -> None:
    votes = simulate(2, 6)
    votes = votes[votes["id"] % 5 < votes["user"]]
    fit, of_samples = fitted(votes), scores(votes)
    users = votes.drop_duplicates("id").set_index("id")["user"].loc[of_samples.index]
    for model, found in zip("ab", fit.means, strict=True):
        expected = cluster_mean(of_samples[model], users)
        assert (found.estimate, found.lower, found.upper) == pytest.approx(
            (expected.estimate, expected.lower, expected.upper), abs=1e-9
        )
    assert fit.unadjusted == pytest.approx([mean.estimate for mean in fit.means])


@pytest.mark.parametrize("on", ["ab", "a"])
def test_lost_votes_of_a_severe_judge_bias_the_mean_and_not_the_adjusted_one(on: str) -> None:
    """Equal models; the severe judge loses 40 % of its votes, on both or on one."""
    errors = []
    for seed in range(12):
        votes, truth = simulate(seed, 40, loss=0.4, on=on), scores(simulate(seed, 40)).mean()
        fit, (difference,) = fitted(votes), fitted(votes).differences([("a", "b")])
        complete, plain = scores(votes[votes.groupby("unit")["judge"].transform("size") == 3]), scores(votes)
        apart = truth["a"] - truth["b"]
        errors.append([
            plain["a"].mean() - truth["a"], (plain["a"] - plain["b"]).mean() - apart,
            fit.means[0].estimate - truth["a"], difference.estimate - apart,
            complete["a"].mean() - truth["a"], (complete["a"] - complete["b"]).mean() - apart,
        ])  # fmt: skip
    mean, of_pair, *corrected = np.mean(errors, axis=0)
    # A sample that has lost the vote is 0.6 / 2 higher, and 40 % have lost it.
    assert mean == pytest.approx(0.12, abs=0.015)
    assert of_pair == pytest.approx(0.12 if on == "a" else 0, abs=0.015)
    assert corrected == pytest.approx([0, 0, 0, 0], abs=0.04)


def test_a_judge_that_loses_its_votes_on_bad_inferences_is_not_taken_for_a_lenient_one() -> None:
    votes = simulate(3, 60)
    bad = votes.groupby("unit")["rating"].transform("mean") < 3
    votes = votes[~bad | (votes["judge"] != "judge 2") | (votes.index % 3 == 0)]
    fit = fitted(votes)
    assert [severity.estimate for severity in fit.severities] == pytest.approx(list(SEVERITY), abs=0.1)
    assert fit.means[0].estimate == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize("users", [3, 8])
def test_intervals_cover_the_truth_with_few_users_and_lost_votes(users: int) -> None:
    covered = []
    for seed in range(120):
        fit = fitted(simulate(seed, users, loss=0.4, on="a"))
        found = [fit.means[0], *fit.differences([("a", "b")]), fit.severities[2]]
        truth = (3, 0, SEVERITY[2])
        covered.append([one.lower <= true <= one.upper for one, true in zip(found, truth, strict=True)])
    assert (np.mean(covered, axis=0) >= 0.93).all()


def one_judge_each(model: str) -> str:
    return {"a": "judge 0", "b": "judge 1"}[model]


def half_each(row: Any) -> str:
    return f"judge {int(row['id'] % 2)}"


@pytest.mark.parametrize(("rater", "linked"), [(half_each, True), (lambda row: one_judge_each(row["model"]), False)])
def test_without_an_inference_that_two_judges_rated_they_are_compared_within_models(
    rater: Callable[[Any], str], linked: bool
) -> None:
    votes = simulate(4, 9)
    votes = votes[votes["judge"] == votes.apply(rater, axis=1)]
    fit = fit_additive(votes)
    assert (fit is not None) == linked
    if fit:
        within = smf.ols("rating ~ C(model) + C(judge, Sum)", votes).fit()
        assert fit.severities[0].estimate == pytest.approx(-within.params["C(judge, Sum)[S.judge 0]"])
        assert fit.severities[0].reason is None
        refused = votes[votes["id"] < 9].assign(rating=1.0, by_rule=True)
        answered = votes[votes["id"] >= 9]
        alone, among = fitted(answered), fitted(pd.concat([answered, refused]))
        assert [one.estimate for one in among.severities] == pytest.approx([one.estimate for one in alone.severities])


def test_one_judge_has_means_and_one_user_no_interval() -> None:
    votes = simulate(5, 4)
    one = votes[votes["judge"] == "judge 0"]
    assert [mean.estimate for mean in fitted(one).means] == pytest.approx(list(scores(one).mean()))
    (first, _) = fitted(votes[votes["user"] == 0]).means
    assert np.isnan(first.lower)
    assert first.reason == "only one user: no interval"
