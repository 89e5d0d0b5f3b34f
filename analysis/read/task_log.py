"""Read one log of any task: what made it, and one row per sample, epoch and score.

Only the header and the sample summaries are read, which Inspect keeps apart from the samples: a log of 10,000 samples
is some 100 MB and its summaries a few. What was read is kept in the cache, so that a second report is quick.
"""

import contextlib
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import fsspec
import numpy as np
import pandas as pd
from inspect_ai.log import EvalLog, EvalSampleSummary, read_eval_log, read_eval_log_sample_summaries
from inspect_ai.model import GenerateConfig
from pydantic import ValidationError

from thoughttrace.analysis.read.costs import LogCosts
from thoughttrace.analysis.read.sample_rows import OF_SCORES, UnusableLogError, broken, fault_in, sample_rows
from thoughttrace.core import cache_dir, prices, record
from thoughttrace.core.model_names import same_model
from thoughttrace.core.record import Kind, RunMetadata, TaskSpec, Unscored

OF_MODEL = ("input_tokens", "output_tokens", "cost")
USAGE = (*OF_MODEL, *(f"judge_{name}" for name in OF_MODEL))
"""The columns of `Run.rows` on tokens and cost (US dollars)."""

BASELINE = "baseline (embedding, logistic regression)"
"""The model of a log of `classify_thought` that a classifier answered."""


UNFINISHED = "did not finish (status {}); resume it with inspect eval-retry."
"""Why a log with another status than `success` does not count."""


@dataclass(frozen=True)
class LogInfo:
    """What made a log; plain values that JSON can hold."""

    task: str
    """Its name, without the package."""
    kind: Kind | None
    """Of its thoughts; None where a task is not about one kind."""
    model: str
    """The evaluated model as tables name it; of a person `NAME (person)`, of a control `control NAME`, of the baseline
    `BASELINE`."""
    evaluated: str
    """The model that Inspect ran; of answers made elsewhere the name of what gave them."""
    answers_file: str
    """Of answers made elsewhere: name and checksum of their file; else empty."""
    person: bool
    """Of answers made elsewhere: whether a person gave them."""
    control: str
    """The control's name; empty for a model."""
    baseline: bool
    effort: str
    """How long the evaluated model may think, such as "high" or "8,000 tokens"; empty for its provider's default."""
    generation: str
    """What else changes its answers, such as "temperature 0.7, max_tokens 200"; empty for the defaults."""
    solver: str
    """The solvers that replaced the task's own, with their arguments; else empty."""
    context: str
    """Empty where a task has none."""
    context_words: str
    """The most words of context that were shown; empty for all, and where `selection` tells it."""
    arm: str
    """Of `predict_message`: the thoughts that were shown, and whose inferences; of `rewrite_reply` the signal; else
    empty."""
    stands_for: str
    """The arm whose thoughts the inferences take the place of; else empty."""
    selection: str
    """Of `predict_message`: which messages were predicted, from how much of the history; of `choose_thought`: how its
    options were drawn; of `recall_note`: how other notes were chosen; of `arena`: the baseline's answers; of
    `rewrite_reply`: which replies were written anew; else empty."""
    against: str
    """Of `arena`: what gave the baseline's answers; else empty."""
    task_version: str
    prompt_hash: str
    prompt_file: str
    """Name and checksum of the file with the prompt; empty for ours."""
    confidence: bool
    """Whether the evaluated model was asked how sure it is of its inference."""
    probes_hash: str
    """Of `judge_agreement`; else empty."""
    probe_rubrics: dict[Kind, str]
    """Of `judge_agreement`: the rubrics' hashes by kind; else empty."""
    probe_rubric_file: str
    """Of `judge_agreement`: name and checksum of the file with the rubric; empty for ours."""
    judge_message: bool
    judge_scale: str
    """What the judges' votes count as, a `JudgeScale`."""
    judge_configs: dict[str, str]
    """What changes each judge's votes, of those judges that were not left at their defaults."""
    data: str
    data_revision: str
    data_content: str
    """The checksum of the conversations; `unknown` in logs written before there was such a key."""
    subset: str
    """The subset of a protocol whose samples it took; else empty."""
    subset_sha256: str
    """Checksum of the subset's manifest; else empty."""
    subset_samples: int
    """How many samples of this kind the manifest has; 0 without a subset."""
    package_version: str
    inspect_version: str
    commit: str
    """The git commit of the folder that it was started in, `+changes` where that was not clean; empty for none."""
    date: str
    """When it was started, ISO 8601; of several logs the newest."""
    status: str
    """Inspect's: `success`, or of an unfinished log `cancelled`, `error` or `started`."""
    epochs: int
    planned: int
    """Samples planned, not counting epochs."""
    planned_replies: int
    """Samples planned, counting epochs."""
    absent: list[str]
    """Ids of planned samples that the log does not hold."""
    file: str
    """The log's path or URL; of several logs the newest."""

    @property
    def log(self) -> str:
        """The log's file name."""
        return Path(self.file).name


