"""Gather the result of each system in logs: every number by the functions of the report's chapters."""

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from thoughttrace.analysis.chapters.choose_thought import accuracies
from thoughttrace.analysis.chapters.confidence import confidences
from thoughttrace.analysis.chapters.headline import headline, mean_agreement
from thoughttrace.analysis.chapters.predict_satisfaction import predictions
from thoughttrace.analysis.chapters.qualification import card_of, qualification
from thoughttrace.analysis.chapters.reaction_verdicts import verdicts
from thoughttrace.analysis.chapters.recovered_share import control_means, controls_beside, recovered
from thoughttrace.analysis.read.entries import Entry, entries
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.judge_quality import JudgeCard, judge_cards
from thoughttrace.analysis.read.measurement import ASPECTS, SYSTEM
from thoughttrace.analysis.read.protocol_check import ProtocolCheck, check_protocol, manifest_of
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.read.votes import asked_votes
from thoughttrace.analysis.stats.intervals import Interval
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import CHOOSE, INFER, PROBE, SATISFACTION
from thoughttrace.core.result import (
    Choice,
    Confidence,
    ControlMean,
    Data,
    Deviation,
    Estimate,
    Judge,
    KindResult,
    Mean,
    PanelMean,
    ProtocolMark,
    ReactionVerdicts,
    RecoveredShare,
    Result,
    Satisfaction,
    Sort,
    System,
    Usage,
)
from thoughttrace.protocols.manifest import Manifest
from thoughttrace.protocols.protocol import Protocol

MOST_JUDGES = 4
"""Of more judges not every set has a mean of its own: there would be too many."""


def gather(
    evidence: Evidence, protocol: Protocol, submitted_by: str = "", manifest: Manifest | None = None
) -> list[Result]:
    """Gather the result of each system in logs, the controls included.

    Args:
        evidence: What was read.
        protocol: What each system is checked against; a control is no system under test, and not checked.
        submitted_by: Who sends the results in; empty for cards.
        manifest: Whose samples systems must have that name no other subset; None for that of the subset they name.

    Raises:
        UserError: No log infers thoughts.
    """
    found = [
        _result(entry, evidence, _check(entry, protocol, manifest), submitted_by) for entry in entries(evidence.runs)
    ]
    if not found:
        names = " or ".join(task.name for task in INFER.values())
        raise UserError(f"There is no run of {names} in these logs: only these have a result.")
    return found


def _check(entry: Entry, protocol: Protocol, given: Manifest | None) -> ProtocolCheck | None:
    if any(run.control for run in entry.runs):
        return None
    return check_protocol(entry, protocol, manifest_of(entry, given))


def _result(entry: Entry, evidence: Evidence, check: ProtocolCheck | None, submitted_by: str) -> Result:
    newest = max(entry.runs, key=lambda run: run.date)
    cards = judge_cards(evidence.runs.of(PROBE))
    return Result(
        system=_system(newest, entry, evidence),
        data=Data(
            name=_line(newest.data),
            revision=newest.data_revision,
            content=newest.data_content,
        ),
        reason=_kind(entry.reason, evidence, cards) if entry.reason else None,
        reaction=_kind(entry.reaction, evidence, cards) if entry.reaction else None,
        choose_thought=[_choice(run) for run in _of_system(evidence.runs.of(CHOOSE), newest)],
        predict_satisfaction=[_satisfaction(run) for run in _of_system(evidence.runs.of(SATISFACTION), newest)],
        protocol=_mark(check) if check else None,
        date=newest.date,
        package_version=newest.package_version,
        inspect_version=newest.inspect_version,
        commit=newest.commit,
        submitted_by=submitted_by,
        self_reported=True,
    )


def _system(run: Run, entry: Entry, evidence: Evidence) -> System:
    asked = not run.control and not run.person
    return System(
        name=_line(run.model if run.control else run.evaluated),
        sort=_sort(run),
        effort=_line(run.effort),
        generation=_line(_public(run.generation)),
        solver=_line(run.solver),
        confidence_asked=run.confidence,
        answers_file=_line("; ".join(dict.fromkeys(each.answers_file for each in entry.runs))),
        cutoff=_line(evidence.cutoffs.describe(run.evaluated)) if asked else "",
        contamination=evidence.cutoffs.contamination(run.evaluated) if asked else None,
    )


def _sort(run: Run) -> Sort:
    if run.control:
        return "control"
    if run.person:
        return "person"
    if run.answers_file:
        return "made elsewhere"
    return "model"


