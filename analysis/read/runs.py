"""Read the runs in logs of all tasks, join those of one measurement, and say which logs do not count and why."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from thoughttrace.analysis.read.measurement import distinguish, measurement
from thoughttrace.analysis.read.sample_rows import UnusableLogError
from thoughttrace.analysis.read.task_log import UNFINISHED, Contribution, Run, read_task_log
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


Which = Literal["joined", "newest", "every"]
"""Which runs of one measurement count: all of them, joined sample by sample; only the newest; each for itself."""


def read_runs(
    paths: Sequence[str],
    tasks: Collection[TaskSpec] = tuple(TASKS.values()),
    track: Track = iter,
    which: Which = "joined",
    partial: bool = False,
) -> Runs:
    """Read the runs in log files and folders.

    The runs of one measurement are joined: of each sample and epoch the newest reply that was scored counts. So shards,
    pilots, retries and later additions add up, and a smaller run never displaces a larger one.

    Args:
        paths: Log files, or folders that are searched with all their subfolders; paths or fsspec URLs.
        tasks: The tasks whose runs are wanted; logs of the others are passed over.
        track: Wraps the list of files to show progress.
        which: Which runs of a measurement count. With `every`, runs of older task versions count too.
        partial: Count what was scored in unfinished logs.

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
    if partial:
        runs = [_scored_part(run) if run.status != "success" else run for run in runs]
    else:
        unfinished = {run.log: run.status for run in runs if run.status != "success"}
        left_out += [f"{log}: {UNFINISHED.format(status)}" for log, status in unfinished.items()]
        runs = [run for run in runs if run.status == "success"]
    if which != "every":
        of_version = _newest_version(runs, left_out)
        runs = _newest_of_each(of_version, left_out) if which == "newest" else _joined(of_version, left_out)
    if not runs:
        reasons = "".join(f"\n  {sentence}" for sentence in left_out) if files else " There is no log file there."
        wanted = "" if names == set(TASKS) else f" of {' or '.join(name for name in TASKS if name in names)}"
        raise UserError(f"No finished run{wanted} in {', '.join(paths)}.{reasons}")
    newest_first = sorted(runs, key=lambda run: run.date, reverse=True)
    return Runs(distinguish(sorted(newest_first, key=_place)), left_out)


def _scored_part(run: Run) -> Run:
    """Keep the scored replies of an unfinished log; the samples of the others are still to be run."""
    rows = run.rows[_has_score(run.rows)].reset_index(drop=True)
    (part,) = run.contributions
    return replace(
        run,
        rows=rows,
        absent=sorted({*run.absent, *run.rows["id"]} - {*rows["id"]}),
        contributions=(replace(part, counted=len(rows)),),
    )


def _has_score(rows: pd.DataFrame) -> pd.Series:
    """Tell which replies were scored, or got a label."""
    return rows["score"].notna() | rows["reason"].isna()


def _measurements(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by what they measure, the oldest first; of several scores in one log the last counts as the newest."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for _, run in sorted(enumerate(runs), key=lambda place: (place[1].date, place[0])):
        groups.setdefault(measurement(run), []).append(run)
    return list(groups.values())


def _newest_of_each(runs: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Keep the newest run of each measurement."""
    newest = []
    for *older, last in _measurements(runs):
        left_out += [_superseded(run.contributions[0], [last.contributions[0]]) for run in reversed(older)]
        newest.append(last)
    return newest


def _joined(runs: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Join the runs of each measurement."""
    joined = []
    for members in _measurements(runs):
        run = _join(members) if len(members) > 1 else members[0]
        kept = {(part.file, part.score_name) for part in run.contributions}
        parts = _parts(members)
        left_out += [_superseded(part, run.contributions) for part in parts if (part.file, part.score_name) not in kept]
        joined.append(run)
    return joined


def _join(members: Sequence[Run]) -> Run:
    """Join runs of one measurement, the oldest first, sample by sample."""
    rows = pd.concat([member.rows for member in members], ignore_index=True)
    # A stable sort: of the replies with a score, or without one, the newest is the last.
    last = rows.iloc[_has_score(rows).argsort(kind="stable")].drop_duplicates(["id", "epoch"], keep="last")
    rows = rows.loc[last.index.sort_values()].reset_index(drop=True)
    counted = rows.groupby(["file", "score_name"]).size()
    parts = [replace(part, counted=int(counted.get((part.file, part.score_name), 0))) for part in _parts(members)]
    planned = {
        (sample, epoch)
        for member in members
        for sample in {*member.rows["id"], *member.absent}
        for epoch in range(1, member.epochs + 1)
    }
    planned_epochs = Counter(sample for sample, _ in planned)
    # Logs without a list of their samples say how many there were, not which.
    unknown = max(member.planned - member.rows["id"].nunique() - len(member.absent) for member in members)
    newest = members[-1]
    # What was joined has the samples of the larger subset too.
    subset = max((member for member in members if member.subset), key=lambda m: m.subset_samples, default=newest)
    return replace(
        newest,
        subset=subset.subset,
        subset_sha256=subset.subset_sha256,
        subset_samples=subset.subset_samples,
        rows=rows,
        epochs=max(member.epochs for member in members),
        planned=len(planned_epochs) + unknown,
        planned_replies=len(planned) + unknown * newest.epochs,
        planned_epochs=dict(planned_epochs),
        absent=sorted(planned_epochs.keys() - set(rows["id"])),
        contributions=tuple(part for part in parts if part.counted),
    )


def _parts(members: Sequence[Run]) -> list[Contribution]:
    return [part for member in members for part in member.contributions]


def _superseded(part: Contribution, newer: Sequence[Contribution]) -> str:
    """Say that nothing of a log counts, and what counts in its place."""
    if same_log := next((other for other in newer if other.file == part.file), None):
        return f"{part.log}: its score {part.score_name} is superseded by the newer {same_log.score_name}."
    others = " and ".join(other.log for other in newer)
    return f"{part.log}: superseded by the newer run{'s' * (len(newer) > 1)} {others}."


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
    return (list(TASKS).index(run.task), kind, run.model, *measurement(run))
