"""Whether models tell a dissatisfied user from the chat: right answers, ranking, error and calibration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from thoughttrace.analysis.chapters.headline import PROVENANCE_COLUMNS, provenance_of
from thoughttrace.analysis.page.calibration import BinRow, bin_columns, bin_rows, calibration_plot
from thoughttrace.analysis.page.plots import Dot, Reference, dots, in_figures
from thoughttrace.analysis.page.table import (
    Chapter,
    Picture,
    Section,
    count,
    limits,
    name,
    number,
    share,
    short,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, paired_difference
from thoughttrace.analysis.stats.probabilities import auroc, balanced_accuracy, calibration_error
from thoughttrace.core.record import DISSATISFIED, NO_LABEL, SATISFACTION
from thoughttrace.datasets.satisfaction import NO, YES


@dataclass(frozen=True)
class SatisfactionRow:
    """How well one run tells dissatisfied users.

    `…_lower` and `…_upper` are 95 % limits, NaN where there is no interval, and then `…_note` says why.
    """

    model: str
    context: str
    dissatisfied: float
    """Share of the scored replies with which the user was dissatisfied, 0 to 1."""
    balanced_accuracy: float
    """Mean of the next two, 0 to 1; limits by a jackknife of users. No answer is wrong."""
    balanced_accuracy_lower: float
    balanced_accuracy_upper: float
    balanced_accuracy_note: str
    recall_dissatisfied: float
    """Of the replies with which the user was dissatisfied, the share that was told."""
    recall_satisfied: float
    """Of the other replies, the share that was told."""
    auroc: float
    """0 to 1; limits by a jackknife of users. This and what follows are of the replies that state a probability."""
    auroc_lower: float
    auroc_upper: float
    auroc_note: str
    brier: float
    """Mean squared distance of the probability from what was the case, 0 to 1; limits CR2 by user."""
    brier_lower: float
    brier_upper: float
    brier_note: str
    brier_of_share: float
    """That of always stating the share of dissatisfied users."""
    calibration_error: float
    """Expected calibration error, 0 to 1."""
    overstated: float
    """Mean stated probability less the share of dissatisfied users, −1 to 1; limits CR2 by user."""
    overstated_lower: float
    overstated_upper: float
    overstated_note: str
    contradictions: int
    """Replies that say yes with a probability below 50 %, or no with one above."""
    n: int
    """Scored replies."""
    users: int
    samples: int
    """Planned replies."""
    coverage: float
    """n / samples."""
    declined: int
    """Replies that gave no answer, wrong by rule and without a probability."""
    missing: str
    """How many replies have no score, by reason."""
    task_version: str
    data: str
    data_revision: str
    prompt_hash: str
    package_version: str
    date: str
    log: str


_RUN_COLUMNS = [name("Model", "model"), short("Context", "context")]

COLUMNS = [
    *_RUN_COLUMNS,
    share("Dissatisfied", "dissatisfied"),
    share("Balanced accuracy", lambda row: row.balanced_accuracy if row.n else "none scored"),
    limits("95 % interval", "balanced_accuracy_", percent=True),
    share("Told of the dissatisfied", "recall_dissatisfied"),
    share("Told of the others", "recall_satisfied"),
    number("AUROC", "auroc"),
    limits("AUROC, 95 %", "auroc_"),
    number("Brier", "brier", ".3f"),
    limits("Brier, 95 %", "brier_", ".3f"),
    number("Brier of the share", "brier_of_share", ".3f"),
    number("Calibration error", "calibration_error"),
    number("Overstated", "overstated", "+.1%"),
    limits("Overstated, 95 %", "overstated_", percent=True),
    count("Contradictions", "contradictions"),
    count("n", "n"),
    count("Users", "users"),
    share("Coverage", "coverage"),
    count("No answer", "declined"),
    text("Missing", "missing"),
    *PROVENANCE_COLUMNS,
]

BIN_COLUMNS = [*_RUN_COLUMNS, *bin_columns("Dissatisfied")]


def chapter(evidence: Evidence) -> Chapter:
    """Write whether models tell dissatisfied users."""
    runs = evidence.runs.of(SATISFACTION)
    if not runs:
        return Chapter("satisfaction", "Dissatisfied or not", "")
    rows, bins = predictions(runs), calibration(runs)
    *others, last = (name.replace("_", " ") for name in DISSATISFIED)
    return Chapter(
        "satisfaction",
        "Dissatisfied or not",
        "A model reads the conversation up to a reply, or the next message too, and says whether the user was "
        "dissatisfied with it, and how probable that is. No judge is involved. What was the case is told by the type "
        f"of the user's reaction, which is a language model's label: {', '.join(others)} and {last} are dissatisfied, "
        "of several reactions one is enough; affirmation and partial satisfaction are not.",
        [
            Section(
                "satisfaction_models", "How well models tell", rows, COLUMNS,
                "Balanced accuracy: the mean of the shares told of dissatisfied and of other users, 50 % for answers "
                "that do not depend on the user; no answer is wrong. AUROC: how often the reply that dissatisfied was "
                "given the higher probability, 0.5 for chance; intervals of both: a jackknife of users. Brier: the "
                "mean squared distance of the probability from what was the case, to be compared with always stating "
                "the share of dissatisfied users. Calibration error: the mean distance of stated and true in ten bins; "
                "it has no interval, and is too large where replies are few. Overstated: the mean probability less the "
                "share of dissatisfied users. Intervals of Brier and overstated: CR2 by user. Replies without an "
                "answer count in the balanced accuracy alone.",
                _ranking(rows),
                terminal=True,
            ),
            Section(
                "satisfaction_calibration", "Stated and true", bins, BIN_COLUMNS,
                "The share of dissatisfied users among the replies whose stated probability is in each bin; interval "
                "clustered by user (CR2).",
                _calibration_plot(bins),
            ),
        ],
    )  # fmt: skip


def predictions(runs: Sequence[Run]) -> list[SatisfactionRow]:
    """Estimate how well each run tells dissatisfied users.

    Args:
        runs: Runs of `predict_satisfaction`.
    """
    return [_row(run) for run in runs]


def calibration(runs: Sequence[Run]) -> list[BinRow]:
    """Compare stated probabilities with what was the case, in bins.

    Args:
        runs: Runs of `predict_satisfaction`.
    """
    rows = []
    for run in runs:
        stated = _stated(_scored(run))
        about = {"kind": "reaction", "model": run.name, "context": run.context, "judge": ""}
        rows += bin_rows(about, stated["percent"], stated["truth"], stated["user"])
    return rows


def _scored(run: Run) -> pd.DataFrame:
    """Return the scored replies with `truth` (1: dissatisfied), `said` (1, 0, or NaN for no answer) and `percent`."""
    # A log without any score has no such column.
    scored = run.rows.reindex(columns=[*dict.fromkeys([*run.rows, "percent"])]).dropna(subset="score")
    said = scored["answer"].map({YES: 1.0, NO: 0.0})
    return scored.assign(truth=scored["dissatisfied"].astype(float), said=said.astype(float))


def _stated(scored: pd.DataFrame) -> pd.DataFrame:
    stated = scored.dropna(subset="percent")
    return stated.assign(percent=stated["percent"].astype(int))


def _row(run: Run) -> SatisfactionRow:
    scored = _scored(run)
    stated = _stated(scored)
    truth, percent, users = (stated[column].to_numpy() for column in ("truth", "percent", "user"))
    brier = overstated = Interval.without_limits("none scored")
    if len(stated):
        brier = cluster_mean((percent / 100 - truth) ** 2, users, bounds=SATISFACTION.scale)
        overstated = paired_difference(percent / 100, truth, users)
    recalls = (scored["said"] == scored["truth"]).groupby(scored["truth"]).mean()
    contradictions = ((stated["said"] == 1) & (percent < 50)) | ((stated["said"] == 0) & (percent > 50))
    base = float(truth.mean()) if len(truth) else math.nan
    return SatisfactionRow(
        model=run.name,
        context=run.context,
        dissatisfied=float(scored["truth"].mean()),
        **balanced_accuracy(scored["truth"], scored["said"], scored["user"]).as_columns("balanced_accuracy"),
        recall_dissatisfied=float(recalls.get(1.0, math.nan)),
        recall_satisfied=float(recalls.get(0.0, math.nan)),
        **auroc(truth, percent, users).as_columns("auroc"),
        **brier.as_columns("brier"),
        brier_of_share=base * (1 - base),
        calibration_error=calibration_error(truth, percent),
        **overstated.as_columns("overstated"),
        contradictions=int(contradictions.sum()),
        n=len(scored),
        users=scored["user"].nunique(),
        samples=run.planned_replies,
        coverage=len(scored) / run.planned_replies,
        declined=int(scored["reason"].isin(NO_LABEL).sum()),
        missing=run.missing,
        **provenance_of(run),
    )


def _ranking(rows: Sequence[SatisfactionRow]) -> list[Picture]:
    """Draw the AUROC, a panel for each context."""
    points = [
        Dot(row.model, row.auroc, row.auroc_lower, row.auroc_upper, panel=f"shown: {row.context}",
            text=in_figures(row.auroc, row.auroc_lower, row.auroc_upper, row.auroc_note.partition(":")[0]))
        for row in rows
    ]  # fmt: skip
    figure = dots(points, "AUROC, 95 % interval", [Reference(0.5, "chance", kind="control")])
    caption = "How often the reply that dissatisfied was given the higher probability. Dotted: chance."
    return [Picture("satisfaction", figure, caption)]


def _calibration_plot(bins: Sequence[BinRow]) -> list[Picture]:
    """Draw true against stated; nothing where every bin is too small."""
    figure = calibration_plot(bins, "replies with which the user was dissatisfied, %")
    caption = "Share of dissatisfied users by stated probability."
    return [Picture("satisfaction_calibration", figure, caption)] if figure else []
