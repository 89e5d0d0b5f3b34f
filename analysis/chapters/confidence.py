"""Whether models know when their inference is right: calibration, ranking, and risk by coverage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from thoughttrace.analysis.chapters.headline import RIGHT, RUN_COLUMNS, columns_of
from thoughttrace.analysis.page.calibration import BinRow, bin_columns, bin_rows, calibration_plot, run_panels
from thoughttrace.analysis.page.plots import Dot, dots
from thoughttrace.analysis.page.table import Chapter, Picture, Section, count, limits, number, share, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.interrater import PROPORTION
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean, paired_difference
from thoughttrace.analysis.stats.probabilities import (
    auroc,
    calibration_error,
    least_risk_coverage_area,
    risk_coverage_area,
    share_of_surest,
)
from thoughttrace.core.record import Kind

COVERAGES = [number / 10 for number in range(1, 11)]


@dataclass(frozen=True)
class ConfidenceRow:
    """How well the confidence of one run foretells that its inferences are right: rated `RIGHT` or more.

    `…_lower` and `…_upper` are 95 % limits, NaN where there is no interval, and then `…_note` says why.
    """

    kind: Kind
    model: str
    context: str
    judge: str
    right: float
    """Share of right inferences, 0 to 1; limits CR2 by user."""
    right_lower: float
    right_upper: float
    right_note: str
    stated: float
    """Mean confidence, 0 to 1."""
    overstated: float
    """stated − right, −1 to 1; limits CR2 by user."""
    overstated_lower: float
    overstated_upper: float
    overstated_note: str
    calibration_error: float
    """Expected calibration error, 0 to 1."""
    auroc: float
    """0 to 1; limits by a jackknife of users."""
    auroc_lower: float
    auroc_upper: float
    auroc_note: str
    risk: float
    """Area under the risk–coverage curve, 0 to 1; limits by a jackknife of users."""
    risk_lower: float
    risk_upper: float
    risk_note: str
    least_risk: float
    """The area if all right inferences were the surest ones."""
    n: int
    """Rated replies with a confidence."""
    users: int
    rated: int
    """Rated replies."""
    without: str
    """How many of these have no confidence, by reason."""

    @property
    def chance_risk(self) -> float:
        """The area if confidence told nothing: the share of wrong inferences."""
        return 1 - self.right


@dataclass(frozen=True)
class CoverageRow:
    """How many inferences of one run are right among those that it is surest of."""

    kind: Kind
    model: str
    context: str
    judge: str
    coverage: float
    """The share of replies, 0 to 1, those of highest confidence."""
    right: float
    """Share of right inferences among them, 0 to 1; limits by a jackknife of users."""
    lower: float
    upper: float
    n: int
    """All replies with a confidence."""
    users: int
    note: str


COLUMNS = [
    *RUN_COLUMNS[:2],
    number("AUROC", lambda row: row.auroc if row.n else "none stated"),
    limits("AUROC, 95 %", "auroc_"),
    number("Overstated", "overstated", "+.1%"),
    limits("Overstated, 95 %", "overstated_", percent=True),
    share("Mean confidence", "stated"),
    share("Right", "right"),
    limits("Right, 95 %", "right_", percent=True),
    number("Calibration error", "calibration_error"),
    number("Risk–coverage area", "risk", ".3f"),
    limits("Area, 95 %", "risk_", ".3f"),
    number("By chance", "chance_risk", ".3f"),
    number("At best", "least_risk", ".3f"),
    count("n", "n"),
    count("Users", "users"),
    count("Rated", "rated"),
    share("Stated one", lambda row: row.n / row.rated if row.rated else math.nan),
    text("Without confidence", "without"),
    *RUN_COLUMNS[2:],
]

BIN_COLUMNS = [*RUN_COLUMNS, *bin_columns("Right")]

COVERAGE_COLUMNS = [
    *RUN_COLUMNS,
    number("Surest", "coverage", ".0%"),
    number("Right", "right", ".1%"),
    limits("95 % interval", percent=True),
    count("n", "n"),
    count("Users", "users"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write whether models know when they are right, of the runs that were asked (`-T confidence=true`)."""
    runs = [run for run in evidence.runs.models if run.confidence]
    title = "Does the model know when it is right?"
    if not runs:
        return Chapter("confidence", title, "")
    rows, bins, coverages = confidences(runs), calibration(runs), surest(runs)
    return Chapter(
        "confidence",
        title,
        "With each inference the model says how sure it is, in per cent, that it tells the main point of the note. "
        f"Right is what the judges rate {RIGHT} or more, so these numbers depend on the judge as the agreement does.",
        [
            Section(
                "confidence_models", "How well confidence foretells agreement", rows, COLUMNS,
                "Of the replies that state a confidence. Overstated: the mean confidence less the share of right "
                "inferences. Calibration error: the mean distance of stated and true in ten bins; it has no interval, "
                "and is too large where replies are few. AUROC: how often a right inference was given more confidence "
                "than a wrong one, 0.5 for chance. Risk–coverage area: the share of wrong inferences among the surest, "
                "averaged over how many are taken (AURC; Geifman, Uziel & El-Yaniv 2019), the lower the better; by "
                "chance, where confidence tells nothing; at best, where all right inferences are the surest ones. "
                "Intervals of AUROC and the area: a jackknife of users; the others CR2 by user.",
                terminal=True,
            ),
            Section(
                "confidence_calibration", "Stated and true", bins, BIN_COLUMNS,
                "The share of right inferences among those whose confidence is in each bin; interval clustered by user "
                "(CR2).",
                _calibration_plot(bins),
            ),
            Section(
                "confidence_coverage", "Right among the surest", coverages, COVERAGE_COLUMNS,
                "The share of right inferences if only those are taken of which the model is surest; where confidence "
                "tells nothing it is the same for all. Interval: a jackknife of users.",
                _coverage_plot(coverages),
            ),
        ],
    )  # fmt: skip


