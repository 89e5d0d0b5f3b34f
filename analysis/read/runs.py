"""Read the runs in logs of all tasks, and decide which of them count, and why the others do not."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thoughttrace.analysis.read.task_log import Run, UnusableLogError, read_task_log
from thoughttrace.core.errors import UserError
from thoughttrace.core.log_files import log_files
from thoughttrace.core.record import INFER, TASKS, TYPES, TaskSpec

Track = Callable[[Sequence[str]], Iterable[str]]
"""Shows progress over files while they are read."""

INFERENCE = tuple(INFER.values())
"""The tasks that infer a thought."""


@dataclass(frozen=True)
class Runs:
    """The runs that count, and one sentence for every log that does not."""

    counted: list[Run] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def of(self, *tasks: TaskSpec) -> list[Run]:
        """Return the runs of some tasks."""
        names = {task.name for task in tasks}
        return [run for run in self.counted if run.task in names]

    @property
    def inferences(self) -> list[Run]:
        """The runs that infer a thought, those of controls included."""
        return self.of(*INFERENCE)

    @property
    def models(self) -> list[Run]:
        """The runs of models that infer a thought."""
        return [run for run in self.inferences if not run.control]

    @property
    def controls(self) -> list[Run]:
        """The runs of controls."""
        return [run for run in self.inferences if run.control]


def read_runs(
    paths: Sequence[str],
    tasks: Collection[TaskSpec] = tuple(TASKS.values()),
    track: Track = iter,
    every: bool = False,
) -> Runs:
    """Read the runs in log files and folders; the newest run of each measurement counts.

    Args:
        paths: Log files, or folders that are searched with all their subfolders; paths or fsspec URLs.
        tasks: The tasks whose runs are wanted; logs of the others are passed over.
        track: Wraps the list of files to show progress.
        every: Keep older runs of the same measurement, and runs of older task versions, too.

    Raises:
        UserError: A path does not exist, or no run in them counts (the message says why each was left out).
    """
    names = {task.name for task in tasks}
    runs: list[Run] = []
    left_out: list[str] = []
    files = log_files(paths)
    for file in track(files):
        try:
            runs += [run for run in read_task_log(file) if run.task in names]
        except UnusableLogError as error:
            left_out.append(f"{Path(file).name}: {error}")
    if not every:
        runs = _newest_of_each(_newest_version(runs, left_out), left_out)
    if not runs:
        reasons = "".join(f"\n  {sentence}" for sentence in left_out) if files else " There is no log file there."
        wanted = "" if names == set(TASKS) else f" of {' or '.join(name for name in TASKS if name in names)}"
        raise UserError(f"No finished run{wanted} in {', '.join(paths)}.{reasons}")
    newest_first = sorted(runs, key=lambda run: run.date, reverse=True)
    return Runs(sorted(newest_first, key=_place), left_out)


def measurement(run: Run) -> tuple[object, ...]:
    """Name what a run measures: of two runs with the same name only the newer counts."""
    return (run.task, run.model, *run.setting)


def _newest_of_each(runs: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Keep the newest run of each measurement; of several scores in one log the last."""
    newest: dict[tuple[object, ...], Run] = {}
    for _, run in sorted(enumerate(runs), key=lambda place: (place[1].date, place[0]), reverse=True):
        newer = newest.setdefault(measurement(run), run)
        if newer is not run and newer.file == run.file:
            left_out.append(f"{run.log}: its score {run.score_name} is superseded by the newer {newer.score_name}.")
        elif newer is not run:
            left_out.append(f"{run.log}: superseded by the newer run {newer.log}.")
    return list(newest.values())


def _newest_version(runs: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Leave out runs of an older version of their task: their numbers do not compare."""
    newest: dict[str, int] = {}
    for run in runs:
        newest[run.task] = max(newest.get(run.task, 0), run.version)
    for log in dict.fromkeys((r.log, r.task, r.task_version) for r in runs if r.version < newest[r.task]):
        name, task, version = log
        left_out.append(
            f"{name}: is of version {version} of {task}; its numbers do not compare with those of version "
            f"{newest[task]} in the same report. Run it again, or report it in a folder of its own."
        )
    return [run for run in runs if run.version == newest[run.task]]


def _place(run: Run) -> tuple[object, ...]:
    """Order runs by task, kind and model."""
    kind = list(TYPES).index(run.kind) if run.kind else len(TYPES)
    return (list(TASKS).index(run.task), kind, run.model, *map(str, run.setting))