@dataclass(frozen=True)
class Contribution:
    """What one log gave to a run."""

    file: str
    score_name: str
    """Of the score in the log: `agreement`, or `agreement1` … where `inspect score` appended others."""
    date: str
    status: str
    replies: int
    """Replies in the log: its samples, counting epochs."""
    counted: int
    """Those that count; newer ones, or ones with a score, stand in the place of the others."""

    @property
    def log(self) -> str:
        """The log's file name."""
        return Path(self.file).name


@dataclass(frozen=True)
class Run(LogInfo):
    """One measurement of a model or control, as one panel of judges scored it: one log, or several joined.

    See `measurement` for what must be equal in logs that are joined.
    """

    judge: str
    """The judges' names, comma-separated; of `judge_agreement` the evaluated model; else empty."""
    rubric_hash: str
    rows: pd.DataFrame = field(compare=False, repr=False)
    """One row per sample and epoch: `id`, `epoch`, `file` and `score_name` (the log it is in, and the name of its score
    there), `user`, `score` (NaN if unscored, or if the score is a label), `reason` (why it is unscored, or was scored
    by a rule; else None), `answer`, `similarity` (a cosine; NaN where not scored), `ratings` (JSON: each judge's, on
    `judge_scale`), `verdicts` (JSON; of reactions, rewrites), `overlap` (words of the longest run that answer and
    target share), `confidence` (0–100, NaN for none) and `no_confidence` (why there is none though it was asked for;
    else None), the columns of the task's sample metadata, and `USAGE` (NaN where no price is known). Of tasks that
    infer thoughts also `words` (of the answer; NaN without one) and `equals_note` (whether the answer is one of the
    notes, word for word). Of `judge_agreement` also `within` and `injected` (1 or 0; `injected` is NaN where the probe
    is no attack), `inference_words`, `word_overlap` and `cosine` (NaN where the log has none). Of
    `predict_satisfaction` also `percent`, of `recall_note` also `others` and `run`, of `rewrite_reply` also
    `keeps_request`, `words`, `unchanged` and `declined`, unless no reply was scored; of `arena` `pair_verdicts` (JSON:
    each judge's, the answer shown as A and as B) and the fields of `Style`, also with the prefix `baseline_`."""
    contributions: tuple[Contribution, ...]
    """What each log gave, the oldest first; a log that gave nothing is not among them."""
    rubric_file: str = ""
    """Name and checksum of the file with the rubric; empty for ours."""
    planned_epochs: dict[str, int] = field(default_factory=dict, repr=False)
    """Of joined logs: the planned replies to each sample; of one log these are `epochs`."""
    distinction: str = ""
    """In what it differs from other runs of the same model, such as "effort high"; empty for the only one."""

    @property
    def name(self) -> str:
        """The model, and in what this run differs from others of it: what tables and plots call the run."""
        return f"{self.model} ({self.distinction})" if self.distinction else self.model

    @property
    def version(self) -> int:
        """N of the task version N-X, which changes when numbers stop being comparable; 0 where there is none."""
        number = self.task_version.partition("-")[0]
        return int(number) if number.isdecimal() else 0

    @property
    def prompt(self) -> str:
        """The prompt: the file that a user gave, or the hash of ours."""
        return self.prompt_file or self.prompt_hash

    @property
    def rubric(self) -> str:
        """The rubric: the file that a user gave, or the hash of ours."""
        return self.rubric_file or self.rubric_hash

    @property
    def judges(self) -> list[str]:
        """The judges' names."""
        return self.judge.split(", ") if self.judge else []

    @property
    def configured_judges(self) -> list[str]:
        """Those of the judges that were not left at their defaults."""
        return [judge for judge in self.judges if judge in self.judge_configs]

    @property
    def judge_described(self) -> str:
        """The judges, each with what changes its votes."""
        return ", ".join(
            f"{judge} ({self.judge_configs[judge]})" if judge in self.judge_configs else judge for judge in self.judges
        )

    @property
    def self_judged(self) -> bool:
        """Whether the evaluated model is among the judges of its own answers."""
        return len(self.other_judges) < len(self.judges)

    @cached_property
    def votes(self) -> pd.DataFrame:
        """The mean valid vote of each judge on each of `rows`: a column per judge, NaN where it gave none."""
        return self._of_votes(fmean)

    @cached_property
    def vote_counts(self) -> pd.DataFrame:
        """The number of valid votes of each judge on each of `rows`: a column per judge."""
        return self._of_votes(len).fillna(0).astype(int)

    @cached_property
    def recorded_votes(self) -> list[dict[str, list[float | None]]]:
        """What each judge said of each of `rows`, None for a vote without a rating; nothing where there is no score."""
        return [json.loads(ratings) if isinstance(ratings, str) else {} for ratings in self.rows["ratings"]]

    @cached_property
    def _valid_votes(self) -> list[dict[str, list[float]]]:
        return [
            {judge: [r for r in votes if r is not None] for judge, votes in row.items()} for row in self.recorded_votes
        ]

    def _of_votes(self, reduce: Callable[[list[float]], float]) -> pd.DataFrame:
        values = [{judge: reduce(votes) for judge, votes in row.items() if votes} for row in self._valid_votes]
        return pd.DataFrame(values, index=self.rows.index, columns=self.judges, dtype=float)

    @property
    def rated_by_rule(self) -> pd.Series:
        """For each of `rows`, whether a rule rated it and no judge, as a refusal."""
        return self.rows["score"].notna() & self.rows["reason"].isin(record.NO_ANSWER)

    def ratings_of(self, judges: Sequence[str]) -> pd.DataFrame:
        """Return what some judges gave each sample, the mean over its epochs: a row per sample, a column per judge.

        What a rule rated, such as a refusal, is given to all of them. NaN where a judge gave no vote.

        Args:
            judges: Names of judges of this run.
        """
        ratings = self.votes[list(judges)].copy()
        by_rule = self.rated_by_rule
        ratings.loc[by_rule] = np.repeat(self.rows.loc[by_rule, ["score"]].to_numpy(), len(judges), axis=1)
        return ratings.groupby(self.rows["id"], sort=False).mean().dropna(how="all")

    @property
    def other_judges(self) -> list[str]:
        """The judges, without the evaluated model itself; a control or a person is none, whatever the name."""
        none = self.control or self.person
        return [judge for judge in self.judges if none or not same_model(self.evaluated, judge)]

    def rated_by(self, judges: Sequence[str]) -> "Run":
        """Return the run as some of its judges rated it.

        What a rule rated stays as it is. A reply that none of these judges rated has no score.

        Args:
            judges: Names of judges of this run.
        """
        if set(judges) == set(self.judges):
            return self
        score = self.rows["score"].where(self.rated_by_rule, self.votes[list(judges)].mean(axis=1))
        lost = score.isna() & self.rows["score"].notna()
        reason = self.rows["reason"].mask(lost, Unscored.NO_VALID_VOTE.value)
        return replace(self, judge=", ".join(sorted(judges)), rows=self.rows.assign(score=score, reason=reason))

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per sample; `score` and `similarity` are the means over its epochs that were scored.

        A sample none of whose epochs was scored stays, as NaN.
        """
        if self.epochs == 1:
            return self.rows
        grouped = self.rows.groupby("id", sort=False)
        return grouped.first().assign(**grouped[["score", "similarity"]].mean()).reset_index()

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The scored samples, indexed by `id`."""
        return self.samples.dropna(subset="score").set_index("id")

    @property
    def usage(self) -> dict[str, Any]:
        """The sums of `USAGE` over all samples."""
        return {column: self.rows[column].sum(skipna=False) for column in USAGE}

    @property
    def missing(self) -> str:
        """How many replies have no score, by reason: "3 truncated, 1 not in the log"; empty where all have one."""
        return self.count_missing(self.rows["score"].isna())

    def count_missing(self, without: pd.Series) -> str:
        """Count by reason the replies that lack something, and those that are not in the log.

        Args:
            without: For each of `rows`, whether it lacks what is counted, such as a label.
        """
        reasons = self.rows.loc[without, "reason"].fillna(Unscored.NOT_SCORED.value).value_counts()
        lost = self.planned_replies - len(self.rows)
        counts = [f"{count} {reason}" for reason, count in reasons.items()]
        return ", ".join([*counts, *[f"{lost} {Unscored.NOT_IN_LOG}"] * (lost > 0)])


