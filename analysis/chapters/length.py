"""How long inferences are, and how models compare at equal length, so that verbosity buys no rank."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from thoughttrace.analysis.chapters.headline import columns_of, kind_of
from thoughttrace.analysis.page.table import (
    Chapter,
    Section,
    count,
    format_interval,
    format_number,
    limits,
    name,
    number,
    p,
    share,
    short,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import SYSTEM, measurement
from thoughttrace.analysis.read.task_log import Run, shared_judges
from thoughttrace.analysis.stats.intervals import NOT_DETERMINED, Interval, coefficient, contrasts, paired_difference
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.core.record import Kind


@dataclass(frozen=True)
class LengthRow:
    """How long the inferences of one run are."""

    kind: Kind
    model: str
    context: str
    judge: str
    words: float
    """Mean words of an inference."""
    q25: float
    median: float
    q75: float
    target_words: float
    """Mean words of the notes that they are rated against."""
    per_doubling: float
    """How much higher inferences of twice as many words are rated, within the run."""
    lower: float
    """95 % limit, CR2 by user; NaN without one, and `note` says why."""
    upper: float
    n: int
    """Rated replies that hold an inference."""
    users: int
    note: str


@dataclass(frozen=True)
class EqualLengthRow:
    """The difference of two models, as it is and at equal length."""

    kind: Kind
    a: str
    b: str
    context: str
    judge: str
    """Those that rated both."""
    times: float
    """How many times the words of B those of A are: the geometric mean over samples."""
    longer: float
    """Share of the samples on which A has more words, 0 to 1."""
    difference: float
    """Mean agreement of A − B on the samples that both answered."""
    difference_lower: float
    """95 % limit, CR2 by user."""
    difference_upper: float
    difference_note: str
    p_value: float
    adjusted: float
    """A − B at equal length."""
    lower: float
    """95 % limit, CR2 by user; NaN without one, and `note` says why."""
    upper: float
    adjusted_p_value: float
    per_doubling: float
    """How much higher the same sample is rated with twice as many words."""
    per_doubling_lower: float
    """95 % limit, CR2 by user."""
    per_doubling_upper: float
    per_doubling_note: str
    n: int
    """Samples that both answered."""
    users: int
    note: str
    p_holm: float = math.nan
    """Of the difference as it is; over all pairs of a kind."""
    adjusted_p_holm: float = math.nan
    """Of that at equal length; over all pairs of a kind."""


LENGTH_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    number("Mean words", "words", ".1f"),
    number("Lower quartile", "q25", ".0f"),
    number("Median", "median", ".0f"),
    number("Upper quartile", "q75", ".0f"),
    number("Words of the notes", "target_words", ".1f"),
    number("Agreement per doubling", "per_doubling", "+.2f"),
    limits("95 % interval"),
    count("n", "n"),
    count("Users", "users"),
    short("Context", "context"),
    name("Judge", "judge"),
]

EQUAL_LENGTH_COLUMNS = [
    short("Kind", "kind"),
    name("A", "a"),
    name("B", "b"),
    number("Words, A / B", "times"),
    share("A longer", "longer"),
    number("A − B", "difference", "+.2f"),
    limits("A − B, 95 %", "difference_"),
    p("p (Holm)", "p_holm"),
    number("At equal length", "adjusted", "+.2f"),
    limits("Equal length, 95 %"),
    p("Equal length, p (Holm)", "adjusted_p_holm"),
    number("Per doubling", "per_doubling", "+.2f"),
    limits("Per doubling, 95 %", "per_doubling_"),
    count("Samples", "n"),
    count("Users", "users"),
    short("Context", "context"),
    name("Judge", "judge"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how long inferences are, and whether differences between models hold at equal length."""
    runs = evidence.runs.models
    pairs = at_equal_length(runs)
    return Chapter(
        "length",
        "Length of the inferences",
        " ".join(in_words(pairs)),
        [
            Section(
                "length", "Words", lengths(runs), LENGTH_COLUMNS,
                "Replies without an inference, such as refusals, are left out. Agreement per doubling: the slope of a "
                "regression of agreement on the logarithm of the words, within the run; CR2 by user. A long inference "
                "may stand on a sample that is easier to tell, so this slope alone is no effect of length.",
            ),
            Section(
                "equal_length", "Models at equal length", pairs, EQUAL_LENGTH_COLUMNS,
                "Over the samples that both answered, A − B is regressed on the log₂ of the words of A over those of "
                "B: the value where they are equal, with its CR2 interval by user. It is the fit of agreement on "
                "model, sample and log words, so it compares inferences about the same notes. The logarithm, because "
                "five words more say more after five words than after fifty. Where A is longer on all samples, or on "
                "none, the value at equal length is extrapolated. Words can also carry what a model knows: the "
                "difference at equal length is what length cannot have bought, not what each would say in fewer words.",
            ),
        ],
    )  # fmt: skip


