"""Share what all tasks have in common: the options of data and judges, prompts, run metadata, the log viewer."""

import hashlib
import logging
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver, TaskState
from inspect_ai.util import warn_once
from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesSort, TaskSamplesView, ViewerConfig

from thoughttrace import __version__
from thoughttrace.core.errors import UserError, check_positive
from thoughttrace.core.inspect_private import active_model
from thoughttrace.core.record import ControlMetadata
from thoughttrace.datasets.answers import NO_MODEL, check_system
from thoughttrace.datasets.sampling import Item, draw
from thoughttrace.datasets.sources import Source, from_where_started, open_source
from thoughttrace.scorers.judges import require_judge, require_judge_then

_logger = logging.getLogger(__name__)

# ---- options


@dataclass(frozen=True)
class DataOptions:
    """Which data a run uses; each field is the task parameter of the same name.

    Raises:
        UserError: `max_context_words` is not positive, or a subset and another choice of samples are given.
    """

    data: str = "sample"
    types: str | Sequence[str] | None = None
    users: int | None = None
    per_user: int | None = None
    seed: int = 0
    max_context_words: int | None = None
    skip_bad: bool = False
    subset: str | None = None
    """The subset of a protocol, or the path of a manifest; only of the tasks that infer thoughts."""

    def __post_init__(self) -> None:
        check_positive("max_context_words", self.max_context_words)
        others = [name for name in ("types", "users", "per_user") if getattr(self, name) is not None]
        if self.subset is not None and others:
            raise UserError(f"subset={self.subset}: says which samples are taken; leave out {' and '.join(others)}.")

    @property
    def selected_types(self) -> Sequence[str] | None:
        """The types of thoughts to select; None for all."""
        # Inspect parses `-T types=5` to a number.
        several = self.types if isinstance(self.types, list | tuple) else [self.types]
        return None if self.types is None else [str(each) for each in several]

    def open(self) -> Source:
        """Open the data.

        Raises:
            UserError: The data cannot be found, downloaded, or read.
        """
        # Inspect parses `-T data=2026` to a number, and `-T data=` to nothing.
        source = open_source("" if self.data is None else str(self.data), self.skip_bad)
        for sentence in source.warnings:
            warn_once(_logger, sentence)
        return source

    def draw(self, items: Sequence[Item]) -> list[Item]:
        """Select messages by user, in the seeded order of users.

        Args:
            items: The messages to select from, in the order of the data.

        Raises:
            UserError: `users` or `per_user` is not positive.
        """
        return draw(items, self.users, self.per_user, self.seed)


@dataclass(frozen=True)
class JudgeOptions:
    """How the answers of a run are judged; each field is a task parameter."""

    show_context: bool
    """`judge_message` or `judge_reply`: whether the judge sees the message that the answer is about."""
    allow_self_judging: bool
    exclude_family: bool
    judge_repeats: int
    rubric: str | None = None
    """The path of a rubric that is used in place of ours; only of the tasks that infer thoughts."""
    judge_scale: str = "sampled"
    """What a vote counts as, a `JudgeScale`; only of these tasks."""
    system: str | None = None
    """What gave the answers, where they were made elsewhere; only of these tasks."""

    def require_judge(self) -> None:
        """Refuse a run without a judge before its data is read.

        Raises:
            UserError: No judge is left for the evaluated model, or the expected rating counts and one is of a provider
                that gives no log-probabilities.
        """
        require_judge(self.allow_self_judging, self.exclude_family, self.judge_scale, self.system)

    def require_judge_then(self, answer: Solver) -> Solver:
        """Return a solver that answers, but refuses a run without a judge before its first generation.

        Args:
            answer: The solver that answers.
        """
        return require_judge_then(answer, self.allow_self_judging, self.exclude_family)

    def scorer(self, judge: Callable[..., Scorer]) -> Scorer:
        """Return a judged scorer with these options.

        Args:
            judge: The scorer's function, such as `agreement`.
        """
        given = {} if self.rubric is None else {"rubric": str(self.rubric)}
        given |= {} if self.judge_scale == "sampled" else {"judge_scale": self.judge_scale}
        return judge(self.show_context, self.allow_self_judging, self.exclude_family, self.judge_repeats, **given)


def as_text(value: object) -> str | None:
    """Return a parameter's value as text: Inspect parses `-T system=5` to a number.

    Args:
        value: What the user gave; None for nothing.
    """
    return None if value is None else str(value)


@dataclass(frozen=True)
class AnswerOptions:
    """Which answers made elsewhere a run scores; each field is the task parameter of the same name.

    Raises:
        UserError: The fields do not go together, or the name cannot be that of a system.
    """

    answers: str | None = None
    system: str | None = None
    partial_answers: bool = False

    def __post_init__(self) -> None:
        if self.answers is None:
            if self.system is not None or self.partial_answers:
                raise UserError("system and partial_answers are of answers made elsewhere: pass -T answers=FILE too.")
            return
        if self.system is None:
            raise UserError(f"answers={self.answers}: name what gave the answers with -T system=NAME.")
        check_system("system", self.system)
        if not isinstance(self.partial_answers, bool):
            raise UserError(f"partial_answers={self.partial_answers}: must be true or false.")
        model = active_model()
        if model is not None and str(model) != NO_MODEL:
            raise UserError(f"answers={self.answers}: no model is asked: run with --model {NO_MODEL} (is {model}).")