def read_task_log(file: str) -> list[Run]:
    """Read one log, or what was read from it before if the file is still the same.

    Args:
        file: Path or fsspec URL.

    Returns:
        A run for each time that it was scored, in the order of the scores.

    Raises:
        UnusableLogError: The log is of no task of ours, unfinished, unscored, or damaged.
    """
    if file != file.encode(errors="replace").decode():
        raise UnusableLogError("has a name that is not UTF-8, which no table can hold; rename it.")
    try:
        identity = _identity(file)
    except Exception as error:  # a file that went away, or a server that does not answer
        raise UnusableLogError(f"cannot be read ({type(error).__name__}: {error}).") from error
    kept = cache_dir.cache_dir() / "logs" / f"{hashlib.sha256(file.encode()).hexdigest()[:32]}.parquet"
    try:
        rows = pd.read_parquet(kept)
        if rows.attrs.pop("identity") == identity and rows.attrs.pop("columns") == _columns(rows):
            return _runs(LogInfo(**rows.attrs.pop("info")), rows)
    except Exception:  # absent, damaged, or of another version: read the log itself
        pass
    info, rows = _read(file)
    rows.attrs = {"identity": identity, "columns": _columns(rows), "info": asdict(info)}
    with contextlib.suppress(Exception), cache_dir.write_whole(kept) as part:  # without a cache it only takes longer
        rows.to_parquet(part)
    rows.attrs = {}
    return _runs(info, rows)


