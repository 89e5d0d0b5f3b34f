"""What a paper has to say about the numbers, from the logs themselves, and where each number comes from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from thoughttrace.analysis.page.table import Chapter, Section, count, name, pair, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Contribution, Run
from thoughttrace.core.record import TASKS


@dataclass(frozen=True)
class RunRow:
    """What made the numbers of one run."""

    task: str
    model: str
    kind: str
    date: str
    data: str
    data_revision: str
    context: str
    judge: str
    prompt_hash: str
    prompt_file: str
    """Name and checksum of the file that a user gave; empty for ours."""
    rubric_hash: str
    rubric_file: str
    judge_scale: str
    """What the judges' votes count as: `sampled` or `expected`; empty where no judge votes."""
    task_version: str
    epochs: int
    package_version: str
    inspect_version: str
    effort: str
    generation: str
    answers: str
    """Of answers made elsewhere: name and checksum of their file; else empty."""
    solver: str
    context_words: str
    missing: str
    """How many replies have no score, by reason."""
    log: str
    """The newest, where several were joined."""


@dataclass(frozen=True)
class LogRow:
    """What one log contributed to a run."""

    task: str
    model: str
    kind: str
    log: str
    started: str
    status: str
    counted: int
    """Replies that count."""
    replies: int
    """Replies in the log."""


@dataclass(frozen=True)
class LeftOutRow:
    """A log, or a run in it, that does not count."""

    reason: str


RUN_COLUMNS = [
    short("Task", "task"),
    name("Model", "model"),
    short("Kind", "kind"),
    short("Started", "date"),
    name("Data, revision", lambda row: f"{row.data}, {row.data_revision}"),
    short("Context", "context"),
    name("Judge", "judge"),
    name("Prompt", lambda row: row.prompt_file or row.prompt_hash),
    name("Rubric", lambda row: row.rubric_file or row.rubric_hash),
    short("Ratings", "judge_scale"),
    short("Task version", "task_version"),
    short("Effort", "effort"),
    name("Generation", "generation"),
    name("Answers made elsewhere", "answers"),
    name("Solver", "solver"),
    short("Words of context", "context_words"),
    count("Epochs", "epochs"),
    short("ThoughtTrace", "package_version"),
    short("Inspect", "inspect_version"),
    text("Not scored", "missing"),
    name("Log", "log"),
]