def lengths(runs: Sequence[Run]) -> list[LengthRow]:
    """Describe how long the inferences of each run are.

    Args:
        runs: Runs of models that infer thoughts. One without a rated inference has no row.
    """
    rows = []
    for run in runs:
        answered = _answered(run)
        if answered.empty:
            continue
        design = np.column_stack([answered["doublings"], np.ones(len(answered))])
        slope = coefficient(answered["score"], design, answered["user"])
        if slope.reason == NOT_DETERMINED:
            slope = replace(slope, reason="all of one length: no slope")
        q25, median, q75 = answered["words"].quantile([0.25, 0.5, 0.75])
        rows.append(
            LengthRow(
                **columns_of(run),
                words=float(answered["words"].mean()),
                q25=q25,
                median=median,
                q75=q75,
                target_words=float((answered["target_words"] / answered["thoughts"]).mean()),
                **slope.as_row("per_doubling"),
            )
        )
    return rows


def at_equal_length(runs: Sequence[Run]) -> list[EqualLengthRow]:
    """Compare models at equal length, by the judges that rated both.

    Args:
        runs: Runs of models that infer thoughts.

    Returns:
        A row for each two models of one setting that answered a sample in common.
    """
    rows = []
    for a, b in _pairs(runs):
        judges = shared_judges(a, b)
        of_a, of_b = (_by_sample(run.rated_by(judges)) for run in (a, b))
        samples = of_a.merge(of_b, left_index=True, right_index=True, suffixes=("", "_b"))
        if samples.empty:
            continue
        users, longer = samples["user"], samples["doublings"] - samples["doublings_b"]
        raw = paired_difference(samples["score"], samples["score_b"], users)
        adjusted, slope = _at_equal_length(samples["score"] - samples["score_b"], longer, users)
        rows.append(
            EqualLengthRow(
                kind=kind_of(a),
                a=a.name,
                b=b.name,
                context=a.context,
                judge=", ".join(judges),
                times=float(2 ** longer.mean()),
                longer=float((longer > 0).mean()),
                **raw.as_columns("difference"),
                p_value=raw.p_value,
                **adjusted.as_row("adjusted"),
                adjusted_p_value=adjusted.p_value,
                **slope.as_columns("per_doubling"),
            )
        )
    kinds = [row.kind for row in rows]
    as_is = holm_by_family([row.p_value for row in rows], kinds)
    equal = holm_by_family([row.adjusted_p_value for row in rows], kinds)
    return [
        replace(row, p_holm=p_holm, adjusted_p_holm=adjusted)
        for row, p_holm, adjusted in zip(rows, as_is, equal, strict=True)
    ]


def in_words(rows: Sequence[EqualLengthRow]) -> list[str]:
    """Name the models that are rated significantly higher with more words, and not significantly at equal length.

    Args:
        rows: From `at_equal_length`.
    """
    sentences = []
    for row in rows:
        a, b, sign = (row.a, row.b, 1) if row.difference > 0 else (row.b, row.a, -1)
        longer, significant = row.times**sign > 1, row.p_holm < LEVEL
        if not (longer and significant) or (row.adjusted_p_holm < LEVEL and sign * row.adjusted > 0):
            continue
        at_equal = "at equal length this cannot be told"
        if not math.isnan(row.lower):
            lower, upper = sorted((sign * row.lower, sign * row.upper))
            adjusted = format_number(sign * row.adjusted, "+.2f")
            at_equal = f"at equal length the difference is {adjusted} ({format_interval(lower, upper)})"
            at_equal += ", extrapolated, as one is always the longer" * (row.longer in {0, 1})
        sentences.append(
            f"On {row.kind}s, {a} is rated higher than {b} by {format_number(abs(row.difference))} with "
            f"{format_number(row.times**sign, '.1f')} times the words; {at_equal}."
        )
    return sentences


def _pairs(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Give each two models, or two ways to ask one, that were asked the same and share a judge."""
    for a, b in combinations(runs, 2):
        alike = measurement(a, *SYSTEM, "judge") == measurement(b, *SYSTEM, "judge")
        same = measurement(a, "judge") == measurement(b, "judge")
        if alike and not same and shared_judges(a, b):
            yield a, b


def _answered(run: Run) -> pd.DataFrame:
    """Return the rated replies that hold an inference, with the log₂ of its words as `doublings`."""
    answered = run.rows.dropna(subset=["score", "words"])
    return answered.assign(doublings=np.log2(answered["words"].astype(float)))


def _by_sample(run: Run) -> pd.DataFrame:
    """Return the mean agreement and the mean of `doublings` of each sample's replies."""
    return _answered(run).groupby("id", sort=False).agg({"score": "mean", "doublings": "mean", "user": "first"})


def _at_equal_length(difference: pd.Series, longer: pd.Series, users: pd.Series) -> tuple[Interval, Interval]:
    """Estimate what is left of a difference where two inferences are equally long, and the slope on their length."""
    design = np.column_stack([np.ones(len(difference)), longer])
    found = contrasts(difference, design, np.eye(2), users)
    same = "one is always as many times as long as the other: no estimate"
    adjusted, slope = (replace(one, reason=same) if one.reason == NOT_DETERMINED else one for one in found)
    return adjusted, slope
