"""What the user's thoughts add to the prediction of the next message, and how much of it guesses recover."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.next_message import (
    Setting,
    first_of_each,
    rank,
    row_class,
    run_labels,
    setting_columns,
)
from thoughttrace.analysis.page.plots import Dot, Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    format_interval,
    format_number,
    limits,
    name,
    number,
    p,
    short,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run, shared_judges
from thoughttrace.analysis.stats.intervals import Numbers, paired_difference, ratio_of_means
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.core import published
from thoughttrace.core.record import PREDICT

ALL, BEFORE = "all", "written before"
"""Over which messages a gain is: all; those before which no thought shown was written after the message itself."""

OWN = ("reasons", "reactions", "both")
"""The arms that show the user's own thoughts."""

_NO_SHARE = "the gain of the user's own thoughts does not differ significantly from 0: no share is given"

_NO_RATIO = "the mean without them does not differ significantly from 0: no ratio is given"

_NOTE = (
    "Differences on the samples that both runs of a model scored, under the same judge, rubric, prompt, data and "
    "choice of messages; CR2 by user, Holm over a setting's rows (those over models apart). Relative: ratio of the "
    "means − 1, Fieller's interval. Over models: a sample's mean over the models, each within its own judge, on the "
    "samples that all of them have. Written before: only messages before which no thought shown was written after "
    "the message itself, for a thought written in hindsight can reveal it; own against inferred: the user's thoughts "
    "against a model's guesses in their places."
)

_SHARES = (
    "(inferred − none) / (own − none), a ratio of means over the samples that all three runs scored; Fieller's "
    "interval from their CR2 covariance by user, not clipped: below 0 the guesses harm, above 100 % they help more "
    "than the thoughts. The guesses were made without the message to be predicted (context history or message)."
)


@dataclass(frozen=True)
class GainRow:
    """What one arm adds to another, in points of similarity."""

    model: str
    judge: str
    pooled: int
    """How many models a row is over; 0 for one model's row."""
    arm: str
    against: str
    subset: str
    """`ALL` or `BEFORE`."""
    n: int | None = None
    users: int | None = None
    mean_arm: float = math.nan
    mean_against: float = math.nan
    gain: float = math.nan
    lower: float = math.nan
    """95 % limit, CR2 by user."""
    upper: float = math.nan
    p_value: float = math.nan
    relative: float = math.nan
    """Ratio of the means − 1, with Fieller's limits."""
    relative_lower: float = math.nan
    relative_upper: float = math.nan
    relative_note: str = ""
    cosine_gain: float = math.nan
    note: str = ""
    rubric_hash: str = ""
    prompt_hash: str = ""
    version: int | None = None
    data_revision: str = ""
    selection: str = ""
    p_holm: float = math.nan
    """Over the rows of a setting and subset; pooled rows apart."""
    published: bool = False


@dataclass(frozen=True)
class InferredShareRow:
    """How much of what the user's own thoughts add a model's inferences recover."""

    model: str
    judge: str
    pooled: int
    arm: str
    own: str
    """The arm of the thoughts in whose place the inferences stand."""
    n: int
    users: int
    mean_none: float
    mean_inferred: float
    mean_own: float
    share: float
    """(inferred − none) / (own − none), with Fieller's 95 % limits, not clipped."""
    lower: float
    upper: float
    note: str
    rubric_hash: str
    prompt_hash: str
    version: int
    data_revision: str
    selection: str


COLUMNS = [
    name("Model", "model"),
    name("Thoughts", "arm"),
    name("Against", "against"),
    short("Messages", "subset"),
    number("Gain", "gain", "+.1f"),
    limits("95 % interval", spec=".1f"),
    p("p (Holm)", "p_holm"),
    number("Relative", "relative", "+.1%"),
    limits("Relative, 95 %", "relative_", percent=True),
    number("With", "mean_arm", ".1f"),
    number("Without", "mean_against", ".1f"),
    number("Cosine gain", "cosine_gain", "+.3f"),
    count("n", "n"),
    count("Users", "users"),
    name("Judge", "judge"),
]


