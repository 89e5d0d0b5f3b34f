"""The next message in the report: planted gains against computation by hand, and what is compared with what."""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from thoughttrace.analysis.chapters.next_message import means
from thoughttrace.analysis.chapters.next_message_gains import gains, shares
from thoughttrace.analysis.read.runs import read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import bell_mccaffrey_df
from thoughttrace.core.record import PREDICT

ADDED = {"none": 0, "reasons": 5, "both": 20, "shuffled": 0, "inferred": 10}
MODELS = ("ann", "bob")
USERS = {f"user{n}": 3 + n % 3 for n in range(6)}


def drawn(*names: object) -> int:
    return int(hashlib.sha256(":".join(map(str, names)).encode()).hexdigest(), 16)


def rated(model: str, arm: str, user: str, turn: int) -> int | None:
    """What the judge says of a prediction; one in nine times nothing."""
    if drawn("missing", model, arm, user, turn) % 9 == 0:
        return None
    spread = 5 * (drawn(user, turn) % 5) + 5 * (drawn(model, arm, user, turn) % 3) + 5 * (drawn(user) % 3)
    return 10 + spread + ADDED[arm] * (2 if model == "bob" else 1)


def judge(messages: list[Any]) -> str:
    said = re.search(r"question (\d) of (user\d).*prediction\]\n(\w+) (\w+)\n", messages[1].text, re.DOTALL)
    assert said
    rating = rated(said[3], said[4], said[2], int(said[1]))
    return "no idea" if rating is None else f'{{"rationale": "because", "rating": {rating}}}'


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the module's logs: two models, every arm but `reactions`."""
    return tmp_path_factory.mktemp("messages")


@pytest.fixture
def runs(logs: Path, predict: Callable[..., Path]) -> list[Run]:
    if not (logs / "all").exists():
        for model in MODELS:
            for arm in ADDED:
                predict(model, arm, logs / "all", judge)
    runs = read_runs([str(logs / "all")], [PREDICT])
    assert runs.left_out == []
    return runs.counted


def by_hand(models: tuple[str, ...], *arms: str, users: Any = USERS) -> tuple[list[np.ndarray], np.ndarray]:
    """The mean over models of every sample that all of them have in all arms, per arm; and whose they are."""
    kept = [
        (user, [np.mean([rated(model, arm, user, turn) for model in models]) for arm in arms])
        for user in users
        for turn in range(1, USERS[user])
        if all(rated(model, arm, user, turn) is not None for model in models for arm in arms)
    ]
    return [np.array([values[n] for _, values in kept]) for n in range(len(arms))], np.array([user for user, _ in kept])


def covariance(x: np.ndarray, y: np.ndarray, users: np.ndarray) -> float:
    """CR2 of two means, written out."""
    names = np.unique(users)
    sums = [[(v - v.mean())[users == name].sum() for name in names] for v in (x, y)]
    left = [1 - (users == name).mean() for name in names]
    return sum(a * b / share for a, b, share in zip(*sums, left, strict=True)) / len(x) ** 2


def t_of(users: np.ndarray) -> float:
    return float(stats.t.ppf(0.975, bell_mccaffrey_df(np.unique(users, return_counts=True)[1])))


def row_of(rows: Sequence[Any], **named: Any) -> dict[str, Any]:
    table = pd.DataFrame(rows)
    for name, value in named.items():
        table = table[table[name] == value]
    (row,) = table.to_dict("records")
    return row  # type: ignore[return-value]


