"""How well models predict the user's next message, and what the user's thoughts add to that."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.page.plots import SERIES, Dot, Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Column,
    Picture,
    Section,
    count,
    dollars,
    format_interval,
    format_number,
    limits,
    name,
    number,
    p,
    pair,
    share,
    short,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.holm import LEVEL, holm_by_family
from thoughttrace.analysis.stats.intervals import Interval, Numbers, cluster_mean, paired_difference, ratio_of_means
from thoughttrace.core import published
from thoughttrace.core.record import NO_ANSWER, PREDICT

ALL, BEFORE = "all", "written before"
"""Over which messages a gain is: all; those before which no thought shown was written after the message itself."""

OWN = ("reasons", "reactions", "both")
"""The arms that show the user's own thoughts."""

_ORDER = ("none", *OWN, "shuffled")
_NO_SHARE = "the gain of the user's own thoughts does not differ significantly from 0: no share is given"
_NO_RATIO = "the mean without them does not differ significantly from 0: no ratio is given"

_INTRO = (
    "A model reads a conversation up to one of the assistant's replies, with or without the user's private thoughts "
    "between the messages, and predicts what the user writes next; a judge rates from 0 to 100 how near in meaning "
    "that is to what they wrote. The thought on the predicted message itself is never shown."
)
_MEANS = (
    "CR2 intervals by user, clipped to 0–100. Thoughts: none, the history alone; reasons, reactions, both, the user's "
    "own; shuffled, other users' of the same kind and about the same length in their places; inferred, a model's "
    "guesses there. Cosine: of embeddings, without a judge. A refusal or an empty answer counts as 0. "
    "Published: Jin et al. 2026 (arXiv:2605.20087), with another judge, other prompts, messages chosen by an LLM's "
    "rating of their thoughts, and no interval; for orientation, not the same measurement."
)
_GAINS = (
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
class Setting:
    """What must be equal, besides the judge, for two runs of one model to be compared."""

    rubric_hash: str
    prompt_hash: str
    version: int
    data_revision: str
    selection: str

    @classmethod
    def of(cls, run: Run) -> "Setting":
        """Return the setting of a run."""
        return cls(run.rubric_hash, run.prompt_hash, run.version, run.data_revision, run.selection)


@dataclass(frozen=True)
class MeanRow:
    """The mean similarity of one run, 0–100."""

    model: str
    arm: str
    judge: str
    self_judged: bool = False
    mean: float = math.nan
    lower: float = math.nan
    """95 % limit, CR2 by user, clipped to 0–100."""
    upper: float = math.nan
    n: int | None = None
    """Scored samples."""
    users: int | None = None
    note: str = ""
    samples: int | None = None
    """Planned."""
    coverage: float = math.nan
    missing: str = ""
    """How many replies have no rating, by reason."""
    refused_or_empty: int | None = None
    """Replies that were no answer, rated 0 by rule."""
    cosine: float = math.nan
    """Mean; NaN where not scored."""
    thought_words: float = math.nan
    """Mean words of the thoughts shown."""
    not_inferred: int | None = None
    """Messages shown, with a thought and without an inference; sum over samples."""
    input_tokens: float = math.nan
    output_tokens: float = math.nan
    cost: float = math.nan
    judge_input_tokens: float = math.nan
    judge_output_tokens: float = math.nan
    judge_cost: float = math.nan
    rubric_hash: str = ""
    prompt_hash: str = ""
    version: int | None = None
    data_revision: str = ""
    selection: str = ""
    data: str = ""
    log: str = ""
    published: bool = False


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
    """95 % limit, CR2 by user, clipped to ±100."""
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


MEAN_COLUMNS = [
    name("Model", lambda row: row.model + " (judges itself)" * row.self_judged),
    name("Thoughts", "arm"),
    number("Similarity, 0–100", lambda row: "none scored" if row.n == 0 else row.mean, ".1f"),
    limits("95 % interval", spec=".1f"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    text("Missing", "missing"),
    count("Refused or empty", "refused_or_empty"),
    number("Cosine", "cosine"),
    number("Words of thoughts", "thought_words", ".0f"),
    count("Not inferred", lambda row: row.not_inferred if row.arm.startswith("inferred") else None),
    pair("Tokens in / out", "input_tokens", "output_tokens"),
    pair("Judge's tokens", "judge_input_tokens", "judge_output_tokens"),
    dollars("Cost", lambda row: "" if row.published else row.cost),
    dollars("Judge's cost", lambda row: "" if row.published else row.judge_cost),
    name("Judge", "judge"),
]

GAIN_COLUMNS = [
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
    """Write how near predictions are to the next message, and what thoughts add."""
    runs = evidence.runs.of(PREDICT)
    if not runs:
        return Chapter("next_message", "Next message", "")
    averages, added, recovered = means(runs), gains(runs), shares(runs)
    drawn = any(row.n for row in averages)
    against_none = any(row.against == "none" for row in added)
    most = f" Of more than {SERIES} models those with the highest means are drawn."
    return Chapter(
        "next_message",
        "Next message",
        " ".join([_INTRO, *in_words(added, {run.arm for run in runs})]),
        [
            Section(
                "next_message_means", "How near the predicted messages are",
                [*averages, *_published_means()],
                [*MEAN_COLUMNS, *_setting_columns(averages)],
                _MEANS,
                [Picture("next_message_means", _means_plot(averages), f"Mean similarity, 95 % intervals.{most}")]
                if drawn else [],
                row_class=_row_class,
                terminal=True,
            ),
            Section(
                "next_message_gains", "What thoughts add",
                [*added, *_published_gains()] if added else [],
                [*GAIN_COLUMNS, *_setting_columns(added)],
                " ".join([_GAINS, *unpaired(runs)]),
                [Picture("next_message_gains", _gains_plot(added), "Gains over the history alone, 95 % intervals.")]
                if against_none else [],
                row_class=_row_class,
                paper=True,
            ),
            Section(
                "next_message_inferred_share", "How much of it a model's guesses recover", recovered,
                [*SHARE_COLUMNS, *_setting_columns(recovered)],
                _SHARES,
            ),
        ],
    )  # fmt: skip


def means(runs: Sequence[Run]) -> list[MeanRow]:
    """Estimate the mean similarity of every run of `predict_message`."""
    return [_mean(run) for run in runs]


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
        if others and not any((Setting.of(run), run.judge) == (Setting.of(other), other.judge) for other in others):
            sentences.append(
                f"{run.log} ({run.model}, {run.arm}) is compared with no other: judge, rubric, prompt, data or choice "
                "of messages differ."
            )
    return sentences


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
    by_model: dict[tuple[str, str], dict[str, pd.DataFrame]] = {}
    for run in runs:
        by_model.setdefault((run.model, run.judge), {})[run.arm] = run.scored
    complete = {key: [tables[arm] for arm in arms] for key, tables in by_model.items() if {*arms} <= {*tables}}
    for (model, judge), tables in complete.items():
        yield _Cell(model, judge, 0, _shared(tables))
    models = list(dict.fromkeys(model for model, _ in complete))
    if len(models) > 1:
        judges = ", ".join(sorted({judge for _, judge in complete}))
        yield _Cell(f"mean of {len(models)} models", judges, len(models), _pool(complete, models))


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
    arms = sorted({run.arm for run in runs}, key=_rank)
    guesses = [(own, arm) for arm, own in _stand_ins(runs).items()]
    return [*((arm, "none") for arm in arms if arm != "none"), ("both", "shuffled"), *guesses]


def _rank(arm: str) -> tuple[int, str]:
    """Place an arm among all, as they are shown."""
    return _ORDER.index(arm) if arm in _ORDER else len(_ORDER), arm


def _mean(run: Run) -> MeanRow:
    scored = run.scored
    if len(scored):
        mean = cluster_mean(scored["score"], scored["user"], bounds=PREDICT.scale)
    else:
        mean = Interval(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0, reason="none scored")
    return MeanRow(
        model=run.model,
        arm=run.arm,
        judge=run.judge,
        self_judged=run.self_judged,
        **mean.as_row("mean"),
        samples=run.planned,
        coverage=len(scored) / run.planned,
        missing=run.missing,
        refused_or_empty=int((run.rows["reason"].isin(NO_ANSWER) & run.rows["score"].notna()).sum()),
        cosine=run.samples["similarity"].mean(),
        thought_words=run.samples["note_words"].mean(),
        not_inferred=int(run.samples["not_inferred"].sum()),
        **run.usage,
        **asdict(Setting.of(run)),
        data=run.data,
        log=run.log,
    )


def _gain(cell: _Cell, arm: str, against: str, subset: str, setting: Setting) -> GainRow | None:
    first, second = cell.samples
    if subset == BEFORE:
        kept = first["hindsight"] == False  # noqa: E712 - None is not known
        first, second = first[kept], second[kept]
    if first.empty:
        return None
    x, y, users = first["score"].to_numpy(), second["score"].to_numpy(), first["user"].to_numpy()
    difference, ratio = paired_difference(x, y, users), ratio_of_means(x, y, users)
    no_ratio = ratio.reason if ratio.clusters < 2 else _NO_RATIO
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
        relative_note=no_ratio or "" if ratio.reason else "",
        cosine_gain=(first["similarity"] - second["similarity"]).mean(),
        **asdict(setting),
    )


def _share(cell: _Cell, arm: str, own: str, setting: Setting) -> InferredShareRow:
    none, inferred, thoughts = cell.samples
    base = none["score"].to_numpy()
    ratio = ratio_of_means(inferred["score"] - base, thoughts["score"] - base, none["user"])
    unclear = bool(ratio.reason) and ratio.clusters > 1
    return InferredShareRow(
        **cell.names,
        arm=arm,
        own=own,
        mean_none=base.mean(),
        mean_inferred=inferred["score"].mean(),
        mean_own=thoughts["score"].mean(),
        **ratio.as_row("share") | ({"share": math.nan, "note": _NO_SHARE} if unclear else {}),
        **asdict(setting),
    )


def _published_means() -> list[MeanRow]:
    return [
        MeanRow(f"{published.LABEL}: {model}", arm, "others", mean=mean, note="not published", published=True)
        for model, arms in published.next_message().items()
        for arm, mean in arms.items()
    ]


def _published_gains() -> list[GainRow]:
    return [
        GainRow(
            f"{published.LABEL}: {model}", "others", 0, "both", "none", "", mean_arm=arms["both"],
            mean_against=arms["none"], gain=arms["both"] - arms["none"], note="not published",
            relative=arms["both"] / arms["none"] - 1, published=True,
        )
        for model, arms in published.next_message().items()
    ]  # fmt: skip


def _row_class(row: MeanRow | GainRow) -> str:
    return "published" if row.published else ""


def _setting_columns(rows: Sequence[Any]) -> list[Column]:
    """Make columns of what runs of this report differ in, besides their models."""
    titles = {"selection": "Chosen", "data_revision": "Data", "rubric_hash": "Rubric", "prompt_hash": "Prompt"}
    return [short(title, field) for field, title in titles.items() if len({getattr(row, field) for row in rows}) > 1]


def _labels(rows: Sequence[MeanRow] | Sequence[GainRow]) -> list[str]:
    """Name rows by model, and by what else of the setting they differ in."""
    judges: dict[str, set[str]] = {}
    for row in rows:
        if not getattr(row, "pooled", 0):
            judges.setdefault(row.model, set()).add(row.judge)
    fields = ["judge"] * any(len(by_model) > 1 for by_model in judges.values())
    fields += [
        field
        for field in ("selection", "data_revision", "rubric_hash", "prompt_hash")
        if len({getattr(row, field) for row in rows}) > 1
    ]
    return ["\n".join([row.model, *(getattr(row, field) for field in fields)]) for row in rows]


def _means_plot(rows: Sequence[MeanRow]) -> Figure:
    """Draw the mean similarity of each model by what was shown."""
    labelled = [(label, row) for label, row in zip(_labels(rows), rows, strict=True) if not math.isnan(row.mean)]
    arms = sorted({row.arm for _, row in labelled}, key=_rank)
    points = [
        Dot(arm, row.mean, row.lower, row.upper, series=label)
        for arm in arms
        for label, row in _once(labelled, lambda labelled_row: labelled_row[1].arm == arm)  # noqa: B023
    ]
    references = [
        Reference(mean, "published mean\n(other judge and prompts)", at=arm)
        for arm, mean in published.next_message()["mean of 3 models"].items()
        if arm in arms
    ]
    return dots(points, "mean similarity, 0–100, with 95 % interval", references, scale=(0, None), upright=True)


def _gains_plot(rows: Sequence[GainRow]) -> Figure:
    """Draw what each arm adds to the history alone, a group per model."""
    shown = [row for row in rows if row.against == "none" and row.subset == ALL]
    # Arms can be of different numbers of models, which the table says.
    plotted = [replace(row, model="mean of models" if row.pooled else row.model) for row in shown]
    labelled = list(zip(_labels(plotted), plotted, strict=True))
    points = [
        Dot(label, row.gain, row.lower, row.upper, series=row.arm)
        for arm in sorted({row.arm for row in plotted}, key=_rank)
        for label, row in _once(labelled, lambda labelled_row: labelled_row[1].arm == arm)  # noqa: B023
    ]
    references = [Reference(0, kind="zero")]
    if any(row.arm == "both" for row in plotted):
        means_published = published.next_message()["mean of 3 models"]
        gain = means_published["both"] - means_published["none"]
        references.append(Reference(gain, "published, both\n(other judge and prompts)"))
    axis = "points of similarity more than with the history alone, with 95 % interval"
    return dots(points, axis, references, legend="thoughts shown")


def _once(labelled: Sequence[tuple[str, Any]], wanted: Any) -> list[tuple[str, Any]]:
    """Keep the first row of each label among those wanted."""
    first: dict[Hashable, tuple[str, Any]] = {}
    for labelled_row in labelled:
        if wanted(labelled_row):
            first.setdefault(labelled_row[0], labelled_row)
    return list(first.values())
