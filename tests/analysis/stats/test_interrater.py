"""Agreement against scikit-learn, statsmodels and krippendorff, and the jackknife against a loop."""

import krippendorff
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, precision_recall_fscore_support
from statsmodels.stats.inter_rater import cohens_kappa

from thoughttrace.analysis.stats.interrater import (
    CHANCE_CORRECTED,
    PROPORTION,
    SAME_RATINGS,
    alpha,
    cohen_kappa,
    confusions,
    f1,
    jackknife_counts,
    kappa,
    macro_f1,
    spearman,
)
from thoughttrace.analysis.stats.intervals import bell_mccaffrey_df
from thoughttrace.analysis.stats.jackknife import ONE_DECIDES

Users = npt.NDArray[np.str_]

TYPES = ("a", "b", "c", "d")


def drawn(seed: int, absent: str = "", n: int = 120) -> tuple[list[str], list[str], list[str]]:
    """Labels, answers (some none) and users; one type may be absent from the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([one for one in TYPES if one != absent], n)
    answers = np.where(rng.random(n) < 0.5, labels, rng.choice([*TYPES, ""], n))
    return list(labels), list(answers), [f"u{user}" for user in rng.integers(0, 9, n)]


@pytest.mark.parametrize("absent", ["", "b"])
@pytest.mark.parametrize("seed", range(3))
def test_statistics_equal_those_of_scikit_learn_and_statsmodels(seed: int, absent: str) -> None:
    labels, answers, users = drawn(seed, absent)
    counts = confusions(labels, answers, users, TYPES)
    assert counts.shape == (9, 4, 5)
    total = counts.sum(axis=0)
    square = confusion_matrix(labels, answers, labels=[*TYPES, ""])
    assert (total == square[:4]).all()
    present = [name for name in TYPES if name != absent]
    expected = f1_score(labels, answers, labels=present, average="macro", zero_division=0)
    assert macro_f1(total) == pytest.approx(expected)
    assert cohen_kappa(total) == pytest.approx(cohen_kappa_score(labels, answers))
    assert cohen_kappa(total) == pytest.approx(cohens_kappa(square).kappa)
    each = precision_recall_fscore_support(labels, answers, labels=list(TYPES), zero_division=0)[2]
    assert f1(total) == pytest.approx(each)


def test_each_user_has_their_own_counts() -> None:
    labels, answers, users = drawn(5)
    frame = pd.DataFrame({"label": labels, "answer": answers, "user": users})
    counts = confusions(labels, answers, users, TYPES)
    for code, user in enumerate(pd.factorize(np.array(users))[1]):
        own = frame[frame["user"] == user]
        assert (counts[code] == confusion_matrix(own["label"], own["answer"], labels=[*TYPES, ""])[:4]).all()


@pytest.mark.parametrize("statistic", [macro_f1, cohen_kappa])
def test_the_jackknife_equals_one_that_leaves_users_out_in_a_loop(statistic: object) -> None:
    labels, answers, users = drawn(7)
    frame = pd.DataFrame({"label": labels, "answer": answers, "user": users})
    bounds = CHANCE_CORRECTED if statistic is cohen_kappa else PROPORTION
    found = jackknife_counts(confusions(labels, answers, users, TYPES), statistic, bounds)  # type: ignore[arg-type]

    def computed(rows: pd.DataFrame) -> float:
        if statistic is cohen_kappa:
            return float(cohen_kappa_score(rows["label"], rows["answer"]))
        present = [one for one in TYPES if one in set(rows["label"])]
        return float(f1_score(rows["label"], rows["answer"], labels=present, average="macro", zero_division=0))

    without = np.array([computed(frame[frame["user"] != user]) for user in frame["user"].unique()])
    error = np.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum())
    assert (found.n, found.clusters) == (120, 9)
    assert found.standard_error == pytest.approx(error)
    reach = stats.t.ppf(0.975, bell_mccaffrey_df(frame["user"].value_counts())) * error
    x = computed(frame)
    on_logit = special.expit(special.logit(x) + np.array([-1, 1]) * reach / (x * (1 - x)))
    on_z = np.tanh(np.arctanh(x) + np.array([-1, 1]) * reach / (1 - x**2))
    wider = [min(on_logit[0], on_z[0]), max(on_logit[1], on_z[1])]
    assert [found.lower, found.upper] == pytest.approx(wider if statistic is cohen_kappa else list(on_logit))


def test_where_there_is_no_interval_it_is_said() -> None:
    alone = jackknife_counts(confusions(["a", "b"], ["a", "a"], ["u", "u"], TYPES), cohen_kappa, CHANCE_CORRECTED)
    assert (alone.reason, alone.clusters) == ("only one user: no interval", 1)
    assert np.isnan(alone.lower)
    same = jackknife_counts(confusions(["a", "a"], ["a", "a"], ["u", "v"], TYPES), cohen_kappa, CHANCE_CORRECTED)
    assert np.isnan(same.estimate)
    assert same.reason == "labels and answers are all one type: no estimate"
    decisive = confusions(["a", "a", "b"], ["a", "a", "b"], ["u", "u", "v"], TYPES)
    assert jackknife_counts(decisive, cohen_kappa, CHANCE_CORRECTED).reason == ONE_DECIDES


def rated(seed: int = 0) -> tuple[pd.DataFrame, Users]:
    """Ratings of 240 inferences by three judges, some missing, and the user of each inference."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([3.0, 2.6], 120) + rng.normal(size=240)
    ratings = {
        judge: np.clip(np.round(truth + severity + rng.normal(size=240) * 0.5), 1, 5)
        for judge, severity in (("a", 0.0), ("b", -0.5), ("c", 0.2))
    }
    return pd.DataFrame(ratings).mask(rng.random((240, 3)) < 0.1), np.array([f"u{n % 15}" for n in range(240)])