@pytest.mark.parametrize("models", [("ann",), ("bob",), MODELS])
@pytest.mark.parametrize(("arm", "against"), [("both", "none"), ("reasons", "none"), ("both", "shuffled")])
def test_gains_equal_those_computed_by_hand(arm: str, against: str, models: tuple[str, ...], runs: list[Run]) -> None:
    name = "mean of 2 models" if len(models) > 1 else f"scripted/{models[0]}"
    row = row_of(gains(runs), model=name, arm=arm, against=against, subset="all")
    (x, y), users = by_hand(models, arm, against)
    assert (row["n"], row["users"], row["pooled"]) == (len(x), len(set(users)), len(models) * (len(models) > 1))
    assert (row["mean_arm"], row["mean_against"]) == pytest.approx((x.mean(), y.mean()))
    reach = t_of(users) * covariance(x - y, x - y, users) ** 0.5
    assert (row["gain"], row["lower"], row["upper"]) == pytest.approx(
        ((x - y).mean(), (x - y).mean() - reach, (x - y).mean() + reach)
    )
    assert row["relative"] == pytest.approx(x.mean() / y.mean() - 1)
    assert (row["relative_lower"], row["relative_upper"]) == pytest.approx(fieller(x, y, users, minus=1))


def fieller(x: np.ndarray, y: np.ndarray, users: np.ndarray, minus: float = 0) -> tuple[float, float]:
    t = t_of(users) ** 2
    xx, xy, yy = (covariance(a, b, users) for a, b in ((x, x), (x, y), (y, y)))
    means = x.mean(), y.mean()
    roots = np.roots([means[1] ** 2 - t * yy, -2 * (means[0] * means[1] - t * xy), means[0] ** 2 - t * xx])
    return float(min(roots)) - minus, float(max(roots)) - minus


@pytest.mark.parametrize("models", [("ann",), ("bob",), MODELS])
def test_the_share_that_guesses_recover_equals_that_by_hand(models: tuple[str, ...], runs: list[Run]) -> None:
    name = "mean of 2 models" if len(models) > 1 else f"scripted/{models[0]}"
    # Reasons alone were inferred, so they are held against the user's reasons.
    row = row_of(shares(runs), model=name)
    assert (row["arm"], row["own"]) == ("inferred reasons", "reasons")
    (none, guessed, told), users = by_hand(models, "none", "inferred", "reasons")
    assert row["n"] == len(none)
    lower, upper = fieller(guessed - none, told - none, users)
    if np.isnan(row["lower"]):
        assert "no share" in row["note"]
    else:
        assert row["share"] == pytest.approx((guessed - none).mean() / (told - none).mean())
        assert (row["lower"], row["upper"]) == pytest.approx((lower, upper))


def test_a_planted_gain_is_found_and_shuffled_thoughts_add_nothing(runs: list[Run]) -> None:
    rows = gains(runs)
    table = pd.DataFrame(rows)
    found = row_of(rows, pooled=2, arm="both", against="none", subset="all")
    assert found["lower"] < 30 < found["upper"]
    assert found["p_holm"] < 0.001
    nothing = row_of(rows, pooled=2, arm="shuffled", against="none")
    assert nothing["lower"] < 0 < nothing["upper"]
    family = table[(table["pooled"] == 0) & (table["subset"] == "all")]
    assert family["p_holm"].max() <= 1
    assert (family["p_holm"] >= family["p_value"]).all()
    assert family["p_holm"].min() == pytest.approx(len(family) * family["p_value"].min())


def test_what_was_written_in_hindsight_is_left_out_of_the_second_row(runs: list[Run]) -> None:
    row = row_of(gains(runs), model="scripted/ann", arm="both", against="none", subset="written before")
    (x, y), _ = by_hand(("ann",), "both", "none", users=[user for user in USERS if user != "user0"])
    assert (row["n"], row["gain"]) == (len(x), pytest.approx((x - y).mean()))


def test_means_and_coverage(runs: list[Run]) -> None:
    table = means(runs)
    assert len(table) == 10
    planned = sum(turns - 1 for turns in USERS.values())
    for model in MODELS:
        for arm in ADDED:
            shown = "inferred reasons" if arm == "inferred" else arm
            row = row_of(table, model=f"scripted/{model}", arm=shown)
            (x,), _ = by_hand((model,), arm)
            assert (row["mean"], row["n"], row["samples"]) == (pytest.approx(x.mean()), len(x), planned)
            assert row["coverage"] == len(x) / planned
            assert row["missing"] == (f"{planned - len(x)} judge_unparsable" if planned > len(x) else "")
            assert (row["thought_words"] > 0) == (arm != "none")
