"""The chapter on win rates: from runs by scripted models and judges to tables, and what each number rests on."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ModelOutput
from scipy import special

from thoughttrace.analysis.chapters import answer_order
from thoughttrace.analysis.chapters.arena import WinRow, chapter
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.analysis.stats.intervals import cluster_mean, paired_difference
from thoughttrace.analysis.stats.win_rates import NOT_TOLD_APART, ONE_OUTCOME, style_differences
from thoughttrace.core.errors import UserError
from thoughttrace.tasks.arena import arena

PROMPTS = 40
SHOWN = re.compile(r"\[([0-9a-f]{8}) answer A\]\n(.*?)\n\[\1 answer B\]\n(.*?)\n\[\1 end\]", re.DOTALL)


def quality(answer: str) -> int:
    return int(re.findall(r"\d+", answer)[0])


def fair(messages: list[Any]) -> str:
    """A judge that compares the numbers in the answers, and two answers with the same by their length."""
    found = SHOWN.search(messages[1].text)
    assert found
    a, b = found[2], found[3]
    gap = quality(a) - quality(b) or np.sign(len(a.split()) - len(b.split()))
    return verdict("A>>B" if gap > 2 else "A>B" if gap > 0 else "A=B" if gap == 0 else "B>A" if gap > -3 else "B>>A")


def placed(messages: list[Any]) -> str:
    """A judge that prefers what stands first."""
    return verdict("A>B")


def verdict(said: str) -> str:
    return json.dumps({"rationale": "because", "verdict": said})


def number(messages: list[Any]) -> int:
    return int(re.findall(r"\d+", messages[-1].text)[0])


def drawn(n: int, seed: int, mean: float, words: int) -> str:
    rng = np.random.default_rng([seed, n])
    extra = int(rng.integers(0, words))
    return (
        f"{1 + rng.poisson(mean)} "
        + "word " * extra
        + ("\n- point" * int(rng.integers(0, 3)))
        + " **b**" * int(rng.integers(0, 3))
    )


@pytest.fixture(scope="module")
def folder(scripted: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arena")
    questions = folder / "question.jsonl"
    questions.write_text("".join(json.dumps({"uid": f"q{n}", "prompt": f"Prompt {n}"}) + "\n" for n in range(PROMPTS)))
    answers = folder / "base.jsonl"
    lines = [
        {
            "uid": f"q{n}",
            "model": "base",
            "messages": [
                {"role": "user", "content": f"Prompt {n}"},
                {"role": "assistant", "content": {"answer": drawn(n, 0, 3, 40)}},
            ],
        }
        for n in range(PROMPTS)
    ]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def weak(messages: list[Any]) -> Any:
        if number(messages) == 7:
            return ModelOutput.from_content("m", "no", stop_reason="content_filter")
        if number(messages) == 8:
            return ModelOutput.from_content("m", "", stop_reason="max_tokens")
        return drawn(number(messages), 1, 2, 40)

    models = {"strong": lambda messages: drawn(number(messages), 2, 5, 80), "weak": weak}
    for judge, script in (("fair", fair), ("placed", placed)):
        for model, said in models.items():
            (log,) = inspect_eval(
                arena(prompts=str(questions), baseline=str(answers)),
                model=scripted(model, said), model_roles={"grader": scripted(judge, script)},
                log_dir=str(folder / "logs"), display="none",
            )  # fmt: skip
            assert log.status == "success"
    (made,) = inspect_eval(
        arena(prompts=str(questions)), model=scripted("strong", models["strong"]), log_dir=str(folder / "made"),
        display="none",
    )  # fmt: skip
    assert made.status == "success"
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Runs:
    return read_runs([str(folder / "logs")])


@pytest.fixture(scope="module")
def sections(runs: Runs) -> dict[str, list[Any]]:
    made = [*chapter(Evidence(runs)).filled, *answer_order.chapter(Evidence(runs)).filled]
    return {section.name: [*section.rows] for section in made}


@pytest.fixture(scope="module")
def rows(sections: dict[str, list[Any]]) -> dict[tuple[str, str], WinRow]:
    return {(row.model.removeprefix("scripted/"), row.judge.removeprefix("scripted/")): row
            for row in sections["arena_models"]}  # fmt: skip


def by_hand(model: int, n: int) -> float:
    """The win of an answer by the fair judge."""
    seed, mean, words = ((2, 5, 80), (1, 2, 40))[model]
    own, other = drawn(n, seed, mean, words), drawn(n, 0, 3, 40)
    gap = quality(own) - quality(other) or np.sign(len(own.split()) - len(other.split()))
    return (1 + np.sign(gap)) / 2


def test_win_rates_are_those_of_the_fair_judge(rows: Any) -> None:
    strong = [by_hand(0, n) for n in range(PROMPTS)]
    weak = [0.0 if n == 7 else by_hand(1, n) for n in range(PROMPTS) if n != 8]
    for name, wins in (("strong", strong), ("weak", weak)):
        row, expected = rows[name, "fair"], cluster_mean(wins, range(len(wins)), bounds=(0, 1))
        assert row.win_rate == pytest.approx(np.mean(wins))
        assert (row.win_rate_lower, row.win_rate_upper) == pytest.approx((expected.lower, expected.upper))
    assert (rows["weak", "fair"].n, rows["weak", "fair"].by_rule, rows["weak", "fair"].missing) == (
        39,
        1,
        "1 truncated",
    )
    assert rows["strong", "fair"].against == "base"
    assert rows["strong", "fair"].changed == 0
    assert rows["strong", "fair"].first == 0.5


def test_a_judge_that_prefers_a_place_is_seen_and_makes_no_difference(rows: Any, sections: Any, runs: Runs) -> None:
    row = rows["strong", "placed"]
    assert (row.win_rate, row.changed, row.first, row.ties) == (0.5, 1, 1, 0)
    assert math.isnan(row.win_rate_lower)
    assert row.win_rate_note == "no spread between prompts: no interval"
    (place,) = [
        row for row in sections["arena_order"] if (row.model, row.judge) == ("scripted/strong", "scripted/placed")
    ]
    assert (place.verdicts, place.n) == ({"A>>B": 0, "A>B": 2 * PROMPTS, "A=B": 0, "B>A": 0, "B>>A": 0}, PROMPTS)
    assert 0.8 < place.first_lower < place.first_upper == 1
    assert [sentence.partition(" when")[0] for sentence in answer_order.chapter(Evidence(runs)).warnings] == [
        "scripted/placed says otherwise of 100 % of scripted/strong's answers",
        "scripted/placed says otherwise of 100 % of scripted/weak's answers",
    ]


def test_equal_style_is_an_independent_logistic_fit(rows: Any, sections: Any, runs: Runs) -> None:
    group = [run for run in runs.counted if run.judge == "scripted/fair"]
    wins, models, prompts, differences = [], [], [], []
    for model, run in enumerate(sorted(group, key=lambda run: run.model)):
        for _, row in run.rows.dropna(subset="score").iterrows():
            own = [row[name] for name in ("words", "headers", "lists", "bold")]
            other = [row[f"baseline_{name}"] for name in ("words", "headers", "lists", "bold")]
            wins.append(row["score"])
            models.append(model)
            prompts.append(row["id"])
            ruled = row["reason"] == "refusal"
            differences.append(np.zeros(4) if ruled else style_differences([own], [other])[0])
    x = np.array(differences)[:, [0, 2, 3]]  # no answer has a header
    design = np.column_stack([np.eye(2)[models], x / x.std(axis=0, ddof=1)])
    codes = [sorted(set(prompts)).index(prompt) for prompt in prompts]
    fit = sm.GLM(wins, design, family=sm.families.Binomial()).fit(cov_type="cluster", cov_kwds={"groups": codes})
    strong, weak = rows["strong", "fair"], rows["weak", "fair"]
    assert (strong.equal_style, weak.equal_style) == pytest.approx(tuple(special.expit(fit.params[:2])), abs=1e-6)
    found = {row.style: row for row in sections["arena_style"] if row.judge == "scripted/fair"}
    assert [found[style].coefficient for style in ("length", "lists", "bold")] == pytest.approx(
        fit.params[2:], abs=1e-6
    )
    assert found["headers"].note == NOT_TOLD_APART
    # CR1 with normal limits is near CR2 with t limits for 40 prompts.
    width = found["length"].upper - found["length"].lower
    assert width == pytest.approx(2 * 1.96 * fit.bse[2], rel=0.2)
    assert math.isnan(rows["strong", "placed"].equal_style)
    assert rows["strong", "placed"].equal_style_note == ONE_OUTCOME


def test_differences_are_paired_by_prompt(sections: Any) -> None:
    (pair,) = [row for row in sections["arena_pairs"] if row.judge == "scripted/fair"]
    kept = [n for n in range(PROMPTS) if n != 8]
    strong = [by_hand(0, n) for n in kept]
    weak = [0.0 if n == 7 else by_hand(1, n) for n in kept]
    expected = paired_difference(strong, weak, kept)
    assert (pair.a, pair.b, pair.n) == ("scripted/strong", "scripted/weak", 39)
    assert (pair.difference, pair.lower, pair.upper) == pytest.approx(
        (expected.estimate, expected.lower, expected.upper)
    )
    assert pair.p_value == pair.p_holm == pytest.approx(expected.p_value)
    assert pair.equal_style_note == ""
    (placed,) = [row for row in sections["arena_pairs"] if row.judge == "scripted/placed"]
    assert (math.isnan(placed.equal_style), placed.equal_style_note) == (True, ONE_OUTCOME)


def test_the_published_numbers_stand_beside_ours(rows: Any, runs: Runs, tmp_path: Path) -> None:
    published = rows["Qwen3.5-4B + thought-guided rewrites", "GPT-4o (reported)"]
    assert (published.win_rate, published.equal_style) == pytest.approx((0.479, 0.481))
    assert published.note.startswith("published, Jin et al. 2026: 1,000 pairs; no interval")
    section = chapter(Evidence(runs)).filled[0]
    section.table.to_csv(tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text(encoding="utf-8")
    assert "Qwen" not in text, "a mean over a column must not mix them with measurements"
    assert section.table.classes == [""] * 4 + ["published"] * 4


def test_answers_without_verdicts_are_no_run(folder: Path) -> None:
    with pytest.raises(UserError, match="holds answers that no judge compared; it can be the baseline of another run"):
        read_runs([str(folder / "made")])


def test_a_judge_that_wrote_the_baseline_is_named(runs: Runs) -> None:
    assert chapter(Evidence(runs)).warnings == []
    from dataclasses import replace

    own = replace(runs, counted=[replace(run, against="other/fair") for run in runs.counted])
    assert [sentence.partition(":")[0] for sentence in chapter(Evidence(own)).warnings] == [
        "scripted/fair judges its own answers as the baseline of scripted/strong",
        "scripted/fair judges its own answers as the baseline of scripted/weak",
    ]
    assert [write(Evidence(Runs())).filled for write in (chapter, answer_order.chapter)] == [[], []]
