"""Group results whose numbers compare, and rank the systems of each group: what is not clearly apart shares ranks."""

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pandas as pd
from scipy import stats

from thoughttrace.analysis.stats.multiplicity import LEVEL, holm
from thoughttrace.analysis.stats.ranks import components, rank_intervals
from thoughttrace.core.record import KINDS, Kind
from thoughttrace.core.result import KindResult, Mean, Result


@dataclass(frozen=True)
class Standing:
    """One system in a group."""

    result: Result
    part: KindResult
    """Of the group's kind."""
    name: str
    """The system's, with what tells it from others of the group."""
    ranks: tuple[int, int] | None = None
    """The best and the worst rank that it may have; None where nothing was compared with it."""


@dataclass(frozen=True)
class Group:
    """Systems whose numbers on one kind of thought compare, and the controls that the same judges rated."""

    kind: Kind
    standings: list[Standing]
    """The best ranks first; of equal ranks the highest mean."""
    controls: list[Standing]

    @property
    def protocol(self) -> str:
        """The protocol that all of them follow, with its subset; empty for none."""
        return next(_followed(standing.result) for standing in (*self.standings, *self.controls))


def once_each(results: Sequence[Result]) -> tuple[list[Result], list[str]]:
    """Keep of each measurement that somebody sent in more than once the one that says most.

    The kinds of thought are measurements of their own. First count those that follow a protocol, one for each of its
    subsets; then the one with the most rated samples; of equal ones the newest.

    Args:
        results: Read from files.

    Returns:
        Those that count, without the kinds that do not; and a sentence for each that does not.
    """
    sent_in: dict[tuple[Kind, Hashable], list[Result]] = {}
    for result in results:
        # What is known of a model's training may have changed since.
        system = result.system.model_dump_json(exclude={"cutoff", "contamination"})
        for kind, part in result.kinds.items():
            measurement = result.submitted_by, system, result.data, _measured(part)
            sent_in.setdefault((kind, measurement), []).append(result)
    superseded: dict[int, dict[Kind, str]] = {}
    for (kind, _), members in sent_in.items():
        best: dict[str, Result] = {}
        for result in sorted(members, key=lambda one: (one.kinds[kind].samples, one.date, one.stem), reverse=True):
            best.setdefault(_followed(result), result)
        if len(best) > 1:
            best.pop("", None)
        first = next(iter(best.values()))
        for result in members:
            counts = best.get(_followed(result), first)
            if counts is not result:
                superseded.setdefault(id(result), {})[kind] = counts.stem
    kept, left_out = [], []
    for result in results:
        kinds = superseded.get(id(result), {})
        for by in dict.fromkeys(kinds.values()):
            of = " and ".join(f"{kind}s" for kind, other in kinds.items() if other == by)
            left_out.append(f"{result.stem}.json: its {of} are superseded by {by}.json, of the same measurement.")
        if result.kinds.keys() - kinds.keys():
            kept.append(_without(result, kinds.keys()))
    return kept, sorted(left_out)


def _without(result: Result, kinds: Collection[Kind]) -> Result:
    """Take kinds out of a result, which keeps the name of its file."""
    return result.model_copy(update={"stem": result.stem} | dict.fromkeys(kinds)) if kinds else result


def _followed(result: Result) -> str:
    """Name the protocol that a result follows, with its subset; empty for none."""
    mark = result.protocol
    return f"{mark.name}, {mark.subset}" if mark and mark.followed else ""


def groups(results: Sequence[Result]) -> list[Group]:
    """Group and rank results.

    Systems compare where kind, protocol and subset, task version, texts, context, data, planned samples and the way of
    judging are the same, and where they share a judge; they are compared by the judges that rated both. Controls stand
    beside every group whose judges rated them by the same rubric on the same samples: they read no conversation.

    Args:
        results: Each measurement once.

    Returns:
        Those of a protocol first, then the largest.
    """
    found = []
    for kind in KINDS:
        measured = [Standing(result, part, "") for result in results if (part := result.kinds.get(kind))]
        systems = [standing for standing in measured if standing.result.system.sort != "control"]
        controls = [standing for standing in measured if standing.result.system.sort == "control"]
        of_kind = [group for members in _comparable(systems) for group in _ranked(kind, members, controls)]
        beside = {id(control.result) for group in of_kind for control in group.controls}
        alone = [control for control in controls if id(control.result) not in beside]
        of_kind.sort(key=lambda group: (not group.protocol, -len(group.standings)))
        found += of_kind + [Group(kind, [], _named(members)) for members in _comparable(alone)]
    return found


def _rated(standing: Standing) -> tuple[Hashable, ...]:
    """Give what must be equal for a control to stand beside a system: everything but who rated, and what was read."""
    part, data = standing.part, standing.result.data
    measured_on = data.revision, data.content, part.planned_sha256
    return part.task, _version(part), part.rubric_hash, part.judge_scale, measured_on


def _version(part: KindResult) -> str:
    """Give N of the task version N-X, which changes when numbers stop being comparable."""
    return part.task_version.partition("-")[0]


def _measured(part: KindResult) -> tuple[Hashable, ...]:
    judges = tuple((judge.name, judge.config) for judge in part.judges)
    texts = part.task, _version(part), part.prompt_hash, part.rubric_hash, part.context, part.context_words
    return *texts, part.judge_scale, judges


def _setting(standing: Standing) -> tuple[Hashable, ...]:
    """Give what must be equal for the means of two systems to compare, but for the judges."""
    part, system = standing.part, standing.result.system
    shown = () if system.sort == "control" else (part.context, part.context_words, part.prompt_hash)
    asked = () if system.sort == "control" else (system.solver, system.confidence_asked)
    return _followed(standing.result), _rated(standing), shown, asked


