"""Arena-Hard-Auto's own judgements: a fixture in its schema, scored as it scores, by hand."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from click.testing import CliRunner
from scipy import optimize, special

from thoughttrace.analysis.read.arena_hard import score_arena_hard
from thoughttrace.analysis.stats.arena_hard import arena_hard_scores
from thoughttrace.analysis.stats.intervals import cluster_mean
from thoughttrace.analysis.stats.win_rates import ONE_OUTCOME, SEPARATED, style_control
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError

# By prompt: the verdict with the baseline first, and with the model first.
X = {"u1": ("B>>A", "A>B"), "u2": ("A>B", "A=B"), "u3": ("A>>B", "B>>A"), "u4": (None, "A>B"), "u5": ("A<B", "B<<A")}
Y = {"u1": ("A>B", "B>A"), "u2": ("B>A", "B>>A"), "u3": ("A=B", "A>B"), "u5": ("A>B", "A>B")}
STYLES = {
    "x": {"u1": (300, 2, 5, 4), "u2": (120, 0, 0, 1), "u3": (80, 0, 3, 0), "u5": (500, 6, 20, 9)},
    "y": {"u1": (90, 0, 0, 0), "u2": (200, 1, 8, 2), "u3": (150, 0, 0, 3), "u5": (60, 0, 2, 0)},
    "base": {"u1": (100, 0, 2, 1), "u2": (150, 1, 3, 0), "u3": (200, 2, 9, 4), "u5": (100, 0, 0, 0)},
}


def judgement(uid: str, model: str, verdicts: tuple[str | None, str | None], category: str = "math") -> dict[str, Any]:
    games = [{"score": verdict, "judgment": {"answer": f"[[{verdict}]]"}, "prompt": ["s", "u"]} for verdict in verdicts]
    return {"uid": uid, "category": category, "judge": "j", "model": model, "baseline": "base", "games": games}


def answer(uid: str, model: str, tokens: int, headers: int, items: int, bold: int) -> dict[str, Any]:
    counts = {
        "token_len": tokens,
        "header_count": {"h1": 0, "h2": headers, "h3": 0, "h4": 0, "h5": 0, "h6": 0},
        "list_count": {"ordered": items // 2, "unordered": items - items // 2},
        "bold_count": {"**": bold, "__": 0},
    }
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": {"answer": "!"}}]
    return {"uid": uid, "ans_id": "a", "model": model, "messages": said, "tstamp": 1.5, "metadata": counts}


@pytest.fixture
def judgements(write: Callable[..., Path]) -> list[str]:
    lines = {model: [judgement(uid, model, each) for uid, each in by.items()] for model, by in (("x", X), ("y", Y))}
    lines["x"].append(judgement("u6", "x", ("B>A", "A>B"), "coding"))
    lines["y"].append({**judgement("u6", "y", ("B>A", "A>B"), "coding"), "games": [None, {"score": "A>B"}]})
    return [str(write(*several, name=f"{model}.jsonl")) for model, several in lines.items()]


@pytest.fixture
def answers(write: Callable[..., Path]) -> list[str]:
    return [
        str(write(*(answer(uid, model, *counts) for uid, counts in by.items()), name=f"answer_{model}.jsonl"))
        for model, by in STYLES.items()
    ]


# Rows, by hand: the second game's for A, then the first's turned round; three of "much better"; u4 has a null.
ROWS_X: dict[str, list[float]] = {"u1": [1, 1, 1, 1], "u2": [0.5, 0], "u3": [0, 0, 0, 0, 0, 0], "u5": [1, 1, 1, 1]}
ROWS_Y: dict[str, list[float]] = {"u1": [0, 0], "u2": [0, 0, 0, 1], "u3": [1, 0.5], "u5": [1, 0]}


def test_a_score_is_the_mean_of_its_rows_by_hand(judgements: list[str]) -> None:
    x, y = score_arena_hard(judgements, category="math")
    assert (x.model, y.model) == ("x", "y")
    assert x.score == pytest.approx(8.5 / 16)
    assert y.score == pytest.approx(3.5 / 10)
    assert x.lower < x.score < x.upper
    assert math.isnan(x.style_controlled)
    # Ours: every game once, by prompt.
    expected = cluster_mean([1, 0.25, 0, 1], range(4), bounds=(0, 1))
    assert (x.by_prompt, x.by_prompt_lower, x.by_prompt_upper) == pytest.approx(
        (0.5625, expected.lower, expected.upper)
    )
    assert (x.prompts, x.rows, y.prompts, y.rows) == (4, 16, 4, 10)
    # Rows scatter like 16 independent ones: 1.645 standard errors to each side.
    rows = np.concatenate([*ROWS_X.values()])
    assert x.upper - x.lower == pytest.approx(2 * 1.645 * rows.std() / 4, rel=0.35)


def test_a_score_at_equal_style_is_that_of_their_formula(judgements: list[str], answers: list[str]) -> None:
    """Their formula, written out with a general optimiser: standardised over all rows, and a baseline of its own."""
    outcomes: list[float] = []
    features: list[list[float]] = []
    models: list[list[bool | int]] = []
    for name, by in (("x", ROWS_X), ("y", ROWS_Y)):
        for uid, rows in by.items():
            own, base = np.array(STYLES[name][uid], float), np.array(STYLES["base"][uid], float)
            density, of_base = own[1:] / (own[0] + 1), base[1:] / (base[0] + 1)
            length = (own[0] - base[0]) / (own[0] + base[0])
            outcomes += rows
            features += [[length, *((density - of_base) / (density + of_base + 1))]] * len(rows)
            models += [[name == "x", name == "y", -1]] * len(rows)
    x = np.array(features)
    design = np.column_stack([np.array(models, float), (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)])
    y = np.array(outcomes)

    def loss(beta: Any) -> float:
        linear = design @ beta
        return float(np.logaddexp(0, linear).sum() - y @ linear)

    beta = optimize.minimize(loss, np.full(7, 0.5), method="BFGS", options={"gtol": 1e-8}).x
    found = score_arena_hard(judgements, answers, category="math")
    assert [each.style_controlled for each in found] == pytest.approx(special.expit(beta[:2] - beta[2]), abs=1e-4)


def test_their_style_control_of_a_single_model_is_none() -> None:
    """It is at the mean difference in style: a model that wins by length alone keeps its wins; ours does not."""
    rng = np.random.default_rng(1)
    longer = rng.normal(0.7, 1, size=(800, 1)) * [1, 0, 0, 0] + rng.normal(size=(800, 4)) * [0, 1, 1, 1]
    won = rng.random(800) < special.expit(1.5 * longer[:, 0])
    verdicts = [("B>A", "A>B") if win else ("A>B", "B>A") for win in won]
    prompts = [f"u{n}" for n in range(800)]
    (theirs,) = arena_hard_scores(["x"] * 800, prompts, verdicts, longer)
    assert theirs.score == pytest.approx(won.mean())
    assert theirs.style_controlled > theirs.score
    (ours,) = style_control(won, np.zeros(800), 1, longer, prompts).rates
    assert ours.lower < 0.5 < ours.upper < 0.6


def test_where_the_fit_by_style_does_not_converge_a_reason_stands(capfd: pytest.CaptureFixture[str]) -> None:
    """A model that wins every game, beside one that does not; and wins that length alone tells."""
    won = [n % 3 > 0 for n in range(30)]
    verdicts = [("B>A", "A>B") if win else ("A>B", "B>A") for win in won]
    prompts, style = [f"u{n}" for n in range(30)], np.random.default_rng(2).normal(size=(60, 4))
    every = [("B>A", "A>B")] * 30
    first, second = arena_hard_scores(["x"] * 30 + ["y"] * 30, prompts * 2, [*every, *verdicts], style)
    assert (math.isnan(first.style_controlled), first.style_controlled_note) == (True, ONE_OUTCOME)
    # In the limit the rows of x tell nothing of y, but count in the means and deviations.
    scaled = np.repeat((style - style.mean(axis=0)) / np.repeat(style, 2, axis=0).std(axis=0, ddof=1), 2, axis=0)
    design = np.column_stack([np.ones(60), scaled[60:]])
    fit = sm.GLM(np.repeat(won, 2).astype(float), design, family=sm.families.Binomial()).fit()
    assert second.style_controlled == pytest.approx(special.expit(fit.params[0]), abs=1e-6)
    assert second.style_controlled_note == ""
    style[:30, 0] = np.where(won, 1, -1)
    (apart,) = arena_hard_scores(["x"] * 30, prompts, verdicts, style[:30])
    assert (math.isnan(apart.style_controlled), apart.style_controlled_note) == (True, SEPARATED)
    assert capfd.readouterr().err == ""


def test_the_command_says_why_there_is_no_score_at_equal_style(write: Callable[..., Path]) -> None:
    wins = write(*(judgement(f"u{n}", "x", ("B>A", "A>B")) for n in range(6)), name="x.jsonl")
    files = [
        write(*(answer(f"u{n}", model, 10 + n * size, n, 1, n % 3) for n in range(6)), name=f"answer_{model}.jsonl")
        for model, size in (("x", 2), ("base", 1))
    ]
    done = CliRunner().invoke(main, ["arena-hard", str(wins), *(w for f in files for w in ("--answers", str(f)))])
    assert done.exit_code == 0, done.output
    assert "no two outcomes differ" in done.output
    assert "Warning" not in done.output


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"games": [{"score": "A>B"}]}, "line 1: games: List should have at least 2 items"),
        ({"games": [{"score": "A>B"}, {"score": "C>A"}]}, "uid u1: 'C>A' is no verdict on A and B"),
        ({"uid": None}, "line 1: uid: Input should be a valid string"),
        ({"games": [None, {"score": "A>B"}]}, "No judgement with verdicts on both games"),
    ],
)
def test_a_mistake_is_one_sentence(change: dict[str, Any], sentence: str, write: Callable[..., Path]) -> None:
    file = write(judgement("u1", "x", ("A>B", "A>B")) | change, name="x.jsonl")
    with pytest.raises(UserError, match=sentence):
        score_arena_hard([str(file)])


def test_an_answer_without_counts_or_missing_is_named(
    judgements: list[str], answers: list[str], write: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match="none of base to the prompt u1"):
        score_arena_hard(judgements, answers[:2], category="math")
    bare = write(answer("u1", "x", 1, 0, 0, 0) | {"metadata": {"token_len": 3}}, name="bare.jsonl")
    with pytest.raises(UserError, match="uid u1: its metadata do not count its tokens and Markdown"):
        score_arena_hard(judgements, [str(bare)])
    other = write(judgement("u9", "x", ("A>B", "A>B")) | {"baseline": "b2"}, name="other.jsonl")
    with pytest.raises(UserError, match=r"several baselines \(b2, base\); pass --category\."):
        score_arena_hard([*judgements, str(other)])


def test_the_command_prints_both_intervals(judgements: list[str], answers: list[str]) -> None:
    command = ["arena-hard", *judgements, *(word for file in answers for word in ("--answers", file))]
    done = CliRunner().invoke(main, [*command, "--category", "math"])
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith(" x ")]
    assert re.search(r" x +53\.1 % +\d.* – \d.* % +56\.2 % +\d.* – \d.* % +\d+\.\d %", line)
    wrong = CliRunner().invoke(main, [*command, "--category", "maths"])
    assert (wrong.exit_code, wrong.output.count("\n")) == (1, 1)
    assert "No judgement with verdicts on both games" in wrong.output
