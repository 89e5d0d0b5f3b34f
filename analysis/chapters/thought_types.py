"""The types of thoughts: how far models agree with the dataset's labels, and which types they confuse."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thoughttrace.analysis.chapters.headline import PROVENANCE_COLUMNS, kind_of, provenance_of
from thoughttrace.analysis.page.plots import Matrix, confusion
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
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.groups import too_small
from thoughttrace.analysis.stats.interrater import (
    CHANCE_CORRECTED,
    PROPORTION,
    cohen_kappa,
    confusions,
    f1,
    jackknife_counts,
    macro_f1,
)
from thoughttrace.analysis.stats.intervals import Interval, Numbers, cluster_mean, paired_difference
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.core.record import CLASSIFY, NO_LABEL, TYPES, Kind

NO_TYPE = "no type"
"""Stands for the answer of a model that named none."""

MOST_PANELS = 4
"""The confusion matrices drawn in one figure."""

LABELS = (
    "The labels are a language model's (reported: GPT-5.4 at temperature 0): this is agreement with them, not truth."
)


@dataclass(frozen=True)
class AccuracyRow:
    """How far one run agrees with the dataset's labels.

    `…_lower` and `…_upper` are 95 % limits, NaN where there is no interval, and then `…_note` says why.
    """

    kind: Kind
    model: str
    context: str
    accuracy: float
    """Share of scored replies that name the dataset's type, 0 to 1; limits CR2 by user, on the logit."""
    accuracy_lower: float
    accuracy_upper: float
    accuracy_note: str
    macro_f1: float
    """Mean F1 over the types that occur, 0 to 1; limits by a jackknife of users."""
    macro_f1_lower: float
    macro_f1_upper: float
    macro_f1_note: str
    kappa: float
    """Cohen's kappa, −1 to 1; limits by a jackknife of users."""
    kappa_lower: float
    kappa_upper: float
    kappa_note: str
    majority: float
    """The accuracy of always naming the most frequent type."""
    majority_type: str
    n: int
    """Scored replies."""
    users: int
    samples: int
    """Planned replies."""
    coverage: float
    """n / samples."""
    declined: int
    """Replies that named no type, wrong by rule."""
    missing: str
    """How many replies have no score, by reason."""
    task_version: str
    data_revision: str
    data: str
    prompt_hash: str
    package_version: str
    date: str
    log: str


@dataclass(frozen=True)
class PairRow:
    """The difference in accuracy of two runs on the thoughts that both answered."""

    kind: Kind
    by: Literal["model", "context"]
    """In what they differ."""
    a: str
    b: str
    model: str
    """Where equal, else empty; so is context."""
    context: str
    n: int
    """Thoughts."""
    users: int
    difference: float
    """a − b, −1 to 1."""
    lower: float
    """95 % limit, CR2 by user."""
    upper: float
    p_value: float
    only_a: int
    """Thoughts that a has right more often than b."""
    only_b: int
    note: str
    p_holm: float = math.nan
    """Adjusted over the pairs of the same kind (Holm 1979)."""


@dataclass(frozen=True)
class TypeRow:
    """How well one run names one type."""

    kind: Kind
    model: str
    context: str
    type: str
    n: int
    """Scored replies to thoughts of the type."""
    users: int
    answered: int
    """Replies that name the type."""
    precision: float
    """Of these, the share that the dataset labels so; NaN where there are none."""
    recall: float
    """Of the replies to thoughts of the type, the share that name it; NaN where there are none."""
    lower: float
    """95 % limit of the recall, CR2 by user; NaN where there is no interval, and then `note` says why."""
    upper: float
    note: str
    f1: float


@dataclass(frozen=True)
class ConfusionRow:
    """How often one run gave one answer to thoughts of one type."""

    kind: Kind
    model: str
    context: str
    type: str
    """The dataset's."""
    answer: str
    """A type, or `NO_TYPE`."""
    n: int
    """Replies, of all epochs."""
    share: float
    """Of the replies to thoughts of the type; NaN where there are none."""


_RUN_COLUMNS = [short("Kind", "kind"), name("Model", "model"), short("Context", "context")]

