"""Macro-F1, kappa and confusion counts against scikit-learn and statsmodels, and their bootstrap against a loop."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, precision_recall_fscore_support
from statsmodels.stats.inter_rater import cohens_kappa

from thoughttrace.analysis.stats.interrater import DRAWS, bootstrap_counts, cohen_kappa, confusions, f1, macro_f1

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
    assert cohen_kappa(total) == pytest.approx(cohens_kappa(square).cohen_kappa)
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
def test_the_bootstrap_equals_one_that_draws_users_in_a_loop(statistic: object) -> None:
    labels, answers, users = drawn(7)
    frame = pd.DataFrame({"label": labels, "answer": answers, "user": users})
    found = bootstrap_counts(confusions(labels, answers, users, TYPES), statistic)  # type: ignore[arg-type]
    names = list(pd.factorize(np.array(users))[1])
    own = dict(iter(frame.groupby("user")))
    values = []
    for weights in np.random.default_rng(0).multinomial(9, np.full(9, 1 / 9), DRAWS)[:150]:
        rows = pd.concat([own[name] for name, times in zip(names, weights, strict=True) for _ in range(times)])
        present = [one for one in TYPES if one in set(rows["label"])]
        values.append(
            cohen_kappa_score(rows["label"], rows["answer"])
            if statistic is cohen_kappa
            else f1_score(rows["label"], rows["answer"], labels=present, average="macro", zero_division=0)
        )
    assert (found.n, found.clusters) == (120, 9)
    assert found.lower < found.estimate < found.upper
    # 150 of the same 2,000 draws.
    assert np.quantile(values, [0.025, 0.975]) == pytest.approx([found.lower, found.upper], abs=0.04)
    assert np.std(values) == pytest.approx(found.standard_error, rel=0.2)


def test_the_same_data_give_the_same_limits() -> None:
    counts = confusions(*drawn(1), TYPES)
    assert bootstrap_counts(counts, cohen_kappa) == bootstrap_counts(counts, cohen_kappa)


def test_where_there_is_no_interval_it_is_said() -> None:
    alone = bootstrap_counts(confusions(["a", "b"], ["a", "a"], ["u", "u"], TYPES), cohen_kappa)
    assert (alone.reason, alone.clusters) == ("one user only: no interval can be told", 1)
    assert np.isnan(alone.lower)
    same = bootstrap_counts(confusions(["a", "a"], ["a", "a"], ["u", "v"], TYPES), cohen_kappa)
    assert np.isnan(same.estimate)
    assert same.reason == "labels and answers are all one type"