SHARE_COLUMNS = [
    name("Model", "model"),
    name("Thoughts", "arm"),
    name("Own", "own"),
    number("Recovered share", "share", ".1%"),
    limits("95 % interval", percent=True),
    number("With none", "mean_none", ".1f"),
    number("With inferred", "mean_inferred", ".1f"),
    number("With own", "mean_own", ".1f"),
    count("n", "n"),
    count("Users", "users"),
    name("Judge", "judge"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write what thoughts add to the prediction of the next message."""
    runs = evidence.runs.of(PREDICT)
    rows, recovered = gains(runs), shares(runs)
    pictures = [
        Picture("next_message_gains", _plot(rows), "Gains over the history alone, with 95 % intervals."),
    ] if any(row.against == "none" for row in rows) else []  # fmt: skip
    return Chapter(
        "next_message_gains",
        "What thoughts add to the next message",
        " ".join(in_words(rows, {run.arm for run in runs})),
        [
            Section(
                "next_message_gains", "Gains",
                [*rows, *_published()] if rows else [],
                [*COLUMNS, *setting_columns(rows)],
                " ".join([_NOTE, *unpaired(runs)]),
                pictures,
                row_class=row_class,
                paper=True,
                terminal=True,
            ),
            Section(
                "next_message_inferred_share", "How much of it a model's guesses recover", recovered,
                [*SHARE_COLUMNS, *setting_columns(recovered)],
                _SHARES,
            ),
        ],
    )  # fmt: skip


def gains(runs: Sequence[Run]) -> list[GainRow]:
    """Estimate what each arm adds to the history alone, and the user's thoughts to other users' and to inferred ones.

    Only runs with the same judge, rubric, prompt, data and selection are paired. Pooled over models, a sample's value
    is the mean over the models, each within its own judges, and all have rated it in both arms.

    Returns:
        One row per setting, model, pair of arms and choice of messages; a model's rows stand together, those over
        models last.
    """
    rows = [
        gain
        for setting, members in _settings(runs)
        for arm, against in _arm_pairs(members)
        for cell in _cells(members, (arm, against))
        for subset in ((ALL, BEFORE) if arm in OWN and against == "none" else (ALL,))
        if (gain := _gain(cell, arm, against, subset, setting)) is not None
    ]
    families = [(row.pooled > 0, row.subset, *_setting_of(row)) for row in rows]
    adjusted = holm_by_family([row.p_value for row in rows], families)
    rows = [replace(row, p_holm=p_holm) for row, p_holm in zip(rows, adjusted, strict=True)]
    return sorted(rows, key=lambda row: (*_setting_of(row), row.pooled, row.model, row.judge))


def shares(runs: Sequence[Run]) -> list[InferredShareRow]:
    """Estimate how much of what the user's own thoughts add a model's inferences recover.

    Returns:
        One row per setting and model (and pooled, as in `gains`) with inferences, over what all three arms rated.
    """
    return [
        _share(cell, arm, own, setting)
        for setting, members in _settings(runs)
        for arm, own in _stand_ins(members).items()
        for cell in _cells(members, ("none", arm, own))
        if len(cell.samples[0])
    ]


def unpaired(runs: Sequence[Run]) -> list[str]:
    """Write one sentence for every run that nothing can be compared with, though there are runs of other arms."""
    sentences = []
    for run in runs:
        others = [other for other in runs if other.model == run.model and other.arm != run.arm]
        if others and not any(Setting.of(run) == Setting.of(other) and _judged_alike(run, other) for other in others):
            sentences.append(
                f"{run.log} ({run.name}, {run.arm}) is compared with no other: judge, rubric, prompt, data or choice "
                "of messages differ."
            )
    return sentences


def _judged_alike(run: Run, other: Run) -> bool:
    return run.judge == other.judge or bool(shared_judges(run, other))


def in_words(rows: Sequence[GainRow], arms: set[str]) -> list[str]:
    """Say whether the user's own thoughts help more than other users'.

    Args:
        rows: From `gains`.
        arms: The arms that there are runs of.
    """
    if "both" not in arms:
        return []
    compared = [row for row in rows if row.arm == "both" and row.against == "shuffled"]
    if not compared:
        return [
            "There is no comparison with other users' thoughts (thoughts=shuffled), so it is not known whether "
            "thoughts help by what they say or by their mere length."
        ]
    return [_verdict(row) for row in [row for row in compared if row.pooled] or compared]


def _verdict(row: GainRow) -> str:
    limits_shown = format_interval(row.lower, row.upper, ".1f") or "none"
    gain = f"{format_number(row.gain, '+.1f')} points, 95 % interval {limits_shown}"
    numbers = f"{row.model}: {gain}, n = {row.n:,}"
    if not row.p_holm < LEVEL:
        return f"The user's own thoughts do not help significantly more or less than other users' ({numbers})."
    if row.gain > 0:
        return f"The user's own thoughts help more than other users' in their places ({numbers}): by what they say."
    return f"The user's own thoughts help less than other users' in their places ({numbers})."


@dataclass(frozen=True)
class _Cell:
    """A model, or the mean over models, that has all of some arms."""

    model: str
    judge: str
    pooled: int
    samples: list[pd.DataFrame]
    """The samples rated in all of them, a table per arm with equal rows."""

    @property
    def names(self) -> dict[str, Any]:
        """What names the cell in a row."""
        return {"model": self.model, "judge": self.judge, "pooled": self.pooled}


def _settings(runs: Sequence[Run]) -> Iterator[tuple[Setting, list[Run]]]:
    for setting in dict.fromkeys(Setting.of(run) for run in runs):
        yield setting, [run for run in runs if Setting.of(run) == setting]


def _setting_of(row: GainRow) -> tuple[Any, ...]:
    return row.rubric_hash, row.prompt_hash, row.version, row.data_revision, row.selection


def _cells(runs: Sequence[Run], arms: tuple[str, ...]) -> Iterator[_Cell]:
    """Find who has all of some arms: each model and judge, and the mean over models."""
    panels: dict[str, dict[str, dict[str, Run]]] = {}
    for run in runs:
        panels.setdefault(run.name, {}).setdefault(run.judge, {})[run.arm] = run
    complete = {
        (model, members[0].judge): [run.scored for run in members]
        for model, by_judge in panels.items()
        for members in _with_all(by_judge, arms)
    }
    for (model, judge), tables in complete.items():
        yield _Cell(model, judge, 0, _shared(tables))
    models = list(dict.fromkeys(model for model, _ in complete))
    if len(models) > 1:
        judges = ", ".join(sorted({judge for _, judge in complete}))
        yield _Cell(f"mean of {len(models)} models", judges, len(models), _pool(complete, models))


def _with_all(by_judge: Mapping[str, Mapping[str, Run]], arms: tuple[str, ...]) -> list[list[Run]]:
    """Give the runs of all of some arms: of each panel that rated all; without one, by the judges that rated all."""
    complete = [[by_arm[arm] for arm in arms] for by_arm in by_judge.values() if {*arms} <= {*by_arm}]
    choices = [[by_arm[arm] for by_arm in by_judge.values() if arm in by_arm] for arm in arms]
    if complete or not all(choices):
        return complete
    most = max(product(*choices), key=lambda runs: len(_judges_of_all(runs)))
    judges = _judges_of_all(most)
    return [[run.rated_by(judges) for run in most]] if judges else []


def _judges_of_all(runs: Sequence[Run]) -> list[str]:
    return [judge for judge in runs[0].judges if all(judge in shared_judges(runs[0], run) for run in runs)]


def _shared(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    ids = reduce(pd.Index.intersection, (table.index for table in tables)).sort_values()
    return [table.loc[ids] for table in tables]


def _pool(complete: Mapping[tuple[str, str], Sequence[pd.DataFrame]], models: Sequence[str]) -> list[pd.DataFrame]:
    """Average over models each sample that all of them have; of a model with several judges first over these."""
    tables = iter(_shared([table for arms in complete.values() for table in arms]))
    shared = {key: [next(tables) for _ in arms] for key, arms in complete.items()}
    return [
        first.assign(**{column: _average(shared, models, arm, column) for column in ("score", "similarity")})
        for arm, first in enumerate(next(iter(shared.values())))
    ]


def _average(
    shared: Mapping[tuple[str, str], Sequence[pd.DataFrame]], models: Sequence[str], arm: int, column: str
) -> Numbers:
    by_model = [
        np.mean([tables[arm][column] for (model, _), tables in shared.items() if model == wanted], axis=0)
        for wanted in models
    ]
    mean: Numbers = np.mean(by_model, axis=0)
    return mean


def _stand_ins(runs: Sequence[Run]) -> dict[str, str]:
    """List the arms of inferences, and the arms of the thoughts in whose place they stand."""
    return {run.arm: run.stands_for for run in runs if run.stands_for}


def _arm_pairs(runs: Sequence[Run]) -> list[tuple[str, str]]:
    arms = sorted({run.arm for run in runs}, key=rank)
    guesses = [(own, arm) for arm, own in _stand_ins(runs).items()]
    return [*((arm, "none") for arm in arms if arm != "none"), ("both", "shuffled"), *guesses]


def _gain(cell: _Cell, arm: str, against: str, subset: str, setting: Setting) -> GainRow | None:
    first, second = cell.samples
    if subset == BEFORE:
        kept = first["hindsight"] == False  # noqa: E712 - None is not known
        first, second = first[kept], second[kept]
    if first.empty:
        return None
    x, y, users = first["score"].to_numpy(), second["score"].to_numpy(), first["user"].to_numpy()
    difference, ratio = paired_difference(x, y, users), ratio_of_means(x, y, users)
    no_ratio = _NO_RATIO if math.isnan(ratio.estimate) else ratio.reason
    return GainRow(
        **cell.names,
        arm=arm,
        against=against,
        subset=subset,
        mean_arm=x.mean(),
        mean_against=y.mean(),
        **difference.as_row("gain", p_value=True)
        | {
            "lower": float(np.clip(difference.lower, -100, 100)),
            "upper": float(np.clip(difference.upper, -100, 100)),
        },
        relative=ratio.estimate - 1,
        relative_lower=ratio.lower - 1,
        relative_upper=ratio.upper - 1,
        relative_note=no_ratio or "",
        cosine_gain=(first["similarity"] - second["similarity"]).mean(),
        **asdict(setting),
    )


def _share(cell: _Cell, arm: str, own: str, setting: Setting) -> InferredShareRow:
    none, inferred, thoughts = cell.samples
    base = none["score"].to_numpy()
    ratio = ratio_of_means(inferred["score"] - base, thoughts["score"] - base, none["user"])
    return InferredShareRow(
        **cell.names,
        arm=arm,
        own=own,
        mean_none=base.mean(),
        mean_inferred=inferred["score"].mean(),
        mean_own=thoughts["score"].mean(),
        **ratio.as_row("share") | ({"note": _NO_SHARE} if math.isnan(ratio.estimate) else {}),
        **asdict(setting),
    )


def _published() -> list[GainRow]:
    return [
        GainRow(
            f"{published.LABEL}: {model}", "others", 0, "both", "none", "", mean_arm=means.both,
            mean_against=means.none, gain=means.gain, note="not published", relative=means.both / means.none - 1,
            published=True,
        )
        for model, means in published.next_message().items()
    ]  # fmt: skip


def _plot(rows: Sequence[GainRow]) -> Figure:
    """Draw what each arm adds to the history alone, a group per model."""
    shown = [row for row in rows if row.against == "none" and row.subset == ALL]
    # Arms can be of different numbers of models, which the table says.
    plotted = [replace(row, model="mean of models" if row.pooled else row.model) for row in shown]
    labelled = list(zip(run_labels(plotted), plotted, strict=True))
    points = [
        Dot(label, row.gain, row.lower, row.upper, series=row.arm)
        for arm in sorted({row.arm for row in plotted}, key=rank)
        for label, row in first_of_each(labelled, arm)
    ]
    references = [Reference(0, kind="zero")]
    if any(row.arm == "both" for row in plotted):
        references.append(
            Reference(published.next_message()[published.MODELS].gain, "published, both\n(other judge and prompts)")
        )
    axis = "points of similarity more than with the history alone, with 95 % interval"
    return dots(points, axis, references, legend="thoughts shown")
