"""Win rates against a baseline: as judged, at equal style, the judges' preference for a place, and differences."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    limits,
    name,
    number,
    p,
    share,
    short,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import SYSTEM, measurement
from thoughttrace.analysis.read.pair_verdicts import pair_verdicts
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, paired_difference
from thoughttrace.analysis.stats.multiplicity import holm_by_family
from thoughttrace.analysis.stats.win_rates import (
    FEATURES,
    FEWEST_PROMPTS,
    StyleControl,
    of_prompts,
    style_control,
    style_differences,
)
from thoughttrace.core.model_names import same_model
from thoughttrace.core.published import LABEL, win_rates
from thoughttrace.core.record import ARENA, NO_ANSWER, WINS, Style, Unscored

_BY_RULE = [*NO_ANSWER, Unscored.NO_BASELINE_ANSWER]
_STYLE = [*Style.model_fields]
_BASELINE_STYLE = [f"baseline_{column}" for column in _STYLE]
_TIE = 0.5


@dataclass(frozen=True)
class WinRow:
    """How often one run's answers were better than the baseline's."""

    model: str
    against: str
    """What gave the baseline's answers."""
    judge: str
    win_rate: float
    """Mean over prompts, judges and both orders: a win 1, a tie 0.5, a loss 0; limits by prompt."""
    win_rate_lower: float = math.nan
    win_rate_upper: float = math.nan
    win_rate_note: str = ""
    """Why there is no interval; else empty."""
    equal_style: float = math.nan
    """The win rate where both answers are as long and have as much Markdown, 0 to 1; limits CR2 by prompt."""
    equal_style_lower: float = math.nan
    equal_style_upper: float = math.nan
    equal_style_note: str = ""
    length_ratio: float = math.nan
    """Words of the model's answers by words of the baseline's, of the prompts that judges compared."""
    ties: float = math.nan
    """Of the verdicts."""
    much: float = math.nan
    """Verdicts of "much better", of all; they count as others do."""
    changed: float = math.nan
    """Of the judges' pairs of verdicts: those in which win, tie or loss changes with the order."""
    first: float = math.nan
    """The mean win of the answer that stands first, 0 to 1: 0.5 where places do not matter."""
    n: int | None = None
    """Prompts scored."""
    by_rule: int | None = None
    """Replies of which a rule decided, for one of the answers is empty or a refusal."""
    replies: int | None = None
    """Planned."""
    coverage: float = math.nan
    """Scored of the planned replies."""
    missing: str = ""
    """How many replies have no score, by reason."""
    note: str = ""
    self_judged: bool = False
    selection: str = ""
    task_version: str = ""
    data: str = ""
    data_revision: str = ""
    rubric_hash: str = ""
    package_version: str = ""
    date: str = ""
    log: str = ""


@dataclass(frozen=True)
class CoefficientRow:
    """How far one kind of style counts with some judges."""

    against: str
    judge: str
    models: list[str]
    """The models of the fit."""
    style: str
    coefficient: float
    """Change in log odds of a win for one standard deviation more than the baseline; limits CR2 by prompt."""
    lower: float
    upper: float
    p_value: float
    n: int
    """Outcomes in the fit."""
    prompts: int
    note: str


@dataclass(frozen=True)
class PairRow:
    """The difference of two runs' win rates on the same prompts."""

    a: str
    b: str
    against: str
    judge: str
    difference: float
    """Of the win rates, −1 to 1; limits by prompt."""
    lower: float
    upper: float
    p_value: float
    equal_style: float
    """Of the win rates at equal style."""
    equal_style_lower: float
    equal_style_upper: float
    equal_style_note: str
    """Why there is no interval; else empty."""
    equal_style_p: float
    n: int
    """Prompts that both have."""
    note: str
    p_holm: float = math.nan
    """`p_value`, adjusted by Holm for all pairs against one baseline by the same judges."""


WIN_COLUMNS = [
    name("Model", lambda row: row.model + " (judges itself)" * row.self_judged),
    share("Win rate", lambda row: row.win_rate if row.n != 0 else "none scored"),
    limits("95 % interval", "win_rate_", percent=True),
    share("At equal style", "equal_style"),
    limits("Its 95 % interval", "equal_style_", percent=True),
    count("Prompts", "n"),
    name("Against", "against"),
    name("Judge", "judge"),
    number("Length ratio", "length_ratio"),
    share("Ties", "ties"),
    share("Much better", "much"),
    share("Changed by order", "changed"),
    share("First wins", "first"),
    count("By rule", "by_rule"),
    share("Coverage", "coverage"),
    text("Missing", "missing"),
    name("Baseline's answers", "selection"),
    name("Prompts, revision", lambda row: f"{row.data}, {row.data_revision}" if row.data else ""),
    text("Note", "note"),
]