def _columns(rows: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in rows.dtypes.items()}


# Another reader, another log contract, or other prices may find other things in the same log.
_SOURCES = [*sorted(Path(__file__).parent.glob("*.py")), Path(record.__file__), Path(prices.__file__), prices.FILE]
_READER = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()

_TAIL = 1 << 16


def _identity(file: str) -> str:
    """Tell a file from any other, and from its own earlier content.

    What the file system says (size, times, inode or ETag) and the file's end: an `.eval` log is a zip whose
    directory, with the checksums of header and summaries, comes last.
    """
    system, path = fsspec.core.url_to_fs(file)
    system.invalidate_cache()
    info = json.dumps(system.info(path), sort_keys=True, default=str)
    end = hashlib.sha256(system.tail(path, _TAIL)).hexdigest()
    return hashlib.sha256(f"{_READER}\n{info}\n{end}".encode()).hexdigest()


def _read(file: str) -> tuple[LogInfo, pd.DataFrame]:
    """Read a log: its header, and a row per sample, epoch and score, and the columns `score_name`, `rubric_…`."""
    try:
        log = read_eval_log(file, header_only=True)
        spec = record.task_of(log.eval.task)
        if spec is None:
            raise UnusableLogError(f"is of another task ({log.eval.task}).")
        summaries = read_eval_log_sample_summaries(file)
        _check_plan(log, summaries)
        rows = pd.DataFrame(sample_rows(file, summaries, spec, LogCosts(log)))
        if log.status != "success" and (rows.empty or (spec.judged and "ratings" not in rows)):
            raise UnusableLogError(UNFINISHED.format(log.status))
        if rows.empty:
            raise UnusableLogError("holds no samples; run it again.")
        if spec is record.ARENA and record.run_metadata(log.eval.metadata).against is None:
            raise UnusableLogError("holds answers that no judge compared; it can be the baseline of another run.")
        if spec.judged and "ratings" not in rows:
            raise UnusableLogError(f"holds no {spec.score} scores; score it with inspect score.")
        info = _info(log, spec, rows, file)
        if info.answers_file:
            # What they took is not known; a 0 would say that they cost nothing.
            rows[[*OF_MODEL]] = math.nan
        return info, rows
    except UnusableLogError:
        raise
    except ValidationError as error:
        raise UnusableLogError(f"cannot be read ({error.title} {fault_in(error)}); it may be damaged.") from error
    except Exception as error:  # a damaged log can fail in any layer of the reader
        text = " ".join(str(error).split())[:200]
        raise UnusableLogError(f"cannot be read ({type(error).__name__}: {text}); it may be damaged.") from error