LOG_COLUMNS = [
    short("Task", "task"),
    name("Model", "model"),
    short("Kind", "kind"),
    name("Log", "log"),
    short("Started", "started"),
    short("Status", "status"),
    pair("Replies that count", "counted", "replies", between=" of "),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write the methods paragraph."""
    return Chapter("methods", "Methods", methods(evidence.runs) if evidence.runs.models else "")


def sources(evidence: Evidence) -> Chapter:
    """Write which runs count, and which logs do not and why."""
    runs = evidence.runs
    left_out = [LeftOutRow(sentence) for sentence in runs.left_out]
    return Chapter(
        "sources",
        "Where the numbers come from",
        "",
        [
            Section("runs", "Runs that count", [_row(run) for run in runs.counted], RUN_COLUMNS),
            Section(
                "logs", "What each log contributed",
                [_log_row(run, part) for run in runs.counted for part in run.contributions],
                LOG_COLUMNS,
                "Logs of one measurement are joined: of each sample and epoch the newest reply that was scored counts.",
            ),
            Section("left_out", "Logs left out", left_out, [text("Log and reason", "reason")]),
        ],
    )  # fmt: skip


def _row(run: Run) -> RunRow:
    return RunRow(
        task=run.task,
        model=run.name,
        kind=run.kind or "",
        date=run.date,
        data=run.data,
        data_revision=run.data_revision,
        context=run.context,
        judge=run.judge,
        prompt_hash=run.prompt_hash,
        prompt_file=run.prompt_file,
        rubric_hash=run.rubric_hash,
        rubric_file=run.rubric_file,
        judge_scale=run.judge_scale if run.judge else "",
        task_version=run.task_version,
        epochs=run.epochs,
        package_version=run.package_version,
        inspect_version=run.inspect_version,
        effort=run.effort,
        generation=run.generation,
        answers=run.answers_file,
        solver=run.solver,
        context_words=run.context_words,
        missing=_missing(run) or "none",
        log=run.log,
    )


def _log_row(run: Run, part: Contribution) -> LogRow:
    return LogRow(
        task=run.task,
        model=run.name,
        kind=run.kind or "",
        log=part.log,
        started=part.date,
        status=part.status,
        counted=part.counted,
        replies=part.replies,
    )


def _missing(run: Run) -> str:
    # A score that is a label, such as a relation, is NaN in `score`: then the answer is the label.
    answered = run.rows["reason"].isna() & (run.rows["answer"] != "") & (not TASKS[run.task].judged)
    return run.count_missing(run.rows["score"].isna() & ~answered)


def methods(runs: Runs) -> str:
    """Say how the numbers on inferences were made, to be pasted into a paper.

    Args:
        runs: The runs of one report, at least one of a model that infers thoughts.
    """
    models = runs.models
    dates = sorted(run.date[:10] for run in models)
    when = f"on {dates[0]}" if dates[0] == dates[-1] else f"between {dates[0]} and {dates[-1]}"
    epochs = max(run.epochs for run in models)
    repeated = f" Each sample was run {epochs} times, and its mean rating was used." if epochs > 1 else ""
    panel = any(len(run.judges) > 1 for run in models)
    several = " A panel's rating is the mean of its members' valid votes." if panel else ""
    judges = {run.judge_described for run in models}
    if len(judges) > 1:
        several += " Two models were compared by the votes of the judges of both; no model's vote on itself counted."
    asked = " The models were asked how sure they were of each inference." * any(run.confidence for run in models)
    configs = {run.name: _generation(run) for run in models}
    alike = len({*configs.values()}) == 1
    generation = _generation(models[0]) if alike else "; ".join(f"{name}: {text}" for name, text in configs.items())
    return (
        f"We evaluated {_list(run.name for run in models)} with ThoughtTrace "
        f"{_list(run.package_version for run in models)} (Inspect {_list(run.inspect_version for run in models)}) "
        f"{when}. {_kinds(models)}{asked} Generation config: {generation}. The data were "
        f"{_list(f'{run.data} (revision {run.data_revision})' for run in models)}. "
        f"{_judges(models)} rated the agreement of each inference with the user's own note from 1 "
        f"(another thought) to 5 (the same thought) by a fixed rubric "
        f"({_list(f'{run.kind} rubric {run.rubric}' for run in models)}); the evaluated models never saw the "
        f"note.{_elsewhere(models)}{_scale(models)}{several}{repeated} A refusal or an empty answer counts as 1. "
        f"Samples without a valid rating were left "
        f"unscored and are counted in the coverage. Means are given with 95 % confidence intervals that are "
        f"cluster-robust by user (CR2 with Bell–McCaffrey degrees of freedom; Bell & McCaffrey 2002, Pustejovsky & "
        f"Tipton 2018) and symmetric on the logit of the scale. Models were compared by the paired differences on the "
        f"samples that both scored, with CR2 intervals and p-values adjusted by the method of Holm (1979) over all "
        f"pairs of a kind."
        f"{_controls(runs.controls)} {_whose(models)}"
    )


def _elsewhere(models: Sequence[Run]) -> str:
    people = [run.name for run in models if run.person]
    others = [run.name for run in models if run.answers_file and not run.person]
    said = ""
    if people:
        said += (
            f" {_list(people)} guessed by hand, shown what a model is shown in the same context (thoughttrace guess)."
        )
    if others:
        said += (
            f" {_list(others)} answered elsewhere: what was shown and asked there is what its makers say, for these "
            "logs do not tell it."
        )
    return said


def _scale(models: Sequence[Run]) -> str:
    expected = [run for run in models if run.judge_scale == "expected"]
    if not expected:
        return ""
    whose = "Ratings" if len(expected) == len(models) else f"Those of {_list(run.name for run in expected)}"
    return (
        f" {whose} are expected ratings (from log-probabilities): the mean over the possible ratings, weighted by the "
        "judge's probabilities for them after its written rationale (Liu et al. 2023), in the place of the one it "
        "wrote."
    )


def _whose(models: Sequence[Run]) -> str:
    if any(run.prompt_file or run.rubric_file for run in models):
        return (
            "The prompts and rubrics named by a file were given with the run; the others are this project's, not those "
            "of Jin et al. (2026). The published means are the same measurement only if all of them are theirs."
        )
    return (
        "The prompts and rubrics are this project's, not those of Jin et al. (2026), so the published means are not "
        "the same measurement."
    )


def _generation(run: Run) -> str:
    if run.answers_file:
        return f"not known, answers made elsewhere ({run.answers_file})"
    parts = (f"effort {run.effort}" * bool(run.effort), run.generation, f"solver {run.solver}" * bool(run.solver))
    return ", ".join(filter(None, parts)) or "the provider's defaults"


def _judges(models: Sequence[Run]) -> str:
    """Name the judges; where models have different ones, those of each model."""
    if len({run.judge_described for run in models}) == 1:
        return f"A judge, {models[0].judge_described},"
    by_model = {run.name: run.judge_described for run in models}
    return f"Judges ({'; '.join(f'{name} by {judges}' for name, judges in by_model.items())})"


def _controls(controls: Sequence[Run]) -> str:
    if not controls:
        return ""
    return (
        f" Controls ({_list(run.control for run in controls)}) went through the same task and judge. The recovered "
        f"share is (agreement − floor) / (ceiling − floor), with the thought of another user of the same type as the "
        f"floor and the reworded (or else the verbatim) note as the ceiling, as a ratio of means over shared samples; "
        f"its interval is Fieller's (1954) from the cluster-robust covariance."
    )


def _kinds(runs: Sequence[Run]) -> str:
    sentences = []
    for kind in dict.fromkeys(run.kind for run in runs):
        members = [run for run in runs if run.kind == kind]
        sentences.append(
            f"{str(kind).capitalize()}s: task {members[0].task} version {_list(run.task_version for run in members)}, "
            f"context {_list(_context(run) for run in members)}, prompt {_list(run.prompt for run in members)}; "
            f"{_range(run.planned for run in members)} samples per model, "
            f"{_range(len(run.scored) for run in members)} of them scored, of "
            f"{_range(run.scored['user'].nunique() for run in members)} users."
        )
    return " ".join(sentences)


def _context(run: Run) -> str:
    return f"{run.context}, {run.context_words} words at most" if run.context_words else run.context


def _range(numbers: Iterable[int]) -> str:
    ascending = sorted(set(numbers))
    return f"{ascending[0]:,}" if len(ascending) == 1 else f"{ascending[0]:,}–{ascending[-1]:,}"


def _list(words: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(words))
    return distinct[0] if len(distinct) == 1 else f"{', '.join(distinct[:-1])} and {distinct[-1]}"
