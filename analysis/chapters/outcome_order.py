"""Whether the outcomes that need no judge put the models in the same order as the ratings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from thoughttrace.analysis.chapters.headline import judged_by_each_other, kind_of
from thoughttrace.analysis.page.table import Chapter, Section, count, name, number, p, short
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.measurement import ASPECTS, SYSTEM, measurement
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.probabilities import auroc
from thoughttrace.core.record import CHOOSE, SATISFACTION, Kind

FEWEST_MODELS = 3
"""Of two models every order is the same or the opposite."""


@dataclass(frozen=True)
class OrderRow:
    """How far one outcome and the ratings put the same models in one order."""

    kind: Kind
    """Of the rated thoughts."""
    rated_context: str
    outcome: str
    context: str
    models: int
    """Those that have both."""
    tau: float
    """Kendall's tau-b, −1 (the opposite order) to 1 (the same)."""
    p_value: float
    """Two-sided, against no association; with 3 models it cannot be below 0.333, with 4 below 0.083."""


COLUMNS = [
    short("Kind", "kind"),
    short("Context of the ratings", "rated_context"),
    name("Outcome", "outcome"),
    short("Context of the outcome", "context"),
    count("Models", "models"),
    number("Kendall's tau", "tau", "+.2f"),
    p("p", "p_value"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Say whether outcomes and ratings agree on the order of the models."""
    rows = orders(evidence.runs)
    return Chapter(
        "outcome_order",
        "Do outcomes without a judge order the models alike?",
        " ".join(map(_sentence, rows)),
        [
            Section(
                "outcome_order", "Order of the models", rows, COLUMNS,
                "Over the models that have both: mean agreement, by the same judges or each by the others, against the "
                "share of own notes that were chosen, or the AUROC of dissatisfied users. Two-sided exact p; with 3 "
                "models it cannot be below 0.333. A low tau can come from either side, and from models that hardly "
                "differ.",
            )
        ],
    )  # fmt: skip


def orders(runs: Runs) -> list[OrderRow]:
    """Compare the order of the models by their ratings with that by each outcome.

    Args:
        runs: The runs of one report. Models of one setting (task, context, prompt, judges, data) are put in an order.

    Returns:
        A row for each setting of ratings and each of an outcome that share `FEWEST_MODELS` models or more, on the same
        data. None where all models are equal in one of them.
    """
    rows = []
    outcomes = _settings(runs.of(CHOOSE, SATISFACTION))
    for rated in [*_settings(runs.models), *judged_by_each_other(runs.models)]:
        ratings = {_system(run): float(run.scored["score"].mean()) for run in rated}
        for members in outcomes:
            values = {_system(run): _value(run) for run in members}
            shared = [name for name in ratings if not math.isnan(ratings[name] + values.get(name, math.nan))]
            first, other = rated[0], members[0]
            alike = kind_of(first) == (other.kind or "reaction") and first.data_revision == other.data_revision
            if not alike or len(shared) < FEWEST_MODELS:
                continue
            found = stats.kendalltau([ratings[name] for name in shared], [values[name] for name in shared])
            if not math.isnan(found.statistic):
                rows.append(
                    OrderRow(
                        kind=kind_of(first),
                        rated_context=first.context,
                        outcome="own note chosen" if other.task == CHOOSE.name else "dissatisfied or not",
                        context=other.context,
                        models=len(shared),
                        tau=float(found.statistic),
                        p_value=float(found.pvalue),
                    )
                )
    return rows


def _settings(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs that differ in the model alone."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(measurement(run, *SYSTEM), []).append(run)
    return list(groups.values())


def _system(run: Run) -> tuple[str, ...]:
    return tuple(ASPECTS[aspect](run) for aspect in SYSTEM)


def _value(run: Run) -> float:
    """Return the accuracy of chosen notes, or the AUROC of stated probabilities."""
    if run.task == CHOOSE.name:
        return float(run.rows["score"].mean())
    stated = run.rows.dropna(subset="percent") if "percent" in run.rows else run.rows.head(0)
    return auroc(stated["dissatisfied"], stated.get("percent", []), stated["user"]).estimate


def _sentence(row: OrderRow) -> str:
    if row.tau in {-1, 1}:
        order = f"in the {'same' if row.tau > 0 else 'opposite'} order as"
    else:
        order = "in an order that is like" if row.tau > 0 else "in an order that is not like"
    tau = f"{row.tau:+.2f}".replace("-", "−")
    return (
        f"“{row.outcome.capitalize()}” ({row.context}) puts {row.models} models {order} the ratings of {row.kind}s "
        f"(Kendall's tau {tau})."
    )
