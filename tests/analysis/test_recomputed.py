"""A whole report against what the scripted models and judges said, computed again without the code under test.

One panel of two judges with two votes each, two epochs, two models and two controls; replies that are refused, empty
or cut off, votes that are no verdict, and ties. The truth is noted down while the judges vote, and nothing of it is
read from a log.
"""

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import fmean
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import Model, ModelOutput
from scipy import optimize, special, stats

from thoughttrace.cli.main import main
from thoughttrace.tasks.infer_reason import infer_reason

MODELS, JUDGES, EPOCHS, REPEATS = ("alpha-1", "beta-1"), ("mild-1", "strict-1"), 2, 2
USERS = {f"user{n}": 2 + n % 3 for n in range(8)}
"""Their conversations' turns, each with one reason: one sample."""
SAMPLES = sum(USERS.values())


def draw(*words: object) -> int:
    return hashlib.sha256("|".join(map(str, words)).encode()).digest()[0]


@dataclass
class Truth:
    """What was said."""

    replies: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """Of each model and sample: what each of its replies was."""
    votes: dict[tuple[str, str], dict[str, list[int | None]]] = field(default_factory=lambda: defaultdict(dict))
    """Of each guess and note: each judge's ratings, None for a vote that is no verdict."""

    def answer(self, model: str) -> Callable[[list[Any]], Any]:
        def answer(messages: list[Any]) -> str | ModelOutput:
            turn, user = re.findall(r"question (\d) of (user\d+)", messages[-1].text)[-1]
            sample = f"{user}/{turn}"
            number = len(self.replies[model, sample])
            kinds = {0: "refused", 1: "empty", 2: "cut off"}
            kind = kinds.get(draw(model, sample, number) % 13, f"guess of {model}, number {number}")
            self.replies[model, sample].append(kind)
            if kind == "refused":
                return ModelOutput.from_content(model, "", stop_reason="content_filter")
            if kind == "cut off":
                return ModelOutput.from_content(model, "", stop_reason="max_tokens")
            return "" if kind == "empty" else kind

        return answer

    def judge(self, name: str) -> Callable[[list[Any]], str]:
        def judge(messages: list[Any]) -> str:
            text = messages[1].text
            guess = text.partition(" guess]\n")[2].partition("\n[")[0].strip()
            note = text.rpartition(" note]\n")[2].partition(" guess]\n")[0]
            ((user, turn),) = re.findall(r"secret (user\d+) 1 (\d)", note)
            key = guess, f"{user}/{turn}"
            given = self.votes[key].setdefault(name, [])
            if draw(name, *key) % 6 == 0:  # both repeats, and a second time when it is asked once more
                self.votes[key][name] = [None] * REPEATS
                return "no idea"
            good = 4 if f"secret {user} 1 {turn}" in guess else 1 + draw(*key) % 4
            rating = min(5, max(1, good + (name == "mild-1") - (draw(name, *key, len(given)) % 4 == 0)))
            given.append(rating)
            return json.dumps({"rationale": "so", "rating": rating})

        return judge

    def scores(self, who: str, judges: tuple[str, ...] = JUDGES, lost: int | None = None) -> dict[str, list[Fraction]]:
        """The score of each rated reply, by sample; with `lost`, every vote that is missing counts as that."""
        found: dict[str, list[Fraction]] = {}
        for sample in all_samples():
            for guess in self.guesses(who, sample):
                if guess in {"refused", "empty"}:
                    found.setdefault(sample, []).append(Fraction(1))
                    continue
                given = self.votes.get((guess, sample), {})
                votes = [given.get(judge, [None] * REPEATS) for judge in judges]
                filled = [[lost if vote is None else vote for vote in of_judge] for of_judge in votes]
                valid = [vote for of_judge in filled for vote in of_judge if vote is not None]
                if valid:
                    found.setdefault(sample, []).append(Fraction(sum(valid), len(valid)))
        return found

    def guesses(self, who: str, sample: str) -> list[str]:
        if who in MODELS:
            return self.replies[f"scripted/{who}", sample]
        user, turn = sample.split("/")
        own = f"reason  secret {user} 1 {turn}"
        others = [guess for guess, note in self.votes if note == sample and "secret" in guess and guess != own]
        return [own] * EPOCHS if who == "target" else sorted(others)


def all_samples() -> list[str]:
    return [f"{user}/{turn}" for user, turns in USERS.items() for turn in range(turns)]


def means(scores: dict[str, list[Fraction]]) -> pd.Series:
    return pd.Series({sample: sum(of) / len(of) for sample, of in scores.items()})


def users_of(values: pd.Series) -> pd.Index:
    return values.index.str.partition("/").get_level_values(0)


