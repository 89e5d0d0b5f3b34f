"""The runs that logs hold: which of them count, and why the others do not."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from thoughttrace.analysis.cache import read_cached
from thoughttrace.analysis.finished import CannotCountError, Header, log_files
from thoughttrace.analysis.logs import TASKS, OtherTaskError
from thoughttrace.core.errors import UserError
from thoughttrace.core.model_names import same_model
from thoughttrace.core.record import Kind

Track = Callable[[Sequence[str]], Iterable[str]]
"""Shows progress over files while they are gone through."""


@dataclass(frozen=True)
class Run:
    """One finished evaluation of one model, or control, on one kind of thought, as one panel of judges rated it."""

    kind: Kind
    model: str
    """The evaluated model's name; of a control `control NAME`."""
    control: str
    """The control's name; empty for a model."""
    evaluated: str
    """The model that Inspect ran."""
    judge: str
    """The judges' names, comma-separated."""
    context: str
    task_version: str
    prompt_hash: str
    rubric_hash: str
    data: str
    data_revision: str
    package_version: str
    inspect_version: str
    date: str
    """When it was started, ISO 8601."""
    epochs: int
    planned: int
    """Samples planned, not counting epochs."""
    file: str
    """The log's path or URL."""
    rows: pd.DataFrame = field(compare=False, repr=False)
    """One row per sample and epoch, as `read_log` gives them."""

    @property
    def self_judged(self) -> bool:
        """Whether the evaluated model is among its judges."""
        return not self.control and any(same_model(self.evaluated, judge) for judge in self.judge.split(", "))

    @property
    def log(self) -> str:
        """The log's file name."""
        return Path(self.file).name

    @property
    def version(self) -> int:
        """N of the task version N-X, which changes when numbers stop being comparable; 0 where there is none."""
        number = self.task_version.partition("-")[0]
        return int(number) if number.isdecimal() else 0

    @property
    def setting(self) -> tuple[str, ...]:
        """What must be equal for the numbers of two models to compare."""
        return (
            self.kind, self.context, self.judge, str(self.version),
            self.prompt_hash, self.rubric_hash, self.data_revision,
        )  # fmt: skip

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per sample; `agreement` and `similarity` are the means over its epochs that were scored.

        A sample none of whose epochs was scored stays, as NaN.
        """
        if self.epochs == 1:
            return self.rows
        grouped = self.rows.groupby("id", sort=False)
        return grouped.first().assign(**grouped[["agreement", "similarity"]].mean()).reset_index()

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The scored samples by `id`: `agreement` and `user`."""
        return self.samples.dropna(subset="agreement").set_index("id")[["agreement", "user"]]


@dataclass
class Runs:
    """The runs that count, and one sentence for every log that does not."""

    counted: list[Run] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)
    """The logs of the tasks that are no inference, by the task's name; each is read where its section is made."""

    @property
    def models(self) -> list[Run]:
        """The runs that are no controls."""
        return [run for run in self.counted if not run.control]

    @property
    def controls(self) -> list[Run]:
        """The runs of controls."""
        return [run for run in self.counted if run.control]


def read_runs(paths: Sequence[str], track: Track = iter, every: bool = False, others: bool = False) -> Runs:
    """Read the runs in log files and folders; the newest run of each measurement counts.

    Args:
        paths: Log files, or folders that are searched through and through; paths or fsspec URLs.
        track: Wraps the list of files to show progress.
        every: Keep older runs of the same measurement, and runs of older task versions, too.
        others: Logs of the tasks that are no inference are enough.

    Raises:
        UserError: A path does not exist, or no run in them counts (the message says why each was left out).
    """
    runs = Runs()
    found: list[Run] = []
    files = log_files(paths)
    for file in track(files):
        try:
            header, rows = read_cached(file)
        except OtherTaskError as error:
            runs.others.setdefault(error.task, []).append(file)
            continue
        except CannotCountError as error:
            runs.left_out.append(f"{Path(file).name}: {error}")
            continue
        found += _judged(header, rows, file)
    found.sort(key=lambda run: run.date, reverse=True)
    if not every:
        found = _newest(_newest_version(found, runs.left_out), runs.left_out)
    runs.counted = sorted(found, key=lambda run: (list(TASKS.values()).index(run.kind), run.model, run.setting))
    if not runs.counted and not (others and runs.others):
        reasons = "".join(f"\n  {sentence}" for sentence in runs.left_out) if files else " There is no log file there."
        raise UserError(f"No finished inference run in {', '.join(paths)}.{reasons}")
    return runs


def _judged(header: Header, rows: pd.DataFrame, file: str) -> Iterator[Run]:
    """The runs of a log: one for each time it was judged."""
    for _, own in rows.groupby("judgement", sort=False):
        ratings = own["ratings"].dropna()
        judges = sorted({judge for rated in ratings for judge in json.loads(rated)})
        if judges:
            rubric = ", ".join(sorted(own["rubric_hash"].dropna().unique()))
            yield Run(**header, judge=", ".join(judges), rubric_hash=rubric, file=file, rows=own.reset_index(drop=True))


def _newest(found: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Keep the first run of each model and setting, the newest."""
    kept: dict[tuple[str, ...], Run] = {}
    for run in found:
        newer = kept.setdefault((run.model, *run.setting), run)
        if newer is not run:
            left_out.append(f"{run.log}: superseded by the newer run {newer.log}.")
    return list(kept.values())


def _newest_version(found: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Leave out runs of an older version of their task: their numbers do not compare."""
    newest = {kind: max((run.version for run in found if run.kind == kind), default=0) for kind in TASKS.values()}
    for run in found:
        if run.version < newest[run.kind]:
            left_out.append(
                f"{run.log}: is of version {run.task_version} of infer_{run.kind}; numbers do not compare with those "
                f"of version {newest[run.kind]} beside it. Run it again, or report it in a folder of its own."
            )
    return [run for run in found if run.version == newest[run.kind]]