def _check_plan(log: EvalLog, summaries: Sequence[EvalSampleSummary]) -> None:
    """Check that what a header says was planned can be: coverage is counted by it.

    Raises:
        UnusableLogError: The header contradicts itself, or the samples.
    """
    epochs, total = log.eval.config.epochs or 1, log.results.total_samples if log.results else 0
    ids = list(map(str, log.eval.dataset.sample_ids or ()))
    if epochs < 1 or total < 0:
        raise broken("its header", f"{epochs:,} epochs, {total:,} samples in all (total_samples)")
    if twice := [name for name, count in Counter(ids).items() if count > 1]:
        raise broken("its header", f"it names the sample {twice[0]} twice, which would count once")
    most = len(ids) or log.eval.dataset.samples
    if most and total > most * epochs:
        plan = f"{most:,} samples in {epochs:,} epoch{'s' * (epochs > 1)}"
        raise broken("its header", f"{total:,} samples in all, which contradicts {plan}")
    for sample in summaries:
        if not 1 <= sample.epoch <= epochs:
            raise broken(f"its sample {sample.id}", f"epoch {sample.epoch} of {epochs}")
    if log.status == "success" and summaries and max(sample.epoch for sample in summaries) < epochs:
        raise broken("its header", f"{epochs:,} epochs, and no sample has so many")