def _comparable(standings: Sequence[Standing]) -> list[list[Standing]]:
    """Group standings of the same setting that judges connect."""
    settings: dict[Hashable, list[Standing]] = {}
    for standing in standings:
        settings.setdefault(_setting(standing), []).append(standing)
    found = []
    for members in settings.values():
        pairs = [pair for pair in combinations(range(len(members)), 2) if _shared(*(members[i] for i in pair))]
        numbers = components(len(members), pairs)
        found += [
            [member for member, own in zip(members, numbers, strict=True) if own == number]
            for number in dict.fromkeys(numbers)
        ]
    return found


def _shared(a: Standing, b: Standing) -> list[str]:
    """Name the judges that rated both, configured alike, neither of which is one of the two."""
    configs = [{judge.name: judge.config for judge in standing.part.judges} for standing in (a, b)]
    others = [{name for panel in standing.part.by_judges for name in panel.judges} for standing in (a, b)]
    return sorted(name for name in others[0] & others[1] if configs[0][name] == configs[1][name])


def _mean_by(standing: Standing, judges: Sequence[str]) -> Mean | None:
    return next((panel.mean for panel in standing.part.by_judges if panel.judges == list(judges)), None)


def _ranked(kind: Kind, members: Sequence[Standing], controls: Sequence[Standing]) -> list[Group]:
    """Rank a group."""
    members = _named(members)
    beside = [
        control
        for control in controls
        if any(_rated(control) == _rated(member) and _shared(control, member) for member in members)
    ]
    pairs = list(combinations(range(len(members)), 2))
    tests = [_test(members[a], members[b]) for a, b in pairs]
    adjusted = holm(pd.Series([p for _, p in tests], dtype=float))
    clear = [
        (a, b) if difference > 0 else (b, a)
        for (a, b), (difference, _), p in zip(pairs, tests, adjusted, strict=True)
        if p < LEVEL
    ]
    compared = {number for pair, (_, p) in zip(pairs, tests, strict=True) if not math.isnan(p) for number in pair}
    ranks = rank_intervals(sorted(compared), clear)
    standings = [replace(member, ranks=ranks.get(number)) for number, member in enumerate(members)]
    standings.sort(key=lambda one: (one.ranks is None, one.ranks or (), -(one.part.mean.value or 0)))
    beside.sort(key=lambda control: control.part.mean.value or 0)
    return [Group(kind, standings, _named(beside))]


def _test(a: Standing, b: Standing) -> tuple[float, float]:
    """Test the difference of two means by the judges that rated both, as if their samples were independent.

    Welch's t test, from the standard errors and their degrees of freedom (Welch 1947, *Biometrika* 34), which is
    conservative where samples are the same and rated alike. Where all ratings are at one end of the scale there is no
    standard error, and the distance to the far limit of the interval stands for it.

    Of more than four judges a result holds no means by pairs or triples: two systems that share a part of such a panel
    are compared by one of the shared judges, the first by name.

    Returns:
        The difference, and the two-sided p-value; NaN where a mean or an interval is not known.
    """
    shared = _shared(a, b)
    sets = [panel.judges for panel in a.part.by_judges if set(panel.judges) <= set(shared)]
    judges = max((panel for panel in sets if _mean_by(b, panel)), key=len, default=[])
    means = [mean for standing in (a, b) if (mean := _mean_by(standing, judges)) and mean.value is not None]
    if len(means) < 2:
        return math.nan, math.nan
    errors = [_error(mean) for mean in means]
    difference = (means[0].value or 0) - (means[1].value or 0)
    variance = sum(error**2 for error, _ in errors)
    if not variance > 0:
        return difference, math.nan
    df = (
        variance**2 / sum(error**4 / df for error, df in errors)
        if any(math.isfinite(df) for _, df in errors)
        else math.inf
    )
    return difference, float(2 * stats.t.sf(abs(difference) / math.sqrt(variance), df))


def _error(mean: Mean) -> tuple[float, float]:
    """Give the standard error of a mean and its degrees of freedom; NaN where there is no interval."""
    if mean.standard_error is not None and mean.degrees_of_freedom is not None:
        return mean.standard_error, mean.degrees_of_freedom
    if mean.value is None or mean.lower is None or mean.upper is None:
        return math.nan, math.nan
    return max(mean.upper - mean.value, mean.value - mean.lower) / float(stats.norm.ppf(0.975)), math.inf


_TELLING: tuple[Callable[[Standing], str], ...] = (
    lambda standing: f"effort {standing.result.system.effort or 'default'}",
    lambda standing: standing.result.system.generation or "default generation",
    lambda standing: standing.result.system.answers_file,
    lambda standing: f"judged by {', '.join(judge.name for judge in standing.part.judges)}",
    lambda standing: f"sent in by {standing.result.submitted_by}",
    lambda standing: standing.result.date[:10],
    lambda standing: standing.result.stem.rpartition("_")[2],
)
"""In what systems of one name may differ; a name says of it no more than is needed."""


def _named(standings: Sequence[Standing]) -> list[Standing]:
    """Name each system, with what tells it from others of the same name."""
    systems = [standing.result.system for standing in standings]
    names = [system.name + " (person)" * (system.sort == "person") for system in systems]
    for tell in _TELLING:
        told = [tell(standing) for standing in standings]
        said: dict[str, set[str]] = {}
        for name, text in zip(names, told, strict=True):
            said.setdefault(name, set()).add(text)
        names = [
            f"{name} ({text})" if len(said[name]) > 1 and text else name for name, text in zip(names, told, strict=True)
        ]
    return [replace(standing, name=name) for standing, name in zip(standings, names, strict=True)]
