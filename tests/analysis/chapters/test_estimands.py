"""The mean taken in other ways: every row equals a computation from the conversations and the judge's ratings."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import Model
from loopback import verdict
from scipy import special, stats

from thoughttrace.analysis.chapters.estimands import EstimandRow, chapter, estimands
from thoughttrace.analysis.chapters.headline import headline
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.mixed import mixed_mean
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

TYPES = ("task_motivation", "task_continuation", "style_expectation")
EPOCHS = 2


def draw(text: str, among: int) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % among


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    make_conversation: Callable[..., dict[str, Any]],
    scripted: Callable[..., Model],
) -> Path:
    """Logs of one model on reasons, in two epochs, and on reactions; a few of its replies are empty."""
    folder = tmp_path_factory.mktemp("estimands")
    records = [make_conversation(f"user{n}", task, turns=1 + (n + task) % 5) for n in range(11) for task in (1, 2)]
    for record in records:
        for place, message in enumerate(record["messages"][::2]):
            where = f"{record['id']} {place}"
            (reason,) = message["reasons"]
            # The reply is stamped half a minute after the message: one reason in three is late, one has no time.
            late = draw(where, 3)
            reason["timestamp"] = (None, message["timestamp"], "2026-01-02T00:00:00Z")[late]
            reason["label"] = TYPES[min(2, draw(f"{where} type", 5))] if n_of(record) else "social_and_others"
            if draw(f"{where} two", 4) == 0:
                message["reasons"].append(reason | {"label": TYPES[1], "content": "a second reason"})
    (folder / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")

    asked: dict[str, int] = {}

    def answer(messages: list[Any]) -> str:
        text = messages[-1].text
        asked[text] = asked.get(text, 0) + 1
        return "" if draw(f"{text[-200:]}{asked[text]}", 9) == 0 else f"guess {asked[text]}"

    def rate(messages: list[Any]) -> str:
        rating = 1 + draw(messages[1].text[-150:], 5)
        return "no idea" if draw(messages[1].text[-140:], 12) == 0 else verdict(rating)

    for task, epochs in ((infer_reason, EPOCHS), (infer_reaction, 1)):
        (log,) = inspect_eval(
            task(data=str(folder / "data.jsonl")), model=scripted("m", answer), epochs=epochs,
            model_roles={"grader": scripted("j", rate)}, log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success"
    return folder


def n_of(record: dict[str, Any]) -> int:
    """The number of a conversation's user."""
    return int(record["id"].partition("_")[0].removeprefix("user"))


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTTRACE_CACHE", str(folder / "cache"))
        return {str(run.kind): run for run in read_runs([str(folder / "logs")]).models}