def _info(log: EvalLog, spec: TaskSpec, rows: pd.DataFrame, file: str) -> LogInfo:
    evaluation = log.eval
    try:
        metadata = record.run_metadata(evaluation.metadata, evaluation.task_args)
    except ValidationError as error:
        raise broken("its header", f"metadata {fault_in(error)}") from error
    evaluated = metadata.system or evaluation.model
    epochs = evaluation.config.epochs or 1
    # A sample that failed for good is planned but may not be among the rows.
    total = log.results.total_samples if log.results else 0
    absent = sorted({str(name) for name in evaluation.dataset.sample_ids or ()} - set(rows["id"]))
    planned = max(rows["id"].nunique() + len(absent), total // epochs)
    config = evaluation.model_generate_config.merge(log.plan.config)
    kinds = [kind for kind, task in record.INFER.items() if task is spec]
    return LogInfo(
        task=spec.name,
        kind=kinds[0] if kinds else metadata.kind,
        model=_model(metadata, evaluated),
        evaluated=evaluated,
        answers_file=metadata.answers_file or "",
        person=metadata.person,
        control=metadata.control or "",
        baseline=metadata.baseline,
        effort=_effort(config),
        generation=_generation(config, evaluation.model_args),
        solver=_solver(log),
        context=metadata.context or "",
        # What `predict_message` shows is in `selection`.
        context_words=str(metadata.max_context_words or "") if spec is not record.PREDICT else "",
        arm=_arm(metadata, evaluated),
        stands_for=_stands_for(metadata),
        selection=_selection(metadata, spec),
        against=metadata.against or "",
        task_version=str(evaluation.task_version),
        # A baseline is given no prompt, and stays the same when the prompt changes.
        prompt_hash="" if metadata.baseline else metadata.prompt_hash,
        prompt_file=metadata.prompt_file or "",
        confidence=metadata.confidence,
        probes_hash=metadata.probes_hash if spec is record.PROBE else "",
        probe_rubrics={kind: metadata.rubric_hash[kind] for kind in record.KINDS if kind in metadata.rubric_hash},
        probe_rubric_file=metadata.rubric_file or "",
        judge_message=metadata.judge_message,
        judge_scale=metadata.judge_scale,
        judge_configs=_judge_configs(log),
        data=metadata.data,
        data_revision=metadata.data_revision,
        data_content=metadata.data_content,
        subset=metadata.subset or "",
        subset_sha256=metadata.subset_sha256 or "",
        subset_samples=metadata.subset_samples or 0,
        package_version=metadata.thoughttrace,
        inspect_version=str(evaluation.packages.get("inspect_ai", "unknown")),
        commit=_commit(log),
        date=str(evaluation.created),
        status=log.status,
        epochs=epochs,
        planned=planned,
        planned_replies=planned * epochs,
        absent=absent,
        file=file,
    )


def _commit(log: EvalLog) -> str:
    revision = log.eval.revision
    return revision.commit + "+changes" * bool(revision.dirty) if revision else ""


def _model(metadata: RunMetadata, evaluated: str) -> str:
    if metadata.control:
        return f"control {metadata.control}" + f" by {evaluated}" * (metadata.control == "reworded")
    return BASELINE if metadata.baseline else evaluated + " (person)" * metadata.person


_EFFORT = ("effort", "reasoning_effort", "reasoning_mode", "reasoning_tokens")

_NO_ANSWERS = {
    "max_retries", "timeout", "attempt_timeout", "stream_idle_timeout", "max_connections", "adaptive_connections",
    "seed", "num_choices", "logprobs", "top_logprobs", "prompt_logprobs", "parallel_tool_calls", "internal_tools",
    "max_tool_output", "cache_prompt", "fail_on_refusal", "reasoning_summary", "reasoning_history", "extra_headers",
    "modalities", "cache", "batch",
}  # fmt: skip
"""What of a generation config changes no answer, or as little as asking again; what is not listed, new options too,
keeps measurements apart."""

_SECRETS = re.compile("key|token|secret|password|auth|credential|header", re.IGNORECASE)
"""Names of a provider's arguments that no report may show; they identify who asks, not what answers."""


def _effort(config: GenerateConfig) -> str:
    given = [(name, value) for name in _EFFORT if (value := getattr(config, name))]
    return ", ".join(f"{value:,} tokens" if name == "reasoning_tokens" else str(value) for name, value in given)


def _generation(config: GenerateConfig, arguments: Mapping[str, Any]) -> str:
    given = config.model_dump(exclude_none=True, exclude={*_EFFORT, *_NO_ANSWERS})
    given |= {name: value for name, value in arguments.items() if value is not None and not _SECRETS.search(name)}
    return ", ".join(f"{name} {_short(value)}" for name, value in sorted(given.items()))


def _short(value: Any) -> str:
    """Write a value, or the hash of one that would not fit into a line."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 24 else hashlib.sha256(text.encode()).hexdigest()[:8]


def _solver(log: EvalLog) -> str:
    """Name the solvers that replaced the task's own; plain `generate` is what a task without any does."""
    steps = [step for step in log.plan.steps if not step.solver.startswith(record.OWN) and step.solver != "generate"]
    return ", ".join(f"{step.solver}({_arguments(step.params_passed)})" for step in steps)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in sorted(arguments.items()))


