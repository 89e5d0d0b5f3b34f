"""Group runs into entries: what one system did under one measurement, on both kinds of thought."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from thoughttrace.analysis.read.measurement import measurement
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Run


@dataclass(frozen=True)
class Entry:
    """The runs of one system under one measurement."""

    name: str
    """What tables call the system: a model with what tells its runs apart, a control, or what gave answers."""
    reason: Run | None
    reaction: Run | None

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that there are, that of reasons first."""
        return tuple(run for run in (self.reason, self.reaction) if run)

    @property
    def context(self) -> str:
        """Its runs' context, such as `history`, or `history and lookahead`."""
        return " and ".join(dict.fromkeys(run.context for run in self.runs))

    @property
    def judge(self) -> str:
        """The judges' names, comma-separated."""
        return self.runs[0].judge_described


def tell_apart(found: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return the context and the judges of each entry, empty where all entries of the same name have the same.

    Args:
        found: The entries that are shown together.
    """

    def only_where_several(read: Callable[[Entry], str]) -> list[str]:
        values: dict[str, set[str]] = {}
        for entry in found:
            values.setdefault(entry.name, set()).add(read(entry))
        return [read(entry) if len(values[entry.name]) > 1 else "" for entry in found]

    contexts, judges = only_where_several(lambda entry: entry.context), only_where_several(lambda entry: entry.judge)
    return list(zip(contexts, judges, strict=True))


def entries(runs: Runs) -> list[Entry]:
    """Group the runs that infer a thought, those of controls and of answers made elsewhere included.

    The runs of the two kinds belong together where they agree in everything that is not of the kind. Where a system has
    several runs of a kind, in other contexts or with other prompts and rubrics, those are paired that also agree in
    these; what is left is paired in the order of the report. Answers made elsewhere may be in a file for each kind:
    of a system that has one run of each, these belong together.

    Args:
        runs: The runs that count.
    """
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs.inferences:
        # By default reactions are inferred in another context than reasons.
        key = measurement(run, "task", "kind", "prompt", "rubric", "version", "context", "answers")
        groups.setdefault((*key, str(bool(run.answers_file))), []).append(run)
    return [entry for members in groups.values() for together in _by_file(members) for entry in _paired(together)]


def _by_file(members: Sequence[Run]) -> list[list[Run]]:
    """Part the runs of a system by the file of its answers, unless there is only one of each kind."""
    if max(Counter(run.kind for run in members).values()) == 1:
        return [[*members]]
    files: dict[str, list[Run]] = {}
    for run in members:
        files.setdefault(run.answers_file, []).append(run)
    return [*files.values()]


_ALIKE: tuple[Callable[[Run], object], ...] = (
    lambda run: (run.context, bool(run.prompt_file), bool(run.rubric_file)),
    lambda run: (bool(run.prompt_file), bool(run.rubric_file)),
    lambda run: None,
)
"""In what the runs of two kinds agree that belong together, the strictest first."""


def _paired(members: Sequence[Run]) -> list[Entry]:
    """Pair the runs of a system."""
    reasons = [run for run in members if run.kind == "reason"]
    reactions = [run for run in members if run.kind == "reaction"]
    pairs: list[tuple[Run | None, Run | None]] = []
    for alike in _ALIKE:
        for reason in list(reasons):
            if match := next((run for run in reactions if alike(run) == alike(reason)), None):
                pairs.append((reason, match))
                reasons.remove(reason)
                reactions.remove(match)
    pairs += [(run, None) for run in reasons] + [(None, run) for run in reactions]
    return [Entry((reason or reaction).name, reason, reaction) for reason, reaction in pairs]  # type: ignore[union-attr]