COLUMNS = [
    *_RUN_COLUMNS,
    share("Accuracy", lambda row: row.accuracy if row.n else "none scored"),
    limits("95 % interval", "accuracy_", percent=True),
    share("Majority", "majority"),
    number("Macro-F1", "macro_f1"),
    limits("Macro-F1, 95 %", "macro_f1_"),
    number("Kappa", "kappa"),
    limits("Kappa, 95 %", "kappa_"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    count("Named no type", "declined"),
    text("Missing", "missing"),
    *PROVENANCE_COLUMNS,
]

PAIR_COLUMNS = [
    short("Kind", "kind"),
    short("By", "by"),
    name("A", "a"),
    name("B", "b"),
    number("A − B", "difference", "+.1%"),
    limits("95 % interval", percent=True),
    p("p (Holm)", "p_holm"),
    count("Only A right", "only_a"),
    count("Only B right", "only_b"),
    count("n", "n"),
    count("Users", "users"),
    name("Model", "model"),
    short("Context", "context"),
]

TYPE_COLUMNS = [
    *_RUN_COLUMNS,
    short("Type", lambda row: row.type.replace("_", " ")),
    count("n", "n"),
    count("Users", "users"),
    count("Named so", "answered"),
    number("Precision", "precision"),
    number("Recall", "recall"),
    limits("95 % interval"),
    number("F1", "f1"),
]

CONFUSION_COLUMNS = [
    *_RUN_COLUMNS[1:],
    short("The dataset's type", lambda row: row.type.replace("_", " ")),
    short("Named by the model", lambda row: row.answer.replace("_", " ")),
    count("n", "n"),
    share("Share of the type", "share"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how far models name the dataset's types."""
    runs = evidence.runs.of(CLASSIFY)
    if not runs:
        return Chapter("thought_types", "Types of thoughts", "")
    rows = accuracies(runs)
    return Chapter(
        "thought_types",
        "Types of thoughts",
        "A model reads a thought, alone or with the messages around it, and names its type. "
        f"{LABELS} A reply that names no type is wrong.",
        [
            Section(
                "thought_types_models", "Agreement of models with the labels", rows, COLUMNS,
                "Accuracy: the same type; interval clustered by user (CR2). Macro-F1: mean over the types that occur. "
                "Kappa: Cohen's, agreement beyond chance. Intervals of both: a jackknife of users. Majority: "
                "the accuracy of always naming the most frequent type. The baseline is fitted on the thoughts of "
                f"other users. {LABELS}",
                terminal=True,
            ),
            Section(
                "thought_types_pairs", "Paired differences in accuracy", differences(runs), PAIR_COLUMNS,
                "On the thoughts that both answered, in percentage points, clustered by user; p adjusted by Holm over "
                f"all pairs of a kind. Shaded: p (Holm) below {LEVEL}.",
                row_class=lambda row: "clear" if row.p_holm < LEVEL else "",
            ),
            Section(
                "thought_types_by_type", "Type by type", by_type(runs), TYPE_COLUMNS,
                "Recall: of the thoughts of a type, the share that was named so; precision: of those named so, the "
                "share that the dataset labels so. The interval is that of the recall.",
            ),
            *(_confusion_section(kind, runs, rows) for kind in TYPES),
        ],
    )  # fmt: skip


def _confusion_section(kind: Kind, runs: Sequence[Run], rows: Sequence[AccuracyRow]) -> Section:
    """Show the confusions of all runs of a kind, and draw those of the runs with the highest kappa."""
    members = [(run, row) for run, row in zip(runs, rows, strict=True) if run.kind == kind]
    kappas = [-math.inf if math.isnan(row.kappa) else row.kappa for _, row in members]
    best = [members[place][0] for place in np.argsort(-np.array(kappas), kind="stable")[:MOST_PANELS]]
    note = "Counts; in the figure, the darker, the larger the share of the row."
    if len(members) > MOST_PANELS:
        note += f" The figure shows the {MOST_PANELS} runs with the highest kappa, of {len(members)}."
    file = f"thought_types_confusion_{kind}"
    return Section(
        file, f"Answers by type: {kind}s", confused([run for run, _ in members]), CONFUSION_COLUMNS, note,
        [Picture(file, _matrices(best), "Counts of the model's answers to thoughts of each type.")]
        if members else [],
    )  # fmt: skip


def _matrices(runs: Sequence[Run]) -> Figure:
    types = [name.replace("_", " ") for name in TYPES[kind_of(runs[0])]]
    return confusion(
        [
            Matrix(f"{run.name}\nshown: {run.context}", types, [*types, NO_TYPE], _counts(run).sum(axis=0).tolist())
            for run in runs
        ],
        "the dataset's type",
        "named by the model",
    )


def accuracies(runs: Sequence[Run]) -> list[AccuracyRow]:
    """Estimate how far each run agrees with the dataset's labels.

    Args:
        runs: Runs of `classify_thought`.
    """
    return [_accuracy(run) for run in runs]


def differences(runs: Sequence[Run]) -> list[PairRow]:
    """Compare all pairs of runs that differ in the model or in the context only, on the thoughts both answered.

    Args:
        runs: Runs of `classify_thought`.
    """
    rows = [row for a, b in combinations(runs, 2) if (row := _difference(a, b))]
    adjusted = holm_by_family([row.p_value for row in rows], [row.kind for row in rows])
    return [replace(row, p_holm=p_holm) for row, p_holm in zip(rows, adjusted, strict=True)]


def by_type(runs: Sequence[Run]) -> list[TypeRow]:
    """Estimate how well each run names each type.

    Args:
        runs: Runs of `classify_thought`.
    """
    rows = []
    for run in runs:
        scored, counts = run.rows.dropna(subset="score"), _counts(run).sum(axis=0)
        for place, label in enumerate(TYPES[kind_of(run)]):
            recall = _mean(scored[scored["type"] == label])
            small = too_small(recall.n, recall.clusters, "replies") if recall.n else None
            if small:
                recall = Interval.without_limits(small, recall.estimate, recall.n, recall.clusters)
            answered = counts[:, place].sum()
            rows.append(
                TypeRow(
                    **_about(run),
                    type=label,
                    answered=int(answered),
                    precision=counts[place, place] / answered if answered else math.nan,
                    **recall.as_row("recall"),
                    f1=float(f1(counts)[place]),
                )
            )
    return rows


def confused(runs: Sequence[Run]) -> list[ConfusionRow]:
    """Count which answers each run gave to thoughts of each type.

    Args:
        runs: Runs of `classify_thought`.
    """
    rows = []
    for run in runs:
        counts, types = _counts(run).sum(axis=0), TYPES[kind_of(run)]
        for label, answers in zip(types, counts, strict=True):
            total = answers.sum()
            rows += [
                ConfusionRow(**_about(run), type=label, answer=answer, n=int(n), share=n / total if total else math.nan)
                for answer, n in zip([*types, NO_TYPE], answers, strict=True)
            ]
    return rows


def _accuracy(run: Run) -> AccuracyRow:
    scored, counts = run.rows.dropna(subset="score"), _counts(run)
    planned = run.planned_replies
    shares = scored["type"].value_counts(normalize=True)
    return AccuracyRow(
        **_about(run),
        **_mean(scored).as_columns("accuracy"),
        **jackknife_counts(counts, macro_f1, PROPORTION).as_columns("macro_f1"),
        **jackknife_counts(counts, cohen_kappa, CHANCE_CORRECTED).as_columns("kappa"),
        majority=shares.iloc[0] if len(shares) else math.nan,
        majority_type=shares.index[0] if len(shares) else "",
        n=len(scored),
        users=scored["user"].nunique(),
        samples=planned,
        coverage=len(scored) / planned,
        declined=int(scored["reason"].isin(NO_LABEL).sum()),
        missing=run.missing,
        **provenance_of(run),
    )


def _difference(a: Run, b: Run) -> PairRow | None:
    by: Literal["model", "context"] = "model" if a.model != b.model else "context"
    one_differs = (a.model != b.model) != (a.context != b.context)
    # A baseline was given no prompt.
    prompts = {a.prompt_hash, b.prompt_hash} - {""}
    same = (a.kind, a.task_version, a.data_revision) == (b.kind, b.task_version, b.data_revision)
    if not one_differs or not same or len(prompts) > 1:
        return None
    shared = a.scored.index.intersection(b.scored.index, sort=True)
    if shared.empty:
        return None
    x, y = (run.scored.loc[shared, "score"].to_numpy() for run in (a, b))
    difference = paired_difference(x, y, a.scored.loc[shared, "user"].to_numpy())
    row = difference.as_row("difference", p_value=True)
    return PairRow(
        kind=kind_of(a),
        by=by,
        a=getattr(a, by),
        b=getattr(b, by),
        model=a.model if by == "context" else "",
        context=a.context if by == "model" else "",
        **row | {"lower": float(np.clip(row["lower"], -1, 1)), "upper": float(np.clip(row["upper"], -1, 1))},
        only_a=int((x > y).sum()),
        only_b=int((x < y).sum()),
    )


def _about(run: Run) -> dict[str, Any]:
    return {"kind": run.kind, "model": run.name, "context": run.context}


def _mean(rows: pd.DataFrame) -> Interval:
    """Estimate the share of scored replies that are right."""
    if rows.empty:
        return Interval.without_limits("none scored")
    return cluster_mean(rows["score"].to_numpy(), rows["user"].to_numpy(), bounds=CLASSIFY.scale)


def _counts(run: Run) -> Numbers:
    """Count each user's scored replies, shape (users, label, answer), no answer last."""
    scored = run.rows.dropna(subset="score")
    labels, answers = scored["type"].tolist(), scored["answer"].tolist()
    return confusions(labels, answers, scored["user"].to_numpy(), TYPES[kind_of(run)])