def _judge_configs(log: EvalLog) -> dict[str, str]:
    bound = (log.eval.model_roles or {}).get(record.JUDGE_ROLE, [])
    configs = {}
    for judge in bound if isinstance(bound, list) else [bound]:
        if text := describe_config(_effort(judge.config), _generation(judge.config, judge.args)):
            configs[judge.model] = text
    return configs


def describe_config(effort: str, generation: str) -> str:
    """Say what changes a model's answers; empty for the defaults.

    Args:
        effort: As in `LogInfo`.
        generation: As in `LogInfo`.
    """
    return ", ".join(filter(None, (f"effort {effort}" * bool(effort), generation)))


def _arm(metadata: RunMetadata, evaluated: str) -> str:
    kinds = metadata.inferred_kinds or []
    arm = metadata.arm or metadata.signal or ""
    if len(kinds) == 1:
        arm += f" {kinds[0]}s"
    if kinds and not same_model(str(metadata.inferred_by), evaluated):
        arm += f" by {metadata.inferred_by}"
    return arm


def _stands_for(metadata: RunMetadata) -> str:
    kinds = metadata.inferred_kinds or []
    return "both" if len(kinds) == 2 else f"{kinds[0]}s" if kinds else ""


def _selection(metadata: RunMetadata, spec: TaskSpec) -> str:
    if spec is record.CHOOSE:
        return f"options drawn with seed {metadata.options_seed}"
    if spec is record.RECALL:
        return f"other notes chosen with seed {metadata.comparison_seed}"
    if spec is record.ARENA:
        left_out = metadata.without_comparison or 0
        return f"answers {metadata.against_answers}" + f", {left_out:,} prompts without one left out" * bool(left_out)
    if spec is record.REWRITE:
        return metadata.reply_selection or "unknown"
    if spec is not record.PREDICT:
        return ""
    parts = [f"after a {metadata.after or 'unknown'}"]
    if metadata.min_quality is not None:
        parts.append(f"quality {metadata.min_quality:g} or more")
    if metadata.max_context_words:
        parts.append(f"history of {metadata.max_context_words:,} words at most")
    return ", ".join(parts)


def _runs(info: LogInfo, rows: pd.DataFrame) -> list[Run]:
    """Make a run of each score of a log."""
    spec = record.TASKS[info.task]
    header = {part.name: getattr(info, part.name) for part in fields(info)}
    runs = []
    for name, scored in rows.groupby("score_name", sort=False):
        judge = info.evaluated if spec is record.PROBE else ""
        of_score = {
            "rubric_hash": ", ".join(f"{kind} {name}" for kind, name in sorted(info.probe_rubrics.items())),
            "rubric_file": info.probe_rubric_file,
            "judge_scale": info.judge_scale,
        }
        if spec.judged:
            ratings = [json.loads(ratings) for ratings in scored["ratings"].dropna()]
            judge = ", ".join(sorted({judge for by_judge in ratings for judge in by_judge}))
            of_score = {name: _distinct(scored[name]) for name in OF_SCORES}
            if not judge:
                continue  # samples that failed before any score, among those that were scored under another name
        own = scored.drop(columns=[*OF_SCORES], errors="ignore")
        own = own.reset_index(drop=True).assign(file=info.file)
        whole = Contribution(info.file, str(name), info.date, info.status, len(own), len(own))
        runs.append(
            Run(
                **header | of_score,
                judge=judge,
                rows=own,
                contributions=(whole,),
            )
        )
    if not runs:
        counts = rows["reason"].fillna(Unscored.NOT_SCORED.value).value_counts()
        said = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        raise UnusableLogError(f"holds no rating of a judge ({said}); run it again, or score it with inspect score.")
    return runs


def _distinct(texts: pd.Series) -> str:
    return ", ".join(sorted(texts.dropna().unique()))


def shared_judges(a: Run, b: Run) -> list[str]:
    """Return the judges that rated both of two runs, neither of which is their own.

    Args:
        a: A run.
        b: Another.
    """
    return [
        judge
        for judge in a.other_judges
        if judge in b.other_judges and a.judge_configs.get(judge) == b.judge_configs.get(judge)
    ]
