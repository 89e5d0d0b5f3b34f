"""The chapter on length: words in a real log, and differences at equal length against statsmodels and a known truth."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log_sample_summaries

from thoughttrace.analysis.chapters.length import at_equal_length, chapter, in_words, lengths
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import coefficient
from thoughttrace.tasks.infer_reason import infer_reason

WORDS = {"terse": 4, "wordy": 12, "better": 5}
"""Fewest words of each model's guesses; up to three times as many."""
ALWAYS = {"four": 4, "eight": 8}
"""Words of all guesses of a model."""


def guess(model: str, text: str) -> str:
    if model in ALWAYS:
        return "word " * (ALWAYS[model] - 1) + model
    draw = hashlib.sha256(f"{model} {text}".encode()).digest()
    spread = draw[0] % (2 * WORDS[model])
    return "" if draw[1] < 8 else "word " * (WORDS[model] + spread - 1) + model


def judge(messages: list[Any]) -> str:
    """Half a point for each doubling of words, a point for the better model, and noise that depends on both."""
    text = messages[1].text
    said = text.rpartition(" guess]\n")[2].partition("\n[")[0].split()
    noise = hashlib.sha256(text.encode()).digest()[0] / 255
    return json.dumps({"rationale": "so", "rating": int(0.5 + np.log2(len(said)) / 2 + ("better" in said) + noise)})


@pytest.fixture(scope="module")
def data(make_conversation: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten users with four reasons each."""
    path = tmp_path_factory.mktemp("data") / "data.jsonl"
    records = [make_conversation(f"user{n}", turns=4) for n in range(10)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def runs(data: str, scripted: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("length")
    for model in (*WORDS, *ALWAYS):
        (log,) = inspect_eval(
            infer_reason(data=data),
            model=scripted(model, lambda messages, model=model: guess(model, messages[1].text)),
            model_roles={"grader": scripted("j", judge)}, log_dir=str(folder / "logs"), display="none",
        )  # fmt: skip
        assert log.status == "success"
    return read_runs([str(folder / "logs")])


def test_words_are_those_of_the_inferences(runs: Runs) -> None:
    rows = {row.model.removeprefix("scripted/"): row for row in lengths(runs.models)}
    assert rows.keys() == {*WORDS, *ALWAYS}
    for run in runs.models:
        answered = run.rows[run.rows["reason"].isna()]
        words = answered["answer"].str.split().map(len)
        row = rows[run.evaluated.removeprefix("scripted/")]
        assert (row.words, row.median, row.n) == (words.mean(), words.median(), len(words))
        assert row.target_words == run.rows["target_words"].mean()
        assert run.rows.loc[run.rows["reason"].notna(), "words"].isna().all()
    assert sum(row.n for row in rows.values()) < 200  # some said nothing
    fit = smf.ols("score ~ np.log2(words)", next(run.rows for run in runs.models if "wordy" in run.model)).fit()
    assert rows["wordy"].per_doubling == pytest.approx(fit.params.iloc[1])
    assert rows["four"].note == "all of one length: no slope"


def pair(runs: Runs, a: str, b: str) -> tuple[Any, int]:
    names = [f"scripted/{a}", f"scripted/{b}"]
    (row,) = (row for row in at_equal_length(runs.models) if {row.a, row.b} == {*names})
    return row, 1 if row.a == names[0] else -1


def test_the_difference_at_equal_length_is_the_fit_on_model_sample_and_words(runs: Runs) -> None:
    for other in ("wordy", "better"):
        row, sign = pair(runs, other, "terse")
        both = pd.concat(
            run.rows.dropna(subset="words").assign(model=run.evaluated, first=float(other in run.evaluated))
            for run in runs.models
            if other in run.evaluated or "terse" in run.evaluated
        )
        both = both[both.groupby("id")["model"].transform("size") == 2]
        fit = smf.ols("score ~ first + np.log2(words) + C(id)", both).fit()
        assert sign * row.adjusted == pytest.approx(fit.params["first"])
        assert row.per_doubling == pytest.approx(fit.params["np.log2(words)"])
        assert row.n == both["id"].nunique()
        # With an intercept for every sample CR2 is the same as with the paired differences.
        design = np.column_stack([both["first"], np.log2(both["words"]), pd.get_dummies(both["id"], dtype=float)])
        full = coefficient(both["score"], design, both["user"])
        assert sorted([sign * row.lower, sign * row.upper]) == pytest.approx([full.lower, full.upper], rel=1e-6)
        assert row.users == 10


def test_length_buys_no_rank_and_merit_keeps_it(runs: Runs) -> None:
    longer, sign = pair(runs, "wordy", "terse")
    assert sign * longer.difference > 0.4
    assert longer.p_holm < 0.01
    assert longer.lower < 0 < longer.upper
    assert longer.times**sign == pytest.approx(3, rel=0.2)
    better, sign = pair(runs, "better", "terse")
    assert better.adjusted_p_holm < 0.05
    assert sorted([sign * better.lower, 1, sign * better.upper])[1] == 1
    assert better.per_doubling_lower < 0.5 < better.per_doubling_upper
    sentences = in_words(at_equal_length(runs.models))
    assert any("scripted/wordy is rated higher than scripted/terse by 0." in sentence for sentence in sentences)
    assert not any("scripted/better is rated higher than scripted/terse" in sentence for sentence in sentences)


def test_where_one_is_always_as_many_times_as_long_nothing_can_be_told(runs: Runs) -> None:
    row, sign = pair(runs, "eight", "four")
    assert (row.times**sign, np.isnan(row.adjusted)) == (2, True)
    assert row.note == row.per_doubling_note == "one is always as many times as long as the other: no estimate"
    assert row.p_holm < 0.05
    assert any("at equal length this cannot be told" in sentence for sentence in in_words([row]))


def test_the_chapter_needs_two_models_for_a_comparison(runs: Runs) -> None:
    made = chapter(Evidence(runs))
    assert [(section.name, len(section.rows)) for section in made.filled] == [("length", 5), ("equal_length", 10)]
    alone = chapter(Evidence(Runs([run for run in runs.models if "terse" in run.model])))
    assert [section.name for section in alone.filled] == ["length"]
    assert chapter(Evidence(Runs())).filled == []


def test_an_inference_that_a_summary_shortens_has_all_its_words(
    data: str, scripted: Callable[..., Any], tmp_path: Path
) -> None:
    (log,) = inspect_eval(
        infer_reason(data=data), model=scripted("m", lambda _: "word " * 399 + "end"), limit=1,
        model_roles={"grader": scripted("j", judge)}, log_dir=str(tmp_path), display="none",
    )  # fmt: skip
    (summary,) = read_eval_log_sample_summaries(log.location)
    assert len(((summary.scores or {})["agreement"].answer or "").split()) < 400
    (run,) = read_runs([str(tmp_path)]).models
    assert list(run.rows["words"]) == [400]