def test_alpha_is_krippendorffs() -> None:
    ratings, users = rated()
    found = alpha(ratings, users)
    expected = krippendorff.alpha(ratings.to_numpy().T, value_domain=[1, 2, 3, 4, 5], level_of_measurement="ordinal")
    assert found.estimate == pytest.approx(expected, abs=1e-10)
    assert found.lower < found.estimate < found.upper
    assert found.clusters == 15


def both_rated() -> tuple[pd.Series, pd.Series, Users]:
    """The ratings of two judges where both gave one, and the user of each inference."""
    ratings, users = rated()
    both = ratings[["a", "b"]].dropna()
    return both["a"], both["b"], users[both.index]


def test_kappa_is_statsmodels_with_quadratic_weights() -> None:
    a, b, users = both_rated()
    counts = pd.crosstab(a, b).reindex(index=range(1, 6), columns=range(1, 6), fill_value=0)
    expected = cohens_kappa(counts.to_numpy(), wt="quadratic", return_results=False)
    found = kappa(a, b, users)
    assert found.estimate == pytest.approx(expected, abs=1e-10)
    assert found.lower < found.estimate < found.upper


def test_users_are_left_out_and_not_ratings() -> None:
    """With every user's ratings doubled the estimate stays, and so does the interval."""
    a, b, users = both_rated()
    once, twice = kappa(a, b, users), kappa(np.tile(a, 2), np.tile(b, 2), np.tile(users, 2))
    assert (twice.estimate, twice.lower, twice.upper) == pytest.approx((once.estimate, once.lower, once.upper))


def test_a_panel_mean_is_not_rounded_to_a_rating() -> None:
    """A panel that is always half a point below people does not agree with them perfectly."""
    people, users = np.tile(np.arange(1.0, 6), 12), np.repeat(np.arange(10), 6)
    below = people - 0.5
    assert alpha(np.column_stack([people, people]), users).estimate == 1
    found = alpha(np.column_stack([people, below]), users)
    expected = krippendorff.alpha(
        np.stack([people, below]), value_domain=np.arange(0.5, 5.5, 0.5), level_of_measurement="ordinal"
    )
    assert found.estimate == pytest.approx(expected)
    assert found.estimate < 0.95
    variance = people.var()
    # Of quadratic weights: 1 − mean squared difference / expected one, with independent draws of both margins.
    assert kappa(people, below, users).estimate == pytest.approx(1 - 0.25 / (2 * variance + 0.25))


def test_where_ratings_hardly_vary_there_is_no_interval() -> None:
    first, second = np.full(60, 5.0), np.full(60, 5.0)
    first[:12], second[3:12] = 1, 1
    users = np.tile(np.arange(12), 5)
    few = kappa(first, second, users)
    assert (few.reason, few.estimate > 0) == (SAME_RATINGS, True)
    assert np.isnan(few.lower)
    second[12] = 1
    assert kappa(first, second, users).reason is None


def test_ratings_without_an_interval_say_why() -> None:
    assert kappa([1, 2, 3], [1, 2, 2], ["u", "u", "u"]).reason == "only one user: no interval"
    same = alpha([[3, 3], [3, 3]], ["u", "v"])
    assert (same.reason, same.n, same.clusters) == ("ratings do not vary: no estimate", 2, 2)
    assert np.isnan(same.estimate)
    alone = alpha([[3, np.nan], [np.nan, 2]], ["u", "v"])
    assert (alone.reason, alone.n) == ("no inference has two ratings: no estimate", 0)


def test_spearman_is_that_of_pandas_with_fishers_z_over_users_left_out() -> None:
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(20), 3)
    a = rng.integers(1, 6, 60)
    frame = pd.DataFrame({"a": a, "b": np.clip(a + rng.integers(-2, 3, 60), 1, 5), "user": users})

    def computed(rows: pd.DataFrame) -> float:
        return float(rows["a"].corr(rows["b"], method="spearman"))

    found = spearman(frame["a"], frame["b"], users)
    without = np.array([computed(frame[frame["user"] != user]) for user in range(20)])
    error = np.sqrt(19 / 20 * ((without - without.mean()) ** 2).sum())
    assert found.estimate == pytest.approx(computed(frame))
    assert found.standard_error == pytest.approx(error)
    assert (found.n, found.clusters) == (60, 20)
    assert found.df == pytest.approx(19)
    reach = stats.t.ppf(0.975, 19) * error / (1 - found.estimate**2)
    limits = np.tanh(np.arctanh(found.estimate) + np.array([-reach, reach]))
    assert (found.lower, found.upper) == pytest.approx(tuple(limits))


def test_without_variation_or_a_second_user_spearman_has_no_interval() -> None:
    assert spearman([3, 3, 3], [1, 2, 3], ["a", "b", "c"]).reason == "ratings do not vary: no estimate"
    assert spearman([1, 2, 3], [1, 3, 2], ["a"] * 3).reason == "only one user: no interval"
    assert spearman([3, 3, 4], [1, 2, 3], ["a", "b", "c"]).reason == ONE_DECIDES