def _kind(run: Run, evidence: Evidence, cards: Sequence[JudgeCard]) -> KindResult:
    (row,) = headline([run])
    answered = run.rows[run.rows["words"].notna()]
    controls = [] if run.control else control_means(controls_beside(run, evidence.runs.inferences))
    return KindResult(
        task=run.task,
        task_version=run.task_version,
        context=run.context,
        context_words=run.context_words,
        prompt_hash=run.prompt_hash,
        prompt_file=_line(run.prompt_file),
        rubric_hash=run.rubric_hash,
        rubric_file=_line(run.rubric_file),
        judge_scale=run.judge_scale,
        judges=[_judge(run, judge, cards) for judge in run.judges],
        mean=_mean(run),
        by_judges=[_panel_mean(run, judges) for judges in _panels([*_voting(run)])],
        samples=row.n or 0,
        thoughts=row.thoughts or 0,
        users=row.users or 0,
        samples_planned=run.planned,
        planned_sha256=_planned_sha256(run),
        subset=_line(run.subset),
        replies=row.replies or 0,
        replies_rated=row.replies_rated or 0,
        coverage=row.coverage,
        refused_or_empty=row.refused_or_empty or 0,
        missing=_line(row.missing),
        votes=row.votes or 0,
        votes_lost=row.votes_lost or 0,
        mean_if_missing_1=row.mean_if_missing_1,
        mean_if_missing_5=row.mean_if_missing_5,
        ratings=[count or 0 for count in (row.rated_1, row.rated_2, row.rated_3, row.rated_4, row.rated_5)],
        controls=[
            ControlMean(
                control=control.model,
                mean=_estimate(control.mean, control.lower, control.upper, control.note),
                samples=control.n or 0,
            )
            for control in controls
        ],
        recovered=_recovered(run, evidence),
        verdicts=_verdicts(run) if run.task == INFER["reaction"].name else None,
        confidence=_confidence(run) if run.confidence and not run.control else None,
        answers_equal_to_note=int(answered["equals_note"].sum()),
        system_usage=Usage(input_tokens=row.input_tokens, output_tokens=row.output_tokens, cost=row.cost),
        judge_usage=Usage(
            input_tokens=row.judge_input_tokens, output_tokens=row.judge_output_tokens, cost=row.judge_cost
        ),
        date=run.date,
        logs=[_line(part.log) for part in run.contributions],
    )


def _mean(run: Run) -> Mean:
    """Estimate the mean as the headline does, with what a test of records needs."""
    interval = mean_agreement(run.scored["score"].to_numpy(), run.scored["user"].to_numpy())
    estimate = _of_interval(interval)
    return Mean(
        **estimate.model_dump(),
        standard_error=interval.standard_error,
        degrees_of_freedom=interval.df,
    )


def _voting(run: Run) -> list[str]:
    """Name the judges that are not the system itself, without those whose every vote was lost: they rated nothing."""
    asked, given = asked_votes(run).sum(), run.vote_counts.sum()
    return [judge for judge in run.other_judges if given[judge] or not asked[judge]]


def _panel_mean(run: Run, judges: Sequence[str]) -> PanelMean:
    """Estimate the mean over the replies that all of some judges rated.

    Over replies that only some of them rated it would be another panel's mean under this panel's name.
    """
    score = run.rows["score"].where(run.rated_by_rule, run.votes[list(judges)].mean(axis=1, skipna=False))
    rated = replace(run, rows=run.rows.assign(score=score))
    return PanelMean(
        judges=list(judges), mean=_mean(rated), samples=len(rated.scored), replies=int(score.notna().sum())
    )


def _planned_sha256(run: Run) -> str:
    """Give the checksum of the planned samples' ids, those that failed included."""
    ids = sorted({*map(str, run.rows["id"]), *run.absent})
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


def _panels(judges: Sequence[str]) -> list[tuple[str, ...]]:
    """Give the sets of judges by which another system may have been rated too."""
    sizes = range(1, len(judges) + 1) if len(judges) <= MOST_JUDGES else sorted({1, len(judges)})
    return [panel for size in sizes for panel in combinations(sorted(judges), size)]


def _judge(run: Run, judge: str, cards: Sequence[JudgeCard]) -> Judge:
    row, card = qualification(run, judge, cards), card_of(run, judge, cards)
    asked = asked_votes(run)[judge].sum()
    return Judge(
        name=judge,
        itself=judge not in run.other_judges,
        votes_asked=int(asked),
        votes_lost=int(asked - run.vote_counts[judge].sum()),
        config=_line(_public(row.config)),
        qualification=row.status,
        why=row.why[:1000],
        right=_of_interval(card.judge.right) if card else None,
        attacks=card.judge.injected if card else None,
        order_broken=card.judge.broken if card else None,
        card=_line(row.card),
    )