def confidences(runs: Sequence[Run]) -> list[ConfidenceRow]:
    """Estimate how well the confidence of each run foretells that its inferences are right.

    Args:
        runs: Runs that were asked for a confidence.
    """
    return [_row(run) for run in runs]


def calibration(runs: Sequence[Run]) -> list[BinRow]:
    """Compare confidence with the share of right inferences, in bins.

    Args:
        runs: Runs that were asked for a confidence.
    """
    rows = []
    for run in runs:
        stated = _stated(run)
        rows += bin_rows(columns_of(run), stated["confidence"], stated["right"], stated["user"])
    return rows


def surest(runs: Sequence[Run]) -> list[CoverageRow]:
    """Estimate the share of right inferences among the surest of each run.

    Args:
        runs: Runs that were asked for a confidence.

    Returns:
        A row for each run and each of `COVERAGES`; none of a run that states no confidence.
    """
    rows = []
    for run in runs:
        stated = _stated(run)
        for coverage in COVERAGES if len(stated) else ():
            found = share_of_surest(stated["right"], stated["confidence"], stated["user"], coverage)
            rows.append(CoverageRow(**columns_of(run), coverage=coverage, **found.as_row("right")))
    return rows


def _stated(run: Run) -> pd.DataFrame:
    """Return the rated replies that state a confidence, with `right`."""
    stated = run.rows.dropna(subset=["score", "confidence"])
    return stated.assign(confidence=stated["confidence"].astype(int), right=stated["score"] >= RIGHT)


def _row(run: Run) -> ConfidenceRow:
    stated, rated = _stated(run), run.rows.dropna(subset="score")
    right, percent, users = stated["right"], stated["confidence"], stated["user"]
    share_right = overstated = Interval.without_limits("none stated")
    if len(stated):
        share_right = cluster_mean(right, users, bounds=PROPORTION)
        overstated = paired_difference(percent / 100, right, users)
    without = rated.loc[rated["confidence"].isna(), "no_confidence"].fillna("not recorded").value_counts()
    return ConfidenceRow(
        **columns_of(run),
        **share_right.as_columns("right"),
        stated=float(percent.mean()) / 100,
        **overstated.as_columns("overstated"),
        calibration_error=calibration_error(right, percent),
        **auroc(right, percent, users).as_columns("auroc"),
        **risk_coverage_area(right, percent, users).as_columns("risk"),
        least_risk=least_risk_coverage_area(right),
        n=len(stated),
        users=users.nunique(),
        rated=len(rated),
        without=", ".join(f"{number} {reason}" for reason, number in without.items()),
    )


def _calibration_plot(bins: Sequence[BinRow]) -> list[Picture]:
    """Draw true against stated; nothing where every bin is too small."""
    figure = calibration_plot(bins, f"inferences rated {RIGHT} or more, %")
    caption = "Share of right inferences by stated confidence."
    return [Picture("confidence_calibration", figure, caption)] if figure else []


def _coverage_plot(rows: Sequence[CoverageRow]) -> list[Picture]:
    """Draw the share of right inferences by how many of the surest are taken."""
    if all(math.isnan(row.right) for row in rows):
        return []
    points = [
        Dot(
            f"{100 * row.coverage:.0f} %",
            100 * row.right,
            100 * row.lower,
            100 * row.upper,
            panel=panel,
            series=row.model,
        )
        for row, panel in zip(rows, run_panels(rows), strict=True)
    ]
    figure = dots(
        points, f"rated {RIGHT} or more, % of the surest", scale=(0, 100), upright=True, joined=True, legend="model",
        columns=1,
    )  # fmt: skip
    caption = "Share of right inferences if only the surest are taken: from the surest tenth on the left to all."
    return [Picture("confidence_coverage", figure, caption)]
