"""Compute scores as Arena-Hard-Auto does, from verdicts on two games of each prompt."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from thoughttrace.analysis.stats.intervals import Numbers, cluster_mean
from thoughttrace.analysis.stats.win_rates import ONE_OUTCOME, SEPARATED, divisors, logistic_fit, of_prompts

MUCH_BETTER_ROWS = 3
"""Rows of a verdict of "much better"; of others one."""

BOOTSTRAPS = 100
PERCENTILES = (5, 95)
"""Of the bootstraps: a 90 % interval."""


@dataclass(frozen=True)
class ArenaHardScore:
    """A model's score, 0 to 1, as Arena-Hard-Auto computes it, and what its rows tell by prompt."""

    model: str
    score: float
    """The mean of its rows."""
    lower: float
    """The 5th percentile of the means of 100 bootstraps over rows, as if these were independent."""
    upper: float
    """The 95th."""
    by_prompt: float
    """The mean of the prompts' means, each game one row: ours."""
    by_prompt_lower: float
    """Lower limit of a 95 % interval by prompt."""
    by_prompt_upper: float
    by_prompt_note: str
    """Why there is no interval; else empty."""
    style_controlled: float
    """At the mean difference in style of all rows of all models; NaN where the answers' style is not given, or the fit
    does not converge."""
    style_controlled_note: str
    """Why the fit does not converge; else empty."""
    prompts: int
    rows: int


def rows_of(verdict: str) -> list[float]:
    """Return the rows of a verdict for answer A: 1 for a win, 0.5 for a tie, 0 for a loss; three of "much better".

    Args:
        verdict: Such as `A>B`, `A>>B` or `A=B`, also the other way round, as `B<A`.

    Raises:
        ValueError: It is none of these.
    """
    if verdict not in _ROWS:
        raise ValueError(f"{verdict!r} is no verdict on A and B")
    return _ROWS[verdict]


_ROWS = {
    f"{a}{sign}{b}": [value if a == "A" else 1 - value] * number
    for a, b in ("AB", "BA")
    for sign, value, number in (
        (">>", 1.0, MUCH_BETTER_ROWS), (">", 1.0, 1), ("=", 0.5, 1), ("<", 0.0, 1), ("<<", 0.0, MUCH_BETTER_ROWS),
    )
}  # fmt: skip


def arena_hard_scores(
    models: Sequence[str],
    prompts: Sequence[str],
    verdicts: Sequence[tuple[str, str]],
    differences: npt.ArrayLike | None = None,
    seed: int = 0,
) -> list[ArenaHardScore]:
    """Compute the scores of several models against one baseline.

    The rows of a prompt are those of its second game, in which the model's answer is A, and those of the first, in
    which the baseline's is, turned round. Of a score by style the features of all rows are standardised (n - 1), and a
    logistic regression without an intercept is fitted on models and features. Arena-Hard-Auto states the median of 100
    bootstraps of both scores, which scatter around these.

    Args:
        models: n names.
        prompts: n ids.
        verdicts: n pairs: the verdict on the first game and on the second.
        differences: Shape (n, 4): `style_differences` of the answers' tokens and Markdown; None without control.
        seed: Of the bootstraps.

    Raises:
        ValueError: A verdict is none that `rows_of` knows.
    """
    rng = np.random.default_rng(seed)
    values = [rows_of(second) + [1 - value for value in rows_of(first)] for first, second in verdicts]
    per_game = [(rows_of(second)[0] + 1 - rows_of(first)[0]) / 2 for first, second in verdicts]
    table = pd.DataFrame({"model": list(models), "prompt": list(prompts), "game": per_game, "rows": values})
    controlled = {} if differences is None else _style_controlled(table, np.asarray(differences, dtype=float))
    scores = []
    for model, part in table.groupby("model"):
        rows = np.concatenate([np.asarray(each) for each in part["rows"]])
        means = rng.choice(rows, size=(BOOTSTRAPS, len(rows))).mean(axis=1)
        lower, upper = np.percentile(means, PERCENTILES)
        style_controlled, note = controlled.get(str(model), (math.nan, ""))
        by_prompt = of_prompts(cluster_mean(part["game"], part["prompt"], bounds=(0, 1)))
        scores.append(
            ArenaHardScore(
                model=str(model),
                score=float(rows.mean()),
                lower=float(lower),
                upper=float(upper),
                **by_prompt.as_columns("by_prompt"),
                style_controlled=style_controlled,
                style_controlled_note=note,
                prompts=part["prompt"].nunique(),
                rows=len(rows),
            )
        )
    return scores


def _style_controlled(table: pd.DataFrame, differences: Numbers) -> Mapping[str, tuple[float, str]]:
    """Fit all rows of all models, and return each model's win rate at the mean of the features, or NaN and the reason.

    A model whose rows are all alike has no finite coefficient, and its rows tell nothing of those of style.
    """
    counts = table["rows"].map(len).to_numpy()
    outcomes = np.concatenate([np.asarray(each) for each in table["rows"]])
    features = np.repeat(differences, counts, axis=0)
    features = (features - features.mean(axis=0)) / divisors(features)
    codes, names = pd.factorize(np.repeat(table["model"].to_numpy(), counts))
    # Of the model's and the baseline's coefficient only the difference is determined, and only it is used.
    design = np.column_stack([np.eye(len(names))[codes], features])
    alike = [code for code in range(len(names)) if len(set(outcomes[codes == code])) < 2]
    used = ~np.isin(codes, alike)
    fitted = logistic_fit(outcomes[used], design[used]) if used.any() else None
    return {
        str(name): (math.nan, ONE_OUTCOME) if code in alike
        else (math.nan, SEPARATED) if fitted is None
        else (float(special.expit(fitted[0][code])), "")
        for code, name in enumerate(names)
    }  # fmt: skip