def _recovered(run: Run, evidence: Evidence) -> RecoveredShare | None:
    rows = recovered([run, *evidence.runs.controls]) if not run.control else []
    return next(
        (
            RecoveredShare(
                share=_estimate(row.share, row.lower, row.upper, row.note),
                floor_is=row.floor_is,
                floor=row.floor,
                ceiling_is=row.ceiling_is,
                ceiling=row.ceiling,
                samples=row.n,
            )
            for row in rows
        ),
        None,
    )


def _verdicts(run: Run) -> ReactionVerdicts | None:
    return next(
        (
            ReactionVerdicts(
                balanced_accuracy=_estimate(row.balanced, row.balanced_lower, row.balanced_upper, row.balanced_note),
                cause=_estimate(row.cause, row.cause_lower, row.cause_upper, row.cause_note),
                votes=row.votes,
            )
            for row in verdicts([run])
        ),
        None,
    )


def _confidence(run: Run) -> Confidence:
    (row,) = confidences([run])
    return Confidence(
        auroc=_estimate(row.auroc, row.auroc_lower, row.auroc_upper, row.auroc_note),
        overstated=_estimate(row.overstated, row.overstated_lower, row.overstated_upper, row.overstated_note),
        calibration_error=row.calibration_error,
        right=_estimate(row.right, row.right_lower, row.right_upper, row.right_note),
        replies=row.n,
    )


def _choice(run: Run) -> Choice:
    (row,) = accuracies([run])
    return Choice(
        kind=row.kind,
        context=row.context,
        accuracy=_estimate(row.accuracy, row.accuracy_lower, row.accuracy_upper, row.accuracy_note),
        chance=row.chance,
        samples=row.n,
        users=row.users,
        task_version=row.task_version,
        data_revision=row.data_revision,
    )


def _satisfaction(run: Run) -> Satisfaction:
    (row,) = predictions([run])
    return Satisfaction(
        context=row.context,
        balanced_accuracy=_estimate(
            row.balanced_accuracy, row.balanced_accuracy_lower, row.balanced_accuracy_upper, row.balanced_accuracy_note
        ),
        auroc=_estimate(row.auroc, row.auroc_lower, row.auroc_upper, row.auroc_note),
        samples=row.n,
        users=row.users,
        task_version=row.task_version,
        data_revision=row.data_revision,
    )


def _of_system(runs: Iterable[Run], system: Run) -> list[Run]:
    """Keep the runs of the same system, the same model asked to generate in the same way, on the same data."""

    def aspects(run: Run) -> list[str]:
        return [ASPECTS[aspect](run) for aspect in (*SYSTEM, "data")]

    return [] if system.control else [run for run in runs if aspects(run) == aspects(system)]


def _mark(check: ProtocolCheck) -> ProtocolMark:
    return ProtocolMark(
        name=check.protocol,
        subset=check.subset or "",
        followed=check.followed,
        deviations=[
            Deviation(name=point.name, asked=_public(point.asked)[:1000], found=_public(point.found)[:1000])
            for point in check.deviations
        ],
    )


def _of_interval(interval: Interval) -> Estimate:
    return _estimate(interval.estimate, interval.lower, interval.upper, interval.reason or "")


def _estimate(value: float, lower: float, upper: float, note: str) -> Estimate:
    """Write an estimate down; an interval with an end at infinity says nothing, and is none."""
    if not (math.isfinite(lower) and math.isfinite(upper)):
        lower = upper = math.nan
    return Estimate(value=value, lower=lower, upper=upper, note=_line(note))


_PLACES = re.compile(
    r"\b(?P<name>(?:\w+_)?(?:url|device|path|dir|host|endpoint|address|proxy)(?:_\w+)?) "
    r"(?:\{[^}]*\}|\[[^]]*\]|[^,;]+)"
    r"|(?<![^\s,;(=\[{\"'])(?:\w+://|~?/\w|[a-z]:\\|localhost\b|\d+(?:\.\d+){3}\b)[^\s,;]*",
    re.IGNORECASE,
)
"""Addresses, devices and paths among a provider's arguments: they tell of somebody's machines, not of a system."""


def _public(text: str) -> str:
    """Put `(not shown)` in the place of what a published file must not tell."""
    return _PLACES.sub(lambda found: f"{found['name']} (not shown)" if found["name"] else "(not shown)", text)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
