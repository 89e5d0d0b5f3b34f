"""How near predictions are to the next message of the user."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.figure import Figure

from thoughttrace.analysis.page.plots import SERIES, Dot, Reference, dots
from thoughttrace.analysis.page.table import (
    Chapter,
    Column,
    Picture,
    Section,
    count,
    dollars,
    limits,
    name,
    number,
    pair,
    share,
    short,
    text,
)
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run
from thoughttrace.analysis.stats.intervals import Interval, cluster_mean
from thoughttrace.core import published
from thoughttrace.core.record import PREDICT

_INTRO = (
    "A model reads a conversation up to one of the assistant's replies, with or without the user's private thoughts "
    "between the messages, and predicts what the user writes next; a judge rates from 0 to 100 how near in meaning "
    "that is to what they wrote. The thought on the predicted message itself is never shown."
)

_NOTE = (
    "CR2 intervals by user, on the logit. Thoughts: none, the history alone; reasons, reactions, both, the user's "
    "own; shuffled, other users' of the same kind and about the same length in their places; inferred, a model's "
    "guesses there. Cosine: of embeddings, without a judge. A refusal or an empty answer counts as 0. "
    "Published: Jin et al. 2026 (arXiv:2605.20087), with another judge, other prompts, messages chosen by an LLM's "
    "rating of their thoughts, and no interval; for orientation, not the same measurement."
)


@dataclass(frozen=True)
class Setting:
    """What must be equal, besides the judge, for two runs of one model to be compared."""

    rubric_hash: str
    prompt_hash: str
    version: int
    data_revision: str
    selection: str

    @classmethod
    def of(cls, run: Run) -> "Setting":
        """Return the setting of a run."""
        return cls(run.rubric_hash, run.prompt_hash, run.version, run.data_revision, run.selection)


@dataclass(frozen=True)
class MeanRow:
    """The mean similarity of one run, 0–100."""

    model: str
    arm: str
    judge: str
    self_judged: bool = False
    mean: float = math.nan
    lower: float = math.nan
    """95 % limit, CR2 by user, on the logit."""
    upper: float = math.nan
    n: int | None = None
    """Scored samples."""
    users: int | None = None
    note: str = ""
    samples: int | None = None
    """Planned."""
    coverage: float = math.nan
    missing: str = ""
    """How many replies have no rating, by reason."""
    refused_or_empty: int | None = None
    """Replies that were no answer, rated 0 by rule."""
    cosine: float = math.nan
    """Mean; NaN where not scored."""
    thought_words: float = math.nan
    """Mean words of the thoughts shown."""
    not_inferred: int | None = None
    """Messages shown, with a thought and without an inference; sum over samples."""
    input_tokens: float = math.nan
    output_tokens: float = math.nan
    cost: float = math.nan
    judge_input_tokens: float = math.nan
    judge_output_tokens: float = math.nan
    judge_cost: float = math.nan
    rubric_hash: str = ""
    prompt_hash: str = ""
    version: int | None = None
    data_revision: str = ""
    selection: str = ""
    data: str = ""
    log: str = ""
    published: bool = False


COLUMNS = [
    name("Model", lambda row: row.model + " (judges itself)" * row.self_judged),
    name("Thoughts", "arm"),
    number("Similarity, 0–100", lambda row: "none scored" if row.n == 0 else row.mean, ".1f"),
    limits("95 % interval", spec=".1f"),
    count("n", "n"),
    count("Users", "users"),
    share("Replies rated", "coverage"),
    text("Replies missing", "missing"),
    count("Replies refused or empty", "refused_or_empty"),
    number("Cosine", "cosine"),
    number("Words of thoughts", "thought_words", ".0f"),
    count("Not inferred", lambda row: row.not_inferred if row.arm.startswith("inferred") else None),
    pair("Tokens in / out", "input_tokens", "output_tokens"),
    pair("Judge's tokens", "judge_input_tokens", "judge_output_tokens"),
    dollars("Cost", lambda row: "" if row.published else row.cost),
    dollars("Judge's cost", lambda row: "" if row.published else row.judge_cost),
    name("Judge", "judge"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write how near predictions are to the next message."""
    rows = means(evidence.runs.of(PREDICT))
    pictures = [
        Picture(
            "next_message_means", _plot(rows),
            f"Mean similarity, 95 % intervals. Of more than {SERIES} models those with the highest means are drawn.",
        )
    ] if any(row.n for row in rows) else []  # fmt: skip
    return Chapter(
        "next_message",
        "Next message",
        _INTRO if rows else "",
        [
            Section(
                "next_message_means", "How near the predicted messages are",
                [*rows, *_published()] if rows else [],
                [*COLUMNS, *setting_columns(rows)],
                _NOTE,
                pictures,
                row_class=row_class,
                terminal=True,
            ),
        ],
    )  # fmt: skip