def truth(folder: Path, kind: str) -> pd.DataFrame:
    """A row per scored reply: the score in the log, and facts of its message worked out from the data alone."""
    messages = {}
    for line in (folder / "data.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for index, message in enumerate(record["messages"]):
            thoughts = message.get(f"{kind}s", [])
            written = [thought["timestamp"] for thought in thoughts if thought["timestamp"]]
            messages[f"{record['id']}/m{index:02}/{kind}"] = {
                "user": record["id"].partition("_")[0],
                "types": sorted({thought["label"] for thought in thoughts}),
                "thoughts": len(thoughts),
                "followed": index < len(record["messages"]) - 2 if kind == "reaction" else None,
                "late": max(written) > "2026-01-01T23" if written else None,
            }
    rows = []
    for file in (folder / "logs").glob("*.eval"):
        log = read_eval_log(str(file))
        for sample in log.samples or [] if log.eval.task.endswith(kind) else []:
            score = (sample.scores or {})["agreement"]
            if isinstance(score.value, int | float) and not np.isnan(score.value):
                empty = not sample.output.completion
                rows.append(messages[str(sample.id)] | {"id": sample.id, "score": score.value, "empty": empty})
    return pd.DataFrame(rows)


def by_sample(replies: pd.DataFrame) -> pd.DataFrame:
    facts = replies.drop_duplicates("id").set_index("id").drop(columns="score")
    return facts.join(replies.groupby("id")["score"].mean())


def cr2(y: Any, design: Any, users: Any, contrast: Any) -> tuple[float, float, float]:
    """Estimate of a contrast and its 95 % limits, with every matrix of CR2 written out (Pustejovsky & Tipton 2018)."""
    y, design, users = np.asarray(y, float), np.asarray(design, float), np.asarray(users)
    bread = np.linalg.inv(design.T @ design)
    annihilator = np.eye(len(y)) - design @ bread @ design.T
    variance, columns = 0.0, []
    for user in pd.unique(users):
        own = users == user
        values, basis = np.linalg.eigh(annihilator[np.ix_(own, own)])
        v = basis @ np.diag(values**-0.5) @ basis.T @ design[own] @ bread @ contrast
        variance += float(v @ (annihilator @ y)[own]) ** 2
        columns.append(annihilator[:, own] @ v)
    gram = np.array(columns) @ np.array(columns).T
    df = np.trace(gram) ** 2 / (gram**2).sum()
    estimate = float(contrast @ bread @ design.T @ y)
    return on_scale(estimate, stats.t.ppf(0.975, df) * variance**0.5)


def on_scale(mean: float, reach: float) -> tuple[float, float, float]:
    """A mean rating with limits that are symmetric on the logit of the scale, and reach so far in its middle."""
    place = (mean - 1) / 4
    shift = reach / 4 / (place * (1 - place))
    lower, upper = 1 + 4 * special.expit(special.logit(place) + np.array([-shift, shift]))
    return mean, float(lower), float(upper)


def mean_of(samples: pd.DataFrame) -> tuple[float, float, float]:
    return cr2(samples["score"], np.ones((len(samples), 1)), samples["user"], np.ones(1))


def found(runs: dict[str, Run], kind: str) -> dict[str, EstimandRow]:
    return {row.estimand: row for row in estimands([runs[kind]])}


def assert_equal(row: EstimandRow, expected: tuple[float, float, float], samples: pd.DataFrame) -> None:
    assert (row.mean, row.lower, row.upper) == pytest.approx(expected, rel=1e-9)
    assert (row.n, row.users) == (samples.index.nunique(), samples["user"].nunique())


def test_the_first_row_is_the_headlines(runs: dict[str, Run]) -> None:
    for run in runs.values():
        (head,), first = headline([run]), estimands([run])[0]
        assert first.estimand == "sample-weighted (the headline)"
        assert (first.mean, first.lower, first.upper, first.n) == (head.mean, head.lower, head.upper, head.n)


def test_user_weighted_is_the_classical_interval_of_the_users_means(folder: Path, runs: dict[str, Run]) -> None:
    samples = by_sample(truth(folder, "reason"))
    means = samples.groupby("user")["score"].mean()
    limits = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    row = found(runs, "reason")["user-weighted"]
    assert_equal(row, on_scale(means.mean(), float(limits.high - limits.low) / 2), samples)
    assert row.mean != pytest.approx(samples["score"].mean(), abs=1e-3)


def test_the_mixed_model_has_users_and_of_a_panel_judges_as_random_effects(runs: dict[str, Run]) -> None:
    run = runs["reason"]
    scores = run.scored
    row = found(runs, "reason")["mixed model, users as random effects"]
    expected = mixed_mean(scores[["score"]], scores["user"], bounds=(1, 5))
    assert (row.mean, row.lower, row.upper, row.n) == (expected.estimate, expected.lower, expected.upper, len(scores))
    votes = np.random.default_rng(1).integers([1, 2], [5, 6], (len(run.rows), 2))
    rows = run.rows.assign(
        ratings=[json.dumps({"a": [int(a)], "b": [int(b)]}) for a, b in votes], score=votes.mean(axis=1), reason=None
    )
    panel = replace(run, judge="a, b", rows=rows)
    (row,) = (row for row in estimands([panel]) if row.estimand == "mixed model, users and judges as random effects")
    table = pd.DataFrame(votes).groupby(rows["id"].to_numpy(), sort=False).mean()
    expected = mixed_mean(table, panel.scored["user"].loc[table.index], bounds=(1, 5))
    assert (row.mean, row.lower, row.upper) == pytest.approx((expected.estimate, expected.lower, expected.upper))
    assert row.upper - row.lower > 2  # two judges, one point apart, say little about others


def test_the_macro_mean_counts_every_type_the_same(folder: Path, runs: dict[str, Run]) -> None:
    samples = by_sample(truth(folder, "reason"))
    long = samples.explode("types")
    long = long[long["types"] != "social_and_others"]
    assert set(long["types"]) == set(TYPES)
    assert len(long) > long.index.nunique(), "some messages have two types"
    expected = cr2(long["score"], pd.get_dummies(long["types"]), long["user"], np.full(3, 1 / 3))
    row = found(runs, "reason")["macro mean over types"]
    assert_equal(row, expected, long)
    assert row.mean == pytest.approx(long.groupby("types")["score"].mean().mean())
    assert row.note == (
        "too few samples of context grounding and constraints, content expectation, social and others, "
        "task reorientation"
    )


def test_without_refusals_and_empty_answers(folder: Path, runs: dict[str, Run]) -> None:
    replies = truth(folder, "reason")
    answered = replies[~replies["empty"]]
    assert set(replies[replies["empty"]]["score"]) == {1}
    samples = by_sample(answered)
    row = found(runs, "reason")["without refusals and empty answers"]
    assert_equal(row, mean_of(samples), samples)
    assert row.mean > by_sample(replies)["score"].mean()
    assert row.note == f"{replies['empty'].sum()} of {len(replies)} replies left out"
    (head,) = headline([runs["reason"]])
    assert head.refused_or_empty == replies["empty"].sum() > 0


def test_a_model_gains_nothing_by_running_out_of_tokens(runs: dict[str, Run]) -> None:
    whole = runs["reason"]
    worst = whole.rows["score"].rank(method="first") <= 9  # what it would do well not to answer
    lost = whole.rows.assign(
        score=whole.rows["score"].mask(worst), reason=whole.rows["reason"].mask(worst, "truncated")
    )
    run = replace(whole, rows=lost)
    rows = {row.estimand: row for row in estimands([run])}
    row = rows["truncated replies counted as 1, like empty ones"]
    replies = whole.rows.assign(score=whole.rows["score"].mask(worst, 1)).dropna(subset="score")
    samples = by_sample(replies[["id", "user", "score"]])
    assert_equal(row, mean_of(samples), samples)
    assert row.mean < rows["sample-weighted (the headline)"].mean
    assert row.note == f"9 of {len(replies)} replies were truncated"
    (sentence,) = chapter(Evidence(Runs([run]))).warnings
    assert sentence.startswith(
        f"scripted/m: 9 of {len(whole.rows)} replies on reasons ({9 / len(whole.rows):.1%}) hold"
    )
    assert f"the mean would be {row.mean:.2f}, not {rows['sample-weighted (the headline)'].mean:.2f}" in sentence
    assert not chapter(Evidence(Runs([whole]))).warnings


def test_reactions_with_and_without_a_following_message(folder: Path, runs: dict[str, Run]) -> None:
    samples, rows = by_sample(truth(folder, "reaction")), found(runs, "reaction")
    for followed, name in ((True, "followed by a user message"), (False, "followed by no user message")):
        part = samples[samples["followed"] == followed]
        assert_equal(rows[name], mean_of(part), part)
    assert not any("written" in name for name in rows)


def test_reasons_before_and_after_the_reply_and_those_without_a_time(folder: Path, runs: dict[str, Run]) -> None:
    samples, rows = by_sample(truth(folder, "reason")), found(runs, "reason")
    known = samples["late"].notna()
    parts = {
        "written after the reply": samples[known & (samples["late"] == 1)],
        "written before the reply": samples[known & (samples["late"] == 0)],
        "not known whether written after the reply": samples[~known],
    }
    for name, part in parts.items():
        assert_equal(rows[name], mean_of(part), part)
    assert not any("followed" in name for name in rows)


def test_single_thoughts_and_the_number_of_thoughts(folder: Path, runs: dict[str, Run]) -> None:
    samples = by_sample(truth(folder, "reason"))
    single = samples[samples["thoughts"] == 1]
    assert_equal(found(runs, "reason")["one thought on the message"], mean_of(single), single)
    (head,) = headline([runs["reason"]])
    assert (head.n, head.thoughts) == (len(samples), samples["thoughts"].sum())
    assert head.thoughts > head.n


def test_what_an_old_log_does_not_say_is_left_out(runs: dict[str, Run]) -> None:
    for kind, run in runs.items():
        old = replace(run, rows=run.rows.assign(followed=None, after_reply=None))
        names = [row.estimand for row in estimands([old])]
        assert names == [
            "sample-weighted (the headline)", "user-weighted", "mixed model, users as random effects",
            "macro mean over types", "without refusals and empty answers", "one thought on the message",
        ], kind  # fmt: skip


def test_a_run_without_a_score_and_a_small_one(runs: dict[str, Run]) -> None:
    run = runs["reaction"]
    nothing = replace(run, rows=run.rows.assign(score=np.nan))
    (row,) = estimands([nothing])
    assert (row.n, row.note) == (0, "none scored")
    small = replace(run, rows=run.rows.dropna(subset="score").groupby("user").head(1).head(4))
    rows = {row.estimand: row for row in estimands([small])}
    assert rows["macro mean over types"].note == "too small: no type with enough samples"
    assert rows["one thought on the message"].note == "too small: under 10 scored samples or 5 users"
    assert not np.isnan(rows["user-weighted"].mean)


def test_the_chapter_shows_a_row_for_each(runs: dict[str, Run]) -> None:
    (section,) = chapter(Evidence(Runs(list(runs.values())))).sections
    shown = section.table.cells()
    assert len(shown) == len(section.rows) == 9 + 8
    assert "t interval over these means" in section.note