COEFFICIENT_COLUMNS = [
    short("Style", "style"),
    number("Log odds per standard deviation", "coefficient", "+.2f"),
    limits("95 % interval", spec="+.2f"),
    p("p", "p_value"),
    name("Judge", "judge"),
    name("Against", "against"),
    name("Models", lambda row: ", ".join(row.models)),
    count("Outcomes", "n"),
    count("Prompts", "prompts"),
]

PAIR_COLUMNS = [
    name("A", "a"),
    name("B", "b"),
    number("A − B", "difference", "+.1%"),
    limits("95 % interval", percent=True),
    p("p", "p_value"),
    p("p (Holm)", "p_holm"),
    number("At equal style", "equal_style", "+.1%"),
    limits("Its 95 % interval", "equal_style_", percent=True),
    count("Prompts", "n"),
    name("Judge", "judge"),
    name("Against", "against"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how often models' answers are better than a baseline's."""
    title = "Win rates against a baseline"
    runs = evidence.runs.of(ARENA)
    if not runs:
        return Chapter("win_rates", title, "")
    groups = _groups(runs)
    fits = [_fit(group) for group in groups]
    rows = [
        _win_row(run, at_equal_style)
        for group, fit in zip(groups, fits, strict=True)
        for run, at_equal_style in zip(group, fit.rates, strict=True)
    ]
    return Chapter(
        "win_rates",
        title,
        "Models answer open prompts, and judges say whether an answer is better than the baseline's to the same "
        "prompt, once with each of them first. 50 % is as good as the baseline.",
        [
            Section(
                "arena_models", "Win rates", [*rows, *_published()], WIN_COLUMNS,
                "Win rate: mean over prompts, judges and both orders of 1 for a win, 0.5 for a tie, 0 for a loss; “much"
                " better” counts as “better” (in Arena-Hard-Auto three times). A judge counts for a prompt only with a "
                "verdict in both orders. Intervals are by prompt, and symmetric on the logit. At equal style: the same "
                "where both answers are as long, in words, and have as many headers, list items and bold passages for "
                "their length, by a logistic regression of all models against the same baseline by the same judges, on "
                f"{FEWEST_PROMPTS} prompts or more; its interval is cluster-robust by prompt (CR2). Arena-Hard-Auto's "
                "is at the mean difference in style of the models in its table. Length ratio: words by the baseline's. "
                "First wins: 50 % where it does not matter which answer stands first; in the win rate the two orders "
                "make up for it. By rule: an answer that is empty or a refusal loses against one that is not.",
                _pictures(rows), lambda row: "published" if row.note.startswith(LABEL) else "", paper=True,
                terminal=True,
            ),
            Section(
                "arena_pairs", "Differences between models", pairs(groups, fits), PAIR_COLUMNS,
                "The difference of two win rates against the same baseline by the same judges, on the prompts that "
                "both have, in percentage points, paired and clustered by prompt. p: two-sided; Holm's adjustment is "
                "for all pairs against one baseline.",
                paper=True, terminal=True,
            ),
            Section(
                "arena_style", "What style counts with judges", coefficients(groups, fits), COEFFICIENT_COLUMNS,
                "From the fit that the win rates at equal style are from: the change in log odds of a win where an "
                "answer has one standard deviation more of it than the baseline's has. Above 0: judges prefer it, or "
                "what goes with it.",
            ),
        ],
        warnings=[
            f"{judge} judges its own answers as the baseline of {run.name}: judges tend to prefer their own answers, "
            "so the win rate may be too low."
            for run in runs
            for judge in run.judges
            if same_model(judge, run.against)
        ],
    )  # fmt: skip


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    """Group the runs that answered the same prompts against the same baseline, by the same judges."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(measurement(run, *SYSTEM), []).append(run)
    return list(groups.values())


def _fit(group: Sequence[Run]) -> StyleControl:
    """Fit the wins of a group on its models and style.

    What a rule decided has no style: it counts as an outcome at equal style.
    """
    tables = [run.rows.assign(model=n) for n, run in enumerate(group)]
    rows = pd.concat(tables).reindex(columns=["id", "model", "score", "reason", *_STYLE, *_BASELINE_STYLE])
    rows = rows.dropna(subset=["score", *_STYLE])
    differences = style_differences(rows[_STYLE], rows[_BASELINE_STYLE])
    differences[rows["reason"].isin(_BY_RULE).to_numpy()] = 0
    return style_control(rows["score"], rows["model"], len(group), differences, rows["id"])


def _win_row(run: Run, at_equal_style: Interval) -> WinRow:
    scored = run.rows.dropna(subset="score")
    rate = Interval.without_limits("none scored")
    if len(scored):
        rate = cluster_mean(scored["score"], scored["id"], bounds=ARENA.scale)
    compared = scored[~scored["reason"].isin(_BY_RULE)]
    both = pair_verdicts(run)
    verdicts = [verdict for pair in both["verdicts"] for verdict in pair]
    return WinRow(
        model=run.name,
        against=run.against,
        judge=run.judge,
        **of_prompts(rate).as_columns("win_rate"),
        **of_prompts(at_equal_style).as_columns("equal_style"),
        length_ratio=compared["words"].sum() / compared["baseline_words"].sum() if len(compared) else math.nan,
        ties=_mean([WINS[verdict] == _TIE for verdict in verdicts]),
        much=_mean([">>" in verdict for verdict in verdicts]),
        changed=_mean(both["changed"]),
        first=_mean(both["first"]),
        n=scored["id"].nunique(),
        by_rule=len(scored) - len(compared),
        replies=run.planned_replies,
        coverage=len(scored) / run.planned_replies,
        missing=run.missing,
        self_judged=run.self_judged,
        selection=run.selection,
        task_version=run.task_version,
        data=run.data,
        data_revision=run.data_revision,
        rubric_hash=run.rubric_hash,
        package_version=run.package_version,
        date=run.date,
        log=run.log,
    )


def _published() -> Iterator[WinRow]:
    for model, known in win_rates().items():
        trained = f"{known.pairs:,} pairs" if known.pairs else "before DPO"
        yield WinRow(
            model, "of Arena-Hard", f"{known.judge} (reported)", known.win_rate, equal_style=known.style_controlled,
            note=f"{LABEL}: {trained}; no interval; not the same measurement",
        )  # fmt: skip


def coefficients(groups: Sequence[Sequence[Run]], fits: Sequence[StyleControl]) -> list[CoefficientRow]:
    """List how far style counts, in each group of runs.

    Args:
        groups: Runs against the same baseline by the same judges.
        fits: Their fits on style.
    """
    return [
        CoefficientRow(
            against=group[0].against,
            judge=group[0].judge,
            models=[run.name for run in group],
            style=style,
            coefficient=found.estimate,
            lower=found.lower,
            upper=found.upper,
            p_value=found.p_value,
            n=found.n,
            prompts=found.clusters,
            note=of_prompts(found).reason or "",
        )
        for group, fit in zip(groups, fits, strict=True)
        for style, found in zip(FEATURES, fit.coefficients, strict=True)
    ]


def pairs(groups: Sequence[Sequence[Run]], fits: Sequence[StyleControl]) -> list[PairRow]:
    """Estimate the differences between the runs of each group.

    Args:
        groups: Runs against the same baseline by the same judges.
        fits: Their fits on style.
    """
    rows = []
    for group, fit in zip(groups, fits, strict=True):
        made = [_pair(group, a, b, at) for (a, b), at in fit.differences.items()]
        adjusted = holm_by_family([row.p_value for row in made], [""] * len(made))
        rows += [replace(row, p_holm=value) for row, value in zip(made, adjusted, strict=True)]
    return rows


def _pair(group: Sequence[Run], a: int, b: int, at_equal_style: Interval) -> PairRow:
    first, second = group[a], group[b]
    scores = pd.concat({"a": first.scored["score"], "b": second.scored["score"]}, axis=1).dropna()
    found = Interval.without_limits("no prompt in common: nothing to compare")
    if len(scores):
        found = paired_difference(scores["a"], scores["b"], scores.index)
    return PairRow(
        a=first.name,
        b=second.name,
        against=first.against,
        judge=first.judge,
        difference=found.estimate,
        lower=found.lower,
        upper=found.upper,
        p_value=found.p_value,
        **of_prompts(at_equal_style).as_columns("equal_style"),
        equal_style_p=at_equal_style.p_value,
        n=len(scores),
        note=of_prompts(found).reason or "",
    )


def _mean(values: Sequence[bool] | pd.Series) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _pictures(rows: Sequence[WinRow]) -> list[Picture]:
    """Draw the win rates, as judged and at equal style."""
    points = [
        Dot(
            f"{row.model}\nagainst {row.against}, judged by {row.judge}", 100 * mean, 100 * lower, 100 * upper,
            series=series,
        )
        for row in rows
        for series, mean, lower, upper in (
            ("as judged", row.win_rate, row.win_rate_lower, row.win_rate_upper),
            ("at equal style", row.equal_style, row.equal_style_lower, row.equal_style_upper),
        )
    ]  # fmt: skip
    figure = dots(points, "win rate, %, 95 % interval", [Reference(50, kind="zero")], legend="win rate")
    return [Picture("arena_win_rates", figure, "Win rates against the baseline. Line: as good as the baseline.")]