def means(runs: Sequence[Run]) -> list[MeanRow]:
    """Estimate the mean similarity of every run of `predict_message`."""
    return [_mean(run) for run in runs]


def _mean(run: Run) -> MeanRow:
    scored = run.scored
    if len(scored):
        mean = cluster_mean(scored["score"], scored["user"], bounds=PREDICT.scale)
    else:
        mean = Interval.without_limits("none scored")
    return MeanRow(
        model=run.name,
        arm=run.arm,
        judge=run.judge,
        self_judged=run.self_judged,
        **mean.as_row("mean"),
        samples=run.planned,
        coverage=run.rows["score"].notna().sum() / run.planned_replies,
        missing=run.missing,
        refused_or_empty=int(run.rated_by_rule.sum()),
        cosine=run.samples["similarity"].mean(),
        thought_words=run.samples["note_words"].mean(),
        not_inferred=int(run.samples["not_inferred"].sum()),
        **run.usage,
        **asdict(Setting.of(run)),
        data=run.data,
        log=run.log,
    )


def _published() -> list[MeanRow]:
    return [
        MeanRow(f"{published.LABEL}: {model}", arm, "others", mean=mean, note="not published", published=True)
        for model, means_published in published.next_message().items()
        for arm, mean in (("none", means_published.none), ("both", means_published.both))
    ]


def _plot(rows: Sequence[MeanRow]) -> Figure:
    """Draw the mean similarity of each model by what was shown."""
    labelled = [(label, row) for label, row in zip(run_labels(rows), rows, strict=True) if not math.isnan(row.mean)]
    arms = sorted({row.arm for _, row in labelled}, key=rank)
    points = [
        Dot(arm, row.mean, row.lower, row.upper, series=label)
        for arm in arms
        for label, row in first_of_each(labelled, arm)
    ]
    mean_published = published.next_message()[published.MODELS]
    references = [
        Reference(mean, "published mean\n(other judge and prompts)", at=arm)
        for arm, mean in (("none", mean_published.none), ("both", mean_published.both))
        if arm in arms
    ]
    return dots(points, "mean similarity, 0–100, with 95 % interval", references, scale=(0, None), upright=True)


def rank(arm: str) -> tuple[int, str]:
    """Place an arm among all, as they are shown."""
    return _ORDER.index(arm) if arm in _ORDER else len(_ORDER), arm


_ORDER = ("none", "reasons", "reactions", "both", "shuffled")


def run_labels(rows: Sequence[Any]) -> list[str]:
    """Name rows by model, and by what else of the setting they differ in."""
    judges: dict[str, set[str]] = {}
    for row in rows:
        if not getattr(row, "pooled", 0):
            judges.setdefault(row.model, set()).add(row.judge)
    fields = ["judge"] * any(len(by_model) > 1 for by_model in judges.values())
    fields += [
        field
        for field in ("selection", "data_revision", "rubric_hash", "prompt_hash")
        if len({getattr(row, field) for row in rows}) > 1
    ]
    return ["\n".join([row.model, *(getattr(row, field) for field in fields)]) for row in rows]


def setting_columns(rows: Sequence[Any]) -> list[Column]:
    """Make columns of what runs of this report differ in, besides their models."""
    titles = {"selection": "Chosen", "data_revision": "Data", "rubric_hash": "Rubric", "prompt_hash": "Prompt"}
    return [short(title, field) for field, title in titles.items() if len({getattr(row, field) for row in rows}) > 1]


def row_class(row: Any) -> str:
    """Name the class of a row of means or gains."""
    return "published" if row.published else ""


def first_of_each(labelled: Sequence[tuple[str, Any]], arm: str) -> list[tuple[str, Any]]:
    """Keep the first row of each label among those of an arm: of several a plot has room for one."""
    first: dict[str, Any] = {}
    for label, row in labelled:
        if row.arm == arm:
            first.setdefault(label, row)
    return list(first.items())