def cr2(values: pd.Series) -> tuple[float, float, float]:
    """Mean, CR2 error and Bell–McCaffrey df, with every matrix written out."""
    y, users = values.astype(float).to_numpy(), users_of(values)
    hat = np.full((len(y), len(y)), 1 / len(y))
    rest = np.eye(len(y)) - hat
    variance, columns = 0.0, []
    for user in users.unique():
        own = users == user
        roots, basis = np.linalg.eigh(rest[np.ix_(own, own)])
        weights = basis @ np.diag(roots**-0.5) @ basis.T @ np.full(own.sum(), 1 / len(y))
        variance += float(weights @ (rest @ y)[own]) ** 2
        columns.append(rest[:, own] @ weights)
    gram = np.array(columns) @ np.array(columns).T
    return float(y.mean()), math.sqrt(variance), float(np.trace(gram) ** 2 / (gram**2).sum())


def on_scale(values: pd.Series) -> tuple[float, float, float]:
    mean, error, df = cr2(values)
    place = (mean - 1) / 4
    shift = stats.t.ppf(0.975, df) * error / 4 / (place * (1 - place))
    lower, upper = 1 + 4 * special.expit(special.logit(place) + np.array([-shift, shift]))
    return mean, float(lower), float(upper)


@dataclass(frozen=True)
class Reported:
    truth: Truth
    tables: dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def reported(
    tmp_path_factory: pytest.TempPathFactory,
    make_conversation: Callable[..., dict[str, Any]],
    scripted: Callable[..., Model],
) -> Reported:
    folder, truth = tmp_path_factory.mktemp("recomputed"), Truth()
    data = folder / "data.jsonl"
    records = [make_conversation(user, turns=turns) for user, turns in USERS.items()]
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    jobs: list[tuple[str, Any]] = [("", scripted(name, truth.answer(f"scripted/{name}"))) for name in MODELS]
    jobs += [("someone_else", "none/none"), ("target", "none/none")]
    for control, model in jobs:
        (log,) = inspect_eval(
            infer_reason(data=str(data), judge_repeats=REPEATS, control=control or None),
            model=model, epochs=EPOCHS, log_dir=str(folder / "logs"), display="none",
            model_roles={"grader": [scripted(name, truth.judge(name)) for name in JUDGES]},
        )  # fmt: skip
        assert log.status == "success"
    out = folder / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTTRACE_CACHE", str(folder / "cache"))
        done = CliRunner().invoke(main, ["report", str(folder / "logs"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    files = [path for path in out.rglob("*.csv") if path.read_text(encoding="utf-8").strip('"\n')]
    return Reported(truth, {path.stem: pd.read_csv(path) for path in files})


def row_of(table: pd.DataFrame, **where: str) -> pd.Series:
    chosen = table
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1, chosen
    return chosen.iloc[0]


def test_the_truth_has_every_edge(reported: Reported) -> None:
    replies = [reply for of in reported.truth.replies.values() for reply in of]
    assert {"refused", "empty", "cut off"} <= set(replies)
    assert all(len(of) == EPOCHS for of in reported.truth.replies.values())
    lost = [[None in votes for votes in given.values()] for given in reported.truth.votes.values()]
    print([k for k in reported.truth.votes if "secret" in k[0]][:5])
    assert any(any(of) and not all(of) for of in lost)
    assert any(all(of) for of in lost)


@pytest.mark.parametrize("model", MODELS)
def test_the_headline(reported: Reported, model: str) -> None:
    truth, row = reported.truth, row_of(reported.tables["headline"], model=f"scripted/{model}")
    scores = truth.scores(model)
    values = means(scores)
    assert (row["mean"], row["lower"], row["upper"]) == pytest.approx(on_scale(values), rel=1e-9)
    assert (row["n"], row["users"], row["samples"]) == (len(values), users_of(values).nunique(), SAMPLES)
    rated = [score for of in scores.values() for score in of]
    assert (row["replies_rated"], row["replies"]) == (len(rated), SAMPLES * EPOCHS)
    assert row["coverage"] == pytest.approx(len(rated) / (SAMPLES * EPOCHS))
    nearest = [math.floor(score + Fraction(1, 2)) for score in rated]
    assert [row[f"rated_{rating}"] for rating in range(1, 6)] == [nearest.count(rating) for rating in range(1, 6)]
    replies = [reply for sample in all_samples() for reply in truth.guesses(model, sample)]
    by_rule = sum(reply in {"refused", "empty"} for reply in replies)
    given = [
        vote
        for sample in all_samples()
        for reply in truth.guesses(model, sample)
        for votes in truth.votes.get((reply, sample), {}).values()
        for vote in votes
        if vote is not None
    ]
    assert row["refused_or_empty"] == by_rule > 0
    planned = (len(replies) - by_rule) * len(JUDGES) * REPEATS
    assert (row["votes"], row["votes_lost"]) == (planned, planned - len(given))
    for end in (1, 5):
        bound = means(truth.scores(model, lost=end))
        assert len(bound) == SAMPLES
        assert row[f"mean_if_missing_{end}"] == pytest.approx(float(fmean(bound)))
    assert row["mean_if_missing_1"] < row["mean"] < row["mean_if_missing_5"]


@pytest.mark.parametrize("control", ["someone_else", "target"])
def test_the_controls(reported: Reported, control: str) -> None:
    row = row_of(reported.tables["controls"], model=f"control {control}")
    values = means(reported.truth.scores(control))
    assert (row["mean"], row["n"]) == (pytest.approx(float(fmean(values))), len(values))
    if control == "target":
        assert (row["lower"], row["upper"]) == pytest.approx(on_scale(values)[1:], rel=1e-9)


def test_the_comparison(reported: Reported) -> None:
    row = row_of(reported.tables["comparisons"], a="scripted/alpha-1", b="scripted/beta-1")
    a, b = (means(reported.truth.scores(model)) for model in MODELS)
    difference = (a - b).dropna()
    mean, error, df = cr2(difference)
    reach = stats.t.ppf(0.975, df) * error
    found = (row["difference"], row["lower"], row["upper"], row["p_value"])
    assert found == pytest.approx((mean, mean - reach, mean + reach, 2 * stats.t.sf(abs(mean) / error, df)), rel=1e-9)
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    assert (row["wins"], row["ties"], row["losses"]) == (wins, len(difference) - wins - losses, losses)
    assert row["ties"] > 0


def test_the_recovered_share(reported: Reported) -> None:
    """By root finding: the ratios R at which model − floor − R × (ceiling − floor) just differs from 0."""
    floor, ceiling = (means(reported.truth.scores(control)) for control in ("someone_else", "target"))
    for model in MODELS:
        row = row_of(reported.tables["recovered_share"], model=f"scripted/{model}")
        table = pd.concat([means(reported.truth.scores(model)), floor, ceiling], axis=1).dropna().astype(float)
        gain, span = table[0] - table[1], table[2] - table[1]
        assert row["n"] == len(table)
        assert row["share"] == pytest.approx(gain.mean() / span.mean())

        def beyond(ratio: float, gain: pd.Series = gain, span: pd.Series = span) -> float:
            mean, error, df = cr2(gain - ratio * span)
            return abs(mean) / error - float(stats.t.ppf(0.975, df))

        centre = gain.mean() / span.mean()
        ends = [optimize.brentq(beyond, centre, centre + sign * 3) for sign in (-1, 1)]
        assert (row["lower"], row["upper"]) == pytest.approx(ends, rel=1e-6)


def test_what_each_judge_gave(reported: Reported) -> None:
    table = reported.tables["by_judge"]
    for model in MODELS:
        for judge in JUDGES:
            row = row_of(table, judge=f"scripted/{judge}", model=f"scripted/{model}")
            values = [float(score) for of in reported.truth.scores(model, (judge,)).values() for score in of]
            assert (row["n"], row["mean"]) == (len(values), pytest.approx(fmean(values)))


def test_lost_votes(reported: Reported) -> None:
    table = reported.tables["lost_votes"]
    for model in MODELS:
        for judge in JUDGES:
            row = row_of(table, judge=f"scripted/{judge}", model=f"scripted/{model}")
            asked = [
                given[judge]
                for sample in all_samples()
                for guess in reported.truth.guesses(model, sample)
                if (given := reported.truth.votes.get((guess, sample)))
            ]
            lost = sum(vote is None for votes in asked for vote in votes)
            assert (row["asked"], row["lost"]) == (len(asked) * REPEATS, lost)


def test_the_agreement_of_judges(reported: Reported) -> None:
    row = row_of(reported.tables["reliability"], statistic="alpha, ordinal")
    both = [
        [
            math.nan if None in given[judge] else float(np.mean([float(vote or 0) for vote in given[judge]]))
            for judge in JUDGES
        ]
        for model in MODELS
        for sample in all_samples()
        for guess in reported.truth.guesses(model, sample)
        if (given := reported.truth.votes.get((guess, sample)))
    ]
    values = np.array(both)
    levels = np.unique(values[~np.isnan(values)])
    expected = krippendorff.alpha(values.T, value_domain=levels, level_of_measurement="ordinal")
    assert row["estimate"] == pytest.approx(expected)
    assert row["n"] == (~np.isnan(values).any(axis=1)).sum()