# ---- samples and metadata


def read_prompt(name: str) -> str:
    """Read a prompt of this folder.

    Args:
        name: Name of its file, without `.md`.
    """
    return (Path(__file__).resolve().parent / f"{name}.md").read_text(encoding="utf-8").strip()


def prompt_hash(*parts: str) -> str:
    """Return the hash that identifies a prompt in logs, 12 hexadecimal digits.

    Args:
        parts: Everything fixed that the evaluated model reads, in order.
    """
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def provenance(source: Source) -> dict[str, Any]:
    """Return the fields of `RunMetadata` that identify the data and the version of this package.

    Args:
        source: The data.
    """
    return {
        "data": source.name,
        "data_revision": source.revision,
        "data_content": source.content,
        "data_skipped": source.skipped,
        "thoughttrace": __version__,
    }


def recite(sample: Sample | TaskState, answer: str, donor: str | None = None) -> None:
    """Let a control or baseline answer a sample in the evaluated model's place.

    Args:
        sample: The sample, or its state as it runs; the answer is written to its metadata.
        answer: The answer, word for word.
        donor: The user whose thought it is, where it was drawn from those of others.
    """
    sample.metadata = (sample.metadata or {}) | ControlMetadata(recited=answer, donor=donor).to_log()


def dataset_of(
    samples: Sequence[Sample], source: Source, make: Callable[..., MemoryDataset] = MemoryDataset
) -> MemoryDataset:
    """Make the dataset of a task.

    Args:
        samples: Its samples.
        source: The data they were made from.
        make: The class of the dataset.

    Raises:
        UserError: The log of so many samples cannot be written.
    """
    _require_log_space(len(samples))
    return make(list(samples), name=source.name)


BYTES_PER_SAMPLE = 20_000
"""Bytes of log reserved for each sample, about twice what a sample of the release takes."""


def _require_log_space(samples: int) -> None:
    """Refuse a run whose log cannot be written, before anything is generated.

    On a full disk Inspect generates and pays for samples until the first one fails to be saved, and then exits with 0.
    Only the `--log-dir` of Inspect's own command can be checked here, and only a local one.

    Args:
        samples: Number of samples of the task; a smaller `--limit` counts instead.

    Raises:
        UserError: The folder cannot be created or written, or its disk is too full.
    """
    context = click.get_current_context(silent=True)
    options = context.params if context else {}
    if "log_dir" not in options or "://" in (log_dir := options["log_dir"] or "./logs"):
        return
    folder = from_where_started(log_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(
            f"--log-dir {log_dir}: no log can be written there ({error.strerror}). Choose another folder; nothing was "
            "generated."
        ) from error
    needed = BYTES_PER_SAMPLE * len(range(samples)[limit_of_command()])
    if free < needed:
        raise UserError(
            f"--log-dir {log_dir}: the disk has {free / 1e6:,.1f} MB free, and the log may need {needed / 1e6:,.1f} MB."
            " Free some space or choose another folder; nothing was generated."
        )


def limit_of_command() -> slice:
    """Return which samples the `--limit` of Inspect's command, or of `thoughttrace estimate`, keeps; without it all.

    Of Inspect's it may be a range, such as `5-10`: counted from 1, with its last.
    """
    context = click.get_current_context(silent=True)
    limit = str((context.params if context else {}).get("limit") or "")
    if (given := re.fullmatch(r"(?:(\d+)-)?(\d+)", limit)) is None:
        return slice(None)
    first, last = given.groups(default="1")
    return slice(int(first) - 1, int(last))


def is_retry() -> bool:
    """Whether Inspect's command resumes a log, whose `--limit` stands in that log alone."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "eval-retry"


# ---- viewer


@dataclass(frozen=True)
class ScoreColumn:
    """A score's column in the list of samples."""

    title: str
    score: str
    value: str | None = None
    """The name of one of the score's values, where it has several."""
    scale: tuple[float, float] | None = None
    """The worst and the best value, which are coloured red and green; None for no colour."""


def viewer(title: str, *scores: ScoreColumn, target: bool = True) -> ViewerConfig:
    """Configure how Inspect's viewer lists the samples of a task.

    Args:
        title: Title of the list.
        scores: Columns of scores. A score with several values is shown instead of the answer.
        target: Whether the samples have a target to show.
    """
    columns = [TaskSamplesColumn(id="sampleId")]
    columns += [TaskSamplesColumn(id="target")] * target
    columns += [TaskSamplesColumn(id="answer")] * all(column.value is None for column in scores)
    columns += [TaskSamplesColumn.score(column.score, column.value) for column in scores]
    columns += [TaskSamplesColumn(id="input", visible=False), TaskSamplesColumn(id="error")]
    view = TaskSamplesView(name=title, columns=columns, sort=[TaskSamplesSort(column="sampleId")])
    if scores:
        view.score_labels = {column.value or column.score: column.title for column in scores}
        view.score_color_scales = {
            column.value or column.score: ScoreColorScale(palette="good-high", min=column.scale[0], max=column.scale[1])
            for column in scores
            if column.scale
        }
    # A conversation, or an attack on a judge, can hold anything: the viewer must show it as text.
    return ViewerConfig(trust_content=False, task_samples_view=view)
